"""The stable watermark of PostgreSQL sources: whoever writes, and however late it commits, no row is lost or doubled."""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from postgres import Database, Postgres, Session, binaries  # noqa: E402
from watermark import MIXED, RAW, SETTINGS, Pair, wait_for, write_and_run  # noqa: E402


@pytest.fixture(scope="module")
def server():
    postgres = Postgres(*SETTINGS)
    yield postgres
    postgres.close()


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


# ---- what clients do ----

# Each step of a client: a message (statements joined by `\\;`), of which `gate(n)` waits until the test opens it.
# After each step somebody else's row is committed, and the pipelines run.
SHAPES = {
    "two transactions in one message": [
        r"BEGIN\; INSERT INTO raw(who) VALUES ('one')\; SELECT gate(1)\; COMMIT\; "
        r"BEGIN\; INSERT INTO raw(who) VALUES ('two')\; SELECT gate(2)\; COMMIT;", 1, 2],
    "a transaction that a message leaves open": [
        r"BEGIN\; INSERT INTO raw(who) VALUES ('one')\; SELECT gate(1)\; COMMIT\; "
        r"BEGIN\; INSERT INTO raw(who) VALUES ('two');", 1, "SELECT 1;", "COMMIT;"],
    "a procedure that commits": ["CALL three_times();", 1, 2],
    "a procedure that keeps a number": ["CALL keeps_a_number();", 1, 2],
    "a prepared transaction": [
        "BEGIN; INSERT INTO raw(who) VALUES ('one');", "PREPARE TRANSACTION '%(db)s-1';",
        "COMMIT PREPARED '%(db)s-1';"],
    "prepared by the message": [
        r"BEGIN\; INSERT INTO raw(who) VALUES ('one')\; SELECT gate(1)\; COMMIT\; "
        r"BEGIN\; INSERT INTO raw(who) VALUES ('two')\; PREPARE TRANSACTION '%(db)s-2';", 1,
        "COMMIT PREPARED '%(db)s-2';"],
    "an autonomous session": ["SELECT autonomous();", 1],
    "a transaction of many messages": [
        "BEGIN; INSERT INTO raw(who) VALUES ('one');", "SAVEPOINT a; INSERT INTO raw(who) VALUES ('two');",
        "ROLLBACK TO a;", "COMMIT;"],
}

ROUTINES = """
CREATE EXTENSION dblink;
CREATE FUNCTION gate(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_lock(n); PERFORM pg_advisory_unlock(n); END $$;
CREATE PROCEDURE three_times() LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO raw(who) VALUES ('one'); PERFORM gate(1); COMMIT;
  INSERT INTO raw(who) VALUES ('two'); PERFORM gate(2); COMMIT;
  INSERT INTO raw(who, at) VALUES ('three', statement_timestamp()); COMMIT;
END $$;
CREATE PROCEDURE keeps_a_number() LANGUAGE plpgsql AS $$
DECLARE
  number bigint := nextval(pg_get_serial_sequence('raw', 'id')); time timestamptz := now();
BEGIN
  COMMIT; PERFORM gate(1); COMMIT; PERFORM gate(2);
  INSERT INTO raw(id, who, at) VALUES (number, 'one', time);
END $$;
CREATE FUNCTION autonomous() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  number bigint := nextval(pg_get_serial_sequence('raw', 'id')); time timestamptz := now();
BEGIN
  PERFORM gate(1);
  PERFORM dblink_exec(format('host=127.0.0.1 port=%s user=postgres dbname=%s', current_setting('port'),
                             current_database()),
                      format('INSERT INTO raw(id, who, at) VALUES (%s, ''one'', %L)', number, time));
END $$;
"""


class Client:
    """A session with gates that another one holds shut."""

    def __init__(self, db):
        self.db, self.open = db, False
        self.session, self.keeper = Session(db.server, db.name), Session(db.server, db.name)
        self.keeper("SELECT pg_advisory_lock(1), pg_advisory_lock(2);")

    def waits(self):
        state = self.db("SELECT count(*) FILTER (WHERE wait_event = 'advisory') || ' ' || count(*) FILTER ("
                        f"WHERE state = 'active') FROM pg_stat_activity WHERE datname = '{self.db.name}' "
                        "AND pid <> pg_backend_pid()").split()
        return state[0] == "1" or state[1] == "0"

    def step(self, step):
        if isinstance(step, int):
            self.keeper(f"SELECT pg_advisory_unlock({step});")
        else:
            if self.open:
                self.session.finish()
            self.session.start(step % {"db": self.db.name} if "%(db)" in step else step)
            self.open = True
        wait_for(self.waits)

    def close(self):
        self.session.finish()
        self.session.close()
        self.keeper.close()


@pytest.mark.parametrize("shape, cursor, default", [
    *((shape, "at", "now()") for shape in SHAPES), ("a procedure that commits", "at", "statement_timestamp()"),
    *((shape, "id", "now()") for shape in ("a procedure that keeps a number", "a prepared transaction",
                                           "an autonomous session"))])
