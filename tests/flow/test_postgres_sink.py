"""Into PostgreSQL: modes, counts, types, rejects, fences and errors, against a server of the test's own."""

import json
import re


import pytest

from postgres import Postgres


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    yield postgres
    postgres.close()


class Database:
    """A database of the test's own."""

    def __init__(self, server, name):
        self.server, self.name = server, name
        out, err = server.psql(f"CREATE DATABASE {name}")
        assert not err, err
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/{name}"

    def __call__(self, sql):
        out, err = self.server.psql(sql, "-d", self.name)
        assert not err.strip() or "NOTICE" in err, err
        return out.strip()

    def rows(self, sql):
        text = self(f"SELECT coalesce(json_agg(r), '[]') FROM ({sql}) AS r")
        return json.loads(text)


@pytest.fixture
def db(server, request):

    return Database(server, re.sub(r"\W+", "_", request.node.name.lower())[:50].strip("_"))


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
