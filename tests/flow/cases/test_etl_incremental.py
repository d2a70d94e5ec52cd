"""Incremental runs: every row of the source is read by a later run, or the run says why not (cases K1, K6c)."""

import datetime
import os
import sqlite3
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from postgres import Database, Postgres  # noqa: E402


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    yield postgres
    postgres.close()


class Pipeline:
    """A source and a target database, the pipeline `p` between them, and its runs."""

    made = 0

    def __init__(self, neuron, server):
        self.neuron = neuron
        Pipeline.made += 1
        self.source, self.target = (Database(server, f"{name}_{Pipeline.made}") for name in ("source", "target"))
        self.url = self.source.url

    def configure(self, incremental="cursor: ts", mode="upsert, key: [id]", table="t", to=None):
        to = to or f'"{self.target.url}", table: p'
        self.neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: "{self.url}", from_table: {table}, incremental: {{ {incremental} }}, to: {to}, mode: {mode} }}
""")

    def run(self, *args, code=0):
        return self.neuron.result("etl", "p", *args, code=code)

    def ids(self):
        return [int(i) for i in self.target("SELECT id FROM p ORDER BY 1").split()]


@pytest.fixture
def p(neuron, server):
    return Pipeline(neuron, server)


@pytest.mark.parametrize("mode", ["append", "append, key: [id]", "upsert, key: [id]"])
@pytest.mark.parametrize("kind, value", [
    ("timestamptz", "'2024-01-0%d'"), ("timestamp", "'2024-01-0%d 10:00'"), ("date", "'2024-01-0%d'"), ("int", "%d"),
    ("numeric", "%d.5"), ("float8", "%d.25"), ("text", "'v%d'"), ("varchar(9)", "'v%d'"),
    ("uuid", "'00000000-0000-0000-0000-00000000000%d'")])
def test_k1a_rows_with_the_watermarks_own_value(p, mode, kind, value):
    p.source(f"CREATE TABLE t(id int, v text, ts {kind});"
             f"INSERT INTO t VALUES (1, 'a', {value % 1}), (2, 'b', {value % 2})")
    p.configure(mode=mode)
    assert p.run()["inserted"] == 2
    again = p.run()
    assert again["message"] == "No new data to process" and again["records_extracted"] == 0
    p.source(f"INSERT INTO t VALUES (3, 'tie', {value % 2})")
    assert p.run()["records_loaded"] == 1 and p.ids() == [1, 2, 3]
    p.source(f"INSERT INTO t VALUES (4, 'tie', {value % 2}), (5, 'later', {value % 3})")
    assert p.run()["records_loaded"] == 2 and p.ids() == [1, 2, 3, 4, 5]
    assert p.run()["records_loaded"] == 0


def test_k1a_equal_rows_without_a_key_are_counted(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t SELECT 1, '2024-01-01' FROM generate_series(1, 3)")
    p.configure(mode="append")
    assert p.run()["records_loaded"] == 3
    p.source("INSERT INTO t SELECT 1, '2024-01-01' FROM generate_series(1, 2)")
    assert p.run()["records_loaded"] == 2 and p.ids() == [1] * 5
    assert p.run()["records_loaded"] == 0


def test_k1a_a_column_that_comes_later_makes_no_row_new(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01')")
    p.configure(mode="append")
    p.run()
    p.source("ALTER TABLE t ADD note text DEFAULT 'x'; INSERT INTO t VALUES (2, '2024-01-01')")
    assert p.run()["records_loaded"] == 1 and p.ids() == [1, 2]


def test_k1a_a_column_that_tells_rows_apart_and_is_gone(p):
    p.source("CREATE TABLE t(id int, ts date, v text); INSERT INTO t VALUES (1, '2024-01-01', 'x')")
    p.configure(mode="append")
    p.run()
    p.source("ALTER TABLE t DROP v")
    error = p.run(code=2)["error"]
    assert 'the column "v" is gone' in error["what"] and "name a `key`" in error["hint"]


def forget(p):
    """The position as an older version wrote it: the watermark alone."""
    p.target("UPDATE neuron_loads SET position = ((position::jsonb - 'steps') - 'origin') - 'target'")


@pytest.mark.parametrize("kind", ["date", "timestamptz"])
def test_k1a_a_watermark_of_an_older_version_doubles_nothing(p, kind):
    p.source(f"CREATE TABLE t(id int, ts {kind}); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    p.configure(mode="append")
    p.run()
    forget(p)
    assert p.run()["records_loaded"] == 0 and p.run()["records_loaded"] == 0
    p.source("INSERT INTO t VALUES (3, '2024-01-03')")
    assert p.run()["records_loaded"] == 1
    p.source("INSERT INTO t VALUES (4, '2024-01-03')")
    assert p.run()["records_loaded"] == 1 and p.ids() == [1, 2, 3, 4]


def test_k1a_a_watermark_that_is_set_has_its_rows(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    p.configure(mode="append")
    p.run()
    p.neuron("state", "set", "p", "2024-01-02")
    assert p.run()["records_loaded"] == 0 and p.run()["records_loaded"] == 0 and p.ids() == [1, 2]


def test_k1a_rows_at_the_watermark_that_went_away(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    p.configure(mode="append")
    p.run()
    p.source("DELETE FROM t WHERE id = 2")
    assert p.run()["records_loaded"] == 0
    p.source("INSERT INTO t VALUES (3, '2024-01-02')")
    assert p.run()["records_loaded"] == 1 and p.ids() == [1, 2, 3]


def test_k1a_an_infinite_cursor_is_loaded_once(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01'), (2, 'infinity')")
    p.configure(mode="append")
    p.run()
    p.source("INSERT INTO t VALUES (3, '2024-01-02')")
    p.run()
    assert p.ids() == [1, 2, 3]


def test_k1a_lag_reads_none_again(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t SELECT g, '2024-01-01' FROM generate_series(1, 9) g")
    p.configure("cursor: ts, lag: 1d", mode="append")
    assert [p.run()["records_loaded"], p.run()["records_loaded"]] == [9, 0]


def test_k1a_since_without_a_key_says_what_it_does(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    p.configure(mode="append")
    p.run()
    result = p.run("--since", "2024-01-02")
    assert result["records_loaded"] == 1 and "also those that an earlier run had" in " ".join(result["warnings"])
    p.configure()
    assert "an earlier run had" not in " ".join(p.run("--since", "2024-01-02")["warnings"])


def test_k1b_lag_and_rows_without_a_cursor(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, NULL), (2, '2024-01-01'), (3, '2024-01-01')")
    p.configure("cursor: ts, lag: 1d, nulls: read", mode="append")
    assert [p.run()["records_loaded"], p.run()["records_loaded"]] == [3, 0]
    p.source("INSERT INTO t VALUES (4, NULL), (5, '2024-01-02')")
    assert p.run()["records_loaded"] == 2 and p.ids() == [1, 2, 3, 4, 5]


def test_k1a_more_ties_than_can_be_kept(p):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t SELECT g, '2024-01-01' FROM generate_series(1, 200001) g")
    p.configure(mode="append")
    error = p.run(code=2)["error"]
    assert 'more than 200000 rows have the highest cursor "2024-01-01"' in error["what"] and "`key`" in error["hint"]
    p.configure()
    assert p.run()["records_loaded"] == 200001
    p.source("INSERT INTO t VALUES (200002, '2024-01-01')")
    assert p.run()["inserted"] == 1


@pytest.mark.parametrize("target", ["o.ndjson", "o.csv"])
def test_k1a_into_a_file(p, target):
    p.source("CREATE TABLE t(id int, ts date); INSERT INTO t VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    p.configure(mode="append", to=target)
    p.run()
    p.source("INSERT INTO t VALUES (3, '2024-01-02')")
    assert p.run()["records_loaded"] == 1 and p.run()["records_loaded"] == 0
    assert p.neuron.read(target).count("2024-01-02") == 2


def test_k1b_rows_without_a_cursor_are_refused(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, v text, ts timestamptz);"
             "INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', '2024-01-01')")
    p.configure()
    error = p.run(code=1)["error"]
    assert error["what"] == 'p: 1 row has no "ts": an incremental run would never read it'
    assert "nulls: read" in error["hint"]


@pytest.mark.parametrize("mode", ["append", "upsert, key: [id]"])
def test_k1b_rows_without_a_cursor_are_read(p, mode):
    p.source("CREATE TABLE t(id int PRIMARY KEY, v text, ts timestamptz);"
             "INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', '2024-01-01')")
    p.configure("cursor: ts, nulls: read", mode)
    assert p.run()["inserted"] == 2
    assert p.run()["records_loaded"] == 0
    p.source("INSERT INTO t VALUES (4, 'new', NULL); INSERT INTO t VALUES (5, 'later', '2024-01-03')")
    assert p.run()["inserted"] == 2 and p.ids() == [1, 2, 4, 5]
    assert p.run()["records_loaded"] == 0


def test_k1b_only_rows_without_a_cursor(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts timestamptz); INSERT INTO t VALUES (1, NULL)")
    p.configure("cursor: ts, nulls: read", "append")
    assert [p.run()["inserted"], p.run()["inserted"]] == [1, 0]


LOSSES = {
    "dropped": ("DROP TABLE p", "it is gone"),
    "truncated": ("TRUNCATE p", "it is empty"),
    "deleted": ("DELETE FROM p", "it is empty"),
    "created again": ("DROP TABLE p; CREATE TABLE p(id bigint PRIMARY KEY, v text, ts timestamptz);"
                  "INSERT INTO p VALUES (7, 'x', '2020-01-01')", "created again"),
    "filled with less": ("TRUNCATE p; INSERT INTO p VALUES (1, 'a', '2023-01-01')", "filled again"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_k1c_a_target_that_lost_its_rows(p, loss):
    p.source("CREATE TABLE t(id int PRIMARY KEY, v text, ts timestamptz);"
             "INSERT INTO t VALUES (1, 'a', '2023-01-01'), (2, 'b', '2024-01-01')")
    p.configure()
    p.run()
    sql, what = LOSSES[loss]
    p.target(sql)
    p.source("INSERT INTO t VALUES (3, 'c', '2024-02-01')")
    error = p.run(code=2)["error"]
    assert what in error["what"] and "--full-refresh" in error["hint"]
    p.configure("cursor: ts, emptied: reload")
    assert what in "".join(p.run()["warnings"])
    assert [i for i in p.ids() if i != 7] == [1, 2, 3]
    assert p.run()["records_loaded"] == 0


def test_k1c_a_full_refresh_loads_it_again(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2023-01-01'), (2, '2024-01-01')")
    p.configure(mode="append")
    p.run()
    p.target("DROP TABLE p")
    p.run(code=2)
    assert p.run("--full-refresh")["records_loaded"] == 2
    assert p.run()["records_loaded"] == 0


def test_k1c_a_table_that_others_empty_on_purpose(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2023-01-01'), (2, '2024-01-01')")
    p.configure("cursor: ts, emptied: continue", "append")
    p.run()
    p.target("DELETE FROM p")
    p.source("INSERT INTO t VALUES (3, '2024-02-01')")
    assert p.run()["records_loaded"] == 1 and p.ids() == [3]


def test_k1c_state_set_takes_the_table_as_it_is(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2023-01-01'), (2, '2024-01-01')")
    p.configure(mode="append")
    p.run()
    p.target("DELETE FROM p")
    p.run(code=2)
    p.neuron("state", "set", "p", "2024-01-02")
    p.source("INSERT INTO t VALUES (3, '2024-02-01')")
    assert p.run()["records_loaded"] == 1


@pytest.mark.parametrize("sql", ["VACUUM FULL p", "CLUSTER p USING p_pkey", "ALTER TABLE p ADD note text",
                                 "DELETE FROM p WHERE id = 1"])
def test_k1c_what_a_table_lives_through(p, sql):
    p.target("CREATE TABLE p(id bigint PRIMARY KEY, ts date)")
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2023-01-01'), (2, '2024-01-01')")
    p.configure()
    p.run()
    p.target(sql)
    p.source("INSERT INTO t VALUES (3, '2024-02-01')")
    assert p.run()["inserted"] == 1


def test_k1d_another_cursor(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts timestamptz, created timestamptz);"
             "INSERT INTO t VALUES (1, '2024-06-01', '2024-01-01')")
    p.configure()
    p.run()
    p.source("INSERT INTO t VALUES (2, '2024-06-02', '2024-02-01')")
    p.configure("cursor: created")
    error = p.run(code=2)["error"]
    assert 'is of the cursor "ts", not of "created"' in error["what"]
    assert "--full-refresh" in error["hint"] and "neuron state set p" in error["hint"]
    p.neuron("state", "set", "p", "2024-01-15")
    assert p.run()["inserted"] == 1 and p.ids() == [1, 2]


def test_k1d_another_type(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts text); INSERT INTO t VALUES (1, '10')")
    p.configure()
    p.run()
    p.source("ALTER TABLE t ALTER ts TYPE int USING ts::int; INSERT INTO t VALUES (2, 9)")
    assert 'is of the type "text", not of "bigint"' in p.run(code=2)["error"]["what"]


def test_k1d_a_wider_type_is_the_same(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts int); INSERT INTO t VALUES (1, 10)")
    p.configure()
    p.run()
    p.source("ALTER TABLE t ALTER ts TYPE bigint; INSERT INTO t VALUES (2, 11)")
    assert p.run()["inserted"] == 1


def test_k1d_another_table(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); CREATE TABLE other(LIKE t);"
             "INSERT INTO t VALUES (1, '2024-06-01'); INSERT INTO other VALUES (2, '2024-01-01')")
    p.configure()
    p.run()
    p.configure(table="other")
    assert 'is of the table "t", not of "other"' in p.run(code=2)["error"]["what"]


def test_k1d_another_database(p, server):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2024-06-01')")
    p.configure()
    p.run()
    other = Database(server, "k1d_another")
    other("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (2, '2024-01-01')")
    p.url = other.url
    p.configure()
    assert 'not of "k1d_another"' in p.run(code=2)["error"]["what"]


def test_k1_a_watermark_in_the_future_is_told(p):
    p.source("CREATE TABLE t(id int PRIMARY KEY, ts date); INSERT INTO t VALUES (1, '2099-01-01')")
    p.configure()
    assert any("2099-01-01 is in the future" in w for w in p.run()["warnings"])


@pytest.mark.parametrize("kind, value", [("mood", "'sad'"), ("inet", "'10.0.0.1'"), ("int4range", "'[1,2)'"),
                                         ("interval", "'1 day'"), ("boolean", "true"), ("jsonb", "'1'")])
def test_k6c_a_cursor_that_the_second_run_could_not_use(p, kind, value):
    p.source(f"CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t(id int, ts {kind}); INSERT INTO t VALUES (1, {value})")
    p.configure()
    error = p.run(code=2)["error"]
    assert 'the cursor "ts" is of type' in error["what"] and "a cursor is a number" in error["hint"]


# ---- SQLite ----

class File:
    """A SQLite source `a.db` and its pipeline into another file."""

    def __init__(self, neuron):
        self.neuron = neuron
        self.db = sqlite3.connect(os.path.join(neuron.folder, "a.db"))

    def configure(self, incremental="cursor: ts", mode="upsert, key: [id]"):
        self.neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: "sqlite:///a.db", from_table: t, incremental: {{ {incremental} }}, to: "sqlite:///b.db", table: p, mode: {mode} }}
""")

    def add(self, *rows):
        self.db.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(rows[0]))})", rows)
        self.db.commit()

    def ids(self):
        target = sqlite3.connect(os.path.join(self.neuron.folder, "b.db"))
        return [row[0] for row in target.execute("SELECT id FROM p ORDER BY 1")]

    run = Pipeline.run