def test_no_client_commits_too_late(neuron, db, shape, cursor, default):
    db(RAW % default + ROUTINES)
    pair, client = Pair(neuron, db, cursor), Client(db)
    db("INSERT INTO raw(who) VALUES ('first')")
    for number, step in enumerate(SHAPES[shape]):
        client.step(step)
        db(f"INSERT INTO raw(who) VALUES ('other {number}')")
        pair.good()
    client.close()
    db("INSERT INTO raw(who) VALUES ('last')")
    pair.good()
    pair.check()


def test_a_session_that_holds_the_watermark_is_named(neuron, db):
    db(RAW % "now()")
    pair, late = Pair(neuron, db), Session(db.server, db.name)
    late("SET application_name = 'night job'; BEGIN; INSERT INTO raw(who) VALUES ('late');")
    db("INSERT INTO raw(who) VALUES ('other')")
    assert all(not r["warnings"] for r in pair.good())
    wait_for(lambda: db("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'night job' "
                        "AND xact_start < clock_timestamp() - interval '5 s'") == "1")
    for result in pair.good():
        said, = result["warnings"]
        assert "(night job, user postgres), idle in transaction since 20" in said and "pid " in said
    late("COMMIT;")
    late.close()
    assert all(not r["warnings"] for r in pair.good())
    pair.check()


def test_sessions_that_the_role_may_not_see(neuron, db):
    """A role without pg_read_all_stats waits for sessions by their transactions alone, and says what that is worth."""
    db(RAW % "now()" + "CREATE ROLE reader LOGIN; GRANT SELECT ON raw TO reader")
    pair = Pair(neuron, db, url=db.url.replace("postgres@", "reader@"))
    late = Session(db.server, db.name)
    late("BEGIN; INSERT INTO raw(who) VALUES ('late');")
    db("INSERT INTO raw(who) VALUES ('other')")
    for result in pair.good():
        assert any("GRANT pg_read_all_stats TO \"reader\"" in said for said in result["warnings"]), result
    assert "GRANT pg_read_all_stats TO \"reader\"" in neuron("etl", "append", "--dry-run").stdout
    late("COMMIT; BEGIN; INSERT INTO raw(who) VALUES ('again');")
    pair.good()
    late("COMMIT;")
    pair.good()
    pair.check()
    late("BEGIN;")
    db("GRANT pg_read_all_stats TO reader")
    assert not any("GRANT" in said for r in pair.good() for said in r["warnings"])
    late.close()


def test_who_writes_nothing_holds_nothing(neuron, db):
    """Log that is sent, other databases: no watermark waits for them."""
    db(RAW % "now()")
    other = Session(db.server)
    other("BEGIN; SELECT 1;")
    db("SELECT pg_create_logical_replication_slot('follows', 'test_decoding')")
    follower = subprocess.Popen([binaries() + "/pg_recvlogical", "-h", "127.0.0.1", "-p", str(db.server.port), "-U",
                                 "postgres", "-d", db.name, "-S", "follows", "--start", "-f", "-"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: db("SELECT count(*) FROM pg_replication_slots WHERE active") == "1")
    pair = Pair(neuron, db)
    db("INSERT INTO raw(who) VALUES ('one')")
    pair.good()
    pair.check()
    follower.terminate()
    follower.wait(timeout=30)
    wait_for(lambda: db("SELECT count(*) FROM pg_replication_slots WHERE active") == "0")
    db("SELECT pg_drop_replication_slot('follows')")
    other.close()


# ---- cursors whose order nobody guarantees ----

ORDERS = [
    ("id bigint GENERATED ALWAYS AS IDENTITY", "id", None),
    ("id serial", "id", None),
    ("id bigint", "id", "has no default that counts up"),
    ("id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 50)", "id", "increments by 50"),
    ("id bigint GENERATED ALWAYS AS IDENTITY (CACHE 20)", "id", "20 numbers at once (CACHE)"),
    ("id int DEFAULT nextval('blocks')", "id", "increments by 50"),
    ("id int GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 MAXVALUE 100 START 100)", "id", "counts down"),
    ("id int GENERATED ALWAYS AS IDENTITY (MAXVALUE 9 CYCLE)", "id", "begins again (CYCLE)"),
    ("id serial, at timestamptz DEFAULT now()", "at", None),
    ("id serial, at timestamptz DEFAULT clock_timestamp()", "at", None),
    ("id serial, at timestamp DEFAULT (now() AT TIME ZONE 'utc')", "at", None),
    ("id serial, at timestamptz", "at", "has no default that is the time"),
    ("id serial, at timestamptz DEFAULT '2020-01-01'", "at", "has no default that is the time"),
    ("id serial, at timestamptz DEFAULT date_trunc('hour', now())", "at", "has no default that is the time"),
    ("id serial, at date DEFAULT current_date", "at", "type date gives no stable watermark"),
    ("id serial, at numeric DEFAULT 1.5", "at", "type numeric gives no stable watermark"),
]


@pytest.mark.parametrize("columns, cursor, doubt", ORDERS)
def test_each_run_says_what_a_cursor_is_not_worth(neuron, server, request, columns, cursor, doubt):
    db = Database(server, f"order_{ORDERS.index((columns, cursor, doubt))}")
    db(f"CREATE SEQUENCE blocks INCREMENT BY 50; CREATE TABLE raw ({columns}, who text);"
       f"CREATE VIEW seen AS SELECT * FROM raw; CREATE INDEX ON raw ({cursor})")
    db("INSERT INTO raw(who) VALUES ('one')" if "DEFAULT" in columns or "GENERATED" in columns or "serial" in columns
       else f"INSERT INTO raw({cursor}, who) VALUES (1, 'one')")
    for table in "raw", "seen":
        neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: "{db.url}", from_table: {table}, incremental: {{ cursor: {cursor}, nulls: read }}, to: "sqlite:///{table}.db",
       table: t, mode: append }}
