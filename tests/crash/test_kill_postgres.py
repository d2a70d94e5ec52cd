"""kill -9 and cut connections at random moments, PostgreSQL to PostgreSQL: the target ends as the undisturbed run's."""

import os
import random
import subprocess
import time

import pytest
from conftest import PROGRAM
from postgres import Database, Postgres

SOAK = bool(os.environ.get("NEURON_SOAK"))
KILLS = 300 if SOAK else 12
ROWS = 3000

CONFIG = """
connections: {{ db: "{url}" }}
pipelines:
  p:
    from: db
    query: SELECT id, v, at FROM raw
    incremental: {{ cursor: at }}
    steps: [ {{ drop_duplicates: all }}, {{ select: "*, v * 2 AS w, row_hash(*) AS h" }} ]
    to: db
    table: {table}
    mode: {mode}
    key: [id]
"""


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    yield postgres
    postgres.close()


@pytest.fixture
def durable():
    postgres = Postgres("fsync=on")
    yield postgres
    postgres.close()


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def grow(db, first):
    """New rows, and changed ones."""
    db(f"""CREATE TABLE IF NOT EXISTS raw (id bigint PRIMARY KEY, v bigint, at bigint);
           INSERT INTO raw SELECT i, i % 97, i FROM generate_series({first}, {first + ROWS - 1}) AS i;
           UPDATE raw SET v = v + 1, at = {first + ROWS} WHERE id % 50 = 0""")


def content(db, table):
    return db(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)), count(*) FROM {table} AS t")


def backends(db):
    """Connections that stay open; those of a killed program take a moment to end."""
    deadline = time.monotonic() + 20
    while True:
        count = db("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'neuron'"
                   f" AND datname = '{db.name}'")
        if count == "0" or time.monotonic() > deadline:
            return count
        time.sleep(0.05)


def disturb(db, run, wait, how):
    """Kill the program, or the server's side of its connections; true when it was still running."""
    try:
        run.wait(wait)
        return False
    except subprocess.TimeoutExpired:
        pass
    if how == "program":
        run.kill()
    else:
        db("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'neuron'"
           f" AND datname = '{db.name}'")
    run.wait(timeout=60)
    return True


@pytest.mark.parametrize("how", ["program", "backends"])
@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_disturbed_pipeline_loses_and_doubles_nothing(neuron, db, mode, how):
    chance = random.Random(7)
    calm = neuron.write("calm.yaml", CONFIG.format(url=db.url, table="calm", mode=mode).replace("\n  p:", "\n  calm:"))
    neuron.write("neuron.yaml", CONFIG.format(url=db.url, table="t", mode=mode))
    hits, first = 0, 0
    for turn in range(max(2, KILLS // 4 // 4)):
        grow(db, first)
        first += ROWS + 1
        started = time.monotonic()
        neuron("etl", "calm", "-c", calm)
        took = time.monotonic() - started
        for _ in range(4):
            run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
            hits += disturb(db, run, chance.uniform(0, took * 1.1), how)
            # The watermark is never ahead of the data.
            if db("SELECT to_regclass('t') IS NOT NULL") == "t":
                ahead = db("SELECT (SELECT max(watermark::bigint) FROM neuron_loads WHERE pipeline = 'p')"
                           " > (SELECT max(at) FROM t)")
                assert ahead != "t"
        result = neuron.result("etl", "p")
        assert content(db, "t") == content(db, "calm"), f"turn {turn}: {result}"
        assert neuron.result("etl", "p")["inserted"] == 0
        assert backends(db) == "0"
    assert hits >= 2, f"only {hits} hit a running program"


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_killed_server_loses_and_doubles_nothing(neuron, durable, mode):
    chance = random.Random(11)
    db = Database(durable, mode)
    calm = neuron.write("calm.yaml", CONFIG.format(url=db.url, table="calm", mode=mode).replace("\n  p:", "\n  calm:"))
    neuron.write("neuron.yaml", CONFIG.format(url=db.url, table="t", mode=mode))
    first = 0
    for turn in range(25 if SOAK else 3):
        grow(db, first)
        first += ROWS + 1
        started = time.monotonic()
        neuron("etl", "calm", "-c", calm)
        took = time.monotonic() - started
        run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, took * 1.1))
        durable.crash()
        run.wait(timeout=120)
        neuron("etl", "p")
        assert content(db, "t") == content(db, "calm"), f"turn {turn}"