@pytest.fixture
def f(neuron):
    file = File(neuron)
    yield file
    file.db.close()


@pytest.mark.parametrize("mode", ["append", "upsert, key: [id]"])
@pytest.mark.parametrize("declared, values", [
    ("datetime", ["2024-01-01 10:00:00", "2024-01-02 10:00:00", "2024-01-03 10:00:00"]), ("integer", [1, 2, 3]),
    ("real", [1.5, 2.5, 3.5]), ("", [8, 9.5, 10]), ("text", ["20240101", "20240102", "20240103"]), ("", ["a", "b", "c"])])
def test_k1a_sqlite(f, mode, declared, values):
    f.db.execute(f"CREATE TABLE t(id integer, ts {declared})")
    f.configure(mode=mode)
    f.add((1, values[0]), (2, values[1]))
    assert f.run()["records_loaded"] == 2 and f.run()["records_loaded"] == 0
    f.add((3, values[1]))
    assert f.run()["records_loaded"] == 1
    f.add((4, values[2]))
    assert f.run()["records_loaded"] == 1 and f.ids() == [1, 2, 3, 4]
    assert f.run()["message"] == "No new data to process"


def test_k1a_sqlite_a_watermark_that_is_set_has_its_rows(f):
    f.db.execute("CREATE TABLE t(id integer, ts text)")
    f.add((1, "2024-01-01"), (2, "2024-01-02"))
    f.configure(mode="append")
    f.run()
    f.neuron("state", "set", "p", "2024-01-02")
    assert f.run()["records_loaded"] == 0 and f.run()["records_loaded"] == 0
    f.add((3, "2024-01-03"))
    assert f.run()["records_loaded"] == 1 and f.ids() == [1, 2, 3]


