"""Nothing is lost, doubled or changed whatever happens: README.md here says how."""

import os
import sys
import time

import psycopg
from confluent_kafka import KafkaException

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import compare  # noqa: E402
import faults  # noqa: E402
from world import World  # noqa: E402
from writers import Writers  # noqa: E402

SOAK = bool(os.environ.get("NEURON_SOAK"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", 1800 if SOAK else 40))
ONLY = tuple(filter(None, os.environ.get("CHAOS_ONLY", "").split(",")))
SETTLE_SECONDS = 180


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def settle(world, writers):
    """Waits until every target is as it must be; what differs at the end, as text."""
    deadline, text = time.monotonic() + SETTLE_SECONDS, ""
    while time.monotonic() < deadline:
        for node in world.nodes:
            node.revive()
        try:
            text = compare.summary(compare.everything(world, writers))
            if not text:
                return ""
        except (psycopg.Error, KafkaException, OSError, ValueError) as error:
            text = repr(error)
        time.sleep(1)
    return text


def logs(world):
    return "\n".join(f"{node.name}: {node.log}, {node.starts} starts" for node in world.nodes)


def one_round(world, writers, plan, end):
    """Faults, then peace, then the comparison."""
    for name, function, seed in plan:
        if time.monotonic() > end:
            break
        say("fault", name, seed)
        function(world, faults.random.Random(seed))
        for node in world.nodes:
            node.revive()
        time.sleep(0.5)
    writers.pause()
    began = time.monotonic()
    text = settle(world, writers)
    say("settled" if not text else text, f"{time.monotonic() - began:.0f} s,", writers.sent, "messages a topic")
    assert not text, f"{text}\n{logs(world)}"
    writers.resume()


def test_nothing_is_lost_doubled_or_changed(tmp_path):
    world = World(str(tmp_path), SEED)
    writers = None
    try:
        for name in world.missing:
            say("left out:", name)
        world.start()
        writers = Writers(world, SEED)
        end, number = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            one_round(world, writers, faults.script(SEED * 1000 + number, 6, world, ONLY), end)
            number += 1
        assert all(writers.rows.values()) and all(writers.messages.values())
        ended = [(node.name, *entry) for node in world.nodes for entry in node.ended]
        assert not ended, f"ended by itself: {ended}"
    finally:
        if writers:
            writers.end()
        world.close()
