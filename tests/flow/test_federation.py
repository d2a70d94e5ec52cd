"""The neuron in its federation: registers once, beats, does what it is told, survives a core that is away."""

import json
import os
import signal
import sqlite3
import time

import pytest

from federation_double import SECRET, Core
from federation_neuron import Running, wait_for


@pytest.fixture
def core():
    one = Core()
    yield one
    one.close()


def test_it_registers_once_beats_and_obeys(neuron, core):
    run = Running(neuron, core.url)
    try:
        wait_for(lambda: core.heartbeats, "heartbeat")
        assert list(core.neurons) == ["n-1"] and core.registrations == 1
        assert core.neurons["n-1"]["language"] == "c"
        assert all(1 <= beat.get("healthScore", 100) <= 100 for beat in core.heartbeats)
        check, task = core.command("health_check"), core.command("run_task", {"task_type": "pipeline", "name": "p"})
        odd = core.command("dance")
        wait_for(lambda: check["status"] == "completed" and task["status"] == "completed", "completed commands")
        wait_for(lambda: odd["status"] == "failed", "refused command")
        assert odd["errorMessage"]
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
            assert target.execute("SELECT count(*) FROM t").fetchone() == (2,)
            assert target.execute("SELECT count(*) FROM neuron_loads").fetchone()[0] >= 2
        wait_for(lambda: any("pipeline_name" in json.dumps(beat) for beat in core.heartbeats), "report")
        stop = core.command("stop")
        assert run.process.wait(40) == 0
        assert stop["status"] == "completed"
    finally:
        run.process.kill()
        run.process.wait()
    assert core.issued[0] not in run.logged()
    assert core.errors == []


def test_the_token_outlives_a_kill(neuron, core):
    run = Running(neuron, core.url)
    wait_for(lambda: core.heartbeats, "heartbeat")
    run.end(signal.SIGKILL)
    seen = len(core.heartbeats)
    again = Running(neuron, core.url)
    wait_for(lambda: len(core.heartbeats) > seen, "heartbeat after the restart")
    assert core.registrations == 1
    assert again.end() == 143


def test_work_goes_on_while_the_core_is_away(neuron, core):
    core.down = True
    run = Running(neuron, core.url)
    target = os.path.join(neuron.folder, "target.db")

    def loaded():
        if not os.path.exists(target):
            return False
        with sqlite3.connect(target) as db:
            return db.execute("SELECT count(*) FROM sqlite_master WHERE name = 't'").fetchone() == (1,)

    wait_for(loaded, "run without the core")
    core.down = False
    wait_for(lambda: any("pipeline_name" in json.dumps(beat) for beat in core.heartbeats), "late report", 90)
    assert run.end() == 143


def test_a_refused_token_is_tried_seldom(neuron, core):
    run = Running(neuron, core.url)
    try:
        wait_for(lambda: core.heartbeats, "heartbeat")
        core.secret = b"another"
        wait_for(lambda: core.refused >= 1, "refusal")
        refused, registered = core.refused, core.registrations
        time.sleep(4)  # heartbeats are due each second
        assert core.refused - refused <= 3 and core.registrations - registered <= 2
        core.secret = SECRET
        seen = len(core.heartbeats)
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat with the old token")
        assert run.end() == 143
    finally:
        run.process.kill()
        run.process.wait()


def test_what_a_heartbeat_says(neuron, core):
    run = Running(neuron, core.url)
    try:
        wait_for(lambda: len(core.heartbeats) > 1, "heartbeats")
        assert run.end() == 143
    finally:
        run.process.kill()
        run.process.wait()
    assert core.heartbeats[-1]["status"] == "inactive"
    for beat in core.heartbeats:
        assert all(0 <= beat["systemMetrics"][key] <= 100 for key in ("cpu_usage", "memory_usage", "disk_usage"))


def test_a_reply_of_another_kind_is_none(neuron, core):
    core.heartbeat_id = "one"
    run = Running(neuron, core.url)
    try:
        wait_for(lambda: len(core.heartbeats) > 0 and "outcome=strange" in run.logged(), "doubt")
    finally:
        run.process.kill()
        run.process.wait()


def test_a_core_that_takes_analytics(neuron, core):
    core.takes_analytics = True
    run = Running(neuron, core.url)
    try:
        wait_for(lambda: core.analytics, "analytics")
        assert "takes no analytics" not in run.logged()
        body = core.analytics[0]
        assert body["requestCount"] == body["successfulRequests"] == 1 and body["totalDataProcessed"] == 2
        assert body["customMetrics"]["reports"][0]["pipeline_name"] == "p"
    finally:
        run.process.kill()
        run.process.wait()


def test_alerts_are_among_the_reports(neuron, core):
    run = Running(neuron, core.url, """
alerts:
  interval: 200ms
  thresholds: { disk: 0%, memory: 100% }
  receivers: [ { federation: true } ]
""")
    try:
        wait_for(lambda: '"DiskFull"' in json.dumps(core.heartbeats), "alert")
        reports = [r for b in core.heartbeats for r in (b["applicationMetrics"]["analytics"] or {}).get("reports", [])]
        told = next(r for r in reports if r.get("alert"))
        assert told["status"] == "firing" and told["severity"] == "critical" and told["report_id"]
        assert core.heartbeats[-1]["applicationMetrics"]["analytics"]["count"] <= 1  # an alert is no run
    finally:
        run.process.kill()
        run.process.wait()


@pytest.mark.parametrize("more, letters", [("", 1), ("quality: { d: { from: in.csv, schedule: every 1s } }\n", 2)])
def test_no_report_is_lost_between_a_run_and_the_outbox(neuron, core, more, letters):
    core.down = True
    neuron.write("neuron.yaml", "{}")
    neuron("rejects")  # makes the state store
    state = os.path.join(neuron.folder, "neuron-state.db")

    def kept(query):
        with sqlite3.connect(state) as db:
            return db.execute(query).fetchall()

    kept("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
    run = Running(neuron, core.url, more)
    try:
        wait_for(lambda: run.logged().count("no room") >= letters, "refused letter")
    finally:
        run.end(signal.SIGKILL)
    assert kept("SELECT count(*) FROM reports") == [(0,)]
    assert kept("SELECT count(*) FROM runs WHERE status = 'success'") == [(0,)]
    kept("DROP TRIGGER full")
    (run_id,), = kept("SELECT run_id FROM runs WHERE pipeline = 'p'")
    core.down = False
    again = Running(neuron, core.url, more)
    try:
        wait_for(lambda: run_id in json.dumps(core.heartbeats), "report of the run that was cut off", 90)
    finally:
        again.process.kill()
        again.process.wait()
