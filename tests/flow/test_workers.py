"""Runs that hang on their systems stand in nobody's way; what waits for a worker is seen to wait."""

import os
import re
import resource
import signal
import sqlite3
import time

import pytest
from postgres import Postgres
from test_run import running, wait_for

HEAD = """
neuron: { id: test-neuron }
drain: %s
http: { listen: "127.0.0.1:0" }
"""


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


def url(postgres, name=""):
    return f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres?application_name={name}"


def hanging(connection, name, seconds=60):
    return f"""  {name}:
    from: {connection}
    query: "SELECT 1 AS id FROM pg_sleep({seconds})"
    to: {name}.csv
"""


def beside(every="1s"):
    """A pipeline and a check that have nothing to do with what hangs."""
    return f"""  file:
    schedule: every {every}
    from: in.csv
    to: out.csv
"""


CHECK = """quality:
  file:
    from: in.csv
    schedule: every 1s
    rules: [ row_count > 0 ]
"""


def succeeded(one, pipeline):
    return len(one.runs(f"&pipeline={pipeline}&status=success"))


def reports(one, dataset="file"):
    return len(one.get(f"/api/v1/quality/{dataset}/reports")["reports"])


@pytest.mark.parametrize("connections", [1, 20])
def test_hanging_runs_stand_in_nobodys_way(neuron, postgres, connections):
    """Twenty runs that hang, on one system or on twenty."""
    neuron.write("in.csv", "id\n1\n")
    text = HEAD % "6s" + "connections:\n"
    text += "".join(f"  c{n}: {url(postgres, f'c{n}')}\n" for n in range(connections))
    text += "pipelines:\n" + "".join(hanging(f"c{n % connections}", f"h{n}") for n in range(20)) + beside() + CHECK
    neuron.write("neuron.yaml", text)
    with running(neuron) as one:
        wait_for(lambda: succeeded(one, "file") >= 4 and reports(one) >= 3)
        states = [p["state"] for p in one.get("/api/v1/pipelines")["pipelines"] if p["name"] != "file"]
        at_once = 16 if connections == 1 else 20
        assert states.count("running") == at_once and states.count("waiting") == 20 - at_once, states
        workers = one.get("/health")["dependencies"]["workers"]
        assert workers["pipelines_waiting"] == 20 - at_once
        _, metrics, _ = one.ask("/metrics")
        assert f'neuron_runs_waiting{{kind="pipeline"}} {20 - at_once}' in metrics
        assert 'pipeline="file",reason="waiting"' not in metrics
        begun = time.monotonic()
        assert one.end() == 143
        assert time.monotonic() - begun < 6.5, "`drain` is the limit of an orderly end"


def test_what_finds_no_worker_is_said(neuron, postgres):
    neuron.write("in.csv", "id\n1\n")
    text = HEAD % "3s" + f"concurrency: 2\nconnections: {{ c: '{url(postgres)}' }}\n"
    text += "alerts: { interval: 1s, thresholds: { wait: 2s } }\n"
    neuron.write("neuron.yaml", text + "pipelines:\n" + hanging("c", "h1") + hanging("c", "h2") + beside() + CHECK)
    with running(neuron) as one:
        wait_for(lambda: reports(one) >= 3)
        pipeline = one.get("/api/v1/pipelines/file")
        assert (pipeline["state"], pipeline["running"], pipeline["queued"]) == ("waiting", False, 1)
        wait_for(lambda: re.search(r'ticks_skipped_total\{pipeline="file",reason="waiting"\} [1-9]', one.ask("/metrics")[1]))
        assert 'reason="overlap"' not in one.ask("/metrics")[1]
        wait_for(lambda: [a for a in one.get("/api/v1/alerts")["alerts"]
                          if a["labels"]["alertname"] == "RunsWaiting" and a["state"] == "firing"])
        run = one.runs("&pipeline=h1")[0]
        one.get(f"/api/v1/runs/{run['run_id']}/cancel", "POST", code=202)
        wait_for(lambda: succeeded(one, "file") >= 2)
        assert one.end() == 143