def test_k1b_sqlite(f):
    f.db.execute("CREATE TABLE t(id integer, ts datetime)")
    f.add((1, None), (2, "2024-01-01"))
    f.configure()
    assert '1 row has no "ts"' in f.run(code=1)["error"]["what"]
    f.configure("cursor: ts, nulls: read", "append")
    assert [f.run()["records_loaded"], f.run()["records_loaded"]] == [2, 0]
    f.add((3, None))
    assert f.run()["records_loaded"] == 1 and f.ids() == [1, 2, 3]


def test_k1c_sqlite(f):
    f.db.execute("CREATE TABLE t(id integer, ts datetime)")
    f.add((1, "2024-01-01"), (2, "2024-01-02"))
    f.configure()
    f.run()
    target = sqlite3.connect(os.path.join(f.neuron.folder, "b.db"))
    for sql, what in ("DELETE FROM p", "it is empty"), ("DROP TABLE p", "it is gone"):
        target.execute(sql)
        target.commit()
        assert what in f.run(code=2)["error"]["what"]
    assert f.run("--full-refresh")["records_loaded"] == 2


MIXED = [[(1, "2024-01-01 10:00:00"), (2, 1704200000)], [(1, 1704200000), (2, "2024-01-01 10:00:00")]]


@pytest.mark.parametrize("rows", MIXED)
def test_k1e_two_storage_classes_at_once(f, rows):
    f.db.execute("CREATE TABLE t(id integer PRIMARY KEY, ts datetime)")
    f.add(*rows)
    f.configure()
    error = f.run(code=1)["error"]
    assert "numbers and texts" in error["what"] and error["where"] == "column ts" and error["hint"]


@pytest.mark.parametrize("rows", MIXED)
def test_k1e_two_storage_classes_one_after_the_other(f, rows):
    f.db.execute("CREATE TABLE t(id integer PRIMARY KEY, ts datetime)")
    f.configure()
    f.add(rows[0])
    f.run()
    f.add(rows[1])
    error = f.run(code=1)["error"]
    assert "1 row has" in error["what"] and '"ts"' in error["what"], error
    assert f.ids() == [1]


@pytest.mark.parametrize("later", ["2024-06-01 23:00:00", "01.07.2024", "24-07-01"])
def test_k1e_two_layouts(f, later):
    f.db.execute("CREATE TABLE t(id integer PRIMARY KEY, ts text)")
    f.configure()
    f.add((1, "2024-06-01T10:00:00"))
    f.run()
    f.add((2, later))
    assert "layout" in f.run(code=1)["error"]["what"] and f.ids() == [1]


def test_k1_a_sqlite_watermark_in_the_future(f):
    f.db.execute("CREATE TABLE t(id integer PRIMARY KEY, ts text)")
    f.configure()
    f.add((1, f"{datetime.date.today().year + 9}-06-01 10:00:00"))
    assert any("in the future" in w for w in f.run()["warnings"])
