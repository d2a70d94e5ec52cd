"""Quality rules: what users of other tools reported (QA to QL of the cases for quality)."""

import json
import sqlite3

import pytest

from postgres import Database


def check(neuron, rules, *args):
    """The report under rules that are written as data."""
    neuron.write("r.yaml", json.dumps(rules))
    out = neuron.run_any("check", *(args or ["c.csv"]), "--rules", "r.yaml", "--json")
    assert out, neuron("check", *(args or ["c.csv"]), "--rules", "r.yaml", code=1).stderr
    return json.loads(out)


def judged(neuron, rules, *args):
    """Each rule's verdict in order, and what is said of it."""
    rules = check(neuron, rules, *args)["rules"]
    return [r["verdict"] for r in rules], [r.get("error") or r.get("note") or "" for r in rules]


def verdict(neuron, rule, *args):
    verdicts, said = judged(neuron, rule if isinstance(rule, dict) else {"rules": [rule]}, *args)
    assert len(verdicts) == 1
    return verdicts[0], said[0]


def of_column(column, *rules):
    return {"columns": {column: list(rules)}}


def refused(neuron, rules, *args):
    neuron.write("r.yaml", rules if isinstance(rules, str) else json.dumps(rules))
    return neuron("check", *(args or ["c.csv"]), "--rules", "r.yaml", code=2).stderr


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def sqlite(neuron, script):
    with sqlite3.connect(neuron.folder + "/t.db") as file:
        file.executescript(script)
    return "sqlite:///t.db", "--table", "t"


# ---- QA: a value that cannot be compared is never a silent pass ----

CONDITIONS = ["> 5", "< 5", ">= 5", "<= 5", "= 5", "!= 5", "between 1 and 5", "not between 1 and 5"]


def test_qa_nan_is_an_error_in_every_metric_under_every_condition(neuron, db):
    db("CREATE TABLE t(f float8, n numeric); INSERT INTO t VALUES ('NaN', 'NaN'), (100, 100), (NULL, NULL)")
    metrics = ["min", "max", "mean", "avg", "sum", "stddev"]
    rules = [{metric: {side: condition}} for metric in metrics for condition in CONDITIONS for side in ("must", "warn", "fail")]
    for column in "fn":
        verdicts, said = judged(neuron, of_column(column, *rules), db.url, "--table", "t")
        assert set(verdicts) == {"error"} and set(said) == {"1 of 2 values is NaN, which no condition can judge"}


def test_qa_nan_is_outside_a_range_and_a_row_rule_has_postgresqls_order(neuron, db):
    db("CREATE TABLE t(f float8); INSERT INTO t VALUES ('NaN'), (100)")
    rules = {"rules": ["f <= 1000"], "columns": {"f": [{"range": [0, 1000]}, {"range": [0, None]}]}}
    verdicts, _ = judged(neuron, rules, db.url, "--table", "t")
    assert verdicts == ["fail", "fail", "fail"]


def test_qa_a_sum_of_both_infinities_is_an_error(neuron, db):
    db("CREATE TABLE t(f float8); INSERT INTO t VALUES ('Infinity'), ('-Infinity')")
    rules = of_column("f", {"sum": {"fail": "> 5"}}, {"mean": {"fail": "> 5"}}, {"stddev": {"fail": "> 1"}}, {"max": {"fail": "> 5"}})
    verdicts, _ = judged(neuron, rules, db.url, "--table", "t")
    assert verdicts == ["error", "error", "error", "fail"]


def test_qa_anomaly_of_nan_is_an_error(neuron, db):
    db("CREATE TABLE t(f float8); INSERT INTO t VALUES ('NaN'), (100)")
    assert verdict(neuron, of_column("f", {"mean": {"anomaly": {}}}), db.url, "--table", "t")[0] == "error"


# ---- QB: integers and decimals are counted, added and compared exactly ----

@pytest.mark.parametrize("place", ["csv", "postgres", "sqlite"])
def test_qb_integers_past_double_are_compared_exactly(neuron, db, place):
    args = ["c.csv"]
    if place == "csv":
        neuron.write("c.csv", "i\n9007199254740993\n")
    elif place == "postgres":
        db("CREATE TABLE t(i bigint); INSERT INTO t VALUES (9007199254740993)")
        args = [db.url, "--table", "t"]
    else:
        args = sqlite(neuron, "CREATE TABLE t(i INTEGER); INSERT INTO t VALUES (9007199254740993)")
    metrics = ["min", "max", "mean", "sum"]
    below = of_column("i", *({m: "<= 9007199254740992"} for m in metrics), {"range": [0, 9007199254740992]})
    equal = of_column("i", *({m: "= 9_007_199_254_740_993"} for m in metrics))
    assert set(judged(neuron, below, *args)[0]) == {"fail"}
    report = check(neuron, equal, *args)
    assert {r["verdict"] for r in report["rules"]} == {"pass"}
    assert {r["value"] for r in report["rules"]} == {9007199254740993}


