"""Into PostgreSQL: modes, counts, types, rejects, fences and errors, against a server of the test's own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import PROGRAM
from postgres import Database, binaries


@pytest.fixture
def db(server, request):

    return Database(server, request.node.name)


def config(db, extra="", key="key: [id]", mode="upsert", source="in.csv", name="p"):
    return f"""
connections: {{ target: "{db.url}" }}
pipelines:
  {name}:
    from: {source}
    to: target
    table: t
    mode: {mode}
    {key}
    {extra}
"""


def counts(result):
    return [result[name] for name in ("inserted", "updated", "unchanged")]


def test_upsert_counts_and_writes_nothing_twice(neuron, db):
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,name,amount\n1,a,1.50\n2,b,2.25\n3,,3\n")
    assert counts(neuron.result("etl", "p")) == [3, 0, 0]
    before = db("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM t")
    result = neuron.result("etl", "p")
    assert counts(result) == [0, 0, 3] and result["records_loaded"] == 3
    assert db("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM t") == before
    neuron.write("in.csv", "id,name,amount\n1,a,1.50\n2,B,2.25\n3,x,3\n4,d,4\n2,C,2.25\n")
    result = neuron.result("etl", "p")
    assert counts(result) == [1, 2, 1]
    assert result["records_dropped"] == {"superseded": 1}
    assert db("SELECT id, name, amount FROM t ORDER BY id") == "1|a|1.50\n2|C|2.25\n3|x|3\n4|d|4"
    loads = db.rows("SELECT * FROM neuron_loads ORDER BY epoch")
    assert [row["epoch"] for row in loads] == [1, 2, 3]
    assert [row["updated"] for row in loads] == [0, 0, 2]
    assert [row["records_dropped"] for row in loads] == [0, 0, 1]


def test_append_goes_straight_in(neuron, db):
    neuron.write("neuron.yaml", config(db, key="", mode="append"))
    neuron.write("in.csv", "id,name\n" + "".join(f"{i},n{i}\n" for i in range(5000)))
    assert counts(neuron.result("etl", "p")) == [5000, 0, 0]
    assert counts(neuron.result("etl", "p")) == [5000, 0, 0]
    assert db("SELECT count(*), count(DISTINCT id) FROM t") == "10000|5000"


def test_a_copy_keeps_no_state(neuron, db):
    neuron.write("in.csv", "id,v\n1,a\n2,b\n")
    neuron("copy", "in.csv", db.url, "--table", "t", "--mode", "upsert", "--key", "id")
    neuron("copy", "in.csv", db.url, "--table", "t", "--mode", "upsert", "--key", "id")
    assert db("SELECT count(*), to_regclass('neuron_loads') IS NULL FROM t") == "2|t"


def test_sqlalchemy_suffixes_are_taken(neuron, db):
    neuron.write("in.csv", "id,v\n1,a\n")
    for suffix in ("+asyncpg", "+psycopg2", "+psycopg"):
        neuron("copy", "in.csv", db.url.replace("://", suffix + "://", 1), "--table", "t", "--mode", "append")
    assert db("SELECT count(*) FROM t") == "3"


# ---- replace and mirror ----

def test_replace_stays_in_place(neuron, db):
    db("""CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'), (9, 'gone');
          CREATE VIEW seen AS SELECT * FROM t; CREATE ROLE reader_of_t; GRANT SELECT ON t TO reader_of_t""")
    neuron.write("neuron.yaml", config(db, key="", mode="replace"))
    neuron.write("in.csv", "id,v\n1,new\n2,two\n")
    assert counts(neuron.result("etl", "p")) == [2, 0, 0]
    assert db("SELECT * FROM seen ORDER BY id") == "1|new\n2|two"
    assert db("SELECT has_table_privilege('reader_of_t', 't', 'SELECT')") == "t"
    # A failed replace leaves what was there.
    neuron.write("in.csv", "id,v\n1,x\n1,y\n")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert error["sqlstate"] in (None, "", "23505") and "row 2" in error["what"], error
    assert db("SELECT * FROM t ORDER BY id") == "1|new\n2|two"


def test_replace_where_other_tables_refer(neuron, db):
    db("""CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
          CREATE TABLE child (id bigint REFERENCES t); INSERT INTO child VALUES (1)""")
    neuron.write("in.csv", "id,v\n1,a\n2,B\n4,d\n")
    neuron.write("neuron.yaml", config(db, key="", mode="replace"))
    error = json.loads(neuron("etl", "p", "--json", code=2).stdout)["error"]
    assert "key" in error["hint"] and db("SELECT count(*) FROM t") == "3"
    neuron.write("neuron.yaml", config(db, mode="replace"))
    result = neuron.result("etl", "p")
    assert counts(result) + [result["deleted"]] == [1, 1, 1, 1]
    assert db("SELECT * FROM t ORDER BY id") == "1|a\n2|B\n4|d"
    assert db("SELECT * FROM child") == "1"


def test_mirror_deletes_what_is_gone_within_its_guard(neuron, db):
    neuron.write("neuron.yaml", config(db, mode="mirror", extra="max_delete: 10%"))
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},a\n" for i in range(100)))
    neuron("etl", "p")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},a\n" for i in range(5, 101)))
    result = neuron.result("etl", "p")
    assert counts(result) + [result["deleted"]] == [1, 0, 95, 5]
    assert db("SELECT min(id), max(id), count(*) FROM t") == "5|100|96"
    neuron.write("in.csv", "id,v\n1,a\n")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert error["kind"] == "quality" and "max_delete" in error["hint"]
    neuron.write("in.csv", "id,v\n")
    neuron("etl", "p", code=1)
    assert db("SELECT min(id), max(id), count(*) FROM t") == "5|100|96"


def test_an_incremental_append_reads_its_edge_again_and_doubles_nothing(neuron, db):
    db("CREATE TABLE src (id bigint, at timestamptz); INSERT INTO src VALUES (1, '2024-01-01'), (2, '2024-01-02')")
    neuron.write("neuron.yaml", config(db, mode="append", source="target").replace(
        "mode:", "query: SELECT * FROM src\n    incremental: { cursor: at, overlap: 2d }\n    mode:"))
    assert counts(neuron.result("etl", "p"))[0] == 2
    db("INSERT INTO src VALUES (3, '2024-01-02'), (4, '2024-01-03')")
    # Row 1 is read again for the overlap; row 2 has the watermark's own value and is known.
    assert counts(neuron.result("etl", "p")) == [2, 0, 1]
    assert db("SELECT string_agg(id::text, ',' ORDER BY id) FROM t") == "1,2,3,4"


# ---- the table's shape ----

def test_new_columns_are_added_where_allowed(neuron, db):
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,v\n1,a\n")
    neuron("etl", "p")
    neuron.write("in.csv", "id,v,w\n1,a,1.5\n2,b,\n")
    assert counts(neuron.result("etl", "p")) == [1, 1, 0]
    assert db("SELECT id, v, w FROM t ORDER BY id") == "1|a|1.5\n2|b|"
    neuron.write("neuron.yaml", config(db, "evolve: false"))
    neuron.write("in.csv", "id,v,w,x\n1,a,1.5,1\n")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert error["kind"] == "schema" and "\"x\"" in error["what"] and "evolve" in error["hint"]
    neuron.write("neuron.yaml", config(db, "create: false").replace("table: t", "table: other"))
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert "create" in error["hint"]


def test_ignored_columns_make_no_change(neuron, db):
    neuron.write("neuron.yaml", config(db, "ignore_for_change: [seen]"))
    neuron.write("in.csv", "id,v,seen\n1,a,10\n2,b,10\n")
    neuron("etl", "p")
    neuron.write("in.csv", "id,v,seen\n1,a,20\n2,c,20\n")
    assert counts(neuron.result("etl", "p")) == [0, 1, 1]
    assert db("SELECT id, v, seen FROM t ORDER BY id") == "1|a|10\n2|c|20"


def test_a_table_in_another_schema_with_odd_names(neuron, db):
    db('CREATE SCHEMA "odd one"')
    neuron.write("in.csv", 'id,"a ""b"" c",SELECT\n1,x,2\n')
    neuron.write("neuron.yaml", config(db).replace("table: t", "table: 'odd one.My Table'"))
    assert counts(neuron.result("etl", "p")) == [1, 0, 0]
    assert counts(neuron.result("etl", "p")) == [0, 0, 1]
    assert db('SELECT "a ""b"" c", "SELECT" FROM "odd one"."My Table"') == "x|2"


def test_identity_generated_and_partitioned_targets(neuron, db):
    db("""CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int, w int DEFAULT 7)
          """)
    neuron.write("in.csv", "id,v\n1,5\n2,6\n")
    neuron.write("neuron.yaml", config(db))
    assert counts(neuron.result("etl", "p")) == [2, 0, 0]
    assert db("SELECT id, v, w FROM t ORDER BY id") == "1|5|7\n2|6|7"
    db("DROP TABLE t; CREATE TABLE t (id bigint, v int GENERATED ALWAYS AS (1) STORED)")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert "generated" in error["what"]
    db("""DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v int) PARTITION BY RANGE (id);
          CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (2);
          CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (2) TO (10)""")
    assert counts(neuron.result("etl", "p")) == [2, 0, 0]
    assert db("SELECT (SELECT count(*) FROM t1), (SELECT count(*) FROM t2)") == "1|1"


# ---- the plan ----

def test_the_plan_names_everything_and_does_nothing(neuron, db):
    db("CREATE TABLE t (id bigint, v text, at timestamp, n numeric(6,2)); CREATE INDEX ON t (id)")
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,v,at,n,w\n1,a,2024-01-01T00:00:00Z,1.5,x\n")
    plan = json.loads(neuron("etl", "p", "--dry-run", "--json").stdout)
    assert plan["ddl"][0] == 'ALTER TABLE "t" ADD COLUMN "w" text' and len(plan["ddl"]) == 2
    assert plan["ddl"][1].startswith("CREATE TABLE IF NOT EXISTS neuron_loads (")
    assert any('UPDATE "t" AS t SET' in sql and 'INSERT INTO "t" (' in sql for sql in plan["sql"]) and plan["sql"][-1] == "COMMIT"
    assert "at: timestamptz -> timestamp without time zone (lossy: the zone is dropped, the time is that of UTC)" in \
        plan["types"]
    assert any("unique index" in warning for warning in plan["warnings"])
    assert any("ACCESS EXCLUSIVE" in warning for warning in plan["warnings"])
    assert "exactly once" in plan["promise"] and plan["first_rows"][0]["id"] == 1
    assert db("SELECT count(*), to_regclass('neuron_loads') IS NULL FROM t") == "0|t"


def test_a_type_that_would_lose_is_refused_in_the_plan(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, flag int)")
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,flag\n1,true\n")
    for more in ((), ("--dry-run",)):
        error = neuron("etl", "p", *more, code=1).stderr
        assert "\"flag\"" in error and "boolean" in error and "cast" in error


# ---- types ----

# A type and its edge values, as PostgreSQL writes them.
TYPES = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "2147483647"],
    "bigint": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "real": ["0", "-0", "1.5", "0.1", "3.4028235e+38", "1e-45", "NaN", "Infinity", "-Infinity"],
    "double precision": ["0", "-0", "0.1", "1.7976931348623157e+308", "5e-324", "NaN", "Infinity", "-Infinity"],
    "numeric": ["0", "0.00", "-0.0001", "1.50", "10000", "99999999", "123456789012345678901234567890.12345678",
                "1e-30", "NaN", "Infinity", "-Infinity", "9999.9999", "-12345678.000012340000"],
    "numeric(18,4)": ["0", "-99999999999999.9999", "0.0001", "1.5", "NaN"],
    "numeric(38,0)": ["99999999999999999999999999999999999999", "-1"],
    "numeric(1000,500)": ["1." + "0" * 499 + "1", "9" * 400, "0"],
    "text": ["", "a", "häß 日本 🙂", "line\nbreak\ttab", "\\N", "'\"", "x" * 10000],
    "varchar(5)": ["", "abcde", "日本日本日"],
    "char(3)": ["a", "abc"],
    "name": ["some_name"],
    "bytea": ["\\x", "\\x00ff", "\\x" + "00" * 5000],
    "json": ['{"b": 1,  "a": [1.0, null]}', "1", '"x"', "null"],
    "jsonb": ['{"b": 1, "a": [1.0, null]}', "[]", '"\\u00e4"', "null", "12345678901234567890.5"],
    "date": ["2024-02-29", "infinity", "-infinity", "0001-01-01", "4713-01-01 BC", "9999-12-31", "5874897-12-31"],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00"],
    "time(3)": ["12:34:56.789"],
    "timetz": ["12:00:00+02", "24:00:00-15:59:59"],
    "timestamp": ["2024-01-01 12:00:00.123456", "infinity", "-infinity", "0001-01-01", "4713-01-01 00:00:00 BC"],
    "timestamp(0)": ["2024-01-01 12:00:01"],
    "timestamptz": ["2024-01-01 12:00:00.123456+02", "infinity", "-infinity", "1969-12-31 23:59:59.999999Z"],
    "interval": ["0", "1 year 2 mons 3 days 04:05:06.789", "-1 mon +2 days -00:00:00.000001", "178000000 years"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "inet": ["10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10"],
    "cidr": ["10.0.0.0/8", "::/0"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit(3)": ["101"],
    "varbit": ["", "10101"],
    "point": ["(1,2)", "(-0.5,1e+300)"],
    "line": ["{1,2,3}"],
    "lseg": ["[(1,2),(3,4)]"],
    "box": ["(3,4),(1,2)"],
    "path": ["((1,2),(3,4))", "[(1,2),(3,4)]"],
    "polygon": ["((1,2),(3,4))"],
    "circle": ["<(1,2),3>"],
    "int4range": ["[1,10)", "empty", "(,5)", "[7,)"],
    "numrange": ["[1.5,2.50]"],
    "tstzrange": ['["2024-01-01 00:00:00+00",)'],
    "daterange": ["[2024-01-01,2024-02-01)"],
    "tsvector": ["'a':1 'fat':2"],
    "tsquery": ["'fat' & 'rat'"],
    "xml": ["<a>1</a>"],
    "pg_lsn": ["16/B374D848"],
    "mood": ["sad", "glücklich, sehr"],
    "positive": ["1", "2147483647"],
    "int[]": ["{1,2,NULL}", "{}", "{{1,2},{3,4}}"],
    "text[]": ['{a,"b c","d\\"e",NULL,"NULL",""}', '{"{x}","\\\\"}'],
    "numeric[]": ["{1.50,NaN}"],
    "float8[]": ["{0.1,Infinity,NaN}"],
    "boolean[]": ["{t,f,NULL}"],
    "date[]": ["{2024-01-01}"],
    "timestamptz[]": ['{"2024-01-01 00:00:00.5+00"}'],
    "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "jsonb[]": ['{"{\\"a\\": 1}","2"}'],
    "bytea[]": ['{"\\\\x00ff"}'],
    "mood[]": ["{sad}"],
    "money": ["-12.34", "92233720368547758.07"],
}


def literal(value):
    return "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def make_source(db):
    """A row per edge value, one column per type; one row of NULLs."""
    db("CREATE TYPE mood AS ENUM ('sad', 'glücklich, sehr'); CREATE DOMAIN positive AS int CHECK (value > 0)")
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(TYPES))
    db(f"CREATE TABLE src (id bigint PRIMARY KEY, {columns})")
    rows = ["INSERT INTO src (id) VALUES (0)"]
    number = 0
    for i, (kind, values) in enumerate(TYPES.items()):
        for value in values:
            number += 1
            rows.append(f"INSERT INTO src (id, c{i}) VALUES ({number}, {literal(value)}::{kind})")
    db(";".join(rows))
    return number + 1


def same(db, kinds):
    """The columns that differ between src and t, with an example."""
    differing = {}
    for i, kind in enumerate(kinds):
        rows = db.rows(f"SELECT s.c{i}::text AS a, t.c{i}::text AS b FROM src s FULL JOIN t USING (id)"
                       f" WHERE s.c{i}::text IS DISTINCT FROM t.c{i}::text LIMIT 1")
        if rows:
            differing[kind] = rows[0]
    return differing


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_every_type_comes_through_as_it_is(neuron, db, mode):
    rows = make_source(db)
    db("CREATE TABLE t (LIKE src INCLUDING ALL)")
    neuron.write("neuron.yaml", config(db, mode=mode, source="target").replace("mode:", "from_table: src\n    mode:"))
    assert counts(neuron.result("etl", "p")) == [rows, 0, 0]
    assert same(db, TYPES) == {}
    if mode == "upsert":
        before = db("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM t")
        assert counts(neuron.result("etl", "p")) == [0, 0, rows]
        assert db("SELECT string_agg(xmin::text, ',' ORDER BY id) FROM t") == before


def test_a_created_table_loses_nothing(neuron, db):
    make_source(db)
    neuron.write("neuron.yaml", config(db, source="target").replace("mode:", "from_table: src\n    mode:"))
    neuron("etl", "p")
    # real becomes double precision, char(n) text with its blanks, money numeric: the same values, written otherwise.
    others = {"real", "money", "char(3)"}
    assert same(db, [kind for kind in TYPES]).keys() <= others
    assert db("SELECT src.c5, t.c5 FROM src JOIN t USING (id) WHERE src.c5 IS DISTINCT FROM t.c5::real") == ""
    assert counts(neuron.result("etl", "p"))[:2] == [0, 0]


def test_files_and_sqlite_come_in_with_their_types(neuron, db, tmp_path):
    neuron.write("in.ndjson", '{"id":1,"b":true,"n":1.50,"d":null,"o":{"x":[1]},"t":"2024-01-01T00:00:00Z"}\n'
                              '{"id":2,"b":false,"n":12345678901234567890.5,"d":"x","o":{},"t":null}\n')
    neuron("copy", "in.ndjson", db.url, "--table", "j", "--mode", "append")
    assert db.rows("SELECT * FROM j ORDER BY id")[1]["n"] == 12345678901234567890.5
    assert db("SELECT n FROM j ORDER BY id") == "1.50\n12345678901234567890.5"
    with sqlite3.connect(tmp_path / "s.db") as source:
        source.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, r REAL, t TEXT, b BLOB, ok BOOLEAN, d DECIMAL, at DATE)")
        source.execute("INSERT INTO s VALUES (1, 0.1, 'ä', x'00ff', 1, 1.5, '2024-02-29'),"
                       " (9223372036854775807, -1e300, '', x'', 0, 12345678901234, NULL)")
    neuron("copy", "sqlite:///s.db", db.url, "--from-table", "s", "--table", "s", "--mode", "append")
    assert db("SELECT * FROM s ORDER BY id") == ("1|0.1|ä|\\x00ff|t|1.5|2024-02-29\n"
                                                 "9223372036854775807|-1e+300||\\x|f|12345678901234|")


REFUSED = [
    ("smallint", "40000", "22003"), ("int", "3000000000", "22003"), ("int", "1.5", "22P02"), ("int", "007", "22P02"),
    ("numeric(4,2)", "100.00", "22003"), ("numeric(4,2)", "1.005", "22003"), ("real", "16777217", "22003"),
    ("real", "0.123456789", "22003"), ("real", "1e-50", "22003"), ("double precision", "9007199254740993", "22003"), ("varchar(3)", "abcd", "22001"),
    ("char(2)", "abc", "22001"), ("date", "2024-02-30", "22007"), ("timestamp(0)", "2024-01-01T00:00:00.5", "22008"),
    ("uuid", "xyz", "22P02"), ("boolean", "perhaps", "22P02"), ("jsonb", "{", "22P02"), ("inet", "1.2.3", "22P02"),
    ("mood", "happy", "22P02"), ("positive", "-1", "23514"), ("int[]", "{x}", "22P02"),
]


def test_values_that_do_not_fit_cost_one_row(neuron, db):
    db("CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN positive AS int CHECK (value > 0)")
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _, _) in enumerate(REFUSED))
    db(f"CREATE TABLE t (id bigint PRIMARY KEY, {columns})")
    lines = [",".join(["id", *(f"c{i}" for i in range(len(REFUSED)))])]
    for i, (_, value, _) in enumerate(REFUSED):
        lines.append(",".join([str(i), *(value if n == i else "" for n in range(len(REFUSED)))]))
    lines.append("99" + "," * len(REFUSED))
    neuron.write("in.csv", "\n".join(lines) + "\n")
    # As text, so that it is the target that refuses.
    neuron.write("neuron.yaml", config(db, "rejects: bad", source="'in.csv#types=%s'" % ",".join(
        f"c{i}:text" for i in range(len(REFUSED)))))
    result = neuron.result("etl", "p")
    bad = db.rows('SELECT "row", sqlstate, "column", value, stage FROM bad ORDER BY "row"')
    wrong = [(REFUSED[row["row"]], row) for row in bad if row["sqlstate"] != REFUSED[row["row"]][2]]
    assert not wrong and len(bad) == len(REFUSED)
    assert counts(result) == [1, 0, 0] and result["records_rejected"] == len(REFUSED)
    assert bad[0]["column"] == "c0" and bad[0]["value"] == "40000" and bad[0]["stage"] == "load"


# ---- rejects ----

@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_constraints_cost_one_row_each(neuron, db, mode):
    db("""CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9);
          CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, v int CHECK (v <> 13), code text UNIQUE,
                          parent int REFERENCES parent);
          INSERT INTO t VALUES (-1, 'x', 1, 'taken', 1)""")
    rows = [f"{i},n{i},{i},c{i},{i % 10}" for i in range(3000)]
    rows[13] = "13,n13,13,c13,1"
    rows[700] = "700,,1,c700,1"
    rows[1500] = "1500,n,1,taken,1"
    rows[2999] = "2999,n,1,c2999,77"
    neuron.write("in.csv", "id,name,v,code,parent\n" + "\n".join(rows) + "\n")
    neuron.write("neuron.yaml", config(db, "rejects: bad", mode=mode))
    result = neuron.result("etl", "p")
    assert result["records_rejected"] == 4 and result["inserted"] == 2996
    bad = db.rows("SELECT run_id, seq, \"row\", sqlstate, reason, key, data FROM bad ORDER BY \"row\"")
    assert [(row["row"], row["sqlstate"]) for row in bad] == [
        (13, "23514"), (700, "23502"), (1500, "23505"), (2999, "23503")]
    assert bad[2]["data"]["code"] == "taken" and bad[0]["key"] == {"id": 13}
    assert db("SELECT count(*) FROM t") == "2997"
    # Without rejects the run stops with the first of them, and nothing stays.
    db("DELETE FROM t WHERE id >= 0; DROP TABLE bad")
    neuron.write("neuron.yaml", config(db, mode=mode))
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert '{"id":' in error["what"] or "row" in error["what"]
    assert db("SELECT count(*), to_regclass('bad') IS NULL FROM t") == "1|t"


def test_a_null_key_is_refused(neuron, db):
    neuron.write("in.csv", "id,v\n1,a\n,b\n")
    neuron.write("neuron.yaml", config(db, "rejects: bad"))
    assert neuron.result("etl", "p")["records_rejected"] == 1
    assert db("SELECT \"column\", sqlstate FROM bad") == "id|23502"


def test_many_bad_rows_are_all_found(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v int CHECK (v % 7 <> 0))")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{i}\n" for i in range(2000)))
    neuron.write("neuron.yaml", config(db, "rejects: bad"))
    result = neuron.result("etl", "p")
    assert result["records_rejected"] == 286 and db("SELECT count(*) FROM bad") == "286"
    assert db("SELECT count(*) FROM t WHERE v % 7 <> 0") == "1714"


# ---- what goes wrong ----

def error_of(done):
    return json.loads(done.stdout)["error"]


def test_a_server_that_is_down_is_exit_3(neuron, db):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"postgresql://postgres@127.0.0.1:{probe.getsockname()[1]}/x"
    neuron.write("in.csv", "id\n1\n")
    neuron.write("neuron.yaml", config(db).replace(db.url, url))
    error = error_of(neuron("etl", "p", "--json", code=3))
    assert error["kind"] == "connect" and "running" in error["hint"]


def test_wrong_password_and_missing_database(neuron, db, server):
    db("CREATE ROLE locked LOGIN PASSWORD 'right'")
    path = os.path.join(server.data, "pg_hba.conf")
    with open(path, encoding="utf-8") as file:
        old = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write("host all locked 127.0.0.1/32 scram-sha-256\n" + old)
    db("SELECT pg_reload_conf()")
    neuron.write("in.csv", "id\n1\n")
    neuron.write("neuron.yaml", config(db).replace("postgres@", "locked:wrong-secret@"))
    for code, command in ((1, ("etl", "p", "--json")), (2, ("validate", "--connect"))):
        done = neuron(*command, code=code)
        assert "wrong-secret" not in done.stdout + done.stderr and "password" in done.stdout + done.stderr
    neuron.write("neuron.yaml", config(db).replace(db.url, db.url + "_not_there"))
    assert error_of(neuron("etl", "p", "--json", code=1))["kind"] == "not_found"


def test_missing_rights_are_named(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE ROLE guest LOGIN; GRANT SELECT ON t TO guest")
    neuron.write("in.csv", "id,v\n1,a\n")
    neuron.write("neuron.yaml", config(db).replace("postgres@", "guest@"))
    plan = json.loads(neuron("etl", "p", "--dry-run", "--json").stdout)
    assert any("INSERT" in warning for warning in plan["warnings"])
    error = error_of(neuron("etl", "p", "--json", code=1))
    assert error["kind"] == "permission" and error["sqlstate"] == "42501"
    assert "neuron_loads" in error["what"] and "CREATE" in error["hint"]
    db("GRANT CREATE ON SCHEMA public TO guest")
    error = error_of(neuron("etl", "p", "--json", code=1))
    assert error["kind"] == "permission" and "GRANT" in error["hint"]
    db("GRANT INSERT, UPDATE ON t TO guest")
    neuron("etl", "p")


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come in time")


def start(neuron, *args):
    return subprocess.Popen([PROGRAM, *args, "--json"], cwd=neuron.folder, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def many_rows(neuron, rows=1000):
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{i * 7}\n" for i in range(rows)))


def blocked(db, count):
    return db("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'neuron'"
              f" AND datname = '{db.name}'") == str(count)


class Locked:
    """Holds a lock on t, so that runs wait before they publish."""

    def __init__(self, db):
        self.db = db
        self.psql = subprocess.Popen([os.path.join(binaries(), "psql"), "-Xq", db.url], stdin=subprocess.PIPE, text=True)
        self.psql.stdin.write("BEGIN; LOCK TABLE t;\n")
        self.psql.stdin.flush()
        wait_for(lambda: db("SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass"
                            " AND mode = 'AccessExclusiveLock' AND granted") == "1")

    def release(self):
        self.psql.stdin.close()
        self.psql.wait(timeout=30)


def test_of_two_runs_at_once_one_is_fenced_off(neuron, db):
    many_rows(neuron)
    neuron.write("neuron.yaml", config(db))
    neuron("etl", "p", "--limit", "10")
    lock = Locked(db)
    runs = [start(neuron, "etl", "p"), start(neuron, "etl", "p")]
    wait_for(lambda: blocked(db, 2))
    lock.release()
    results = [json.loads(run.communicate(timeout=60)[0]) for run in runs]
    assert sorted(result["status"] for result in results) == ["failed", "success"]
    failed = next(result for result in results if result["status"] == "failed")
    assert failed["error"]["kind"] == "fenced" and "published meanwhile" in failed["error"]["what"]
    assert db("SELECT count(*), (SELECT max(epoch) FROM neuron_loads) FROM t") == "1000|2"


@pytest.mark.parametrize("retry", [False, True])
def test_a_backend_that_is_terminated_leaves_nothing(neuron, db, retry):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)")
    many_rows(neuron)
    neuron.write("neuron.yaml", config(db, "retry: { attempts: 3, wait: 10ms }" if retry else ""))
    lock = Locked(db)
    run = start(neuron, "etl", "p")
    wait_for(lambda: blocked(db, 1))
    db("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'neuron'"
       f" AND datname = '{db.name}'")
    if not retry:
        assert run.wait(timeout=60) == 3
        assert json.loads(run.communicate()[0])["error"]["kind"] == "connect"
        lock.release()
        assert db("SELECT count(*), (SELECT count(*) FROM neuron_loads) FROM t") == "0|0"
        return
    lock.release()
    out = json.loads(run.communicate(timeout=60)[0])
    assert out["status"] == "success" and out["inserted"] == 1000


def test_a_cancelled_run_leaves_nothing(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)")
    many_rows(neuron)
    neuron.write("neuron.yaml", config(db))
    lock = Locked(db)
    run = start(neuron, "etl", "p")
    wait_for(lambda: blocked(db, 1))
    started = time.monotonic()
    run.send_signal(signal.SIGTERM)
    run.wait(timeout=30)
    assert time.monotonic() - started < 8
    assert run.returncode != 0
    lock.release()
    assert db("SELECT count(*) FROM t") == "0"


class CuttingProxy:
    """Forwards to the server, and cuts the connection at the first COMMIT behind COPY: before the server has it
    (`sent` false), or after."""

    def __init__(self, port, sent):
        self.port, self.sent, self.cuts = port, sent, 0
        self.mute, self.answered = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.up, args=(client, server), daemon=True).start()
            threading.Thread(target=self.down, args=(server, client), daemon=True).start()

    def up(self, client, server):
        copied = False
        while data := self.read(client):
            copied = copied or b"PGCOPY" in data
            if copied and not self.cuts and b"COMMIT\x00" in data:
                self.cuts += 1
                # The client must not see an answer; and not ask anew before there is one.
                if self.sent:
                    self.mute.set()
                    server.sendall(data)
                    assert self.answered.wait(60)
                client.shutdown(socket.SHUT_RDWR)
                server.close()
                return
            server.sendall(data)
        server.close()

    def down(self, server, client):
        while data := self.read(server):
            if self.mute.is_set():
                self.mute.clear()
                self.answered.set()
                return
            try:
                client.sendall(data)
            except OSError:
                return
        client.close()

    @staticmethod
    def read(source):
        try:
            return source.recv(65536)
        except OSError:
            return b""


@pytest.mark.parametrize("mode", ["upsert", "append"])
@pytest.mark.parametrize("sent", [True, False])
def test_a_commit_whose_answer_is_lost(neuron, db, server, sent, mode):
    # Where the COMMIT didn't get through, the server also didn't see that the connection is gone.
    proxy = CuttingProxy(server.port, sent)
    url = db.url.replace(str(server.port), str(proxy.listener.getsockname()[1]))
    many_rows(neuron)
    neuron.write("neuron.yaml", config(db, mode=mode).replace(db.url, url))
    run = start(neuron, "etl", "p")
    result = json.loads(run.communicate(timeout=60)[0])
    assert proxy.cuts == 1
    if sent:
        assert run.returncode == 0 and result["inserted"] == 1000
    else:
        assert run.returncode == 3 and "nothing was committed" in result["error"]["what"]
        assert db("SELECT to_regclass('t') IS NULL") == "t"
        neuron("etl", "p")
    assert db("SELECT count(*), (SELECT count(*) FROM neuron_loads) FROM t") == "1000|1"
    proxy.listener.close()


def test_an_unchanged_run_writes_no_wal(neuron, db):
    many_rows(neuron, 50000)
    neuron.write("neuron.yaml", config(db))
    neuron("etl", "p")
    db("CHECKPOINT")
    before = db("SELECT pg_current_wal_insert_lsn()")
    assert counts(neuron.result("etl", "p")) == [0, 0, 50000]
    written = int(db(f"SELECT pg_current_wal_insert_lsn() - '{before}'"))
    assert written < 1_000_000, written
    assert db("SELECT n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE relname = 't'") == "0"


# ---- an empty target ----

def test_an_empty_target_takes_ascending_keys_by_copy_and_the_rest_by_merge(neuron, db):
    """The same rows, whatever their order: the last of a key wins, the others are superseded."""
    ascending = [f"{i},a{i},{i}" for i in range(0, 60000, 2)]
    rest = [f"{i},b{i},{i + 1}" for i in range(0, 60000, 3)] + ["5,x,1", "5,y,0"]
    neuron.write("in.csv", "id,v,at\n" + "\n".join(ascending + rest) + "\n")
    wanted = {line.split(",")[0]: line for line in ascending + rest}
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text, at bigint)")
    for key_order in ("", "incremental: { cursor: at }"):
        neuron.write("neuron.yaml", config(db, key_order, source="db" if key_order else "in.csv"))
        if key_order:
            # By cursor the higher one wins: 5,x.
            wanted["5"] = "5,x,1"
            neuron("copy", "in.csv", db.url, "--table", "src", "--mode", "append")
            neuron.write("neuron.yaml", config(db, key_order + "\n    from_table: src", source="target", name="q"))
            db("TRUNCATE t")
        result = neuron.result("etl", "q" if key_order else "p")
        assert counts(result) == [len(wanted), 0, 0]
        assert result["records_dropped"] == {"superseded": len(ascending) + len(rest) - len(wanted)}
        rows = db("SELECT id || ',' || v || ',' || at FROM t ORDER BY id").splitlines()
        assert rows == [wanted[key] for key in sorted(wanted, key=int)]
    assert counts(neuron.result("etl", "q", "--full-refresh")) == [0, 0, len(wanted)]


def test_an_empty_mirror_target(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)")
    many_rows(neuron)
    neuron.write("neuron.yaml", config(db, mode="mirror"))
    assert counts(neuron.result("etl", "p")) == [1000, 0, 0]
    assert db("SELECT count(*) FROM t") == "1000"
    neuron.write("in.csv", "id,v\n")
    neuron("etl", "p", code=1)


def test_a_view_and_row_security_are_written_by_insert(neuron, db):
    db("""CREATE TABLE base (id bigint PRIMARY KEY, v bigint); CREATE VIEW t AS SELECT * FROM base;
          CREATE ROLE narrow LOGIN; CREATE TABLE safe (id bigint PRIMARY KEY, v bigint);
          ALTER TABLE safe ENABLE ROW LEVEL SECURITY; CREATE POLICY small ON safe USING (v < 100);
          GRANT ALL ON safe TO narrow""")
    many_rows(neuron, 10)
    neuron.write("neuron.yaml", config(db, mode="append"))
    assert counts(neuron.result("etl", "p")) == [10, 0, 0]
    assert db("SELECT count(*) FROM base") == "10"
    for mode in ("append", "upsert"):
        db("TRUNCATE safe")
        neuron("copy", "in.csv", db.url.replace("postgres@", "narrow@"), "--table", "safe", "--mode", mode, "--key", "id")
        assert db("SELECT count(*) FROM safe") == "10"


def test_a_server_that_does_not_know_every_character(neuron, server):
    out, err = server.psql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    assert not err, out
    url = f"postgresql://postgres@127.0.0.1:{server.port}/latin"
    neuron.write("in.csv", "id,v\n1,ä\n2,日本\n3,c\n")
    for key in ("", "key: [id]"):
        neuron.write("neuron.yaml", f"""
