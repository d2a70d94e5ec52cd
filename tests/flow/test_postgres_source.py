"""PostgreSQL as a source: every type without loss, cursors without gaps, parallel readers, and what goes wrong."""

import base64
import json
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from conftest import PROGRAM  # noqa: E402
from postgres import Postgres, Session  # noqa: E402

SOAK = bool(os.environ.get("NEURON_SOAK"))


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    postgres.psql(SETUP)
    yield postgres
    postgres.close()


@pytest.fixture
def url(server):
    return f"postgresql+asyncpg://postgres@127.0.0.1:{server.port}/postgres"


def run_sql(server, sql):
    out, error = server.psql(sql, "-v", "ON_ERROR_STOP=1")
    assert not error.strip() or "NOTICE" in error, error
    return out.strip()


SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'véry happy');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS numeric(10,2) CHECK (VALUE > 0);
"""

# Type and values as PostgreSQL reads them. Each value goes through the program, is given back to PostgreSQL as text
# and must be the same there.
VALUES = {
    "bool": ["true", "false"],
    "int2": ["-32768", "0", "32767"],
    "int4": ["-2147483648", "0", "2147483647"],
    "int8": ["-9223372036854775808", "0", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "float4": ["0.1", "-0", "3.4028235e+38", "1e-45", "1.1754944e-38", "16777216", "0.3333333", "1.5e-7", "123456.79",
               "NaN", "Infinity", "-Infinity"],
    "float8": ["0.1", "-0", "1.7976931348623157e+308", "5e-324", "0.30000000000000004", "NaN", "Infinity", "-Infinity"],
    "numeric": ["0", "0.00", "1.50", "-1.50", "10000", "100000000", "0.0001", "1234.5678", "0.00010000", "1e37",
                "99999999999999999999999999999999999999", "-0.99999999999999999999999999999999999999",
                "12345678901234567890123456789.123456789", "NaN", "Infinity", "-Infinity"],
    "numeric(12,2)": ["0", "9999999999.99", "-0.01", "NaN"],
    "numeric(38,0)": ["99999999999999999999999999999999999999"],
    "numeric(5,-2)": ["1234500", "0"],
    "numeric(3,5)": ["0.00123"],
    "numeric(50,10)": ["1234567890123456789012345678901234567890.0123456789"],
    "numeric(1000,500)": ["9" * 500 + "." + "1" * 500],
    "money": ["-92233720368547758.08", "0.00", "12.34"],
    "text": ["", "é", "😀", " a\tb\nc\r\nd ", "\"q\" 'q' \\ , ;", "x" * 13, "y" * 12, "NULL", "\\N", "long " * 50000],
    "varchar(20)": ["", "žluťoučký"],
    "char(10)": ["", "ab", "ab c"],
    "name": ["some name"],
    '"char"': ["a"],
    "bytea": ["\\x", "\\x00ff", "\\x" + bytes(range(256)).hex(), "\\x" + "00" * 100000],
    "date": ["infinity", "-infinity", "0001-01-01", "0044-03-15 BC", "4713-01-01 BC", "1999-12-31", "2024-02-29",
             "9999-12-31", "10000-01-01", "5874897-12-31"],
    "time": ["00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.7"],
    "timetz": ["00:00:00+00", "24:00:00-15:59", "12:34:56.789+05:30"],
    "timestamp": ["infinity", "-infinity", "0001-01-01 00:00:00", "4713-01-01 00:00:00 BC",
                  "1969-12-31 23:59:59.999999", "2024-02-29 24:00:00", "294246-12-31 23:59:59.999999"],
    "timestamptz": ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "1999-12-31 23:59:59.999999-08",
                    "2024-03-31 02:30:00+01", "294246-12-31 23:59:59.999999+00"],
    "interval": ["00:00:00", "1 year 2 mons 3 days 04:05:06.789", "-1 mons +2 days -00:00:00.000001",
                 "178000000 years", "-178000000 years", "2562047788:00:54.775807"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "json": ['{"a": 1.50, "b": [1, 2]}', "1", "null", '"x"', '{"a":\n  1}', '{"u":"\\u00e9\\ud83d\\ude00"}'],
    "jsonb": ['{"n": 123456789012345678901234567890.123}', "[]", "{}", '"x"', "null", "12", '{"é": "😀"}'],
    "xml": ["<a>é</a>", "<?xml version=\"1.0\"?><b/>"],
    "inet": ["10.0.0.1", "10.1.2.3/8", "::1", "fe80::1/64"],
    "cidr": ["10.0.0.0/8", "2001:db8::/32"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit(3)": ["101"],
    "varbit": ["", "10101"],
    "point": ["(1.5,-2)"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["((0,0),(1,1))", "[(0,0),(1,1)]"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "line": ["{1,-1,0}"],
    "circle": ["<(0,0),1.5>"],
    "int4range": ["empty", "[1,5)", "(,)"],
    "int8range": ["[1,9223372036854775807)"],
    "numrange": ["[1.5,2.5]"],
    "tsrange": ["[2024-01-01 00:00:00,infinity)"],
    "tstzrange": ["[2024-01-01 00:00:00+00,2024-01-02 00:00:00+00)"],
    "daterange": ["[2024-01-01,2024-01-02)"],
    "int4multirange": ["{[1,2),[5,6)}", "{}"],
    "tsvector": ["'a':1 'cat':2A"],
    "tsquery": ["'fat' & 'rat'"],
    "pg_lsn": ["16/B374D848"],
    "txid_snapshot": ["10:20:10,14,15"],
    "pg_snapshot": ["10:20:10,14,15"],
    "xid8": ["18446744073709551615"],
    "tid": ["(1,2)"],
    "regclass": ["pg_class"],
    "regtype": ["integer"],
    "jsonpath": ['$."a"'],
    "mood": ["sad", "véry happy"],
    "pair": ["(1,\"x y\")", "(,)"],
    "positive": ["0.01", "99999999.99"],
}
ARRAYS = {
    "int4[]": ["{}", "{1,2,NULL}", "{{1,2},{3,4}}"],
    "text[]": ['{"","a \\"q\\"",NULL,é}'],
    "numeric[]": ["{1.50,NaN}"],
    "timestamptz[]": ["{infinity,2024-01-01 00:00:00+00}"],
    "bytea[]": ['{"\\\\x00ff"}'],
    "jsonb[]": ['{"{\\"a\\": 1}"}'],
    "mood[]": ["{sad}"],
    "int2vector": ["1 2"],
    "oidvector": ["1 2"],
}


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def table_of(server, kinds):
    """One table: a column per type, a row per value, NULLs where a type has fewer values."""
    names = {kind: f"c{i}" for i, kind in enumerate(kinds)}
    columns = ", ".join(f"{names[kind]} {kind}" for kind in kinds)
    rows = max(len(values) for values in kinds.values()) + 1
    inserts = "".join(
        "INSERT INTO every VALUES (" + ", ".join(
            [str(row)] + [literal(values[row]) if row < len(values) else "NULL" for values in kinds.values()]) + ");\n"
        for row in range(rows))
    run_sql(server, f"DROP TABLE IF EXISTS every; CREATE TABLE every (n int, {columns});\n{inserts}")
    return names


def check(server, kinds, names, rows, as_text):
    """Give every value back to PostgreSQL: it must be the one that is there."""
    wrong = []
    for kind, name in names.items():
        array = kind in ARRAYS
        for row in rows:
            text = as_text(kind, row[name])
            number = int(row["n"])
            if number >= len(kinds[kind]):
                assert text is None, (kind, number, text)
                continue
            assert text is not None, (kind, number)
            same = (f"to_json({name})::jsonb = {literal(text)}::jsonb" if array
                    else f"{name}::text = {literal(text)}::{kind}::text")
            if kind in ("json", "xml"):
                same = f"{name}::text = {literal(text)}"
            wrong.append(f"SELECT {literal(kind)}, n, left({literal(text)}, 80) FROM every WHERE n = {number} "
                         f"AND NOT ({same});")
    assert len(wrong) == sum(len(values) for values in kinds.values())
    assert run_sql(server, "\n".join(wrong)) == ""


def json_text(kind, value):
    if value is None or value is NULL:
        return None
    if kind == "bytea":
        return "\\x" + base64.b64decode(value).hex()
    return value


NULL = object()


def read_ndjson(text):
    """Numbers and JSON values as the letters that stand there, texts decoded."""
    rows = []
    for line in text.split("\n")[:-1]:
        row = {}
        for key, raw in split_object(line):
            value = json.loads(raw)
            row[key] = value if isinstance(value, str) else NULL if value is None else raw
            row[key + " raw"] = raw
        rows.append(row)
    return rows


def split_object(line):
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    at = 1
    while line[at - 1] != "}":
        key, at = decoder.raw_decode(line, at)
        _, end = decoder.raw_decode(line, at + 1)
        yield key, line[at + 1:end]
        at = end + 1


def test_every_type_to_ndjson(neuron, server, url):
    kinds = {**VALUES, **ARRAYS}
    # A line has no line breaks, and JSON's null is a NULL there.
    kinds["json"] = [value for value in kinds["json"] if value != "null" and "\n" not in value]
    kinds["jsonb"] = [value for value in kinds["jsonb"] if value != "null"]
    names = table_of(server, kinds)
    neuron("copy", url, "out.ndjson", "--from-table", "every")
    rows = read_ndjson(neuron.read("out.ndjson"))
    assert len(rows) == max(map(len, kinds.values())) + 1
    for row in rows:
        for kind, name in names.items():
            raw = row[name + " raw"]
            if kind in ("json", "jsonb") or kind in ARRAYS:
                row[name] = NULL if raw == "null" else raw
    check(server, kinds, names, rows, json_text)


def test_every_type_to_csv(neuron, server, url):
    kinds = {**VALUES, **ARRAYS}
    kinds["json"] = [value for value in kinds["json"] if "\n" not in value]
    names = table_of(server, kinds)
    neuron("copy", url, "out.csv", "--from-table", "every")
    with open(os.path.join(neuron.folder, "out.csv"), encoding="utf-8", newline="") as file:
        rows = read_csv(file.read())
    check(server, kinds, names, rows, csv_value)


def csv_value(kind, value):
    if value is not None and kind == "bytea" and not value.startswith("\\x"):
        return "\\x" + base64.b64decode(value).hex()
    return value


def read_csv(text):
    """As csv.DictReader, but an empty field is None and \"\" the empty text."""
    records, record, field, at, quoted = [], [], "", 0, False
    while at < len(text):
        if text[at] == '"':
            quoted, at = True, at + 1
            while True:
                end = text.index('"', at)
                field += text[at:end]
                at = end + 1
                if at < len(text) and text[at] == '"':
                    field += '"'
                    at += 1
                else:
                    break
            continue
        if text[at] in ",\n\r":
            record.append(field if quoted or field else None)
            field, quoted = "", False
            if text[at] != ",":
                at += text[at] == "\r"
                records.append(record)
                record = []
        else:
            field += text[at]
        at += 1
    return [dict(zip(records[0], record)) for record in records[1:]]


