"""Start of the program to its first output, beside /bin/true and Python; size of the binary."""

import os
import statistics
import subprocess
import tempfile
import time

from measure import NEURON, goal

RUNS = 50


def median_ms(command):
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, input=b'{"a": 1}\n', stdout=subprocess.PIPE, check=True)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main():
    ours, nothing = median_ms([NEURON, "eval", "a + 1 AS b"]), median_ms(["/bin/true"])
    python = median_ms(["python3", "-c", "pass"])
    print(f"  neuron eval {ours:.1f} ms, /bin/true {nothing:.1f} ms, python3 -c pass {python:.1f} ms (median of {RUNS})")
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "neuron")
        subprocess.run(["strip", "-o", stripped, NEURON], check=True)
        size = os.path.getsize(stripped) / 1e6
    return all([goal("start to first output", ours, 15, " ms", at_least=False),
                goal("stripped binary", size, 4, " MB", at_least=False)])
