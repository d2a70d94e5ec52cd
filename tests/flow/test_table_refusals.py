"""A row that a table refuses in roundabout ways costs that row alone: it is among the rejects, and not in the table."""

import json
import os
import sqlite3

import pytest
from postgres import Database

CONFIG = """
connections: {{ t: "{url}" }}
pipelines:
  p: {{ from: in.ndjson, to: t, table: t, mode: {mode}, rejects: bad.ndjson }}
"""

HALFWAY = {
    "raise fail": "CREATE TRIGGER g AFTER INSERT ON t WHEN NEW.n = 2 BEGIN SELECT RAISE(FAIL, 'two'); END",
    "strict": "CREATE TABLE l (x INTEGER) STRICT; CREATE TRIGGER g AFTER INSERT ON t BEGIN"
              " INSERT INTO l VALUES (iif(NEW.n = 2, 'x', 1)); END",
    "conflict fail": "CREATE TABLE l (x INTEGER UNIQUE ON CONFLICT FAIL); INSERT INTO l VALUES (2);"
                     " CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO l VALUES (NEW.n); END",
}

DEFERRED = {
    "audit": "CREATE TABLE a (n int REFERENCES par DEFERRABLE INITIALLY DEFERRED); CREATE TABLE t (n int);"
             " CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS"
             " $$ BEGIN INSERT INTO a VALUES (NEW.n); RETURN NEW; END $$;"
             " CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()",
    "partition": "CREATE TABLE t (n int) PARTITION BY RANGE (n); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9);"
                 " ALTER TABLE t1 ADD FOREIGN KEY (n) REFERENCES par DEFERRABLE INITIALLY DEFERRED",
    "view": "CREATE TABLE b (n int REFERENCES par DEFERRABLE INITIALLY DEFERRED); CREATE VIEW t AS SELECT * FROM b",
}


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def loaded(neuron, url, mode):
    neuron.write("in.ndjson", "".join(f'{{"n":{n}}}\n' for n in (1, 2, 3)))
    neuron.write("neuron.yaml", CONFIG.format(url=url, mode=mode))
    result = neuron.result("etl", "p")
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    assert [json.loads(line)["data"]["n"] for line in neuron.read("bad.ndjson").splitlines()] == [2]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert, key: [n]"])
@pytest.mark.parametrize("case", HALFWAY)
def test_a_trigger_that_fails_halfway(neuron, case, mode):
    db = sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None)
    db.executescript(f"CREATE TABLE t (n INTEGER); {HALFWAY[case]}")
    loaded(neuron, "sqlite:///t.db", mode)
    assert db.execute("SELECT n FROM t ORDER BY n").fetchall() == [(1,), (3,)]


@pytest.mark.parametrize("case", DEFERRED)
def test_a_constraint_elsewhere_that_is_judged_at_commit(neuron, db, case):
    db(f"CREATE TABLE par (n int PRIMARY KEY); INSERT INTO par VALUES (1), (3); {DEFERRED[case]}")
    loaded(neuron, db.url, "append")
    assert db("SELECT string_agg(n::text, ',' ORDER BY n) FROM t") == "1,3"
