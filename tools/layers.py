"""Reads tools/layers.txt: the modules in order, and which modules each may use."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Module:
    def __init__(self, layer, name, uses):
        self.layer = layer
        self.name = name
        self.path = layer if name == "." else f"{layer}/{name}"
        self.library = layer if name == "." else f"{layer}_{name}"
        self.uses = uses  # paths of the modules to its left and above


def read(root=ROOT):
    modules, homes, above = [], {}, []
    with open(os.path.join(root, "tools/layers.txt"), encoding="utf-8") as lines:
        for line in lines:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            head, _, rest = line.partition(":")
            if head.startswith("+"):
                continue
            if head.startswith("@"):
                homes[head[1:].strip()] = rest.split()
                continue
            for group in rest.split():
                siblings = [Module(head, name, list(above)) for name in group.split("|")]
                modules += siblings
                above += [module.path for module in siblings]
    return modules, homes


def hot(root=ROOT):
    """Patterns of the files below src/ that are compiled for speed alone."""
    with open(os.path.join(root, "tools/layers.txt"), encoding="utf-8") as lines:
        return [pattern for line in lines if line.startswith("+ hot:") for pattern in line.split(":")[1].split()]


def sources(module, root=ROOT, endings=(".c",)):
    folder = os.path.join(root, "src", module.path)
    if not os.path.isdir(folder):
        return []
    return sorted(
        f"src/{module.path}/{name}" for name in os.listdir(folder) if name.endswith(endings)
    )
