"""Pipes whose other end nobody opens, reads or writes: a signal and a limit end the wait, and what comes is whole."""

import os
import signal
import subprocess
import threading
import time

import pytest
from conftest import PROGRAM

ROWS = "id,v\n" + "".join(f"{i},{'x' * 1000}\n" for i in range(3000))


def start(neuron, *args, **options):
    return subprocess.Popen([PROGRAM, *args], cwd=neuron.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)


def waits(run):
    """Its signals are caught, and it sleeps without having worked for a while."""
    end, before = time.monotonic() + 20, None
    while True:
        assert run.poll() is None, run.communicate()
        with open(f"/proc/{run.pid}/status", encoding="ascii") as status:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in status)
        with open(f"/proc/{run.pid}/stat", encoding="ascii") as stat:
            now = stat.read().rsplit(")", 1)[1].split()[11:13]
        caught = int(fields["SigCgt"], 16) & 1 << signal.SIGTERM - 1
        if now == before and caught and fields["State"].startswith("S"):
            return
        assert time.monotonic() < end
        before = now
        time.sleep(0.2)


@pytest.fixture(name="pipes")
def made_pipes(neuron):
    neuron.write("a.csv", "id,v\n1,a\n")
    neuron.write("big.csv", ROWS)
    for name in ("in.csv", "out.csv"):
        os.mkfifo(os.path.join(neuron.folder, name))


@pytest.mark.usefixtures("pipes")
@pytest.mark.parametrize("args", [("copy", "in.csv", "o.csv"), ("copy", "a.csv", "out.csv"), ("check", "in.csv"),
                                  ("check", "a.csv", "--output", "out.csv")])
def test_a_signal_ends_the_wait_for_the_other_end(neuron, args):
    run = start(neuron, *args, stdout=subprocess.DEVNULL)
    waits(run)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=5) == 143
    assert not os.path.exists(os.path.join(neuron.folder, "o.csv"))


@pytest.mark.usefixtures("pipes")
@pytest.mark.parametrize("to", ["-#csv", "out.csv", "-#ndjson"])
def test_a_signal_ends_the_wait_for_a_reader(neuron, to):
    inner = os.open(os.path.join(neuron.folder, "out.csv"), os.O_RDWR) if to == "out.csv" else None
    run = start(neuron, "copy", "big.csv", to, stdout=subprocess.PIPE)
    waits(run)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=5) == 143
    if inner:
        os.close(inner)


@pytest.mark.usefixtures("pipes")
def test_a_result_that_nobody_reads(neuron):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while os.write(writer, b" " * 4096):
            pass
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    run = start(neuron, "check", "a.csv", "--json", stdout=writer)
    waits(run)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=5) == 143
    os.close(reader)
    os.close(writer)


@pytest.mark.usefixtures("pipes")
def test_rows_through_two_pipes(neuron):
    """They are read twice, so what comes through a pipe is put aside first."""
    def path(name):
        return os.path.join(neuron.folder, name)

    def write():
        with open(path("in.csv"), "w", encoding="ascii") as pipe:
            pipe.write(ROWS)
    writer = threading.Thread(target=write)
    writer.start()
    run = start(neuron, "copy", "in.csv", "out.csv", stdout=subprocess.DEVNULL)
    with open(path("out.csv"), encoding="ascii") as pipe:
        assert pipe.read() == ROWS
    assert run.wait(timeout=20) == 0, run.communicate()
    writer.join(20)
