"""Into tables: the counts are what the target holds, and a row that the target refuses costs that row alone."""

import json
import os
import random
import resource
import sqlite3

import pytest
from postgres import Database

LITE = "sqlite:///t.db"


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def lite(neuron, sql):
    db = sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None, timeout=20)
    db.executescript("PRAGMA journal_mode=WAL;" + sql)
    return db


def copy(neuron, url, mode="append", key="", rows="1,a\n2,b\n3,c\n", code=0):
    neuron.write("in.csv", "id,v\n" + rows)
    keys = ["--key", key] if key else []
    return json.loads(neuron("copy", "in.csv", url, "--table", "t", "--mode", mode, *keys, "--json", code=code).stdout)


def adds_up(result):
    assert result["records_extracted"] == (result["records_loaded"] + result["records_rejected"]
                                           + sum(result["records_dropped"].values())), result
    assert result["records_loaded"] == result["inserted"] + result["updated"] + result["unchanged"], result
    return result["inserted"], result["updated"], result["unchanged"], result["records_dropped"]


def discarded(rows):
    return {"discarded": rows}


MODES = [("append", ""), ("upsert", "id"), ("mirror", "id"), ("replace", "")]

# ---- PostgreSQL: rows that the target keeps out ----

SKIP = """CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;"""
KEPT_OUT = {
    "trigger": "CREATE TABLE t (id bigint PRIMARY KEY, v text);" + SKIP
               + "CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION skip()",
    "trigger of a partition": "CREATE TABLE t (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id);" + SKIP
                              + "CREATE TABLE p PARTITION OF t FOR VALUES FROM (0) TO (99);"
                                "CREATE TRIGGER skip BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION skip()",
    "rule": "CREATE TABLE t (id bigint PRIMARY KEY, v text);"
            "CREATE RULE skip AS ON INSERT TO t WHERE new.id = 2 DO INSTEAD NOTHING",
    "view": "CREATE TABLE base (id bigint PRIMARY KEY, v text); CREATE VIEW t AS SELECT * FROM base;"
            "CREATE FUNCTION put() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF;"
            " INSERT INTO base VALUES (NEW.id, NEW.v); RETURN NEW; END $$;"
            "CREATE TRIGGER put INSTEAD OF INSERT ON t FOR EACH ROW EXECUTE FUNCTION put()",
}


@pytest.mark.parametrize("mode, key", MODES)
@pytest.mark.parametrize("what", KEPT_OUT)
def test_rows_that_postgresql_keeps_out_are_no_rows_loaded(neuron, db, what, mode, key):
    db(KEPT_OUT[what])
    if mode == "replace" and what == "view":
        return  # nothing deletes from it
    assert adds_up(copy(neuron, db.url, mode, key)) == (2, 0, 0, discarded(1))
    assert db("SELECT string_agg(id::text, ' ' ORDER BY id) FROM t") == "1 3"


def test_a_rule_that_keeps_all_out(neuron, db):
    db("CREATE TABLE t (id bigint, v text); CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING")
    assert adds_up(copy(neuron, db.url)) == (0, 0, 0, discarded(3))


@pytest.mark.parametrize("mode", ["upsert", "mirror"])
def test_updates_that_postgresql_keeps_out(neuron, db, mode):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'old'), (3, 'old');" + SKIP
       + "CREATE TRIGGER skip BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION skip()")
    assert adds_up(copy(neuron, db.url, mode, "id")) == (0, 1, 1, discarded(1))
    assert db("SELECT string_agg(v, ' ' ORDER BY id) FROM t") == "a old c"


def test_updates_that_a_rule_keeps_out(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'old'), (3, 'old');"
       "CREATE RULE skip AS ON UPDATE TO t WHERE new.id = 2 DO INSTEAD NOTHING")
    assert adds_up(copy(neuron, db.url, "upsert", "id", "1,a\n2,b\n3,c\n4,d\n")) == (1, 1, 1, discarded(1))