def sqlite_value(kind, value):
    if value is None:
        return None
    if isinstance(value, bytes):
        return "\\x" + value.hex() if kind == "bytea" else value.decode()
    if isinstance(value, float):
        return repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    return str(value)


def test_every_type_to_sqlite(neuron, server, url):
    kinds = {**VALUES, **ARRAYS}
    # What SQLite has no value for is refused by name, see below.
    kinds["float4"] = [value for value in kinds["float4"] if value != "NaN"]
    kinds["float8"] = [value for value in kinds["float8"] if value != "NaN"]
    kinds["numeric"] = [value for value in kinds["numeric"] if value not in ("0.00", "1.50", "-1.50", "0.00010000")]
    kinds["numeric(12,2)"] = ["9999999999.99", "-0.01"]
    names = table_of(server, kinds)
    neuron("copy", url, "sqlite:///t.db", "--from-table", "every", "--table", "every")
    with sqlite3.connect(os.path.join(neuron.folder, "t.db")) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM every ORDER BY n")]
    check_sqlite(server, kinds, names, rows)
    error = neuron("copy", "--query", "SELECT 'NaN'::float8 AS x", url, "sqlite:///n.db", "--table", "n", code=1).stderr
    assert "SQLite has no NaN" in error and "x" in error


def check_sqlite(server, kinds, names, rows):
    """Numbers by value: SQLite keeps no trailing zeros and no type bool."""
    wrong = []
    for kind, name in names.items():
        for row in rows:
            text = sqlite_value(kind, row[name])
            if row["n"] >= len(kinds[kind]):
                assert text is None
                continue
            same = f"{name}::text = {literal(text)}::{kind}::text"
            if kind in ARRAYS:
                same = f"to_json({name})::jsonb = {literal(text)}::jsonb"
            elif kind in ("json", "xml"):
                same = f"{name}::text = {literal(text)}"
            elif kind == "money" or kind.startswith(("numeric", "float", "positive")):
                same = f"{name} = {literal(text)}::{kind}"
            elif kind == "bool":
                same = f"{name}::int::text = {literal(text)}"
            wrong.append(f"SELECT {literal(kind)}, n, left({literal(text)}, 80) FROM every WHERE n = {row['n']} "
                         f"AND NOT ({same});")
    assert run_sql(server, "\n".join(wrong)) == ""