def test_a_connection_has_its_own_limit(neuron, postgres):
    text = HEAD % "3s" + f"connections: {{ c: {{ url: '{url(postgres)}', concurrency: 3 }} }}\n"
    neuron.write("neuron.yaml", text + "pipelines:\n" + "".join(hanging("c", f"h{n}") for n in range(6)))
    with running(neuron) as one:
        wait_for(lambda: one.get("/health")["dependencies"]["workers"]["pipelines_running"] == 3)
        assert one.get("/health")["dependencies"]["workers"]["pipelines_waiting"] == 3
        assert one.end() == 143


@pytest.mark.parametrize("value", ["0", "-1", "1001", "many"])
def test_concurrency_is_checked(neuron, value):
    for text in (f"concurrency: {value}\n", f"connections: {{ c: {{ url: x.csv, concurrency: {value} }} }}\n"):
        neuron.write("neuron.yaml", text)
        assert "concurrency" in neuron("validate", code=2).stdout + neuron("validate", code=2).stderr


def test_all_first_checks_run(neuron):
    """A thousand datasets: each is checked at the start."""
    neuron.write("in.csv", "id\n1\n")
    text = HEAD % "5s" + "quality:\n"
    text += "".join(f"  d{n:04}: {{ from: in.csv, schedule: every 1h, rules: [ row_count > 0 ] }}\n" for n in range(1000))
    neuron.write("neuron.yaml", text)
    with running(neuron) as one:
        wait_for(lambda: all(d["last_check"] for d in one.get("/api/v1/quality")["quality"]), 60)
        assert "wait already" not in one.log()
        assert one.end() == 143
    with sqlite3.connect(os.path.join(neuron.folder, "neuron-state.db")) as db:
        assert db.execute("SELECT count(DISTINCT dataset) FROM reports").fetchone()[0] == 1000


def test_a_neuron_whose_runs_do_not_end(neuron, postgres):
    """The server is stopped: no cancel arrives there. Even so the end comes in time."""
    neuron.write("neuron.yaml", HEAD % "4s" + f"connections: {{ c: '{url(postgres)}' }}\npipelines:\n" +
                 "".join(hanging("c", f"h{n}") for n in range(12)))
    with running(neuron) as one:
        wait_for(lambda: one.get("/health")["dependencies"]["workers"]["pipelines_running"] == 12)
        one.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert one.process.wait(20) == 143
        assert time.monotonic() - begun < 5


def test_descriptors_that_run_out(neuron):
    """The limit falls while the neuron runs: what needs a descriptor fails with its reason, and works again with one."""
    with sqlite3.connect(os.path.join(neuron.folder, "s.db")) as db:
        db.executescript("CREATE TABLE t(id INTEGER); INSERT INTO t VALUES (1), (2)")
    text = HEAD % "5s" + "connections: { s: 'sqlite:///s.db' }\npipelines:\n"
    text += "".join(f"  p{n}: {{ schedule: every 1s, from: s, from_table: t, to: o{n}.csv }}\n" for n in range(8))
    neuron.write("neuron.yaml", text)

    def good(one):
        return {r["pipeline"] for r in one.runs("&status=success")}
    with running(neuron) as one:
        wait_for(lambda: len(good(one)) == 8)
        pid = one.process.pid
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # Room for a request, not for a run.
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 1, most))
        wait_for(lambda: "Too many open files" in one.log())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        failed = [r for r in one.runs("&status=failed") if r["result"]]
        assert failed and all(r["result"]["error"]["kind"] != "not_found" for r in failed), failed
        before = max(r["finished_at"] or "" for r in one.runs())
        wait_for(lambda: {r["pipeline"] for r in one.runs("&status=success") if r["started_at"] > before} >= {"p0", "p7"})
        assert one.get("/livez")["status"]
        assert one.end() == 143
