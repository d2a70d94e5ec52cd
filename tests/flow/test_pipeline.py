"""Pipelines into SQLite: upsert, incremental, rejects, plan, state, tests, mistakes in configurations."""

import glob
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest
from conftest import PROGRAM
from test_run import wait_for

CONFIG = """
connections:
  source: sqlite:///source.db
  target: sqlite:///target.db
pipelines:
  sales:
    from: source
    query: SELECT id, amount, rate, at FROM raw WHERE region = :region
    params: { region: eu }
    incremental: { cursor: at, start: 2024-01-01 }
    steps:
      - drop_nulls: [id, amount]
      - drop_duplicates: all
      - where: amount > 0
      - select: |
          *, amount * coalesce(rate, 1) AS usd,
          row_hash(*) AS record_hash, now() AS processed_at
    to: target
    table: sales
    mode: upsert
    key: [id]
    ignore_for_change: [processed_at]
    rejects: %s
"""


def db(neuron, name):
    return sqlite3.connect(os.path.join(neuron.folder, name))


@pytest.fixture
def shop(neuron):
    neuron.write("neuron.yaml", CONFIG % "bad_sales")
    with db(neuron, "source.db") as source:
        source.execute("CREATE TABLE raw (id INTEGER, amount, rate REAL, at TEXT, region TEXT)")
        source.executemany("INSERT INTO raw VALUES (?,?,?,?,?)", [
            (1, 10, 1.5, "2024-01-01", "eu"), (2, 20, None, "2024-01-02", "eu"), (2, 20, None, "2024-01-02", "eu"),
            (3, None, 1.0, "2024-01-03", "eu"), (4, -5, 1.0, "2024-01-03", "eu"), (5, 7, 1.0, "2024-01-03", "us"),
            (6, "many", 1.0, "2024-01-03", "eu"), (7, 1, 1.0, "2023-12-31", "eu")])
    return neuron


def adds_up(result):
    dropped = sum(result["records_dropped"].values())
    assert result["records_extracted"] == dropped + result["records_rejected"] + result["records_loaded"]
    assert result["records_loaded"] == result["inserted"] + result["updated"] + result["unchanged"]
    assert result["records_processed"] == result["records_loaded"]


def test_a_run_and_its_result(shop):
    result = shop.result("etl", "sales")
    adds_up(result)
    assert result["status"] == "success" and result["pipeline"] == "sales"
    assert (result["records_extracted"], result["inserted"], result["records_rejected"]) == (6, 2, 1)
    assert result["records_dropped"] == {"1. drop_nulls": 1, "2. drop_duplicates": 1, "3. where": 1}
    assert result["watermark"] == "2024-01-03"
    with db(shop, "target.db") as target:
        assert target.execute("SELECT id, amount, usd FROM sales ORDER BY id").fetchall() == [(1, 10, 15), (2, 20, 20)]
        bad = target.execute('SELECT stage, reason, data FROM bad_sales').fetchall()
        assert len(bad) == 1 and bad[0][0] == "3. where" and json.loads(bad[0][2])["id"] == 6
        load = target.execute("SELECT pipeline, epoch, watermark, status, inserted FROM neuron_loads").fetchall()
        assert load == [("sales", 1, "2024-01-03", "success", 2)]


def test_only_what_is_new_and_only_what_changed(shop):
    shop.result("etl", "sales")
    with db(shop, "source.db") as source:
        source.execute("INSERT INTO raw VALUES (8, 1, 1, '2024-01-04', 'eu'), (1, 11, 1.5, '2024-01-05', 'eu')")
    result = shop.result("etl", "sales")
    adds_up(result)
    assert (result["inserted"], result["updated"], result["watermark"]) == (1, 1, "2024-01-05")
    with db(shop, "source.db") as source:
        source.execute("DELETE FROM raw")
    result = shop.result("etl", "sales")
    assert result["message"] == "No new data to process" and result["quality_score"] == 100
    assert result["watermark"] == "2024-01-05"


def test_full_refresh_since_and_limit_leave_what_they_must(shop):
    shop.result("etl", "sales")
    again = shop.result("etl", "sales", "--full-refresh")
    adds_up(again)
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 2)
    assert shop.result("etl", "sales", "--since", "2024-01-02")["watermark"] == "2024-01-03"
    limited = shop.result("etl", "sales", "--full-refresh", "--limit", "1")
    assert limited["records_extracted"] == 1
    assert json.loads(shop("state", "show", "sales").stdout)["watermark"] == "2024-01-03"
    assert json.loads(shop("state", "set", "sales", "2024-01-01").stdout)["watermark"] == "2024-01-01"