def test_what_our_types_cant_hold_is_refused_by_name(neuron, server, url):
    query = "SELECT n::int, 1.5::numeric / (10::numeric ^ 60) + n AS tiny FROM generate_series(1, 3) n"
    error = neuron("copy", "--query", query, url, "out.ndjson", code=1).stderr
    assert "row 1, column tiny, value 1.0000" in error and "column::text" in error
    wide = {2: "1" + "0" * 60 + ".50", 4: "-0." + "0" * 50 + "123", 5: "-" + "12345678" * 6 + ".00010001"}
    run_sql(server, "DROP TABLE IF EXISTS wide; CREATE TABLE wide (n int, x numeric, y text); INSERT INTO wide VALUES "
            + ", ".join(f"({n}, {wide.get(n, n)}, 'é')" for n in range(1, 7)))
    result = neuron.result("copy", "--from-table", "wide", url, "out.ndjson", "--rejects", "bad.ndjson")
    assert (result["records_loaded"], result["records_rejected"]) == (3, 3)
    assert [json.loads(line)["n"] for line in neuron.read("out.ndjson").splitlines()] == [1, 3, 6]
    bad = [json.loads(line) for line in neuron.read("bad.ndjson").splitlines()]
    assert {row["row"] + 1: row["value"] for row in bad} == wide
    assert all(row["stage"] == "read" and row["column"] == "x" and "38 digits" in row["reason"] for row in bad)
    assert [row["data"] for row in bad] == [{"n": n, "x": x, "y": "é"} for n, x in wide.items()]
    late = "SELECT '294276-12-31 00:00:00'::timestamp AS t"
    assert "select it as text" in neuron("copy", "--query", late, url, "out.ndjson", code=1).stderr


