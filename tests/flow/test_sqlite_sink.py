"""Into SQLite: refused rows, signals, and tables that others alter meanwhile."""

import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from conftest import PROGRAM
from test_stream_shared import OLD


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)
    return value


def database(neuron, sql=""):
    db = sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None, timeout=20)
    db.executescript("PRAGMA journal_mode=WAL;" + sql)
    return db


def refused_rows(neuron, count, rejects=""):
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{-i - 1}\n" for i in range(count)))
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "sqlite:///t.db", table: t, mode: upsert, key: [id]{rejects} }}
""")
    return database(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER CHECK (v > 0))")


def test_the_first_refused_row_ends_a_run_that_allows_none(neuron):
    refused_rows(neuron, 200_000)
    begun = time.monotonic()
    result = json.loads(neuron("etl", "p", "--json", code=1).stdout)
    assert time.monotonic() - begun < 120  # all of them took ten minutes
    assert result["error"]["kind"] == "data" and "CHECK constraint failed" in result["error"]["what"]
    assert "row 1" in result["error"]["what"]


def test_a_signal_ends_the_search_for_refused_rows(neuron):
    db = refused_rows(neuron, 400_000, ", rejects: bad")
    run = subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
    wal = os.path.join(neuron.folder, "t.db-wal")
    wait_for(lambda: run.poll() is not None or os.path.exists(wal))
    begun = time.process_time()
    wait_for(lambda: run.poll() is not None or cpu(run.pid) > 1.5)
    assert run.poll() is None, (run.communicate(), begun)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=10) == 143
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_signal_ends_the_wait_for_another_writer(neuron):
    db = refused_rows(neuron, 10)
    db.execute("BEGIN IMMEDIATE")
    run = subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=0.5)
    begun = time.monotonic()
    run.send_signal(signal.SIGTERM)
    run.wait(timeout=8)
    assert run.returncode == 143 and time.monotonic() - begun < 5, run.communicate()


@pytest.mark.parametrize("mode", ["append", "upsert, key: [id]"])
def test_a_stream_goes_on_in_a_table_that_is_altered(neuron, mode):
    db = database(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)")
    neuron.write("neuron.yaml", f"""
streams:
  s:
    from: {{ file: "-#ndjson" }}
    cycle: 50ms
    processors: {{ a: {{ select: "id::int AS id, v::text AS v" }} }}
    to: {{ connection: target, table: t, mode: {mode} }}
connections: {{ target: "sqlite:///t.db" }}
""")
    run = subprocess.Popen([PROGRAM, "stream", "s", "--json"], cwd=neuron.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    sent = 0

    def send(value):
        nonlocal sent
        sent += 1
        run.stdin.write(json.dumps({"type": "a", "id": sent, "v": value}) + "\n")
        run.stdin.flush()
        wait_for(lambda: run.poll() is not None or db.execute("SELECT count(*) FROM t").fetchone() == (sent,))
        assert run.poll() is None, run.communicate()

    send("x")
    db.executescript("BEGIN IMMEDIATE; CREATE TABLE n (more, v TEXT, id INTEGER PRIMARY KEY); INSERT INTO n (id, v) SELECT id, v FROM t;"
                     " DROP TABLE t; ALTER TABLE n RENAME TO t; COMMIT")
    send("007")  # as text; a column of numbers would make 7 of it
    db.executescript("ALTER TABLE t DROP COLUMN more; ALTER TABLE t ADD COLUMN other")
    send("1.50")
    assert db.execute("SELECT v FROM t ORDER BY id").fetchall() == [("x",), ("007",), ("1.50",)]
    db.executescript("DROP TABLE t")
    run.stdin.write('{"type": "a", "id": 9, "v": "y"}\n')
    run.stdin.flush()
    assert run.wait(timeout=60) == 1
    assert 'table "t" was dropped meanwhile' in run.communicate()[1]


def test_replace_where_other_tables_refer(neuron):
    db = database(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
                          " CREATE TABLE child (id INTEGER REFERENCES t ON DELETE CASCADE); PRAGMA foreign_keys=ON;"
                          " INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO child VALUES (1), (2)")
    neuron.write("in.csv", "id,v\n1,a\n2,B\n4,d\n")
    copy = ("copy", "in.csv", "sqlite:///t.db", "--table", "t", "--mode", "replace")
    assert "other tables refer" in neuron(*copy, code=2).stderr
    result = neuron.result(*copy, "--key", "id")
    assert (result["inserted"], result["updated"], result["unchanged"]) == (1, 1, 1)
    assert db.execute("SELECT * FROM t").fetchall() == [(1, "a"), (2, "B"), (4, "d")]
    assert db.execute("SELECT * FROM child").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert, key: [n]"])
def test_a_row_that_undoes_the_transaction_fails_the_run(neuron, mode):
    db = database(neuron, """CREATE TABLE t (n INTEGER, u INTEGER); INSERT INTO t VALUES (777, NULL);
        CREATE TRIGGER undo BEFORE INSERT ON t WHEN EXISTS (SELECT 1 FROM t WHERE u = NEW.u)
        BEGIN SELECT RAISE(ROLLBACK, 'twice'); END;""")
    neuron.write("in.csv", "n,u\n0,\n1,\n10,1\n11,1\n20,\n21,\n")
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "sqlite:///t.db", table: t, mode: {mode}, rejects: r.ndjson }}
""")
    for _ in range(2):
        result = json.loads(neuron("etl", "p", "--json", code=1).stdout)
        assert "one row undid the whole transaction" in result["error"]["what"] and "ABORT" in result["error"]["hint"]
        assert db.execute("SELECT n FROM t").fetchall() == [(777,)]
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'neuron_loads'").fetchone()