def test_the_same_run_id_is_not_done_twice(shop):
    first = shop.result("etl", "sales", "--run-id", "r1")
    second = shop.result("etl", "sales", "--run-id", "r1")
    assert second["message"] == "This run was already published" and second["inserted"] == first["inserted"]
    with db(shop, "target.db") as target:
        assert target.execute("SELECT count(*) FROM neuron_loads").fetchone() == (1,)


def test_without_rejects_the_first_bad_row_stops_the_run_and_nothing_stays(shop):
    shop.write("neuron.yaml", CONFIG % "stop")
    result = json.loads(shop("etl", "sales", "--json", code=1).stdout)
    assert result["status"] == "failed" and result["error"]["kind"] == "data"
    assert "3. where" in result["error"]["what"] and "key" in result["error"]["what"]
    with db(shop, "target.db") as target:
        assert target.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_the_plan_writes_nothing_and_tells_all(shop):
    plan = json.loads(shop("etl", "sales", "--dry-run", "--json").stdout)
    assert "CREATE TABLE" in plan["ddl"][0] and any("INSERT INTO" in sql for sql in plan["sql"])
    assert "exactly once" in plan["promise"] and plan["first_rows"][0]["usd"] == 15
    assert "FROM (SELECT id" in plan["read_sql"]
    assert not os.path.exists(os.path.join(shop.folder, "target.db"))
    assert "publishing transaction" in shop("etl", "sales", "--dry-run").stdout


def test_a_parameter_on_the_command_line(shop):
    assert shop.result("etl", "sales", "--param", "region=us")["inserted"] == 1


def test_a_parameter_that_the_query_lacks(shop):
    said = shop("etl", "sales", "--param", "regoin=us", code=2).stderr
    assert 'the query of "sales" has no parameter :regoin' in said and "did you mean :region?" in said
    assert not os.path.exists(os.path.join(shop.folder, "target.db"))
    shop.write("neuron.yaml", "pipelines: { p: { from: in.csv, to: out.csv } }\n")
    assert "has no parameter :x" in shop("etl", "p", "--param", "x=3", code=2).stderr


def test_a_parameter_without_use(shop):
    shop.write("neuron.yaml", (CONFIG % "stop").replace(":region", ":regin"))
    assert "9:15: the query has no parameter `:region` (regin)" in shop("validate", code=2).stderr


@pytest.mark.parametrize("change, code, message", [
    (("FROM raw", "FROM rawr"), 1, "no such table: rawr"), (("sqlite:///source.db", "sqlite:///none.db"), 1, "none.db"),
    (("SELECT id, amount", "SELECT idd, amount"), 1, "no such column: idd"), (("key: [id]", "key: [idd]"), 2, "idd"),
    (("cursor: at", "cursor: att"), 2, "att"), (("amount > 0", "amuont > 0"), 2, "did you mean \"amount\""),
    (("region: eu", "regoin: eu"), 2, "the query has no parameter `:regoin` (region)"), (("sqlite:///target.db", "sqlite:////nowhere/t.db"), 1, "t.db"),
])
def test_what_is_wrong_is_said_with_its_mend(shop, change, code, message):
    shop.write("neuron.yaml", (CONFIG % "stop").replace(*change))
    assert message in shop("etl", "sales", code=code).stderr


def test_modes(neuron):
    neuron.write("a.csv", "id,v\n1,x\n2,y\n")
    neuron.write("b.csv", "id,v\n2,z\n3,w\n3,q\n")
    neuron("copy", "a.csv", "sqlite:///t.db", "--table", "t", "--key", "id", "--mode", "upsert")
    result = neuron.result("copy", "b.csv", "sqlite:///t.db", "--table", "t", "--key", "id", "--mode", "upsert")
    adds_up(result)
    assert (result["inserted"], result["updated"], result["records_dropped"]) == (1, 1, {"superseded": 1})
    rows = lambda: db(neuron, "t.db").execute("SELECT id, v FROM t ORDER BY id").fetchall()
    assert rows() == [(1, "x"), (2, "z"), (3, "q")]
    error = neuron("copy", "a.csv", "sqlite:///t.db", "--table", "t", "--key", "id", "--mode", "mirror", code=1).stderr
    assert "mirror would delete 1 of 3 rows" in error and rows() == [(1, "x"), (2, "z"), (3, "q")]
    neuron("copy", "b.csv", "sqlite:///t.db", "--table", "t", "--mode", "replace", "--where", "v <> 'q'")
    assert rows() == [(2, "z"), (3, "w")]
    assert "UNIQUE" in neuron("copy", "b.csv", "sqlite:///t.db", "--table", "t", code=1).stderr
    result = neuron.result("copy", "b.csv", "sqlite:///t.db", "--table", "t", "--rejects", "bad")
    adds_up(result)
    assert result["records_rejected"] == 3


