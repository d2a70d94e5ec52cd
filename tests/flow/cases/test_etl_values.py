"""Values, names, types and keys on their way from one database to another (cases K3, K4c and K6d)."""

import os
import sqlite3
import threading

import pytest
from postgres import Database


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def zone_url(db, zone):
    return f"{db.url}?options=-ctimezone%3D{zone.replace('/', '%2F')}"


# ---- K3d: the session's time zone ----

@pytest.mark.parametrize("by", ["url", "PGTZ", "role", "database"])
def test_k3d_a_time_without_a_zone_counts_in_the_sessions(neuron, db, by):
    db("CREATE TABLE z(id int, t timestamptz, d timestamptz)")
    neuron.write("ts.csv", "id,t,d\n1,2024-07-01 12:00:00,2024-07-01\n")
    url = zone_url(db, "America/New_York") if by == "url" else db.url
    if by == "database":
        db(f"ALTER DATABASE {db.name} SET timezone = 'America/New_York'")
    if by == "role":
        db("CREATE ROLE zoned SUPERUSER LOGIN; ALTER ROLE zoned SET timezone = 'America/New_York'")
        url = url.replace("postgres@", "zoned@")
    env = {"PGTZ": "America/New_York"} if by == "PGTZ" else {}
    plan = neuron("copy", "ts.csv", url, "--table", "z", "--dry-run", "--json", env=env).stdout
    assert "a time without zone is taken as one of America/New_York" in plan
    neuron("copy", "ts.csv", url, "--table", "z", env=env)
    if by == "role":
        db("DROP ROLE zoned")
    assert db("SELECT t AT TIME ZONE 'UTC', d AT TIME ZONE 'UTC' FROM z") == "2024-07-01 16:00:00|2024-07-01 04:00:00"


def test_k3d_a_moment_becomes_the_sessions_time(neuron, db):
    db("CREATE TABLE z(id int, t timestamp)")
    neuron.write("ts.csv", "id,t\n1,2024-07-01 16:00:00Z\n2,2024-01-01 12:00:00Z\n")
    neuron("copy", "ts.csv", zone_url(db, "America/New_York"), "--table", "z")
    assert db("SELECT id, t FROM z ORDER BY id") == "1|2024-07-01 12:00:00\n2|2024-01-01 07:00:00"


def test_k3d_a_moment_stays_one(neuron, db):
    db("CREATE TABLE z(id int, t timestamptz)")
    neuron.write("ts.csv", "id,t\n1,2024-07-01 16:00:00Z\n")
    neuron("copy", "ts.csv", zone_url(db, "America/New_York"), "--table", "z")
    assert db("SELECT t AT TIME ZONE 'UTC' FROM z") == "2024-07-01 16:00:00"


# ---- K4c: the target says what is one key ----

KEYS = {
    "citext": "citext",
    "collation": "text COLLATE folded",
    "domain": "folding",
}


@pytest.mark.parametrize("kind", KEYS)
def test_k4c_the_last_of_two_spellings_of_a_key_wins(neuron, db, kind):
    db("CREATE EXTENSION citext; CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
       "CREATE DOMAIN folding AS citext")
    db(f"CREATE TABLE ct(email {KEYS[kind]} PRIMARY KEY, v int); INSERT INTO ct VALUES ('a@x', 0)")
    neuron.write("ct.csv", "email,v\nA@x,1\na@X,2\n")
    result = neuron.result("copy", "ct.csv", db.url, "--table", "ct", "--mode", "upsert", "--key", "email")
    assert db("SELECT v FROM ct") == "2"
    assert result["updated"] == 1 and result["records_dropped"] == {"superseded": 1}


def test_k4c_the_scale_of_a_number_makes_no_other_key(neuron, db):
    db("CREATE TABLE nu(n numeric PRIMARY KEY, v int)")
    neuron.write("nu.csv", "n,v\n1.0,1\n1.00,2\n")
    result = neuron.result("copy", "nu.csv", db.url, "--table", "nu", "--mode", "upsert", "--key", "n")
    assert db("SELECT v FROM nu") == "2" and result["records_dropped"] == {"superseded": 1}


def test_k4c_sqlites_collation_decides(neuron):
    with sqlite3.connect(os.path.join(neuron.folder, "k.db")) as target:
        target.execute("CREATE TABLE ct(email TEXT COLLATE NOCASE PRIMARY KEY, v)")
        target.execute("INSERT INTO ct VALUES ('a@x', 0)")
    neuron.write("ct.csv", "email,v\nA@x,1\na@X,2\n")
    result = neuron.result("copy", "ct.csv", "sqlite:///k.db", "--table", "ct", "--mode", "upsert", "--key", "email")
    assert result["updated"] == 1 and result["records_dropped"] == {"superseded": 1}
    with sqlite3.connect(os.path.join(neuron.folder, "k.db")) as target:
        assert target.execute("SELECT v FROM ct").fetchall() == [(2,)]


