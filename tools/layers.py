"""Reads tools/layers.txt: the rooms in order, and which rooms each may use."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Room:
    def __init__(self, wing, name, uses):
        self.wing = wing
        self.name = name
        self.path = wing if name == "." else f"{wing}/{name}"
        self.library = wing if name == "." else f"{wing}_{name}"
        self.uses = uses  # paths of the rooms to its left and above


def read(root=ROOT):
    rooms, homes, above = [], {}, []
    with open(os.path.join(root, "tools/layers.txt"), encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            head, _, rest = line.partition(":")
            if head.startswith("@"):
                homes[head[1:].strip()] = rest.split()
                continue
            for group in rest.split():
                siblings = [Room(head, name, list(above)) for name in group.split("|")]
                rooms += siblings
                above += [room.path for room in siblings]
    return rooms, homes


def sources(room, root=ROOT, endings=(".c",)):
    folder = os.path.join(root, "src", room.path)
    if not os.path.isdir(folder):
        return []
    return sorted(
        f"src/{room.path}/{name}" for name in os.listdir(folder) if name.endswith(endings)
    )