def test_updates_that_row_security_hides(neuron, db):
    db("""CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'old'), (3, 'old');
          ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY s ON t FOR SELECT USING (true);
          CREATE POLICY u ON t FOR UPDATE USING (id <> 2); CREATE POLICY i ON t FOR INSERT WITH CHECK (true);
          CREATE ROLE counts_narrow LOGIN; GRANT ALL ON t TO counts_narrow; GRANT CREATE ON SCHEMA public TO PUBLIC""")
    url = db.url.replace("postgres@", "counts_narrow@")
    assert adds_up(copy(neuron, url, "upsert", "id")) == (0, 1, 1, discarded(1))


def test_a_replace_whose_rows_cannot_be_deleted(neuron, db):
    db("CREATE TABLE t (id bigint, v text); INSERT INTO t VALUES (9, 'stays');"
       "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
       "CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()")
    error = copy(neuron, db.url, "replace", code=1)["error"]
    assert "\"t\"" in error["what"] and "DELETE" in error["what"], error
    assert db("SELECT count(*) FROM t") == "1"


def test_a_replace_takes_no_rows_of_other_tables_along(neuron, db):
    db("""CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');
          CREATE TABLE child (id bigint REFERENCES t ON DELETE CASCADE); INSERT INTO child VALUES (1), (2)""")
    error = copy(neuron, db.url, "replace", code=2)["error"]
    assert "other tables refer" in error["what"] and "key" in error["hint"], error
    assert db("SELECT count(*) FROM child") == "2"


# ---- SQLite: rows that the target keeps out ----

LITE_KEPT_OUT = {
    "RAISE(IGNORE)": "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE TRIGGER skip BEFORE INSERT ON t WHEN new.id = 2"
                     " BEGIN SELECT RAISE(IGNORE); END",
    "ON CONFLICT IGNORE": "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'b') NOT NULL,"
                          " u TEXT DEFAULT 'x', w AS (CASE id WHEN 2 THEN 1 ELSE id END) UNIQUE ON CONFLICT IGNORE)",
    "view": "CREATE TABLE base (id INTEGER PRIMARY KEY, v TEXT); CREATE VIEW t AS SELECT * FROM base;"
            " CREATE TRIGGER put INSTEAD OF INSERT ON t WHEN new.id <> 2 BEGIN INSERT INTO base VALUES (new.id, new.v); END;"
            " CREATE TRIGGER set_ INSTEAD OF UPDATE ON t BEGIN UPDATE base SET v = new.v WHERE id = new.id; END;"
            " CREATE TRIGGER drop_ INSTEAD OF DELETE ON t BEGIN DELETE FROM base WHERE id = old.id; END",
}


@pytest.mark.parametrize("mode, key", MODES)
@pytest.mark.parametrize("what", LITE_KEPT_OUT)
def test_rows_that_sqlite_keeps_out_are_no_rows_loaded(neuron, what, mode, key):
    db = lite(neuron, LITE_KEPT_OUT[what].replace(" CHECK (v <> 'b')", ""))
    if mode == "replace" and what == "view":
        return  # nothing deletes from it
    assert adds_up(copy(neuron, LITE, mode, key)) == (2, 0, 0, discarded(1))
    assert db.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (3,)]


def test_updates_that_sqlite_keeps_out(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'old'), (3, 'old');"
                      " CREATE TRIGGER skip BEFORE UPDATE ON t WHEN new.id = 2 BEGIN SELECT RAISE(IGNORE); END")
    assert adds_up(copy(neuron, LITE, "upsert", "id")) == (0, 1, 1, discarded(1))
    assert db.execute("SELECT v FROM t ORDER BY id").fetchall() == [("a",), ("old",), ("c",)]


@pytest.mark.parametrize("clause", ["REPLACE", "FAIL", "ROLLBACK", "ABORT"])
def test_conflicts_are_refused_rows_whatever_the_table_says(neuron, clause):
    db = lite(neuron, f"CREATE TABLE t (id INTEGER, v TEXT UNIQUE ON CONFLICT {clause}); INSERT INTO t VALUES (0, 'b')")
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "{LITE}", table: t, mode: append, rejects: bad }}
  q: {{ from: in.csv, to: "{LITE}", table: t, mode: append }}