def test_the_types_that_a_plan_names(neuron, server, url):
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: "{url}", to: "sqlite:///t.db", table: t, incremental: {{ cursor: at }}, query: "SELECT * FROM planned" }}
""")
    run_sql(server, "DROP TABLE IF EXISTS planned; CREATE TABLE planned (id int, at timestamptz, n numeric(12,2)); "
                    "INSERT INTO planned SELECT i, now(), i FROM generate_series(1, 5000) i; ANALYZE planned")
    plan = json.loads(neuron("etl", "p", "--dry-run", "--json").stdout)
    assert plan["estimated_rows"] == 5000 and len(plan["first_rows"]) == 5
    assert any("no index begins with the cursor" in text for text in plan["warnings"])
    assert any("no default" in text for text in plan["warnings"])
    run_sql(server, "CREATE INDEX ON planned (at); ALTER TABLE planned ALTER at SET DEFAULT now()")
    assert json.loads(neuron("etl", "p", "--dry-run", "--json").stdout)["warnings"] == []


# ---- parameters ----

def query(neuron, url, text, params, code=0):
    lines = "".join(f"      {name}: {json.dumps(value)}\n" for name, value in params.items())
    neuron.write("neuron.yaml", f"""
pipelines:
  p:
    from: "{url}"
    to: out.ndjson
    query: |
      {text}
    params:
{lines or '      {}'}
""")
    done = neuron("etl", "p", code=code)
    return [json.loads(line) for line in neuron.read("out.ndjson").splitlines()] if code == 0 else done.stderr


def test_parameters_are_values_never_sql(neuron, url):
    evil = "'; DROP TABLE x; -- \\' é"
    rows = query(neuron, url, "SELECT :evil AS evil, :n + 1 AS n, 5 - :n AS m, :half * 2 AS half, :yes AS yes, "
                 "'2024-01-02'::date > :day AS later;",
                 {"evil": evil, "n": -7, "half": 0.5, "yes": True, "day": "2024-01-01"})
    assert rows == [{"evil": evil, "n": -6, "m": 12, "half": 1.0, "yes": True, "later": True}]


def test_colons_that_are_no_parameters(neuron, url):
    rows = query(neuron, url, """SELECT ':a' AS a, ':b'::text AS b, "c:d".":e" AS e, (ARRAY[1,2,3])[1:2] AS f, /* :g */ $$$$:h$$$$ AS h,
      E'\\':i' AS i, $t$ $$ :j $t$ AS j, to_char(now(), 'HH24\\:MI') <> '' AS k, -- :l
      (ARRAY[1,2,3])[one:2] AS s
      FROM (SELECT 1 AS ":e", 1 AS one) AS "c:d" """, {})
    assert rows == [{"a": ":a", "b": ":b", "e": 1, "f": [1, 2], "h": ":h", "i": "':i", "j": " $ :j ", "k": True,
                     "s": [1, 2]}]
    assert ":missing has no value" in query(neuron, url, "SELECT :missing AS a", {}, code=2)


# ---- cursors ----

PIPELINE = """
pipelines:
  p:
    from: "%s"
    to: sqlite:///target.db
    table: t
    query: SELECT * FROM events
    incremental: { cursor: %s }
    mode: %s
    %s