@pytest.mark.parametrize("place", ["csv", "postgres"])
def test_qb_decimals_are_added_exactly(neuron, db, place):
    args = ["c.csv"]
    neuron.write("c.csv", "x\n0.1\n0.2\n")
    if place == "postgres":
        db("CREATE TABLE t(x numeric); INSERT INTO t VALUES (0.1), (0.2)")
        args = [db.url, "--table", "t"]
    rules = of_column("x", {"sum": "= 0.3"}, {"sum": {"between": [0.3, 0.3]}}, {"mean": "= 0.15"}, {"min": "= 0.1"}, {"max": "= 0.2"})
    report = check(neuron, rules, *args)
    assert [r["verdict"] for r in report["rules"]] == ["pass"] * 5
    assert [r["value"] for r in report["rules"]] == [0.3, 0.3, 0.15, 0.1, 0.2]


def test_qb_a_mean_that_no_decimal_holds_is_compared_exactly(neuron):
    neuron.write("c.csv", "x\n0\n0\n1\n")
    rules = of_column("x", {"mean": "= 0.3333333333333333"}, {"mean": "> 0.3333333333333333"}, {"mean": "< 0.3333333333333334"})
    assert judged(neuron, rules)[0] == ["fail", "pass", "pass"]


def test_qb_a_sum_past_38_digits_is_an_error(neuron, db):
    db("CREATE TABLE t(x numeric); INSERT INTO t SELECT 99999999999999999999999999999999999999 FROM generate_series(1, 3)")
    got, said = verdict(neuron, of_column("x", {"sum": "> 0"}), db.url, "--table", "t")
    assert got == "error" and "38 digits" in said


def test_qb_doubles_are_judged_as_doubles(neuron, db):
    db("CREATE TABLE t(x float8); INSERT INTO t VALUES (0.1), (0.2)")
    assert verdict(neuron, of_column("x", {"sum": "between 0.3 and 0.300001"}), db.url, "--table", "t")[0] == "pass"


# ---- QC: a column without a value fits every rule ----

EMPTY = {"rules": ["amount > 0", "amount between 1 and 5", "length(amount::text) > 2", {"id > 0": {"where": "amount > 1"}},
                   "completeness(amount) = 0", {"freshness(amount)": {"fail": "> 6h"}}],
         "columns": {"amount": [{"range": [0, 5]}, {"accepted_values": [1, 2]}, {"format": "email"},
                                "unique", {"sum": "= 0"}, {"max": "<= 5"}, {"mean": "> 1"}, "not_null"]}}


@pytest.mark.parametrize("place", ["csv", "ndjson", "postgres", "sqlite"])
def test_qc_an_empty_column_is_judged_alike_everywhere(neuron, db, place):
    args = ["c.csv"]
    neuron.write("c.csv", "id,amount\n1,\n2,\n")
    if place == "ndjson":
        neuron.write("c.ndjson", '{"id":1,"amount":null}\n{"id":2,"amount":null}\n')
        args = ["c.ndjson"]
    if place == "postgres":
        db("CREATE TABLE t(id int, amount int); INSERT INTO t VALUES (1), (2)")
        args = [db.url, "--table", "t"]
    if place == "sqlite":
        args = sqlite(neuron, "CREATE TABLE t(id INTEGER, amount INTEGER); INSERT INTO t VALUES (1, NULL), (2, NULL)")
    verdicts, said = judged(neuron, EMPTY, *args)
    assert verdicts == ["pass"] * 5 + ["error"] + ["pass"] * 5 + ["error", "error", "fail"]
    assert said[5] == "there is no time to judge" and said[11] == said[12] == "there is no value to judge"


def test_qc_any_list_of_values_fits(neuron):
    neuron.write("c.csv", "id,amount\n1,\n2,\n")
    assert verdict(neuron, of_column("amount", {"accepted_values": ["a"]}))[0] == "pass"


def test_qc_a_later_value_of_another_type_is_judged(neuron):
    neuron.write("c.csv", "id,amount\n" + "".join(f"{i},\n" for i in range(50000)) + "1,7\n")
    assert verdict(neuron, of_column("amount", {"range": [0, 5]}))[0] == "fail"


# ---- QD: the expected range fits what the metric is ----