""")
    neuron.write("in.csv", "id,v\n1,a\n2,b\n3,c\n")
    neuron("etl", "q", code=1)
    assert db.execute("SELECT id FROM t").fetchall() == [(0,)]
    result = neuron.result("etl", "p")
    assert adds_up(result) == (2, 0, 0, {}) and result["records_rejected"] == 1
    assert db.execute("SELECT id FROM t").fetchall() == [(0,), (1,), (3,)]


def test_a_replace_in_sqlite_whose_rows_cannot_be_deleted(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER, v TEXT); INSERT INTO t VALUES (9, 'stays');"
                      " CREATE TRIGGER keep BEFORE DELETE ON t BEGIN SELECT RAISE(IGNORE); END")
    error = copy(neuron, LITE, "replace", code=1)["error"]
    assert "\"t\"" in error["what"] and "DELETE" in error["what"], error
    assert db.execute("SELECT count(*) FROM t").fetchone() == (1,)


# ---- keys that the target has more than once ----

def twice(neuron, url):
    neuron.write("neuron.yaml", f"""
pipelines:
  p: {{ from: in.csv, to: "{url}", table: t, mode: upsert, key: [id] }}
  q: {{ from: in.csv, to: "{url}", table: t, mode: upsert, key: [id], rejects: bad }}
""")
    neuron.write("in.csv", "id,v\n1,new\n2,b\n3,c\n")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert "more than one row" in error["what"] and "id" in error["what"], error
    result = neuron.result("etl", "q")
    assert adds_up(result) == (1, 1, 0, {}) and result["records_rejected"] == 1


def test_one_row_is_not_written_over_several_in_postgresql(neuron, db):
    db("CREATE TABLE t (id bigint, v text); INSERT INTO t VALUES (1, 'live'), (1, 'before'), (2, 'old')")
    twice(neuron, db.url)
    assert db("SELECT string_agg(id || v, ' ' ORDER BY id, v) FROM t") == "1before 1live 2b 3c"
    assert db("SELECT sqlstate, key FROM bad") == '21000|{"id": 1}'


def test_one_row_is_not_written_over_several_in_sqlite(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER, v TEXT); INSERT INTO t VALUES (1, 'live'), (1, 'before'), (2, 'old')")
    twice(neuron, LITE)
    assert db.execute("SELECT * FROM t ORDER BY id, v").fetchall() == [(1, "before"), (1, "live"), (2, "b"), (3, "c")]
    assert db.execute("SELECT sqlstate, key FROM bad").fetchall() == [("21000", '{"id":1}')]


# ---- streams ----

def stream(neuron, url, rows, extra=""):
    neuron.write("in.ndjson", "".join(json.dumps({"type": "a", **row}) + "\n" for row in rows))
    neuron.write("neuron.yaml", f"""
connections: {{ target: "{url}" }}
streams:
  s:
    from: {{ file: in.ndjson }}
    processors: {{ a: [ {{ select: "id::int AS id, v::text AS v" }} ] }}
    to: {{ connection: target, table: t, mode: append }}
    {extra}
