"""Killed programs, killed servers and cut connections at random moments, PostgreSQL to PostgreSQL, in each mode: the
target ends as the undisturbed run's, the watermark is never ahead of the data, and a run more changes nothing."""

import os
import random
import subprocess
import time

import pytest
from conftest import PROGRAM
from postgres import CutProxy, Database, Postgres

SOAK = bool(os.environ.get("NEURON_SOAK"))
# Hits of a running program, per mode.
HITS = {"program": 300, "cut": 100, "server": 50} if SOAK else {"program": 6, "cut": 4, "server": 2}
ROWS = 3000
TURN = 4  # runs between two looks at everything
AFRESH = 5  # turns until all begins again, with no table there

CONFIG = """
connections: {{ db: "{url}" }}
pipelines:
  {name}:
    from: db
    query: SELECT id, v, at FROM raw
{steps}    to: db
    table: {table}
    {how}
"""
STEPS = """    steps: [ { drop_duplicates: all }, { select: "*, v * 2 AS w, row_hash(*) AS h" } ]
"""
MODES = {
    "upsert": "mode: upsert\n    key: [id]\n    incremental: { cursor: at }",
    "append": "mode: append\n    incremental: { cursor: at }",
    "replace": "mode: replace",
    "mirror": "mode: mirror\n    key: [id]",
    "unopened": "mode: replace",  # without steps: rows as they are on the wire
}


@pytest.fixture(scope="module")
def durable():
    postgres = Postgres("fsync=on")
    yield postgres
    postgres.close()


def content(db, table):
    return db(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t")


class Storm:
    """A pipeline that is disturbed again and again, and one that nobody disturbs."""

    def __init__(self, neuron, db, mode, url):
        self.neuron, self.db, self.mode, self.chance = neuron, db, mode, random.Random(7)
        steps = "" if mode == "unopened" else STEPS
        self.calm = neuron.write("calm.yaml", CONFIG.format(url=db.url, name="calm", table="calm", how=MODES[mode], steps=steps))
        neuron.write("neuron.yaml", CONFIG.format(url=url, name="p", table="t", how=MODES[mode], steps=steps))
        self.first, self.hits, self.tries, self.took = 0, 0, 0, 0.2

    def afresh(self):
        self.db("DROP TABLE IF EXISTS raw, t, calm, neuron_loads; CREATE TABLE raw (id bigint PRIMARY KEY, v bigint, at bigint)")
        self.first = 0

    def grow(self, changes):
        """New rows; and changed ones, where each version isn't a row of its own. Gone ones, where that counts."""
        last = self.first + ROWS - 1
        self.db(f"INSERT INTO raw SELECT i, i % 97, i FROM generate_series({self.first}, {last}) AS i")
        if changes or self.mode != "append":
            self.db(f"UPDATE raw SET v = v + 1, at = {last + 1} WHERE id % 50 = 0")
        if self.mode in ("replace", "mirror", "unopened"):
            self.db(f"DELETE FROM raw WHERE id % 100 = {self.first % 97}")
        self.first = last + 2

    def disturb(self, strike):
        """One run, struck at a random moment of the time that one takes."""
        started = time.monotonic()
        run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=self.neuron.folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        try:
            run.wait(self.chance.uniform(0, self.took * 1.2))
            self.took = time.monotonic() - started
        except subprocess.TimeoutExpired:
            self.hits += 1
        strike(run)
        run.wait(timeout=120)
        self.tries += 1
        if self.db("SELECT to_regclass('t') IS NOT NULL") == "t" and "incremental" in MODES[self.mode]:
            assert self.db("SELECT (SELECT max(watermark::bigint) FROM neuron_loads WHERE pipeline = 'p')"
                           " > (SELECT max(at) FROM t)") != "t", "the watermark is ahead of the data"

    def look(self):
        self.neuron("etl", "calm", "-c", self.calm)
        started = time.monotonic()
        result = self.neuron.result("etl", "p")
        self.took = time.monotonic() - started
        assert content(self.db, "t") == content(self.db, "calm"), f"after {self.tries} tries: {result}"
        if self.mode == "unopened":
            assert content(self.db, "t") == content(self.db, "raw")
        if self.mode not in ("replace", "unopened"):
            again = self.neuron.result("etl", "p")
            assert again["inserted"] == again["updated"] == 0, again
        else:
            self.neuron("etl", "p")
        assert content(self.db, "t") == content(self.db, "calm")
        assert self.connections() == "0"

    def connections(self):
        """Those that stay open; those of a killed program take a moment to end."""
        deadline = time.monotonic() + 20
        while True:
            count = self.db("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'neuron'"
                            f" AND datname = '{self.db.name}'")
            if count == "0" or time.monotonic() > deadline:
                return count
            time.sleep(0.05)

    def blow(self, hits, strike):
        turn = 0
        while self.hits < hits:
            if turn % AFRESH == 0:
                self.afresh()
            turn += 1
            assert self.tries < hits * 5 + 20, f"only {self.hits} of {self.tries} hit a running program"
            self.grow(True)
            for _ in range(TURN):
                self.disturb(strike)
                self.grow(False)
            self.look()
        print(f"{self.mode}: {self.hits} hits in {self.tries} runs")


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_program_loses_and_doubles_nothing(neuron, server, mode):
    db = Database(server, f"program_{mode}")
    Storm(neuron, db, mode, db.url).blow(HITS["program"], lambda run: run.kill())


@pytest.mark.parametrize("mode", MODES)
def test_a_cut_connection_loses_and_doubles_nothing(neuron, server, mode):
    db, proxy = Database(server, f"cut_{mode}"), CutProxy(server.port)
    try:
        url = db.url.replace(f":{server.port}/", f":{proxy.own_port}/")
        Storm(neuron, db, mode, url).blow(HITS["cut"], lambda run: proxy.cut())
    finally:
        proxy.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_server_loses_and_doubles_nothing(neuron, durable, mode):
    db = Database(durable, f"server_{mode}")
    Storm(neuron, db, mode, db.url).blow(HITS["server"], lambda run: durable.crash())
