"""Values, names and types that changed on their way (K3 of the cases for pipelines): files and SQLite as source."""

import json
import sqlite3

import pytest

from postgres import Database


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


@pytest.mark.parametrize("select", [[], ["--select", "*"], ["--select", "id, v"]], ids=["as it is", "star", "named"])
@pytest.mark.parametrize("kind", ["jsonb", "json"])
def test_k3a_a_text_of_json_stays_a_string_whatever_its_neighbours_are(neuron, db, select, kind):
    texts = ["123", "null", "true", '{"a":1}', "plain", '"quoted"', ""]
    db(f"CREATE TABLE alone(id int, v {kind}); CREATE TABLE mixed(id int, v {kind})")
    rows = [{"id": i, "v": text} for i, text in enumerate(texts)]
    neuron.write("alone.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    neuron.write("mixed.ndjson", "".join(json.dumps(row) + "\n" for row in [*rows, {"id": 99, "v": {"b": 5}}]))
    for name in ("alone", "mixed"):
        neuron("copy", f"{name}.ndjson", db.url, "--table", name, *select)
        got = json.loads(db(f"SELECT json_agg(v ORDER BY id) FROM {name} WHERE id < 99"))
        assert got == texts


def test_k3a_strings_that_are_documents_by_choice(neuron, db):
    db("CREATE TABLE t(id int, v jsonb)")
    neuron.write("in.ndjson", '{"id":1,"v":"{\\"a\\":1}"}\n')
    neuron("copy", "in.ndjson#strings=text", db.url, "--table", "t")
    assert db("SELECT v->>'a' FROM t") == "1"
    assert "strings is" in neuron("copy", "in.ndjson#strings=yes", db.url, "--table", "t", code=2).stderr


def test_k3a_text_of_a_csv_is_a_document_also_when_it_is_replayed(neuron, db):
    db("CREATE TABLE t(id int CHECK (id > 0), v jsonb)")
    neuron.write("in.csv", 'id,v\n-2,"{""a"":1}"\n1,"{""a"":2}"\n')
    neuron.write("neuron.yaml", json.dumps({"pipelines": {"p": {
        "from": "in.csv", "to": db.url, "table": "t", "mode": "append", "rejects": "bad.ndjson"}}}))
    neuron("etl", "p")
    neuron("rejects", "p", "--replay", "--fix", "* REPLACE (-id AS id)")
    assert db("SELECT string_agg(v->>'a', ',' ORDER BY id) FROM t") == "2,1"


@pytest.mark.parametrize("header", ["ID,Name", "id,NAME", "id, name", "Id,name"], ids=["both", "one", "blank", "first"])
@pytest.mark.parametrize("columns", ["id int, name text", "id int NOT NULL, name text"], ids=["null", "not null"])
def test_k3b_a_name_that_differs_by_case_or_blanks_is_refused(neuron, db, header, columns):
    db(f"CREATE TABLE cs({columns})")
    neuron.write("case.csv", header + "\n2,x\n")
    said = neuron("copy", "case.csv", db.url, "--table", "cs", code=1).stderr
    assert 'table "cs" has no column' in said and "but one named" in said and "--select" in said
    first, second = header.split(",")
    neuron("copy", "case.csv", db.url, "--table", "cs", "--select", f'"{first}" AS id, "{second}" AS name')
    assert db.rows("SELECT * FROM cs") == [{"id": 2, "name": "x"}]


def test_k3b_sqlite_knows_no_case_but_blanks(neuron):
    with sqlite3.connect(neuron.folder + "/t.db") as file:
        file.execute("CREATE TABLE cs(id int, name text)")
    neuron.write("case.csv", "ID,Name\n2,x\n")
    neuron("copy", "case.csv", "sqlite:///t.db", "--table", "cs")
    neuron.write("case.csv", "id, name\n2,x\n")
    assert "but one named" in neuron("copy", "case.csv", "sqlite:///t.db", "--table", "cs", code=1).stderr
    with sqlite3.connect(neuron.folder + "/t.db") as file:
        assert file.execute("SELECT * FROM cs").fetchall() == [(2, "x")]


def test_k3c_a_name_that_the_server_would_cut_is_refused_at_once(neuron, db):
    for size, code in ((63, 0), (64, 1)):
        neuron.write("l.csv", "id," + "a" * size + "\n1,2\n")
        for _ in range(2):
            said = neuron("copy", "l.csv", db.url, "--table", f"l{size}", "--key", "id", "--mode", "upsert", code=code)
            assert code == 0 or "has 64 bytes, PostgreSQL's at most 63" in said.stderr
    assert db.rows("SELECT * FROM l63") == [{"id": 1, "a" * 63: 2}]


def test_k3f_results_of_sqlite_expressions_get_the_type_of_what_they_hold(neuron, db):
    with sqlite3.connect(neuron.folder + "/a.db") as file:
        file.execute("CREATE TABLE t(id integer, name text, d datetime, u)")
        file.execute("INSERT INTO t VALUES (1,'x','2024-01-01 10:00:00',1.5), (2,'y','2024-01-02 10:00:00','z')")
    query = ("select count(*) n, upper(name) u, date(d) day, avg(id) a, null e, u mixed, zeroblob(2) b, 'x' || :p p"
             " from t group by id -- each")
    neuron.write("neuron.yaml", json.dumps({"pipelines": {"q": {
        "from": "sqlite:///a.db", "query": query, "params": {"p": "y"}, "to": db.url, "table": "q", "mode": "append"}}}))
    neuron("etl", "q")
    assert db("SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns"
              " WHERE table_name = 'q'") == "bigint,text,text,double precision,text,text,bytea,text"
    assert db.rows("SELECT * FROM q ORDER BY a")[1] == {
        "n": 1, "u": "Y", "day": "2024-01-02", "a": 2, "e": None, "mixed": "z", "b": "\\x0000", "p": "xy"}


def test_k3f_a_sqlite_target_declares_no_type_either(neuron):
    with sqlite3.connect(neuron.folder + "/a.db") as file:
        file.execute("CREATE TABLE t(v)")
        file.executemany("INSERT INTO t VALUES (?)", [("007",), ("1",)])
    neuron("copy", "sqlite:///a.db", "sqlite:///b.db", "--from-table", "t", "--table", "t")
    with sqlite3.connect(neuron.folder + "/b.db") as file:
        assert file.execute("SELECT v FROM t ORDER BY v").fetchall() == [("007",), ("1",)]