""")
    result = neuron.result("stream", "s", "--drain")
    assert result["consumed"] == result["emitted"] + result["filtered"] + result["dead_lettered"] and result["ledger_gap"] == 0
    return result["emitted"], result["filtered"], result["dead_lettered"]


ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"}]


def test_a_stream_counts_what_postgresql_holds(neuron, db):
    db(KEPT_OUT["trigger"])
    assert stream(neuron, db.url, ROWS) == (2, 1, 0)


def test_a_stream_counts_what_sqlite_holds(neuron):
    lite(neuron, LITE_KEPT_OUT["RAISE(IGNORE)"])
    assert stream(neuron, LITE, ROWS) == (2, 1, 0)


# ---- which errors are a refused row ----

def raising(state):
    return ("CREATE TABLE t (id bigint, v text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.v = 'bad' THEN RAISE EXCEPTION 'closed period' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")


REFUSING = {
    "54000 index": ("CREATE TABLE t (id bigint, v text UNIQUE)", "54000"),
    "54000 tsvector": ("CREATE TABLE t (id bigint, v text,"
                       " w tsvector GENERATED ALWAYS AS (to_tsvector('simple', v)) STORED)", "54000"),
    "42501 row security": ("CREATE TABLE t (id bigint, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
                           "CREATE POLICY p ON t USING (true) WITH CHECK (v <> 'bad'); GRANT ALL ON t TO PUBLIC", "42501"),
    "MY001": (raising("MY001"), "MY001"),
    "55000": (raising("55000"), "55000"),
    "42501 raised": (raising("42501"), "42501"),
}


def bad_value(what):
    rng = random.Random(7)
    if what == "54000 index":
        return "".join(rng.choice("0123456789abcdef") for _ in range(12000))
    return " ".join(f"w{i:07d}" for i in range(100000)) if what == "54000 tsvector" else "bad"


@pytest.mark.parametrize("what", REFUSING)
def test_one_row_that_the_server_refuses_costs_that_row(neuron, db, server, what):
    ddl, state = REFUSING[what]
    db(ddl + "; GRANT CREATE ON SCHEMA public TO PUBLIC")
    server.psql("CREATE ROLE counts_other LOGIN")
    url = db.url.replace("postgres@", "counts_other@") if what == "42501 row security" else db.url
    neuron.write("neuron.yaml", f"""
connections: {{ target: "{url}" }}
pipelines:
  a: {{ from: in.ndjson, to: target, table: t, mode: append, rejects: bad.ndjson }}
  u: {{ from: in.ndjson, to: target, table: t, mode: upsert, key: [id], rejects: bad.ndjson }}
  q: {{ from: in.ndjson, to: target, table: t, mode: append }}
""")
    rows = [{"id": 1, "v": "a"}, {"id": 2, "v": bad_value(what)}, {"id": 3, "v": "c"}]
    neuron.write("in.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    neuron("etl", "q", code=1)
    for name in ("a", "u"):
        db("DELETE FROM t")
        result = neuron.result("etl", name)
        assert adds_up(result) == (2, 0, 0, {}) and result["records_rejected"] == 1
    assert [json.loads(line)["sqlstate"] for line in neuron.read("bad.ndjson").splitlines()] == [state] * 2
    db("DELETE FROM t; DROP TABLE neuron_loads")
    assert stream(neuron, url, rows, "dead_letter: { file: dead.ndjson }") == (2, 0, 1)


def test_what_refuses_every_row_is_the_error_of_the_run(neuron, db):
    db(raising("55000").replace("RAISE EXCEPTION 'closed period' USING ERRCODE = '55000'", "PERFORM currval('s')")
       .replace("NEW.v = 'bad'", "true") + "; CREATE SEQUENCE s")
    neuron.write("neuron.yaml", f"""
connections: {{ target: "{db.url}" }}
pipelines:
  p: {{ from: in.csv, to: target, table: t, mode: append, rejects: bad }}
  u: {{ from: in.csv, to: target, table: t, mode: upsert, key: [id], rejects: bad }}
""")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},x\n" for i in range(100)))
    for name in ("p", "u"):
        error = json.loads(neuron("etl", name, "--json", code=1).stdout)["error"]
        assert "currval" in error["what"] and "every row" in error["what"], error


def test_a_missing_right_is_no_refused_row(neuron, db, server):
    server.psql("CREATE ROLE counts_reader LOGIN")
    db("CREATE TABLE t (id bigint, v text); GRANT SELECT ON t TO counts_reader; GRANT CREATE ON SCHEMA public TO PUBLIC")
    neuron.write("neuron.yaml", f"""
