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


@pytest.mark.parametrize("system", ["postgresql", "sqlite"])
@pytest.mark.parametrize("where", ["step", "sink"])
def test_a_mirror_keeps_the_row_whose_source_row_was_rejected(neuron, server, request, system, where):
    """The source has it still: nothing is deleted in such a run, and the run says so."""
    if system == "sqlite":
        lite = sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None)
        url, rows = "sqlite:///t.db", lambda sql: lite.execute(sql).fetchall()
    else:
        database = Database(server, request.node.name)
        url, rows = database.url, lambda sql: [tuple(int(float(cell)) for cell in line.split("|")) for line in database(sql).split()]
    neuron.write("neuron.yaml", CONFIG.format(url=url, mode="mirror, key: [n], max_delete: 100%")
                 .replace("to: t,", "steps: [ { select: 'n, 10 / v AS v' } ], to: t," if where == "step" else "to: t,"))
    if where == "sink":
        create = "CREATE TABLE t (n int PRIMARY KEY, v int CHECK (v > 0))"
        lite.execute(create) if system == "sqlite" else database(create)

    def run(*values):
        neuron.write("in.ndjson", "".join(f'{{"n":{n},"v":{v}}}\n' for n, v in values))
        return neuron.result("etl", "p")

    run((1, 10), (2, 10), (3, 10))
    result = run((1, 5), (2, 0))
    assert result["records_rejected"] == 1 and "deleted nothing" in result["warnings"][0]
    assert [n for n, _ in rows("SELECT n, v FROM t ORDER BY n")] == [1, 2, 3]
    result = run((1, 5), (2, 5))
    assert [n for n, _ in rows("SELECT n, v FROM t ORDER BY n")] == [1, 2] and result["warnings"] == []


ALONE = {
    "sqlite": "CREATE TABLE t (u TEXT, a AS (json_extract(u, '$.a')) STORED)",
    "postgresql": "CREATE SEQUENCE s; CREATE TABLE t (u text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                  " $$ BEGIN IF NEW.u = '{' THEN PERFORM currval('s'); END IF; RETURN NEW; END $$;"
                  " CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
}


@pytest.mark.parametrize("mode", ["append", "upsert, key: [u]"])
@pytest.mark.parametrize("system", ALONE)
def test_a_message_that_is_alone_with_its_refusal_stops_no_stream(neuron, server, request, system, mode):
    if system == "sqlite":
        lite = sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None)
        lite.executescript(ALONE[system])
        url, rows = "sqlite:///t.db", lambda: [row[0] for row in lite.execute("SELECT u FROM t")]
    else:
        database = Database(server, request.node.name)
        database(ALONE[system])
        url, rows = database.url, lambda: database("SELECT u FROM t").split()
    neuron.write("neuron.yaml", f"""
connections: {{ t: "{url}" }}
streams:
  s:
    from: {{ file: in.ndjson }}
    route_by: type
    processors: {{ a: [ {{ select: "u::text AS u" }} ] }}
    to: {{ connection: t, table: t, mode: {mode} }}
    dead_letter: {{ file: dead.ndjson }}
""")
    messages = [{"type": "a", "u": "{"}]
    for good in ([], [{"type": "a", "u": '{"a":1}'}]):
        messages += good
        neuron.write("in.ndjson", "".join(json.dumps(message) + "\n" for message in messages))
        neuron.result("stream", "s", "--drain")
        assert rows() == [message["u"] for message in good]
        assert len(neuron.read("dead.ndjson").splitlines()) == 1
