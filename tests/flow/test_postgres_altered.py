"""Targets and sources in PostgreSQL that others alter meanwhile: rows are right, or the run says what was altered."""

import json
import os
import signal
import subprocess
import time

import pytest
from conftest import PROGRAM
from postgres import Database, binaries

GATE = 4711


@pytest.fixture
def db(server, request):
    return Database(server, f"a{hash(request.node.name) % 10**12}")


@pytest.fixture(scope="module")
def source(server):
    """A database with gate(): queries that call it wait while a Gate is closed."""
    database = Database(server, "source")
    database("CREATE FUNCTION gate() RETURNS int LANGUAGE sql VOLATILE"
             f" AS 'SELECT pg_advisory_xact_lock_shared({GATE}); SELECT 0'")
    return database


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)
    return value


class Session:
    """A psql that keeps its session; `end` commits what it began."""

    def __init__(self, db, sql):
        self.psql = subprocess.Popen([os.path.join(binaries(), "psql"), "-XqAt", db.url], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write(sql + "; SELECT 'there';\n")
        self.psql.stdin.flush()

    def there(self):
        while self.psql.stdout.readline().strip() != "there":
            assert self.psql.poll() is None
        return self

    def end(self, sql=""):
        self.psql.communicate(sql, timeout=60)


class Gate(Session):
    """Queries that call gate() wait until it ends."""

    def __init__(self, db):
        super().__init__(db, f"SELECT pg_advisory_lock({GATE})")
        self.db = db
        self.there()

    def reached(self):
        wait_for(lambda: self.db("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
                                 f" AND datname = '{self.db.name}'") != "0")


def start(neuron, *args, **pipes):
    return subprocess.Popen([PROGRAM, *args, "--json"], cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **pipes)


def finish(run):
    out, err = run.communicate(timeout=90)
    return json.loads(out) if out else err


ROWS = "SELECT i::int AS id, (i * 10)::bigint AS amount, (i + 0.5)::float8 AS price FROM generate_series(1, 5) AS i"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, amount bigint, price float8)"
RIGHT = "1:10:1.5 2:20:2.5 3:30:3.5 4:40:4.5 5:50:5.5"


def pipeline(neuron, db, source, query, mode, rest=""):
    key = ", key: [id]" if mode in ("upsert", "mirror") else ""
    neuron.write("neuron.yaml", f"""
connections: {{ source: "{source.url}", target: "{db.url}" }}
pipelines:
  p: {{ from: source, query: "{query}", to: target, table: t, mode: {mode}{key}{rest} }}
""")


def values(db, table="t"):
    return db("SELECT string_agg(id || ':' || trim_scale(amount::numeric) || ':' || trim_scale(price::numeric), ' '"
              f" ORDER BY id) FROM {table}")


def blocked(db):
    return db("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'psql'"
              f" AND datname = '{db.name}'") != "0"


