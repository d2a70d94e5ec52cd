"""Runs the guide's neuron against real systems while data flows, and compares both sides of each."""

import argparse
import json
import sys
import time

from stack import Stack, wait_for


def say(text):
    print(text, flush=True)


def reported_runs(core):
    """Ids of the runs that were reported to the core, in heartbeats."""
    found = set()

    def walk(value):
        if isinstance(value, dict):
            if "report_id" in value and "run_id" in value:
                found.add(value["run_id"])
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                walk(item)

    for beat in list(core.heartbeats):
        walk(beat)
    return found


def flow(stack, seconds, kill):
    """Data flows for so long; with `kill` the neuron dies at random moments and is started again."""
    end = time.monotonic() + seconds
    threads, failures = stack.feed_until(end)
    kills = 0
    while time.monotonic() < end:
        pause = stack.random.uniform(0.5, 8) if kill else 1
        time.sleep(max(0, min(pause, end - time.monotonic())))
        if kill and time.monotonic() < end:
            stack.kill()
            stack.start()
            kills += 1
        assert stack.process.poll() is None, stack.log()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return kills


def service_side(stack, killed):
    """What the neuron says of itself, and what the core received."""
    rows = []
    if not killed:
        stream = stack.ask("/api/v1/streams/data-events")
        rows.append(("Stream: produced = consumed", sum(stack.produced.values()), stream["consumed"]))
        rows.append(("Stream: consumed = emitted + filtered + dead-lettered", stream["consumed"],
                     stream["emitted"] + stream["filtered"] + stream["dead_lettered"]))
    datasets = ("processed_customers", "processed_sales")
    checks = {name: stack.ask(f"/api/v1/quality/{name}/reports?limit=1000")["reports"] for name in datasets}
    for name, reports in checks.items():
        rows.append((f"Quality: newest report of {name} counts the table's rows", reports[0]["total_records"],
                     int(stack.sql(f"SELECT count(*) FROM {name}", "target_db"))))
    rows.append(("Federation: registrations", 1, stack.core.registrations))
    return rows


def federation_side(stack):
    """Commands go out; each is answered, and the last one ends the neuron."""
    core = stack.core
    commands = [core.command("health_check"),
                core.command("run_task", {"task_type": "pipeline", "name": "sales_data_etl"})]
    wait_for(lambda: all(c["status"] == "completed" for c in commands), "answers to commands", 60)
    runs = {run["run_id"] for run in stack.ask("/api/v1/runs?limit=1000")["runs"] if run["finished_at"]}
    wait_for(lambda: runs <= reported_runs(core), "reports of runs", 60)
    stop = core.command("stop")
    code = stack.process.wait(60)
    return [("Federation: commands completed", 3, sum(c["status"] == "completed" for c in (*commands, stop))),
            ("Federation: finished runs = reported runs", len(runs), len(runs & reported_runs(core))),
            ("Exit code after the stop command", 0, code)]


def check_now(stack):
    """A last check of each dataset, after the last run."""
    for name in ("processed_customers", "processed_sales"):
        before = len(stack.ask(f"/api/v1/quality/{name}/reports?limit=1000")["reports"])
        stack.ask(f"/api/v1/quality/{name}/checks", "POST")
        wait_for(lambda name=name, before=before: len(
            stack.ask(f"/api/v1/quality/{name}/reports?limit=1000")["reports"]) > before, f"a check of {name}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=120, help="how long data flows")
    arguments.add_argument("--kill", action="store_true", help="kill -9 the neuron now and then")
    options = arguments.parse_args()
    say("starting PostgreSQL, Apache Kafka and a substitute for the federation on loopback")
    stack = Stack()
    try:
        stack.feed_tables()
        stack.feed_topic()
        stack.start()
        say(f"the neuron runs: http://127.0.0.1:{stack.port}/   data flows for {options.seconds:g} s")
        kills = flow(stack, options.seconds, options.kill)
        if kills:
            say(f"killed and started again {kills} times")
        stack.settle()
        check_now(stack)
        rows = stack.balance() + service_side(stack, bool(kills)) + federation_side(stack)
        wrong = 0
        for what, there, here in rows:
            same = str(there) == str(here)
            wrong += not same
            say(f"{'ok  ' if same else 'DIFF'} {what}: {there}" + ("" if same else f" != {here}"))
        beats = len(stack.core.heartbeats)
        say(f"heartbeats: {beats}, last: {json.dumps(stack.core.heartbeats[-1])[:200]}…")
        say("everything adds up" if not wrong else f"{wrong} counts differ; log:\n{stack.log()[-4000:]}")
        return 1 if wrong else 0
    finally:
        stack.close()


if __name__ == "__main__":
    sys.exit(main())
