"""Commands: none holds up another, none is repeated without growing pauses, each is completed when its work is done."""

import time

import pytest

from federation_double import Core
from federation_neuron import Running, wait_for

QUALITY = """
quality:
  good: { from: in.csv, key: [id], rules: [ "row_count = 2" ] }
  bad: { from: in.csv, rules: [ "row_count = 5" ] }
  broken: { from: missing.csv, rules: [ "row_count = 5" ] }
"""
ERROR = (500, {"success": False, "error": "Failed to complete command"})


@pytest.fixture
def core():
    one = Core()
    yield one
    one.close()


def done(*commands):
    return all(command["status"] in ("completed", "failed") for command in commands)


@pytest.mark.parametrize("step, fault", [("complete", ERROR), ("acknowledge", "drop")])
def test_one_command_that_fails_holds_up_nothing_and_is_tried_with_growing_pauses(neuron, core, step, fault):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        stuck = core.command("health_check", priority=9)
        core.fault = lambda method, path, body: fault if path.endswith(f"{stuck['commandId']}/{step}") else None
        begin = time.monotonic()
        other = core.command("run_task", {"task_type": "pipeline", "name": "p"})
        wait_for(lambda: done(other), "second command", 20)
        wait_for(lambda: time.monotonic() > begin + 12, "twelve seconds")
        tries = core.asked("POST", f"{stuck['commandId']}/{step}")
        assert 3 <= len(tries) <= 7
        pauses = [b - a for a, b in zip(tries, tries[1:])][1 if fault == "drop" else 0:]
        assert all(b > a * 1.3 for a, b in zip(pauses, pauses[1:])), pauses
        stop = core.command("stop")
        assert run.process.wait(40) == 0 and stop["status"] == "completed"