@pytest.mark.parametrize("mode, rejects, change, right, column", [
    ("append", "", "ALTER TABLE t ALTER price TYPE bigint", None, "price"),
    ("append", ", rejects: bad", "ALTER TABLE t ALTER amount TYPE numeric", RIGHT, "amount"),
    ("replace", "", "ALTER TABLE t ALTER amount TYPE text", RIGHT, "amount"),
    ("upsert", "", "ALTER TABLE t ALTER amount TYPE numeric", RIGHT, "amount"),
    ("upsert", ", rejects: bad", "ALTER TABLE t ALTER price TYPE bigint", None, "price"),
    ("upsert", "", "DROP TABLE t; CREATE TABLE t (price numeric(9,1), id int PRIMARY KEY, amount numeric(20,3))", RIGHT, "amount"),
    ("mirror", "", "ALTER TABLE t RENAME price TO cost; ALTER TABLE t ADD price real", RIGHT, "price"),
    ("mirror", ", rejects: bad", "CREATE INDEX ON t (amount); ALTER TABLE t ADD more text, DROP COLUMN amount, ADD amount bigint",
     RIGHT, None),
])
def test_a_target_that_is_altered_before_its_rows_come(neuron, db, source, mode, change, right, column, rejects):
    db(TABLE)
    gate = Gate(source)
    pipeline(neuron, db, source, f"SELECT id, amount, price + gate() AS price FROM ({ROWS}) AS r", mode, rejects)
    run = start(neuron, "etl", "p")
    gate.reached()
    other = Session(db, f"BEGIN; LOCK TABLE t; CREATE TABLE before AS SELECT * FROM t; {change}; COMMIT")
    wait_for(lambda: blocked(db) or db("SELECT to_regclass('before')"))
    gate.end()
    result = finish(run)
    other.end()
    if db("SELECT count(*) FROM before") == "5":  # it had to wait for the run
        assert result["status"] == "success" and values(db, "before") == RIGHT
        return
    if result["status"] == "success":
        assert right and values(db) == right, values(db)
        assert result["records_loaded"] == 5 and result["records_rejected"] == 0
        return
    assert not column or f'"{column}"' in result["error"]["what"] or f"\"{column}\"" in result["error"]["what"]
    assert values(db) == "", result["error"]


class Stream:
    """A stream from standard input into t of its own database, by cycles of 50 ms."""

    def __init__(self, neuron, db, to="mode: append", rest=""):
        self.db, self.sent = db, 0
        neuron.write("neuron.yaml", f"""
connections: {{ target: "{db.url}" }}
streams:
  s:
    from: {{ file: "-#ndjson" }}
    cycle: 50ms
    processors:
      a: {{ select: "id::int AS id, amount::bigint AS amount, price::float8 AS price" }}
    to: {{ connection: target, table: t, {to} }}
{rest}
""")
        self.run = start(neuron, "stream", "s", stdin=subprocess.PIPE)

    def send(self, count=1, wait=True):
        for _ in range(count):
            self.sent += 1
            self.run.stdin.write(json.dumps({"type": "a", "id": self.sent, "amount": self.sent * 10, "price": self.sent + 0.5})
                                 + "\n")
        self.run.stdin.flush()
        if wait:
            wait_for(lambda: self.run.poll() is not None or self.db("SELECT count(*) FROM t") == str(self.sent))
            assert self.run.poll() is None, self.run.communicate()


def right(count):
    return " ".join(f"{i}:{i * 10}:{i + 0.5}" for i in range(1, count + 1))


@pytest.mark.parametrize("to", ["mode: append", "mode: upsert, key: [id]"])
def test_a_stream_goes_on_in_a_table_that_is_altered(neuron, db, to):
    db(TABLE)
    stream = Stream(neuron, db, to)
    stream.send()
    for change in ["ALTER amount TYPE numeric", "ALTER price TYPE numeric(9,2)", "ALTER amount TYPE int",
                   "ADD more text DEFAULT 'x'", "ALTER amount TYPE text", "ALTER price TYPE real",
                   "RENAME amount TO old", "ADD CHECK (id > 0)"]:
        db(f"ALTER TABLE t {change}")
        stream.send()
    db("ALTER TABLE t DROP COLUMN amount; ALTER TABLE t RENAME old TO amount")
    db("UPDATE t SET amount = (id * 10)::text WHERE amount IS NULL")
    db("BEGIN; CREATE TABLE other (price float8, amount smallint, id bigint PRIMARY KEY);"
       " INSERT INTO other SELECT price, amount::int, id FROM t; DROP TABLE t; ALTER TABLE other RENAME TO t; COMMIT")
    stream.send(3)
    result = finish(stream.run)
    assert result["messages_processed"] == 12 and values(db) == right(12)


def test_a_stream_says_which_column_takes_its_values_no_more(neuron, db):
    db(TABLE)
    stream = Stream(neuron, db)
    stream.send()
    db("ALTER TABLE t ALTER price TYPE date USING NULL")
    stream.send(wait=False)
    assert stream.run.wait(timeout=60) == 1
    error = stream.run.communicate()[1]
    assert "altered" in error and 'column "price" was double precision and is date now' in error
    assert db("SELECT count(*) FROM t") == "1"