def test_a_row_that_the_target_refuses_costs_that_row(neuron):
    with db(neuron, "t.db") as target:
        target.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER CHECK (v < 100))")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{i % 120}\n" for i in range(1000)))
    result = neuron.result("copy", "in.csv", "sqlite:///t.db", "--table", "t", "--key", "id", "--mode", "upsert",
                           "--rejects", "bad.ndjson")
    adds_up(result)
    assert result["records_rejected"] == 160 and result["inserted"] == 840
    bad = [json.loads(line) for line in neuron.read("bad.ndjson").splitlines()]
    assert len(bad) == 160 and all(row["data"]["v"] >= 100 and row["sqlstate"] == "23514" for row in bad)


def test_types_survive_the_way_through_sqlite(neuron):
    line = ('{"i":9223372036854775807,"d":12345678901234567890.123456789,"n":0.1,"t":"é\\u0000x","b":true,'
            '"j":{"k":[1]},"z":null}').replace("\\u0000", "")
    neuron.write("in.ndjson", line + "\n")
    neuron("copy", "in.ndjson", "sqlite:///t.db", "--table", "t")
    neuron("copy", "sqlite:///t.db", "out.ndjson", "--from-table", "t")
    assert neuron.read("out.ndjson").strip() == line


def test_a_column_that_would_change_a_value_refuses_it(neuron):
    with db(neuron, "t.db") as target:
        target.execute("CREATE TABLE t (a INTEGER, r REAL)")
    neuron.write("in.csv", "a,r\n007,1\n")
    assert "would turn this text into a number" in neuron("copy", "in.csv", "sqlite:///t.db", "--table", "t", code=1).stderr
    neuron.write("in.csv", "a,r\n1,9007199254740993\n")
    assert "can't hold this integer exactly" in neuron("copy", "in.csv", "sqlite:///t.db", "--table", "t", code=1).stderr


def test_new_columns_are_added_or_refused(neuron):
    neuron.write("a.csv", "id\n1\n")
    neuron.write("b.csv", "id,v\n2,x\n")
    neuron("copy", "a.csv", "sqlite:///t.db", "--table", "t")
    neuron("copy", "b.csv", "sqlite:///t.db", "--table", "t")
    assert db(neuron, "t.db").execute("SELECT * FROM t ORDER BY id").fetchall() == [(1, None), (2, "x")]


def test_drop_duplicates_spills_and_stays_exact(neuron):
    neuron.write("in.csv", "a,b\n" + "".join(f"{i % 60000},{'x' * 20}{i % 60000}\n" for i in range(150000)))
    neuron.write("neuron.yaml", """
memory: 1MB
pipelines:
  first: { from: in.csv, to: first.ndjson, steps: [ { drop_duplicates: all } ] }
  last: { from: in.csv, to: last.ndjson, steps: [ { drop_duplicates: { by: [a], keep: last } } ] }
""")
    for name in ("first", "last"):
        result = neuron.result("etl", name)
        adds_up(result)
        assert result["records_loaded"] == 60000
    order = lambda name: [json.loads(line)["a"] for line in neuron.read(name).splitlines()]
    assert order("first.ndjson") == list(range(60000))
    assert order("last.ndjson") == [i % 60000 for i in range(90000, 150000)]


def test_every_mistake_of_a_configuration_at_once(neuron):
    neuron.write("neuron.yaml", """connections: { a: sqlite:///x.db, b: oracle://x }
piplines: {}
memory: lots
pipelines:
  p:
    from: aa
    to: a
    mode: upsrt
    steps:
      - wher: x
      - where: x >
      - select: |
          a,
          b + )
  q: { from: a, query: "${NOT_SET_ANYWHERE}" }
""")
    error = neuron("validate", code=2).stderr
    for place, what in [("1:38", "oracle"), ("2:1", "did you mean `pipelines`"), ("3:9", "a size like"), ("6:11", "aa"),
                        ("8:11", "did you mean upsert"), ("10:9", "where"), ("11:19", "the text ends"),
                        ("14:15", "a value expected"), ("15:3", "lacks `to`"), ("15:22", "NOT_SET_ANYWHERE")]:
        assert any(line.startswith(f"./neuron.yaml:{place}") and what in line or what in line
                   for line in error.splitlines()), (place, what, error)
    assert "twice" in neuron("validate", "-c", neuron.write("d.yaml", "a: 1\na: 2\n"), code=2).stderr
    assert neuron("validate", "-c", "missing.yaml", code=2).stderr
    assert "is valid" in neuron("validate", "-c", neuron.write("empty.yaml", "")).stdout