def test_a_command_whose_completion_fails_for_ever_is_given_up(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        stuck = core.command("health_check")
        core.fault = lambda method, path, body: ERROR if path.endswith(f"{stuck['commandId']}/complete") else None
        wait_for(lambda: run.lines("Z error", "given up", stuck["commandId"], "Failed to complete command"),
                 "end of the patience", 60)
        assert len(core.asked("POST", f"{stuck['commandId']}/complete")) == 6
        assert run.state("SELECT status, open FROM commands") == [("closed", 0)]


def test_a_result_that_the_core_cannot_take_is_left_out(neuron, core):
    with Running(neuron, core.url):
        wait_for(lambda: core.heartbeats, "heartbeat")
        stuck = core.command("health_check")
        core.fault = lambda method, path, body: ERROR if b'"response":{' in body and path.endswith("/complete") else None
        wait_for(lambda: done(stuck), "completion")
        assert stuck["status"] == "completed" and stuck["response"] is None
        assert "did not take" in stuck["errorMessage"]


def test_a_check_is_completed_when_it_has_run(neuron, core):
    with Running(neuron, core.url, QUALITY) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        good, bad, broken, none = (core.command("run_task", {"task_type": "check", "name": name})
                                   for name in ("good", "bad", "broken", "god"))
        wait_for(lambda: done(good, bad, broken, none), "checks")
        assert good["status"] == bad["status"] == "completed"
        assert good["response"]["verdict"] == "pass" and good["response"]["quality_score"] == 100
        assert bad["response"]["verdict"] == "fail" and bad["response"]["quality_score"] == 90
        assert bad["response"]["total_records"] == 2 and bad["response"]["issues_count"] == 1
        assert broken["status"] == "failed" and "missing.csv" in broken["errorMessage"]
        assert none["status"] == "failed" and "god" in none["errorMessage"]
        assert core.errors == [] and run.process.poll() is None


def test_a_check_that_a_restart_cut_off_is_made_again(neuron, core):
    with Running(neuron, core.url, QUALITY) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        run.end()
        run.state("INSERT INTO commands(id, type, status, body, result, at_us, open) VALUES('c-1', 'run_task', 'waiting',"
                  " '{\"task_type\": \"check\", \"name\": \"good\"}', 'check:11111111-2222-4333-8444-555555555555', 1, 1)")
    kept = core.command("run_task")
    kept["commandId"], kept["status"] = "c-1", "acknowledged"
    with Running(neuron, core.url, QUALITY):
        wait_for(lambda: done(kept), "check")
        assert kept["response"]["verdict"] == "pass"


def test_what_comes_after_a_stop_stays_with_the_core(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        with core.lock:
            first = core.command("health_check", priority=9)
            stop = core.command("stop", priority=8)
            later = [core.command("health_check", priority=7), core.command("restart", priority=1)]
        assert run.process.wait(40) == 0
        assert first["status"] == stop["status"] == "completed"
        assert [c["status"] for c in later] == ["pending", "pending"]
    core.commands.remove(later[1])
    with Running(neuron, core.url):
        wait_for(lambda: done(later[0]), "command after the start")


def test_a_run_that_a_stop_interrupts_is_told_before_the_end(neuron, core):
    """It ends while the neuron drains, or did not begin and goes on at the next start."""
    neuron.write("big.csv", "id\n" + "".join(f"{i}\n" for i in range(100000)))
    more = '  big: { from: big.csv, to: "sqlite:///big.db", table: t, key: [id], schedule: "@yearly" }\n'
    with Running(neuron, core.url, more) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        with core.lock:
            task = core.command("run_task", {"task_type": "pipeline", "name": "big"}, priority=9)
            core.command("stop", priority=1)
        assert run.process.wait(60) == 0
        assert done(task)
        assert task["status"] == "completed" or "stopped before this ended" in task["errorMessage"]


def test_the_documented_tasks(neuron, core):
    more = '  q: { from: in.csv, to: "sqlite:///target.db", table: u, key: [id] }\n'
    with Running(neuron, core.url, more):
        wait_for(lambda: core.heartbeats, "heartbeat")
        every = core.command("run_task", {"task_type": "data_processing", "input_source": "s3://bucket/data.csv"})
        one = core.command("run_task", {"task": "batch_processing", "name": "q"})
        odd = core.command("run_task", {"task_type": "report_generation"})
        wait_for(lambda: done(every, one, odd), "tasks")
        assert every["status"] == one["status"] == "completed"
        assert [run["pipeline"] for run in every["response"]] == ["p", "q"]
        assert one["response"]["pipeline"] == "q"
        assert odd["status"] == "failed" and "report_generation" in odd["errorMessage"]
        assert "data_processing" in odd["errorMessage"]


def test_a_refused_update_says_what_can_be_changed(neuron, core):
    with Running(neuron, core.url):
        wait_for(lambda: core.heartbeats, "heartbeat")
        odd = core.command("config_update", {"query\0": "SELECT 1"})
        long = core.command("config_update", {"config": {"heartbeat_interval": 3600}})
        wait_for(lambda: done(odd, long), "refusals")
        assert odd["status"] == long["status"] == "failed"
        assert "heartbeat_interval, log_level, schedules and paused" in odd["errorMessage"]
        assert "at most 90" in long["errorMessage"] and core.errors == []


def test_commands_are_done_by_priority_and_odd_ones_are_passed_over(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        with core.lock:
            late = core.command("health_check", priority=1)
            soon = core.command("health_check", priority=9)
            for odd in ("", "a" * 300, "nul\0"):
                core.command("health_check")["commandId"] = odd
            core.command("")
        wait_for(lambda: done(late, soon), "commands")
        assert soon["acknowledgedAt"] <= late["acknowledgedAt"]
        acknowledged = [path.split("/")[-2] for _, _, path, _ in core.requests if path.endswith("/acknowledge")]
        assert acknowledged == [soon["commandId"], late["commandId"]]
        assert run.lines("passed over", "count=4")