def test_what_a_shorter_type_does_not_hold_is_one_row(neuron, db):
    db(TABLE)
    stream = Stream(neuron, db, rest="    dead_letter: { connection: target, table: dead }")
    stream.send()
    db("ALTER TABLE t ALTER amount TYPE smallint, ALTER price TYPE real; ALTER SEQUENCE IF EXISTS x RESTART")
    stream.sent = 5000
    stream.send(wait=False)
    stream.sent = 1
    stream.send(wait=False)
    stream.sent = 2
    wait_for(lambda: db("SELECT count(*) FROM t") == "2")
    db("ALTER TABLE dead ALTER reason TYPE varchar(10000), ALTER stage TYPE varchar(50)")
    stream.run.stdin.write('{"type": "a", "id": 70000, "amount": 70000, "price": 1}\n')
    assert finish(stream.run)["messages_failed"] == 2
    assert values(db) == right(2) and db("SELECT count(*) FROM dead") == "2"


def test_a_table_that_is_dropped_under_a_stream(neuron, db):
    db(TABLE)
    stream = Stream(neuron, db)
    stream.send()
    db("DROP TABLE t")
    stream.send(wait=False)
    assert stream.run.wait(timeout=60) == 1
    assert 'table "t" was dropped meanwhile' in stream.run.communicate()[1]


def test_rows_that_nobody_opens(neuron, db, source):
    """Planned as whole rows; altered before the first one comes, the run says so and the next is right."""
    source("DROP TABLE IF EXISTS s; CREATE TABLE s AS SELECT i::int AS id, i::bigint AS amount FROM generate_series(1, 20000) AS i")
    db("CREATE TABLE t (id int, amount bigint)")
    neuron.write("neuron.yaml", f"""
connections: {{ source: "{source.url}", target: "{db.url}" }}
pipelines:
  p: {{ from: source, from_table: s, to: target, table: t, mode: append }}
""")
    lock = Session(db, "BEGIN; LOCK TABLE t").there()
    run = start(neuron, "etl", "p")
    wait_for(lambda: db("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'neuron'"
                        f" AND datname = '{db.name}'") == "1")
    lock.end("ALTER TABLE t ALTER amount TYPE float8; COMMIT;")
    result = finish(run)
    assert result["status"] == "failed" and result["error"]["kind"] == "deadlock"
    assert 'column "amount" is double precision now, and its rows were read as bigint' in result["error"]["what"]
    assert neuron.result("etl", "p")["records_loaded"] == 20000
    assert db("SELECT count(*), sum(amount) FROM t WHERE amount = id") == "20000|200010000"


def test_a_table_that_stays_locked_is_given_up(neuron, db):
    db("CREATE TABLE t (id bigint)")
    neuron.write("in.csv", "id\n1\n")
    lock = Session(db, "BEGIN; LOCK TABLE t").there()
    done = neuron("copy", "in.csv", db.url + "?options=-c%20lock_timeout%3D200ms", "--table", "t", code=1)
    lock.end()
    assert 'table "t" is locked by another session' in done.stderr


def test_a_source_that_is_rewritten_as_its_reading_begins(neuron, db, source):
    """Rewritten between the snapshot and the lock, a table would seem empty to the one that waited."""
    source("DROP TABLE IF EXISTS r; CREATE TABLE r (id int, v int); INSERT INTO r SELECT i, i FROM generate_series(1, 100) AS i")
    lock = Session(source, "BEGIN; ALTER TABLE r ALTER v TYPE bigint").there()
    run = start(neuron, "copy", source.url, db.url, "--from-table", "r", "--table", "t")
    wait_for(lambda: source("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                            " AND application_name = 'neuron'") == "1")
    lock.end("COMMIT;")
    result = finish(run)
    assert result["records_loaded"] == 100
    assert db("SELECT count(*), sum(v) FROM t") == "100|5050"