"""


@pytest.mark.parametrize("cursor, mode, key", [("id", "upsert", "key: [id]"), ("at", "upsert", "key: [id]"),
                                               ("id", "append", ""), ("at", "append", "")])
def test_a_row_that_commits_late_is_not_lost(neuron, server, url, cursor, mode, key):
    neuron.write("neuron.yaml", PIPELINE % (url, cursor, mode, key))
    run_sql(server, "DROP TABLE IF EXISTS events; CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, "
                    "v int, at timestamptz DEFAULT now()); INSERT INTO events (v) SELECT generate_series(1, 10)")
    assert neuron.result("etl", "p")["inserted"] == 10
    late = Session(server)
    late("BEGIN; INSERT INTO events (v) VALUES (11);")
    run_sql(server, "INSERT INTO events (v) VALUES (12)")
    held = neuron.result("etl", "p")
    assert held["inserted"] == (1 if mode == "upsert" else 0)
    late("COMMIT;")
    late.close()
    result = neuron.result("etl", "p")
    assert result["inserted"] + held["inserted"] == 2
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        assert db.execute("SELECT v FROM t ORDER BY v").fetchall() == [(v,) for v in range(1, 13)]
    assert neuron.result("etl", "p")["records_extracted"] == 0


# How many of the transactions are slow, how long they take, and how long the pipeline waits between its runs.
LATE_MIXES = [(0.3, 0.8, 0.05), (0.05, 0.8, 0.05), (0.01, 2.5, 0.5)]
LATE_SECONDS = 60 if SOAK else 4
LATE_FORMS = [("id", "append", ""), ("at", "append", ""), ("id", "upsert", "key: [id]"), ("at", "upsert", "key: [id]")]


@pytest.mark.parametrize("mix, form", [(mix, form) for mix in LATE_MIXES for form in LATE_FORMS] if SOAK else [
    (LATE_MIXES[0], LATE_FORMS[0]), (LATE_MIXES[2], LATE_FORMS[1]), (LATE_MIXES[1], LATE_FORMS[3])])
def test_writers_with_slow_transactions_lose_nothing(neuron, server, url, mix, form):
    """12 writers, late commits all the time, some later than a run waits, while the pipeline runs again and again."""
    (slow, seconds, poll), (cursor, mode, key) = mix, form
    neuron.write("neuron.yaml", PIPELINE % (url, cursor, mode, key))
    run_sql(server, "DROP TABLE IF EXISTS events; CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY, "
                    "w int, at timestamptz DEFAULT now()); CREATE INDEX ON events (id); CREATE INDEX ON events (at)")
    stop = time.monotonic() + LATE_SECONDS

    def write(number):
        session, chance = Session(server), random.Random(number)
        while time.monotonic() < stop:
            session(f"BEGIN; INSERT INTO events (w) VALUES ({number});")
            session(f"SELECT pg_sleep({chance.uniform(0, seconds) if chance.random() < slow else 0.005});")
            # A changed row takes a new time, and keeps its id: only the cursor over times sees it.
            if cursor == "at" and mode == "upsert":
                session(f"UPDATE events SET w = w + 1, at = now() WHERE id = (SELECT max(id) - {number * 3 + 5}"
                        " FROM events);")
            session(f"SAVEPOINT s; INSERT INTO events (w) VALUES ({number});")
            end = chance.random()
            session("ROLLBACK;" if end < 0.05 else "ROLLBACK TO s; COMMIT;" if end < 0.15 else "COMMIT;")
        session.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for writer in writers:
        writer.start()
    runs = 0
    while time.monotonic() < stop:
        neuron.result("etl", "p")
        runs += 1
        time.sleep(poll)
    for writer in writers:
        writer.join()
    neuron.result("etl", "p")
    want = sorted(tuple(map(int, line.split("|"))) for line in run_sql(server, "SELECT id, w FROM events").splitlines())
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        got = db.execute("SELECT id, w FROM t ORDER BY id").fetchall()
    print(f"{cursor} {mode} {slow:.0%} slow: {len(want)} rows, {runs} runs")
    assert got == want, set(want) ^ set(got)
    assert runs >= 1 and len(want) > 50


def test_cursors_of_other_types(neuron, server, url):
    run_sql(server, "DROP TABLE IF EXISTS events; CREATE TABLE events (id int, d date, n numeric(20,3), u uuid, "
                    "name text, f float8, ts timestamp, b bool)")
    add = ("INSERT INTO events SELECT i, '2024-01-01'::date + i, i + 0.125, lpad(i::text, 32, '0')::uuid, "
           "'name' || lpad(i::text, 3, '0'), i / 8.0, '2024-01-01'::timestamp + i * interval '1.000001 s', true "
           "FROM generate_series(%d, %d) i")
    for cursor, mark in [("d", "2024-01-11"), ("n", "10.125"), ("u", "00000000-0000-0000-0000-000000000010"),
                         ("name", "name010"), ("f", "1.25"), ("ts", "2024-01-01 00:00:10.00001"), ("id", "10")]:
        neuron.write("neuron.yaml", PIPELINE % (url, cursor, "upsert", "key: [id]"))
        run_sql(server, "TRUNCATE events; " + add % (1, 10))
        if os.path.exists(os.path.join(neuron.folder, "target.db")):
            os.remove(os.path.join(neuron.folder, "target.db"))
        result = neuron.result("etl", "p")
        assert (result["inserted"], result["watermark"]) == (10, mark), cursor
        run_sql(server, add % (11, 12))
        assert neuron.result("etl", "p")["inserted"] == 2, cursor
    neuron.write("neuron.yaml", PIPELINE % (url, "b", "upsert", "key: [id]"))
    assert "doesn't grow" in neuron("etl", "p", code=2).stderr
    neuron.write("neuron.yaml", PIPELINE % (url, "ts, start: many", "upsert", "key: [id]"))
    assert "is \"many\" a value of the cursor \"ts\"" in neuron("etl", "p", "--full-refresh", code=1).stderr
    neuron.write("neuron.yaml", PIPELINE % (url, "nam", "upsert", "key: [id]"))
    assert "did you mean \"name\"" in neuron("etl", "p", code=2).stderr


def test_since_limit_and_full_refresh(neuron, server, url):
    neuron.write("neuron.yaml", PIPELINE % (url, "id", "upsert", "key: [id]"))
    run_sql(server, "DROP TABLE IF EXISTS events; CREATE TABLE events AS SELECT i::bigint AS id FROM "
                    "generate_series(1, 20) i")
    limited = neuron.result("etl", "p", "--limit", "5")
    assert limited["records_extracted"] == 5 and limited["watermark"] is None
    assert neuron.result("etl", "p")["watermark"] == "20"
    assert neuron.result("etl", "p", "--since", "18")["records_extracted"] == 3
    assert neuron.result("etl", "p", "--full-refresh")["unchanged"] == 20
    assert neuron.result("etl", "p")["message"] == "No new data to process"


# ---- parallel ----

def test_parallel_readers_see_one_snapshot(neuron, server, url):
    run_sql(server, "DROP TABLE IF EXISTS big; CREATE TABLE big AS SELECT i AS id, repeat('x', 100) AS pad FROM "
                    "generate_series(1, 100000) i; DELETE FROM big WHERE id % 10 = 3; "
                    "DROP TABLE IF EXISTS parted; CREATE TABLE parted (id int, pad text) PARTITION BY HASH (id); "
                    "CREATE TABLE parted0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
                    "CREATE TABLE parted1 (pad text, id int); ALTER TABLE parted ATTACH PARTITION parted1 "
                    "FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO parted SELECT * FROM big; "
                    "DROP VIEW IF EXISTS seen; CREATE VIEW seen AS SELECT * FROM big")
    stop = threading.Event()
    total = (90000, sum(i for i in range(1, 100001) if i % 10 != 3))

    def move():
        """Total stays the same at every moment, but rows move to other pages."""
        session = Session(server)
        while not stop.is_set():
            session("UPDATE big SET pad = pad WHERE id % 100 = 7;")
        session.close()

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for table in ("big", "parted", "seen"):
            for parallel in (1, 3):
                neuron.write("neuron.yaml", f"""