def watched(neuron, rule, before, after):
    """The verdict of a rule after nine reports of one kind and a tenth of another."""
    config = {"quality": {"c": {"from": "c.csv", **(rule if isinstance(rule, dict) and "columns" in rule else {"rules": [rule]})}}}
    neuron.write("neuron.yaml", json.dumps(config))
    neuron.write("c.csv", before)
    for _ in range(9):
        neuron.run_any("check", "c")
    neuron.write("c.csv", after)
    result = json.loads(neuron.run_any("check", "c", "--json"))["rules"][0]
    return result["verdict"], result["condition"]


def rows(*values):
    return "a\n" + "".join(f"{value}\n" for value in values)


ANOMALIES = {
    "a share that falls": ({"uniqueness": {"anomaly": {}}}, rows(*range(1000)), rows(*range(750), *range(250)), "fail", "99 to 100"),
    "a share that hardly moves": ({"completeness(a)": {"anomaly": {}}}, rows(*[1] * 9999, 1), rows(*[1] * 9999, '""'), "pass", "99 to 100"),
    "a share of nulls": ({"null_percentage(a)": {"anomaly": {}}}, rows(1, 2, 3, 4), rows(1, 2, 3, '""'), "pass", "0 to 1"),
    "an emptied table": ({"row_count": {"anomaly": {}}}, rows(*range(9)), rows(), "fail", "1 to 18"),
    "an emptied table, sharply": ({"row_count": {"anomaly": {"sensitivity": 1}}}, rows(*range(9)), rows(), "fail", "1 to 18"),
    "an emptied table, whatever is ignored": ({"row_count": {"anomaly": {"ignore_below": 1}}}, rows(*range(9)), rows(), "fail", "1 to 18"),
    "a table that fills": ({"row_count": {"anomaly": {}}}, rows(*range(9)), rows(*range(18)), "pass", "1 to 18"),
    "a mean that hardly moves": ({"mean(a)": {"anomaly": {}}}, rows(5, 5), rows(5.0001, 5.0001), "pass", "4.95 to 5.05"),
    "a mean that moves": ({"mean(a)": {"anomaly": {}}}, rows(5, 5), rows(6, 6), "fail", "4.95 to 5.05"),
    "a sum that hardly moves": ({"sum(a)": {"anomaly": {}}}, rows(50, 50), rows(50, 50.5), "pass", "99 to 101"),
    "a few repeats": ({"duplicates(a)": {"anomaly": {}}}, rows(1, 2, 3, 4, 5), rows(1, 1, 3, 4, 5), "pass", "0 to 3"),
    "many repeats": ({"duplicates(a)": {"anomaly": {}}}, rows(1, 2, 3, 4, 5), rows(1, 1, 1, 1, 1), "fail", "0 to 3"),
}


@pytest.mark.parametrize("case", ANOMALIES)
def test_qd_anomaly(neuron, case):
    rule, before, after, wanted, condition = ANOMALIES[case]
    assert watched(neuron, rule, before, after) == (wanted, condition)


# ---- QE: a time in the future ----

def test_qe_times_in_the_future_are_counted_and_the_newest_of_the_others_judged(neuron):
    neuron.write("c.csv", "t\n2099-01-01T00:00:00Z\n2020-01-01T00:00:00Z\n")
    got, said = verdict(neuron, "freshness(t) < 6h")
    assert got == "fail" and said == "1 row lies in the future and is left out"
    assert verdict(neuron, {"rules": [{"freshness(t)": {"warn": "> 1h", "fail": "> 6h"}}]})[0] == "fail"


def test_qe_only_future_times_fail(neuron):
    neuron.write("c.csv", "t\n2099-01-01\n2098-01-01\n")
    got, said = verdict(neuron, "freshness(t) < 6h")
    assert got == "error" and said == "there is no time to judge: 2 rows lie in the future"


# ---- QF: consistency that looks at nothing ----

@pytest.mark.parametrize("header", ["email,date", "Email,Date", "EMAIL,DATE"])
def test_qf_columns_are_found_in_any_case(neuron, header):
    neuron.write("c.csv", f"{header}\nnope,2024-02-30\n")
    rule = check(neuron, {"rules": ["consistency >= 90"]})["rules"][0]
    assert (rule["verdict"], rule["value"]) == ("fail", 0)
    assert json.loads(neuron.run_any("check", "c.csv", "--json"))["verdict"] == "fail"


def test_qf_nothing_to_judge_is_said(neuron):
    neuron.write("c.csv", "mail,d\nnope,2024-02-30\n")
    rules = json.loads(neuron("check", "c.csv", "--json").stdout)["rules"]
    assert (rules[2]["verdict"], rules[2]["value"]) == ("pass", None) and "nothing to judge" in rules[2]["note"]
    got, said = verdict(neuron, "consistency >= 90")
    assert got == "error" and "nothing to judge" in said and "email" in said
    assert verdict(neuron, {"rules": [{"consistency": {"must": ">= 90", "email": "MAIL"}}]})[0] == "fail"
