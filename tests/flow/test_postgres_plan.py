"""The plan of a load into PostgreSQL: its statements are those that run, its locks those that are taken."""

import json
import os
import subprocess
import uuid

import pytest
from conftest import PROGRAM
from postgres import Database, Postgres
from test_postgres_source import wait_for

CONFIG = """
connections: {{ a: "{a}", b: "{b}" }}
pipelines:
  p: {{ from: a, from_table: raw, to: b, table: t, {how} }}
"""
TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, v varchar(9), n numeric(6,1), at timestamp(3), small int); "


@pytest.fixture(scope="module")
def server():
    postgres = Postgres("fsync=off", "logging_collector=on", "log_statement=all", "log_line_prefix=%d ")
    yield postgres
    postgres.close()


class Pair:
    def __init__(self, neuron, server, name):
        self.neuron, self.server = neuron, server
        self.a, self.b = Database(server, name + "_a"), Database(server, name + "_b")
        self.a("CREATE TABLE raw (id bigint, v text, n numeric, at timestamp, small bigint);"
               "INSERT INTO raw SELECT i, 'v' || i, i / 2.0, '2024-01-01', i FROM generate_series(1, 50) AS i"
               " ORDER BY i % 7, i")

    def plan(self, how):
        self.neuron.write("neuron.yaml", CONFIG.format(a=self.a.url, b=self.b.url, how=how))
        before = self.log()
        plan = json.loads(self.neuron("etl", "p", "--dry-run", "--json").stdout)
        assert not any(word in self.log()[len(before):] for word in ("INSERT INTO", "CREATE T", "COPY \"t\"", "ALTER"))
        return plan

    def log(self):
        """All that was logged up to now: the collector writes in its own time, so that a mark is waited for."""
        mark = f"mark {uuid.uuid4()}"
        self.b(f"SELECT '{mark}'")
        wait_for(lambda: mark in self.read_log())
        return self.read_log()

    def read_log(self):
        folder = os.path.join(self.server.data, "log")
        text = ""
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text += file.read()
        return text


@pytest.fixture
def pair(neuron, server, request):
    return Pair(neuron, server, request.node.name[-30:])


@pytest.mark.parametrize("how,there", [
    ("key: [id], incremental: { cursor: id }", True), ("key: [id]", False), ("mode: replace", True),
    ("mode: mirror, key: [id]", True), ("mode: append", True), ("mode: append", False)])
def test_its_statements_are_those_that_run(pair, how, there):
    if there:
        pair.b(TABLE + f"INSERT INTO t (id) VALUES ({700 if 'append' in how else 7})")
        pair.b("ALTER TABLE t DROP COLUMN small")
    plan = pair.plan(how)
    assert len(plan["ddl"]) == 2 and ("ALTER TABLE" if there else "CREATE TABLE") in plan["ddl"][0]
    before = pair.log()
    pair.neuron("etl", "p")
    ran = pair.log()[len(before):]
    for statement in plan["ddl"] + plan["sql"]:
        sql, _, when = statement.partition(" -- ")
        if "else" in when or "given back" in when:
            continue  # the way that is taken with ascending keys into an empty table
        assert sql in ran, sql
    # And no other statement changes anything.
    changes = [line for line in ran.splitlines() if any(
        f": {word}" in line for word in ("COPY", "INSERT", "UPDATE", "DELETE", "ALTER", "CREATE"))]
    known = [s.partition(" -- ")[0] for s in plan["ddl"] + plan["sql"] + ["COPY (" + plan["read_sql"]]]
    assert [line for line in changes if not any(sql in line for sql in known)] == []


def test_ascending_keys_into_an_empty_table(pair):
    pair.b(TABLE)
    pair.a("CREATE TABLE sorted AS SELECT * FROM raw ORDER BY id; DROP TABLE raw; ALTER TABLE sorted RENAME TO raw")
    plan = pair.plan("key: [id]")
    before = pair.log()
    pair.neuron("etl", "p")
    ran = pair.log()[len(before):]
    lock, copy = (next(s for s in plan["sql"] if s.startswith(word)) for word in ("LOCK TABLE", 'COPY "t"'))
    assert lock.partition(" -- ")[0] in ran and copy.partition(" -- ")[0] in ran
    assert any("SHARE ROW EXCLUSIVE where it is empty" in line for line in plan["locks"])


def test_values_that_will_be_refused_are_said(pair):
    pair.b(TABLE)
    types = dict(line.split(": ", 1) for line in pair.plan("key: [id]")["types"])
    assert types["id"] == "bigint -> bigint"
    assert "more than 9 characters are refused" in types["v"]
    assert "refused" in types["n"] and "numeric(6,1)" in types["n"]
    assert "more than 3 digits of a second are refused" in types["at"]
    assert "out of its range is refused" in types["small"]
    text = pair.neuron("etl", "p", "--dry-run").stdout
    assert "\nlocks\n  \"t\": ROW EXCLUSIVE" in text


def test_hints_of_indexes_are_statements_that_mend(pair):
    pair.b('CREATE TABLE t (id bigint, v text, n numeric, at timestamp, small bigint)')
    how = "key: [id], incremental: { cursor: at }"
    warnings = pair.plan(how)["warnings"]
    for side in (pair.a, pair.b):
        statement = next(w.partition("; CREATE")[2] for w in warnings
                         if "; CREATE" in w and ("UNIQUE" in w) == (side is pair.b))
        side("CREATE" + statement)
    assert not any("index" in warning for warning in pair.plan(how)["warnings"])


@pytest.mark.parametrize("change,lock", [("", "RowExclusiveLock"), ("ALTER TABLE t DROP COLUMN small",
                                                                    "AccessExclusiveLock")])
def test_its_locks_are_those_that_are_taken(pair, change, lock):
    pair.b(TABLE + "INSERT INTO t (id) VALUES (7);" + change)
    plan = pair.plan("key: [id]")
    names = {"RowExclusiveLock": "ROW EXCLUSIVE", "AccessExclusiveLock": "ACCESS EXCLUSIVE"}
    assert any(f'"t": {names[lock]} ' in line for line in plan["locks"])
    assert any("ACCESS" in line for line in plan["locks"]) == (lock == "AccessExclusiveLock")
    pair.b("""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
              CREATE TRIGGER w AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION wait()""")
    held = ("SELECT mode FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE relation = 't'::regclass AND granted"
            " AND s.application_name = 'neuron' AND s.wait_event = 'PgSleep' AND mode NOT IN ('AccessShareLock', 'ShareLock')"
            f" AND s.datname = '{pair.b.name}'")
    run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=pair.neuron.folder, stderr=subprocess.PIPE)
    wait_for(lambda: pair.b(held) != "")
    modes = set(pair.b(held).splitlines())
    run.terminate()
    run.communicate(timeout=30)
    assert lock in modes and modes <= {"RowExclusiveLock", lock}, modes
