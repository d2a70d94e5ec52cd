"""The wall clock is set while a neuron runs: hours ahead, right again, back; ticks that were missed."""

import glob
import os
import signal
import sqlite3
import time

import pytest
from test_run import make, running, wait_for

LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or [""])[0]


class Clock:
    """The clock that a neuron sees: the real one and so many seconds."""

    def __init__(self, neuron):
        self.path = os.path.join(neuron.folder, "clock")
        self.offset = 0
        self.set(0)
        self.env = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "FAKETIME_FORCE_MONOTONIC_FIX": "0"}  # else every timed wait ends at once

    def set(self, seconds):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(f"{seconds:+d}\n")
        os.rename(self.path + ".new", self.path)
        self.offset = seconds


@pytest.fixture
def clock(neuron):
    return Clock(neuron)


def succeeded(one):
    return len(one.runs("&pipeline=good&status=success"))


def more_runs(one, count=2, seconds=15):
    before = succeeded(one)
    wait_for(lambda: succeeded(one) >= before + count, seconds)


@pytest.mark.parametrize("schedule", ["schedule: every 1s", "schedule: every 1s\n    catch_up: none",
                                      "schedule: every 1s\n    catch_up: all"])
def test_hours_ahead_and_right_again(neuron, clock, schedule):
    make(neuron, schedule=schedule)
    with running(neuron, env=clock.env) as one:
        more_runs(one)
        clock.set(3 * 3600)
        wait_for(lambda: "clock was set" in one.log())
        more_runs(one)
        clock.set(0)
        wait_for(lambda: one.log().count("clock was set") == 2)
        more_runs(one, 3)
        pipeline = one.get("/api/v1/pipelines/good")
        now = time.time()
        for key in ("last_run", "last_success", "next_run"):
            assert abs(at(pipeline[key]) - now) < 30, (key, pipeline)
        # Those minutes are not skipped when they come: no tick of the false future is kept.
        assert one.end() == 143
    with sqlite3.connect(os.path.join(neuron.folder, "neuron-state.db")) as db:
        ahead = db.execute("SELECT count(*) FROM ticks WHERE scheduled_us > ?", (int(time.time() + 2) * 1000000,))
        assert ahead.fetchone()[0] == 0
        waiting = db.execute("SELECT count(*) FROM runs WHERE status IN ('queued', 'running')").fetchone()[0]
        assert waiting <= 1


def at(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def test_a_year_ahead_at_the_start(neuron, clock):
    """A board that boots with a wrong year and asks for the time afterwards; another life knows the year."""
    make(neuron, schedule="schedule: every 1s")
    clock.set(365 * 86400)
    with running(neuron, env=clock.env) as one:
        more_runs(one)
        clock.set(0)
        more_runs(one)
        clock.set(365 * 86400)
        more_runs(one)
        one.process.kill()
        one.process.wait()
    clock.set(0)
    with running(neuron, env=clock.env) as one:
        more_runs(one)
        assert at(one.get("/api/v1/pipelines/good")["last_run"]) < time.time() + 5
        assert one.end() == 143


def test_hours_back(neuron, clock):
    make(neuron, schedule="schedule: every 1s")
    with running(neuron, env=clock.env) as one:
        more_runs(one)
        clock.set(-5 * 3600)
        more_runs(one, 3)
        assert one.end() == 143


def test_every_missed_tick_is_made_up_for(neuron):
    """A neuron that is stopped for a while, with the default `overlap: skip` and a run that takes its time."""
    make(neuron, schedule="schedule: every 1s\n    catch_up: all")
    with running(neuron) as one:
        more_runs(one, 1)
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(6)
        one.process.send_signal(signal.SIGCONT)
        wait_for(lambda: len([r for r in one.runs() if r["trigger"] == "catch_up" and r["finished_at"]]) >= 5)
        more_runs(one, 2)
        ticks = sorted({round(at(r["scheduled_for"])) for r in one.runs() if r["scheduled_for"]})
        assert ticks == list(range(ticks[0], ticks[-1] + 1)), "a missed tick was not made up for"
        one.process.kill()
        one.process.wait()
    time.sleep(4)
    with running(neuron) as one:
        more_runs(one, 6)
        ticks = sorted({round(at(r["scheduled_for"])) for r in one.runs() if r["scheduled_for"]})
        assert ticks == list(range(ticks[0], ticks[-1] + 1)), "a tick of the time between was not made up for"
        assert one.end() == 143