# ---- K6d: a lock is waited for ----

def test_k6d_a_locked_target_is_waited_for(neuron):
    holder = sqlite3.connect(os.path.join(neuron.folder, "lk.db"), isolation_level=None, check_same_thread=False)
    holder.execute("CREATE TABLE t(id, v)")
    holder.execute("BEGIN IMMEDIATE")
    neuron.write("i.csv", "id,v\n1,a\n")
    release = threading.Timer(1, holder.execute, ["COMMIT"])
    release.start()
    result = neuron.result("copy", "i.csv", "sqlite:///lk.db", "--table", "t", "--mode", "append")
    release.join()
    assert result["records_loaded"] == 1
    assert holder.execute("SELECT count(*) FROM t").fetchone() == (1,)
    holder.close()


# ---- K3e: a created table has the source's own types ----

TYPES = {
    "v": "character varying(3)", "n": "integer", "c": "character(4)", "s": "smallint", "f": "double precision", "m": "numeric(7,2)",
    "tm": "time(3) without time zone", "b": "bit(3)", "i": "interval day", "a": "integer[]", "e": "mood", "p": "positive",
    "d": "pt", "tz": "timestamp(0) with time zone", "big": "numeric(60,10)", "q": '"Odd"', "ip": "inet",
}
VALUES = """'abc', 7, 'ab', 1, 1.5, 1.25, '10:00', '101', '1 day', '{1,2}', 'ok', 1, (1, 'x'), '2024-01-01Z', 1e40, 'a',
            '10.0.0.1'"""
MADE = """CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE "Odd" AS ENUM ('a'); CREATE TYPE pt AS (x int, y text);
          CREATE DOMAIN positive AS int CHECK (value > 0);"""


@pytest.fixture
def pair(server, request):
    name = request.node.name
    return Database(server, name + "_s"), Database(server, name + "_d")


def columns(db, table="t"):
    return dict(line.split("|", 1) for line in db(
        f"""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '{table}'::regclass
            AND attnum > 0 ORDER BY attnum""").splitlines())


def test_k3e_a_created_table_has_the_types_of_its_source(neuron, pair):
    source, target = pair
    source(f"""{MADE} CREATE TABLE t (id serial PRIMARY KEY, {", ".join(f"{name} {kind}" for name, kind in TYPES.items())});
               ALTER TABLE t ALTER v SET NOT NULL; INSERT INTO t VALUES (1, {VALUES})""")
    target(MADE)
    neuron("copy", source.url, target.url, "--from-table", "t", "--table", "t")
    assert columns(target) == {"id": "integer", **TYPES}
    assert target("SELECT t FROM t") == source("SELECT t FROM t")
    assert target("SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
                  " AND attnotnull") == "id,v"


def test_k3e_the_plan_names_a_type_that_the_target_lacks(neuron, pair):
    source, target = pair
    source("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int, e mood); INSERT INTO t VALUES (1, 'ok')")
    plan = neuron("copy", source.url, target.url, "--from-table", "t", "--table", "t", "--dry-run", "--json").stdout
    assert "e: text -> text (the source's type is mood)" in plan
    neuron("copy", source.url, target.url, "--from-table", "t", "--table", "t")
    assert columns(target) == {"id": "integer", "e": "text"}


def test_k3e_an_added_column_has_the_sources_type_and_takes_nulls(neuron, pair):
    source, target = pair
    source("CREATE TABLE t (id int PRIMARY KEY, v varchar(3) NOT NULL); INSERT INTO t VALUES (1, 'a')")
    target("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)")
    neuron("copy", source.url, target.url, "--from-table", "t", "--table", "t", "--mode", "upsert", "--key", "id")
    assert columns(target) == {"id": "integer", "v": "character varying(3)"}
    assert target("SELECT id, v FROM t ORDER BY id") == "1|a\n7|"


def test_k3e_a_computed_column_has_our_type(neuron, pair):
    source, target = pair
    source("CREATE TABLE t (id int, n int2); INSERT INTO t VALUES (1, 2)")
    neuron("copy", source.url, target.url, "--from-table", "t", "--table", "t", "--select", "id, n + 1 AS n")
    assert columns(target) == {"id": "integer", "n": "bigint"}