connections: {{ target: "{db.url.replace("postgres@", "counts_reader@")}" }}
pipelines: {{ p: {{ from: in.csv, to: target, table: t, mode: append, rejects: bad.ndjson }} }}
""")
    neuron.write("in.csv", "id,v\n1,a\n")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert error["kind"] == "permission", error


def test_an_expression_that_fails_in_sqlite_costs_one_row(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER, v TEXT, w AS (json_extract(v, '$.a')) STORED)")
    neuron.write("neuron.yaml", f"""
pipelines:
  a: {{ from: in.ndjson, to: "{LITE}", table: t, mode: append, rejects: bad.ndjson }}
  u: {{ from: in.ndjson, to: "{LITE}", table: t, mode: upsert, key: [id], rejects: bad.ndjson }}
""")
    neuron.write("in.ndjson", '{"id": 1, "v": "{\\"a\\": 1}"}\n{"id": 2, "v": "{not json"}\n{"id": 3, "v": "{}"}\n')
    for name in ("a", "u"):
        db.execute("DELETE FROM t")
        result = neuron.result("etl", name)
        assert adds_up(result) == (2, 0, 0, {}) and result["records_rejected"] == 1


# ---- the table of refused rows ----

def test_refused_rows_that_their_table_does_not_keep_end_the_run(neuron, db):
    db("CREATE TABLE t (id bigint PRIMARY KEY, v text CHECK (v <> 'b'))")
    neuron.write("neuron.yaml", f"""
connections: {{ target: "{db.url}" }}
pipelines: {{ p: {{ from: in.csv, to: target, table: t, mode: append, rejects: bad }} }}
""")
    neuron.write("in.csv", "id,v\n1,a\n2,b\n3,c\n")
    neuron.result("etl", "p")
    db("TRUNCATE t; CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"
       "CREATE TRIGGER none BEFORE INSERT ON bad FOR EACH ROW EXECUTE FUNCTION nothing()")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert "\"bad\"" in error["what"] and "refused row" in error["what"], error
    assert db("SELECT count(*) FROM t") == "0"


def test_refused_rows_that_a_table_of_sqlite_does_not_keep(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'b'))")
    neuron.write("neuron.yaml", f"pipelines: {{ p: {{ from: in.csv, to: '{LITE}', table: t, mode: append, rejects: bad }} }}")
    neuron.write("in.csv", "id,v\n1,a\n2,b\n3,c\n")
    neuron.result("etl", "p")
    db.executescript("DELETE FROM t; CREATE TRIGGER none BEFORE INSERT ON bad BEGIN SELECT RAISE(IGNORE); END")
    error = json.loads(neuron("etl", "p", "--json", code=1).stdout)["error"]
    assert "\"bad\"" in error["what"] and "refused row" in error["what"], error
    assert db.execute("SELECT count(*) FROM t").fetchone() == (0,)


# ---- what many refused rows cost ----

def test_many_refused_rows_are_found_in_little_time(neuron):
    db = lite(neuron, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER CHECK (v > 0))")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{-i - 1}\n" for i in range(40_000)))
    neuron.write("neuron.yaml", f"pipelines: {{ p: {{ from: in.csv, to: '{LITE}', table: t, mode: upsert, key: [id], rejects: bad }} }}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert neuron.result("etl", "p")["records_rejected"] == 40_000
    assert db.execute("SELECT count(*) FROM bad").fetchone() == (40_000,)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert used < 4 or "asan" in os.environ.get("NEURON_PROGRAM", "") or "tsan" in os.environ.get("NEURON_PROGRAM", ""), used


def test_keys_that_stop_ascending_in_a_table_without_anything(neuron, db):
    db("CREATE TABLE t (id bigint, v text)")
    rows = "".join(f"{i},a\n" for i in range(300_000)) + "".join(f"{i},b\n" for i in range(290_000, 310_000))
    assert adds_up(copy(neuron, db.url, "upsert", "id", rows)) == (310_000, 0, 0, {"superseded": 10_000})
    assert db("SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE v = 'b') FROM t") == "310000|310000|20000"