""")
        for _ in range(2):
            warnings = neuron.result("etl", "p")["warnings"]
            assert len(warnings) == (1 if doubt else 0), warnings
            assert not doubt or doubt in warnings[0], warnings
        assert (doubt in neuron("etl", "p", "--dry-run").stdout) if doubt else True


def test_a_doubt_is_over_when_lag_or_overlap_is_said(neuron, db):
    """A pooled sequence: rows 1 and 51 come, then 2 and 3. What a number says is stayed behind, or read again."""
    db("CREATE TABLE raw (id bigint PRIMARY KEY, who text); INSERT INTO raw VALUES (1, 'a'), (51, 'b')")
    pair = Pair(neuron, db, "id")
    for result in pair.good():
        assert "numbers of clients come in any order" in result["warnings"][0] and "lag: 1000" in result["warnings"][0]
    neuron.write("neuron.yaml", f"""
pipelines:
  lag: {{ from: "{db.url}", from_table: raw, incremental: {{ cursor: id, lag: 50 }}, to: "sqlite:///lag.db", table: t,
         mode: append }}
  overlap: {{ from: "{db.url}", from_table: raw, incremental: {{ cursor: id, overlap: 60 }}, to: "sqlite:///overlap.db",
             table: t, mode: append, key: [id] }}
""")
    loaded = {name: neuron.result("etl", name) for name in ("lag", "overlap")}
    assert all(not r["warnings"] for r in loaded.values()), loaded
    assert [r["inserted"] for r in loaded.values()] == [1, 2]
    db("INSERT INTO raw VALUES (2, 'c'), (3, 'd'), (100, 'e')")
    loaded = {name: neuron.result("etl", name) for name in ("lag", "overlap")}
    assert [r["inserted"] for r in loaded.values()] == [2, 3]
    db("INSERT INTO raw VALUES (150, 'f')")
    assert neuron.result("etl", "lag")["inserted"] == 2
    for name, want in ("lag", "abcde"), ("overlap", "abcde"):
        assert "".join(pair.rows(name)) == want, name


@pytest.mark.parametrize("incremental, cursor, says", [
    ("lag: 5m", "who", "doesn't fit"), ("lag: 5", "at", "is a number"), ("lag: soon", "at", "can't be"),
    ("overlap: -1", "id", "can't be")])
def test_spans_that_dont_fit(neuron, db, incremental, cursor, says):
    db(RAW % "now()")
    Pair(neuron, db, cursor, incremental=", " + incremental)
    assert says in neuron("etl", "upsert", code=2).stderr


def test_lag_stays_before_the_newest_rows(neuron, db):
    db(RAW % "now()")
    db("INSERT INTO raw(who, at) VALUES ('old', now() - interval '2 h'), ('new', now() - interval '10 min')")
    pair = Pair(neuron, db, incremental=", lag: 1h")
    assert [r["inserted"] for r in pair.good()] == [1, 2]
    # One that comes within the lag is not lost.
    db("INSERT INTO raw(who, at) VALUES ('late', now() - interval '50 min'), ('now', now())")
    assert [r["inserted"] for r in pair.good()] == [0, 2]
    db("UPDATE raw SET at = at - interval '1 h'")
    pair.good()
    pair.check()


def test_a_time_in_the_future_hides_nothing(neuron, db):
    db(RAW % "now()")
    db("INSERT INTO raw(who, at) VALUES ('future', now() + interval '1 day'), ('one', now())")
    pair = Pair(neuron, db)
    for result in pair.good():
        assert "has times in the future" in result["warnings"][0]
    db("INSERT INTO raw(who) VALUES ('two')")
    pair.good()
    assert pair.rows("append") == ["one", "two"] and pair.rows("upsert") == ["future", "one", "two"]
    db("UPDATE raw SET at = now() WHERE who = 'future'")
    pair.good()
    pair.check()


@pytest.mark.parametrize("cursor", ["at", "id"])
def test_writers_of_all_kinds_lose_and_double_nothing(neuron, db, cursor):
    db(RAW % "now()" + MIXED)
    write_and_run(Pair(neuron, db, cursor), cursor)