@pytest.mark.parametrize("mode, key", [("append", ""), ("upsert", ", key: [id]"), ("replace", "")])
def test_foreign_keys_that_are_judged_at_commit(neuron, mode, key):
    db = database(neuron, "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1), (3);"
                  "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "sqlite:///t.db", table: t, mode: {mode}{key}, rejects: bad }}
""")
    neuron.write("in.csv", "id,p\n1,1\n2,2\n3,3\n")
    result = json.loads(neuron("etl", "p", "--json").stdout)
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    assert db.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (3,)]
    ((reason, state, data),) = db.execute("SELECT reason, sqlstate, data FROM bad").fetchall()
    assert "FOREIGN KEY" in reason and state == "23503" and json.loads(data) == {"id": 2, "p": 2}


def test_rows_that_refer_to_later_ones_of_their_run(neuron):
    db = database(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    neuron.write("neuron.yaml", """
pipelines:
  p: { from: in.csv, to: "sqlite:///t.db", table: t, mode: append, rejects: bad }
""")
    neuron.write("in.csv", "id,p\n" + "".join(f"{i},{(i + 1) % 20000}\n" for i in range(20000)))
    result = json.loads(neuron("etl", "p", "--json").stdout)
    assert (result["records_loaded"], result["records_rejected"]) == (20000, 0)
    assert db.execute("SELECT count(*) FROM t").fetchone() == (20000,)


def test_a_trigger_that_breaks_a_foreign_key_of_another_table(neuron):
    db = database(neuron, "CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1);"
                  "CREATE TABLE log (p INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED); CREATE TABLE t (id INTEGER);"
                  "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (NEW.id); END")
    neuron.write("neuron.yaml", """
pipelines:
  p: { from: in.csv, to: "sqlite:///t.db", table: t, mode: append, rejects: bad }
""")
    neuron.write("in.csv", "id\n1\n2\n")
    result = json.loads(neuron("etl", "p", "--json").stdout)
    assert (result["records_loaded"], result["records_rejected"]) == (1, 1)
    assert db.execute("SELECT id FROM t").fetchall() == db.execute("SELECT p FROM log").fetchall() == [(1,)]


def test_a_former_table_of_runs_is_altered_in_place(neuron):
    db = database(neuron, OLD["sqlite"].replace("'s', 'r'", "'p', 'r'"))
    neuron.write("in.csv", "id\n1\n2\n")
    neuron.write("neuron.yaml", 'pipelines: { p: { from: in.csv, to: "sqlite:///t.db", table: t, mode: append } }')
    for _ in range(2):
        neuron.result("etl", "p")
    rows = db.execute("SELECT epoch, cycle, records_loaded, status, substr(published_at, 20) FROM neuron_loads ORDER BY epoch").fetchall()
    assert [row[:4] for row in rows] == [(7, 0, 8, "success"), (8, 0, 2, "success"), (9, 0, 2, "success")]
    assert rows[2][4].endswith("Z")


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_database_that_is_locked_is_waited_for(neuron, journal):
    db = database(neuron, f"CREATE TABLE x (a); PRAGMA journal_mode={journal}")
    neuron.write("in.csv", "id\n1\n")
    db.execute("BEGIN IMMEDIATE")
    copy = subprocess.Popen([PROGRAM, "copy", "in.csv", "sqlite:///t.db", "--table", "t", "--mode", "append"],
                            cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        copy.wait(0.5)
    db.execute("COMMIT")
    assert copy.wait(60) == 0, copy.communicate()
    assert db.execute("SELECT id FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_a_cancel_while_a_lock_is_waited_for_is_no_failure(neuron, journal):
    db = database(neuron, f"CREATE TABLE x (a); PRAGMA journal_mode={journal}")
    neuron.write("in.csv", "id\n1\n")
    neuron.write("neuron.yaml", 'pipelines: { p: { from: in.csv, to: "sqlite:///t.db", table: t, mode: append } }')
    db.execute("BEGIN IMMEDIATE")

    def is_open(run):
        folder = f"/proc/{run.pid}/fd"
        return any(os.path.realpath(f"{folder}/{fd}").endswith("/t.db") for fd in os.listdir(folder))
    run = subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    wait_for(lambda: is_open(run))
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=60)
    result = json.loads(out)
    assert run.returncode == 143, err
    assert (result["status"], result["error"]["kind"]) == ("cancelled", "cancelled"), result


def test_a_full_file_system_is_no_rows_fault(neuron):
    """SQLite undoes the transaction by itself then, as RAISE(ROLLBACK) does."""
    neuron.write("in.csv", "a,b\n" + "".join(f"{i},{'v' * 40}\n" for i in range(400000)))
    done = subprocess.run(["bash", "-c", f"ulimit -f 1000; {PROGRAM} copy in.csv sqlite:///x.db --table t --mode append"],
                          cwd=neuron.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "disk I/O error" in done.stderr and "row" not in done.stderr, done.stderr
