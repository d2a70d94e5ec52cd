"""The guide's whole neuron against real systems: the command of examples/guide, in a short form."""

import os
import subprocess
import sys

from conftest import PROGRAM, ROOT


def test_the_guides_neuron_adds_up():
    seconds = "120" if os.environ.get("NEURON_SOAK") else "10"
    done = subprocess.run([sys.executable, os.path.join(ROOT, "examples/guide/run.py"), "--seconds", seconds],
                          capture_output=True, text=True, timeout=600, check=False,
                          env={**os.environ, "NEURON_PROGRAM": PROGRAM})
    assert done.returncode == 0 and "everything adds up" in done.stdout, done.stdout[-8000:] + done.stderr[-4000:]
