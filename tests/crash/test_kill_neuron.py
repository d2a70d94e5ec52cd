"""kill -9 of the whole neuron at random moments while data flows: nothing is lost, doubled or changed."""

import os
import sys

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "examples/guide"))
# pylint: disable=wrong-import-position
from run import flow  # noqa: E402
from stack import Stack  # noqa: E402


def test_nothing_is_lost_through_kills():
    stack = Stack(schedule="every 2s")
    try:
        stack.feed_tables()
        stack.feed_topic()
        stack.start()
        kills = flow(stack, 900 if os.environ.get("NEURON_SOAK") else 30, kill=True)
        assert kills >= 3
        stack.settle()
        for what, there, here in stack.balance():
            assert str(there) == str(here), f"{what} after {kills} kills\n{stack.log()[-4000:]}"
        assert stack.core.registrations == 1
    finally:
        stack.close()
