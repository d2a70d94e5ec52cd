"""The step `check`: rows are refused, runs are stopped, before anything is published."""

import json
import os
import sqlite3

import pytest

CONFIG = """
pipelines:
  p:
    from: in.csv
    steps:
      - select: "*, length(name) AS size"
      - %s
    to: sqlite:///out.db
    table: t
    key: [id]
    %s
quality:
  people:
    rules:
      - completeness >= 90
      - "id > 0": { name: ids }
    columns:
      email: [ { format: email } ]
"""
ROWS = "id,name,email\n1,a,a@x.org\n2,b,bad\n3,c,c@x.org\n-4,d,\n5,e,e@x.org\n"


def make(neuron, step, more=""):
    neuron.write("in.csv", ROWS)
    neuron.write("neuron.yaml", CONFIG % (step, more))


def loaded(neuron, table="t"):
    with sqlite3.connect(os.path.join(neuron.folder, "out.db")) as db:
        try:
            return [row[0] for row in db.execute(f"SELECT id FROM {table} ORDER BY id")]
        except sqlite3.OperationalError:
            return None


@pytest.mark.parametrize("step", ["check: people", "{ check: people, on_fail: warn }"])
def test_warn_publishes_with_a_warning(neuron, step):
    make(neuron, step)
    done = neuron("etl", "p", "--json")
    result = json.loads(done.stdout)
    assert loaded(neuron) == [-4, 1, 2, 3, 5]
    assert result["warnings"] == [
        'check people: the rule "ids" fails: 1 of 5 rows fails this rule',
        'check people: the rule "email.format" fails: 1 of 4 rows fails this rule']
    assert "email.format" in done.stderr
    (check,) = result["checks"]
    assert check["verdict"] == "fail" and check["total_records"] == 5 and check["rejected"] == 0
    assert {i["rule"]: i["failed_rows"] for i in check["issues"]} == {"ids": 1, "email.format": 1}
    assert check["step"] == "2. check" and check["quality_score"] == 80


def test_reject_diverts_the_bad_rows_only(neuron):
    make(neuron, "{ check: people, on_fail: reject }", "rejects: refused")
    result = neuron.result("etl", "p")
    assert loaded(neuron) == [1, 3, 5]
    assert result["records_extracted"] == 5 and result["records_rejected"] == 2 and result["records_loaded"] == 3
    assert result["checks"][0]["rejected"] == 2
    with sqlite3.connect(os.path.join(neuron.folder, "out.db")) as db:
        rows = db.execute("SELECT stage, key, reason FROM refused ORDER BY row").fetchall()
    assert [(stage, json.loads(key)["id"], reason) for stage, key, reason in rows] == [
        ("2. check", 2, "the rule email.format"), ("2. check", -4, "the rule ids")]


def test_stop_publishes_nothing(neuron):
    make(neuron, "check: { rules: people, on_fail: stop }")
    done = neuron("etl", "p", "--json", code=1)
    result = json.loads(done.stdout)
    assert not loaded(neuron)
    assert result["status"] == "failed" and result["error"]["kind"] == "quality"
    assert "ids is 1" in result["error"]["what"] and "email.format is 1" in result["error"]["what"]
    assert result["checks"][0]["verdict"] == "fail"
    neuron.write("in.csv", "id,name,email\n1,a,a@x.org\n")
    assert neuron.result("etl", "p")["checks"][0]["verdict"] == "pass"
    assert loaded(neuron) == [1]


def test_an_empty_input_passes_the_gate(neuron):
    make(neuron, "{ check: people, on_fail: stop }")
    neuron.write("in.csv", "id,name,email\n1,a,a@x.org\n")
    neuron.write("neuron.yaml", (CONFIG % ("{ check: people, on_fail: stop }", "")).replace("- select:", "- where: id > 5\n      - select:"))
    assert neuron.result("etl", "p")["records_loaded"] == 0


@pytest.mark.parametrize("step, more, mistake", [
    ("check: peple", "", "no quality set \"peple\" (did you mean \"people\"?)"),
    ("{ check: people, on_fail: halt }", "", "`on_fail` can't be \"halt\" (stop, reject or warn)"),
    ("{ check: people, on_fail: reject }", "", "the check refuses rows, and p has no `rejects`"),
    ("{ check: people, onfail: stop }", "", "a check names a set under `quality:`"),
])
def test_mistakes(neuron, step, more, mistake):
    make(neuron, step, more)
    assert mistake in neuron("etl", "p", code=2).stderr


def test_a_guard_that_cant_be_evaluated_stops_before_anything(neuron):
    make(neuron, "{ check: people, on_fail: stop }")
    neuron.write("in.csv", "id,name\n1,a\n")
    assert "the rule email.format: no column \"email\"" in neuron("etl", "p", code=2).stderr
    assert loaded(neuron) is None