connections: {{ target: "{url}" }}
pipelines:
  p{len(key)}:
    from: in.csv
    to: target
    table: t{len(key)}
    mode: {'upsert' if key else 'append'}
    rejects: "{{rejects}}"
    {key}
""".replace("{rejects}", "stop"))
        error = error_of(neuron("etl", f"p{len(key)}", "--json", code=1))
        assert "row 2" in error["what"] and "LATIN1" in error["what"]
        with open(os.path.join(neuron.folder, "neuron.yaml"), encoding="utf-8") as file:
            text = file.read()
        neuron.write("neuron.yaml", text.replace("rejects: \"stop\"", "rejects: bad.ndjson#ndjson"))
        result = neuron.result("etl", f"p{len(key)}")
        assert (result["inserted"], result["records_rejected"]) == (2, 1)


def test_rejects_in_another_database(neuron, db, server):
    other = Database(server, "other_" + db.name)
    neuron.write("in.csv", "id,v\n1,5\n2,x\n")
    db("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
    neuron.write("neuron.yaml", config(db, f"rejects: '{other.url}'"))
    for number in (1, 2):
        assert neuron.result("etl", "p")["records_rejected"] == 1
        assert other("SELECT count(*), count(DISTINCT run_id) FROM neuron_rejects") == f"{number}|{number}"
    assert db("SELECT * FROM t") == "1|5"


@pytest.mark.parametrize("sent", [True, False])
def test_a_commit_of_rejects_elsewhere_whose_answer_is_lost(neuron, db, server, sent):
    other, proxy = Database(server, "other_" + db.name[-30:]), CuttingProxy(server.port, sent)
    url = other.url.replace(str(server.port), str(proxy.listener.getsockname()[1]))
    neuron.write("in.csv", "id,v\n1,5\n2,x\n")
    db("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
    neuron.write("neuron.yaml", config(db, f"rejects: '{url}'"))
    result = neuron.result("etl", "p", code=0 if sent else 3)
    assert proxy.cuts == 1
    if not sent:
        assert "nothing was committed" in result["error"]["what"]
        neuron("etl", "p")
    assert other("SELECT value FROM neuron_rejects") == "x"
    assert db("SELECT * FROM t") == "1|5"
    proxy.listener.close()


@pytest.mark.parametrize("values", ["5 6", "5 x"])
def test_who_may_only_insert_keeps_refused_rows_elsewhere(neuron, db, server, values):
    other = Database(server, "other_" + db.name[-30:])
    neuron.write("in.csv", "id,v\n" + "".join(f"{n},{v}\n" for n, v in enumerate(values.split())))
    db("CREATE TABLE t (id bigint PRIMARY KEY, v int)")
    neuron.write("neuron.yaml", config(db, f"rejects: '{other.url}'"))
    neuron("etl", "p")  # makes the table
    guest = "guest_" + db.name[-30:]
    other(f"CREATE ROLE {guest} LOGIN; GRANT INSERT ON neuron_rejects TO {guest}")
    refused = values.count("x")
    neuron.write("neuron.yaml", config(db, f"rejects: '{other.url.replace('postgres@', guest + '@')}'"))
    assert neuron.result("etl", "p")["records_rejected"] == refused
    assert other("SELECT count(*) FROM neuron_rejects") == str(2 * refused)
    # The same run once more would replace its own.
    error = error_of(neuron("etl", "p", "--run-id", "r1", "--json", code=1))
    assert error["sqlstate"] == "42501" and "DELETE" in error["hint"]
    other(f"GRANT SELECT, DELETE ON neuron_rejects TO {guest}")
    neuron("etl", "p", "--run-id", "r1")
    assert other("SELECT count(*) FROM neuron_rejects") == str(3 * refused)


@pytest.mark.parametrize("second, rows, refused", [("y", "2|5", "y"), ("7", "1|7\n2|5", "")])
def test_rejects_elsewhere_are_those_of_the_try_that_was_published(neuron, db, server, second, rows, refused):
    other = Database(server, "other_" + db.name[-30:])
    db("CREATE TABLE t (id bigint PRIMARY KEY, v int); CREATE SEQUENCE tries; SELECT setval('tries', 10);"
       "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF nextval(''tries'') < 12 THEN"
       " RAISE serialization_failure; END IF; RETURN NULL; END';"
       "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 2)"
       " EXECUTE FUNCTION fail()")
    neuron.write("neuron.yaml", config(db, f"rejects: '{other.url}'\n    retry: {{ attempts: 2, wait: 10ms }}", source=f"""target
    query: "SELECT 1::bigint AS id, CASE last_value WHEN 10 THEN 'x' ELSE '{second}' END AS v FROM tries
            UNION ALL SELECT 2, '5'\""""))
    result = neuron.result("etl", "p")
    assert result["attempts"] == 2 and result["records_rejected"] == (1 if refused else 0)
    assert db("SELECT * FROM t ORDER BY id") == rows
    assert other("SELECT value FROM neuron_rejects") == refused
    # Those of other runs stay.
    db("SELECT setval('tries', 10)")
    db("DELETE FROM t")
    neuron.result("etl", "p")
    assert other("SELECT count(*) FROM neuron_rejects") == ("2" if refused else "0")


def test_rules_of_the_target_are_kept_to(neuron, db):
    """They rewrite statements, but none that is a part of another."""
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE TABLE log (id bigint, what text);"
       "CREATE RULE never AS ON INSERT TO t WHERE new.id = 7 DO INSTEAD NOTHING;"
       "CREATE RULE changed AS ON UPDATE TO t DO ALSO INSERT INTO log VALUES (new.id, 'changed')")
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,v\n1,a\n2,b\n")
    assert neuron.result("etl", "p")["inserted"] == 2
    neuron.write("in.csv", "id,v\n1,a\n2,c\n3,d\n")
    result = neuron.result("etl", "p")
    assert (result["inserted"], result["updated"], result["unchanged"]) == (1, 1, 1)
    assert db("SELECT id || what FROM log") == "2changed"


def test_keys_that_the_target_has_twice(neuron, db):
    """Without a unique index: each of the rows becomes as the source's, the equal one is not written."""
    db("CREATE TABLE t (id bigint, v text); INSERT INTO t VALUES (1, 'x'), (1, 'y')")
    neuron.write("neuron.yaml", config(db))
    neuron.write("in.csv", "id,v\n1,x\n")
    before = db("SELECT ctid FROM t WHERE v = 'x'")
    result = neuron.result("etl", "p")
    assert (result["updated"], result["unchanged"]) == (1, 0)
    assert db("SELECT count(*) FROM t WHERE v = 'x'") == "2" and before in db("SELECT ctid FROM t").split()


