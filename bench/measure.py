"""What the benchmarks share: CPU seconds, wall time and peak memory of a child; tables; verdicts."""

import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NEURON = os.environ.get("NEURON_PROGRAM", os.path.join(ROOT, "build/neuron"))


class Measured:
    """One run of a command: cpu and wall in seconds, rss in MB, what it printed."""

    def __init__(self, cpu, wall, rss, output):
        self.cpu, self.wall, self.rss, self.output = cpu, wall, rss, output


def run(command, cwd=None, env=None):
    """The command as a child of its own; a failure ends the benchmark with its output."""
    start = time.monotonic()
    child = subprocess.Popen(command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    output = child.stdout.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)[:200]}\n{output}\nexit {child.returncode}")
    return Measured(usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024, output)


def python(code, cwd=None):
    """A peer from PyPI, in a process of its own."""
    return run([sys.executable, "-c", code], cwd=cwd)


def best(times, work):
    """The run of the least CPU time: noise only adds."""
    return min((work() for _ in range(times)), key=lambda one: one.cpu)


def typical(runs):
    """Of each number its median, for wall time is noise on a shared machine; of the memory its peak; the last output."""
    medians = (statistics.median(getattr(one, name) for one in runs) for name in ("cpu", "wall"))
    return Measured(*medians, max(one.rss for one in runs), runs[-1].output)


def show(name, one):
    print(f"  {name:<28} {one.cpu:8.2f} CPU s {one.wall:8.2f} s wall {one.rss:8.0f} MB", flush=True)


def goal(what, value, wanted, unit="x", at_least=True):
    """One line with the goal beside it; misses are counted by the caller."""
    reached = value >= wanted if at_least else value <= wanted
    word = ">=" if at_least else "<="
    print(f"  {'reached' if reached else 'MISSED '} {what}: {value:.2f}{unit} (goal {word} {wanted:g}{unit})", flush=True)
    return reached