def test_init_validate_schema_and_test(neuron):
    neuron("init")
    assert "is valid" in neuron("validate").stdout
    assert neuron("test").stdout.endswith("1 passed, 0 failed\n")
    assert "is there already" in neuron("init", code=2).stderr
    schema = json.loads(neuron("schema").stdout)
    assert "sales" not in schema and "pipelines" in schema["properties"]


@pytest.mark.parametrize("args, message", [
    (["evall"], "did you mean `neuron eval`"), (["copy", "a.csv"], "needs more arguments"),
    (["copy", "a.csv", "b.csv", "--tabel", "x"], "did you mean --table"), (["copy", "a.parquet", "b.csv"], "a.parquet"),
    (["etl", "x", "--limit", "many"], "whole number"), ([], "usage"), (["eval"], "needs a select list"),
])
def test_the_command_line(neuron, args, message):
    assert message in neuron(*args, code=2).stderr


def test_help(neuron):
    for command in ("eval", "copy", "etl", "validate", "schema", "init", "test", "state"):
        text = neuron(command, "--help").stdout
        assert "Example:" in text and command in text


def test_what_a_killed_writer_had_begun_is_undone(neuron):
    """A journal stays behind, which only one that may write can roll back: reading does."""
    path = os.path.join(neuron.folder, "left.db")
    with db(neuron, "left.db") as ours:
        ours.execute("CREATE TABLE t (id integer PRIMARY KEY, v text)")
        ours.execute("INSERT INTO t VALUES (1, 'old')")
    writer = ("import os, sqlite3; db = sqlite3.connect('left.db'); db.execute('PRAGMA cache_size=1'); "
              "db.execute(\"UPDATE t SET v = 'half'\"); "
              "db.executemany('INSERT INTO t VALUES (?, ?)', ((n, 'x' * 1000) for n in range(2, 2000))); os._exit(9)")
    assert subprocess.run([sys.executable, "-c", writer], cwd=neuron.folder, check=False).returncode == 9
    assert os.path.getsize(path + "-journal") > 0
    assert neuron("copy", "sqlite:///left.db", "-#csv", "--from-table", "t").stdout == "id,v\n1,old\n"
    assert not os.path.exists(path + "-journal")


@pytest.mark.parametrize("more, message", [
    ('http: { listen: "127.0.0.1:99999" }', '"127.0.0.1:99999" is not an address'),
    ("http: { listen: abc }", '"abc" is not an address'),
    ("state: /tmp/x", "not the URL of a state store"), ("state: sqlite:///x.db?key=s3", "takes no parameters"),
    ("federation: { heartbeat: 5m }", '`heartbeat` can\'t be "5m" (from 1s to 90s)'),
    ("federation: { outbox: 0 }", '`outbox` can\'t be "0"'),
    ("pipelines: { p: { from: 'sqlite:///a.db', to: out.csv } }", "no table and no query"),
    ("pipelines: { p: { from: a.csv, to: out.csv, csv: { delimitr: ';' } } }", "unknown option `delimitr` (delimiter)"),
    ("pipelines: { p: { from: a.csv, to: out.csv, incremental: { cursor: id } } }", "a file has no cursor"),
    ("quality: { q: { from: 'sqlite:///a.db', rules: [ row_count > 0 ] } }", "no table and no query"),
    ("alerts: { rules: [ { name: PipelineFaling, enabled: false } ] }", "(PipelineFailing)"),
])
def test_validate_finds_what_a_start_would(neuron, more, message):
    neuron.write("neuron.yaml", more + "\n")
    assert message in neuron("validate", code=2).stderr


def test_log_options_are_checked(neuron):
    neuron.write("neuron.yaml", "{}\n")
    assert "debug" in neuron("validate", "--log-level", "loud", code=2).stderr
    assert "text or json" in neuron("validate", "--log-format", "xml", code=2).stderr


def test_a_cancel_between_two_attempts(neuron):
    """It failed and waits: what ends it is the cancel."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        neuron.write("in.csv", "id\n1\n")
        neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "postgresql://x@127.0.0.1:{listener.getsockname()[1]}/x?sslmode=disable&gssencmode=disable",
       table: t, mode: append, retry: {{ attempts: 3, wait: 5m }} }}
""")
        run = subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        listener.settimeout(30)
        listener.accept()[0].close()
        wait_for(lambda: not any(os.readlink(fd).startswith("socket:") for fd in glob.glob(f"/proc/{run.pid}/fd/*")))
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, json.loads(out)["status"]) == (143, "cancelled"), (out, err)