def test_a_column_that_must_not_be_null_is_not_loaded(neuron, db):
    """In a table that has nothing else to refuse a row with."""
    db("CREATE TABLE t (id bigint, v text, must int NOT NULL)")
    neuron.write("neuron.yaml", config(db, "rejects: bad", "", "append"))
    neuron.write("in.csv", "id,v\n1,x\n2,y\n")
    result = neuron.result("etl", "p")
    assert (result["records_loaded"], result["records_rejected"]) == (0, 2)
    assert db("SELECT DISTINCT \"column\" FROM bad") == "must"


@pytest.mark.parametrize("mode, key", [("append", ""), ("upsert", "key: [id]"), ("replace", "")])
def test_constraints_that_are_judged_at_commit(neuron, db, mode, key):
    db("CREATE TABLE parent (id bigint PRIMARY KEY); INSERT INTO parent VALUES (1), (3);"
       " CREATE TABLE t (id bigint PRIMARY KEY, p bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    neuron.write("neuron.yaml", config(db, "rejects: bad", key, mode))
    neuron.write("in.csv", "id,p\n1,1\n2,2\n3,3\n")
    result = neuron.result("etl", "p")
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    assert db("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t") == "1 3"
    assert "t_p_fkey" in db("SELECT reason FROM bad")


def test_rows_that_refer_to_later_ones(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, p bigint REFERENCES t DEFERRABLE INITIALLY DEFERRED)")
    neuron.write("neuron.yaml", config(db, "rejects: bad", "", "append"))
    neuron.write("in.csv", "id,p\n" + "".join(f"{i},{(i + 1) % 20000}\n" for i in range(20000)))
    result = neuron.result("etl", "p")
    assert (result["records_loaded"], result["records_rejected"]) == (20000, 0)
