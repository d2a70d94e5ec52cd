"""A state store that has grown: it is made small again beside the work, and nobody waits for it."""

import os
import sqlite3
import time

import pytest
from postgres import Postgres
from test_run import running, wait_for

RUNS = 1000000 if os.environ.get("NEURON_SOAK") else 20000

CONFIG = """
neuron: {{ id: test-neuron }}
state: "{state}"
drain: 5s
http: {{ listen: "127.0.0.1:0" }}
pipelines:
  good: {{ schedule: every 1h, from: in.csv, to: out.csv }}
  other: {{ schedule: every 1h, from: in.csv, to: other.csv }}
quality:
  kept: {{ from: in.csv, keep: 200, rules: [ row_count > 0 ] }}
"""
# Of four runs one is of a pipeline that is gone.
FILL = """
INSERT INTO {schema}runs(run_id, pipeline, trigger, status, scheduled_us, started_us, finished_us, attempts, result, scope)
SELECT 'r' || i, CASE i % 4 WHEN 0 THEN 'gone' WHEN 1 THEN 'other' ELSE 'good' END, 'schedule',
  CASE i % 10 WHEN 0 THEN 'failed' ELSE 'success' END, 0, 1700000000000000 + i, 1700000000000001 + i, 1,
  '{{"x": "{filler}"}}', '' FROM {numbers};
INSERT INTO {schema}attempts SELECT 'good', 1700000000000000 + i, 'r' || i, 'io' FROM {numbers} WHERE i <= 3000;
INSERT INTO {schema}ticks SELECT 'pipeline:gone', 1700000000000000 + i, 'x' FROM {numbers} WHERE i <= 3000;
INSERT INTO {schema}reports(dataset, at_us, score, verdict, report)
SELECT CASE i % 2 WHEN 0 THEN 'gone' ELSE 'kept' END, 1700000000000000 + i, 90, 'pass', '{{}}' FROM {numbers} WHERE i <= 400;
INSERT INTO {schema}commands(id, type, status, body, result, at_us, open, scope)
SELECT 'c' || i, 't', 's', '', '', i, 0, '' FROM {numbers} WHERE i <= 12000;
"""
KEPT = {"runs of good": 1000, "runs of other": 1000, "runs of gone": 100, "attempts": 1000, "ticks of gone": 100,
        "reports of gone": 100, "reports of kept": 200, "commands": 10000}
COUNTS = """
SELECT 'runs of ' || pipeline, count(*) FROM {schema}runs GROUP BY 1
UNION ALL SELECT 'attempts', count(*) FROM {schema}attempts
UNION ALL SELECT 'ticks of gone', count(*) FROM {schema}ticks WHERE name = 'pipeline:gone'
UNION ALL SELECT 'reports of ' || dataset, count(*) FROM {schema}reports GROUP BY 1
UNION ALL SELECT 'commands', count(*) FROM {schema}commands
"""


class Sqlite:
    schema = ""

    def __init__(self, neuron):
        self.path = os.path.join(neuron.folder, "neuron-state.db")
        self.url = "sqlite:///neuron-state.db"

    def fill(self):
        numbers = f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {RUNS}) SELECT i FROM n)"
        with sqlite3.connect(self.path) as db:
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(FILL.format(schema="", numbers=numbers, filler="x" * 900))

    def counts(self):
        with sqlite3.connect(self.path, timeout=30) as db:
            return dict(db.execute(COUNTS.format(schema="")).fetchall())


class Shared:
    def __init__(self, server):
        self.server = server
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        server.psql("DROP SCHEMA IF EXISTS neuron_state CASCADE")

    def fill(self):
        self.server.psql(FILL.format(schema="neuron_state.", numbers=f"generate_series(1, {RUNS}) AS i", filler="x" * 900))

    def counts(self):
        lines = self.server.psql(COUNTS.format(schema="neuron_state."))[0].splitlines()
        return {name: int(count) for name, count in (line.split("|") for line in lines)}


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


def small(counts):
    """What runs meanwhile comes on top."""
    return all(counts.get(name, 0) <= kept + 5 for name, kept in KEPT.items())


def asked(one, worst):
    for path in ("/api/v1/status", "/api/v1/runs?limit=20", "/api/v1/runs?pipeline=good&status=failed", "/metrics"):
        begun = time.monotonic()
        assert one.ask(path)[0] == 200
        worst[path] = max(worst.get(path, 0), time.monotonic() - begun)


@pytest.mark.parametrize("kind", ["sqlite", "old sqlite", "postgres"])
def test_a_store_that_has_grown(neuron, request, kind):
    neuron.write("in.csv", "id\n1\n")
    store = Shared(request.getfixturevalue("postgres")) if kind == "postgres" else Sqlite(neuron)
    neuron.write("neuron.yaml", CONFIG.format(state=store.url))
    with running(neuron) as one:
        assert one.end() == 143
    if kind == "old sqlite":  # as files of earlier versions are
        with sqlite3.connect(store.path) as db:
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute("PRAGMA auto_vacuum=0")
            db.execute("VACUUM")
    store.fill()
    size = os.path.getsize(store.path) if kind != "postgres" else 0
    begun, worst = time.monotonic(), {}
    with running(neuron) as one:
        started = time.monotonic() - begun
        asked(one, worst)
        first = worst["/api/v1/status"]

        def done():
            asked(one, worst)
            return small(store.counts())
        wait_for(done, 900 if RUNS > 100000 else 90)
        if kind != "postgres":  # the file gives back what it has no use for
            wait_for(lambda: os.path.getsize(store.path) < size / 3, 60)
        counts = store.counts()
        assert counts["runs of good"] >= 1000 and counts["runs of gone"] == 100 and counts["reports of kept"] == 200
        assert [r["run_id"] for r in one.runs("&pipeline=gone")][0] == f"r{RUNS}", "the newest are kept"
        print(f"{kind}: up after {started:.2f} s, first status {first * 1000:.0f} ms, worst "
              + ", ".join(f"{path} {seconds * 1000:.0f} ms" for path, seconds in worst.items()))
        assert max(worst.values()) < 5 and started < 10  # on a busy machine
        assert one.end() == 143
