"""`neuron verify`: what differs between source and target is found, named and fixed."""

import json
import os
import sqlite3

import pytest

CONFIG = """
connections: {{ source: "sqlite:///source.db", target: "sqlite:///target.db" }}
pipelines:
  p:
    from: source
    query: "SELECT id, name, amount, at, odd FROM raw"
    steps:
      - where: amount > 0
      - select: "id, upper(name) AS name, amount::numeric AS amount, at::timestamptz AS at, odd AS \\"an \\"\\"odd\\"\\" one\\", now() AS loaded"
    to: target
    table: t
    mode: {mode}
    {key}
    ignore_for_change: [loaded]
"""


def db(neuron, name, *statements):
    with sqlite3.connect(os.path.join(neuron.folder, name)) as base:
        for statement in statements:
            base.execute(statement)


@pytest.fixture
def loaded(neuron):
    neuron.write("neuron.yaml", CONFIG.format(mode="upsert", key="key: [id]"))
    db(neuron, "source.db", "CREATE TABLE raw(id INTEGER PRIMARY KEY, name TEXT, amount REAL, at TEXT, odd)")
    with sqlite3.connect(os.path.join(neuron.folder, "source.db")) as base:
        base.executemany("INSERT INTO raw VALUES (?, ?, ?, '2024-01-01 00:00:00Z', ?)",
                         [(i, f"n{i}", i * 1.25 - 5, (None, "x", i)[i % 3]) for i in range(1, 5001)])
    neuron("etl", "p")
    return neuron


def verify(neuron, *args, code=0):
    return json.loads(neuron("verify", "p", "--json", *args, code=code).stdout)


def test_equal_sides(loaded):
    found = verify(loaded)
    assert (found["status"], found["source_rows"], found["target_rows"]) == ("equal", 4996, 4996)
    assert found["ranges_differing"] == 0 and found["keys"] == []


def test_every_difference_is_named_and_mended(loaded):
    db(loaded, "target.db", "DELETE FROM t WHERE id IN (10, 4000)", "UPDATE t SET name = 'other' WHERE id = 77",
       "UPDATE t SET amount = NULL WHERE id = 78")
    found = verify(loaded, code=1)
    assert (found["missing"], found["different"], found["extra"]) == (2, 2, 0)
    assert {(k["key"]["id"], k["difference"]) for k in found["keys"]} == {
        (10, "missing"), (4000, "missing"), (77, "different"), (78, "different")}
    text = loaded("verify", "p", code=1).stdout
    assert text.startswith("DIFFERENT p: 4996 rows in the source, 4994 in the target; 2 missing, 2 different, 0 extra")
    fixed = verify(loaded, "--repair")
    assert fixed["status"] == "equal" and fixed["repaired"]
    assert verify(loaded)["status"] == "equal"


def test_rows_that_only_the_target_has(loaded):
    db(loaded, "target.db", "INSERT INTO t(id, name) VALUES (9999, 'ghost')")
    found = verify(loaded, "--repair", code=1)
    assert found["extra"] == 1 and found["keys"] == [{"key": {"id": 9999}, "difference": "extra"}]


def test_values_that_changed_places_are_seen(loaded):
    db(loaded, "target.db", "UPDATE t SET name = CASE id WHEN 20 THEN 'N21' ELSE 'N20' END WHERE id IN (20, 21)")
    assert verify(loaded, code=1)["different"] == 2


def test_without_a_key_rows_are_counted(loaded):
    loaded.write("neuron.yaml", CONFIG.format(mode="append", key=""))
    os.remove(os.path.join(loaded.folder, "target.db"))
    loaded("etl", "p")
    assert verify(loaded)["status"] == "equal"
    db(loaded, "target.db", "INSERT INTO t SELECT * FROM t WHERE id = 50", "DELETE FROM t WHERE id = 51")
    found = verify(loaded, code=1)
    assert (found["missing"], found["extra"], found["different"]) == (1, 1, 0)
    assert "can't fix an append" in loaded("verify", "p", "--repair", code=2).stderr


def test_errors_say_where(loaded):
    assert "no pipeline \"q\"" in loaded("verify", "q", code=2).stderr
    db(loaded, "target.db", "DROP TABLE t")
    assert "target:" in loaded("verify", "p", code=1).stderr