pipelines:
  p:
    from: "{url}"
    from_table: {table}
    to: "sqlite:///{table}{parallel}.db"
    parallel: {parallel}
    {"incremental: { cursor: id }" if table == "parted" else ""}
""")
                result = neuron.result("etl", "p")
                assert result["inserted"] == 90000, (table, parallel)
                assert result["watermark"] == ("100000" if table == "parted" else None)
                with sqlite3.connect(os.path.join(neuron.folder, f"{table}{parallel}.db")) as db:
                    assert db.execute(f"SELECT count(DISTINCT id), sum(id) FROM {table}").fetchone() == total
    finally:
        stop.set()
        mover.join()


# ---- what goes wrong ----

@pytest.mark.parametrize("change, sql, code, what", [
    (("5432", "1"), "SELECT 1 AS a", 3, "refused"),
    (("/postgres", "/nodb"), "SELECT 1 AS a", 1, '"nodb" does not exist'),
    (("postgres@", "nobody@"), "SELECT 1 AS a", 1, 'role "nobody" does not exist'),
    (("", ""), "SELECT * FROM no_such_table", 1, "no_such_table"),
    (("", ""), "SELECT no_such_column FROM pg_class", 1, "no_such_column"),
    (("", ""), "SELECT 1 AS a, 2 AS a", 2, "two columns named \"a\""),
    (("", ""), "SELEC 1", 1, "syntax error"),
    (("", ""), "DELETE FROM pg_class", 2, "no columns"),
    (("", ""), "SELECT nextval('seq')", 1, "read-only transaction"),
    (("", ""), "SELECT 1 / (n - 5000) AS a FROM generate_series(1, 10000) n", 1, "division by zero"),
    (("/postgres", "/postgres?foo=1"), "SELECT 1 AS a", 2, "foo"),
    (("postgres@", "postgres:p@ss@"), "SELECT 1 AS a", 2, "%40"),
])
def test_mistakes_are_said(neuron, server, url, change, sql, code, what):
    run_sql(server, "CREATE SEQUENCE IF NOT EXISTS seq")
    what_changes = str(server.port) if change[0] == "5432" else change[0]
    location = change[1].join(url.rsplit(what_changes, 1)) if what_changes else url
    error = neuron("copy", "--query", sql, location, "out.ndjson", code=code).stderr
    assert what in error and "p@ss" not in error


def test_a_wrong_password_and_a_missing_permission(neuron, server, url):
    run_sql(server, "DROP TABLE IF EXISTS secret; CREATE TABLE secret (id int); DROP ROLE IF EXISTS reader; "
                    "CREATE ROLE reader LOGIN PASSWORD 'right'")
    with open(os.path.join(server.data, "pg_hba.conf"), encoding="utf-8") as file:
        rules = file.read()
    with open(os.path.join(server.data, "pg_hba.conf"), "w", encoding="utf-8") as file:
        file.write("host all reader 127.0.0.1/32 scram-sha-256\n" + rules)
    run_sql(server, "SELECT pg_reload_conf()")
    reader = url.replace("postgres@", "reader:%s@")
    wait_for(lambda: subprocess.run([PROGRAM, "copy", "--query", "SELECT 1 AS a", reader % "wrong", "-#ndjson"],
                                    capture_output=True, check=False).returncode == 1)
    error = neuron("copy", "--query", "SELECT 1 AS a", reader % "wrong", "out.ndjson", code=1).stderr
    assert "password authentication failed" in error and "wrong" not in error.replace("wrong password", "")
    error = neuron("copy", "--query", "SELECT 1 AS a", url.replace("postgres@", "reader@"), "out.ndjson", code=1).stderr
    assert "password" in error
    assert neuron("copy", "--query", "SELECT 1 AS a", reader % "right", "-#ndjson").stdout == '{"a":1}\n'
    error = neuron("copy", "--from-table", "secret", reader % "right", "out.ndjson", code=1).stderr
    assert "permission denied" in error and "GRANT" in error


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it doesn't happen"
        time.sleep(0.02)


def test_a_connection_that_is_cut_while_reading(neuron, server, url):
    slow = "SELECT n, pg_sleep(0.0005)::text AS s FROM generate_series(1, 1000000) n"
    run = subprocess.Popen([PROGRAM, "copy", "--query", slow, url, "out.ndjson"], cwd=neuron.folder,
                           stderr=subprocess.PIPE, text=True)
    kill = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%' "
            "AND pid <> pg_backend_pid()")
    wait_for(lambda: run_sql(server, kill) != "0")
    _, error = run.communicate(timeout=60)
    assert run.returncode == 3 and "terminating connection" in error
    assert not os.path.exists(os.path.join(neuron.folder, "out.ndjson"))
    # With retries the same run goes on, and no row comes twice.
    neuron.write("neuron.yaml", f"""
pipelines:
  p:
    from: "{url}"
    to: sqlite:///t.db
    table: t
    query: SELECT n, pg_sleep(0.0005)::text AS s FROM generate_series(1, 4000) n
    retry: {{ attempts: 3, wait: 10ms }}
""")
    run = subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: run_sql(server, kill) != "0")
    result = json.loads(run.communicate(timeout=60)[0])
    assert (result["status"], result["attempts"], result["inserted"]) == ("success", 2, 4000)


def test_sigterm_ends_a_query_that_gives_nothing(neuron, server, url):
    run = subprocess.Popen([PROGRAM, "copy", "--query", "SELECT pg_sleep(300)::text AS s", url, "out.ndjson"],
                           cwd=neuron.folder, stderr=subprocess.PIPE, text=True)
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep(300)%' AND pid <> pg_backend_pid()"
    wait_for(lambda: run_sql(server, asleep) != "0")
    run.terminate()
    run.communicate(timeout=20)
    assert run.returncode == 143
    wait_for(lambda: run_sql(server, asleep.replace("WHERE", "WHERE state = 'active' AND")) == "0")
