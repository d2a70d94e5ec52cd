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


# ---- QG: a name that the header has can be written in every rule ----

def test_qg_quoted_names(neuron):
    neuron.write("c.csv", '"x, y","(p)",Email,"say ""hi"""\n1,,a@x.org,1\n1,2,a@x.org,2\n')
    rules = ['duplicates("x, y") = 0', 'nulls("(p)") = 0', 'duplicates("x, y", "(p)") = 0', 'completeness("(p)") >= 50', 'max("x, y") <= 1',
             'nulls("say ""hi""") = 0', 'duplicates(email) = 0', {'sum("x, y")': {"must": "= 2"}}]
    assert judged(neuron, {"rules": rules})[0] == ["fail", "fail", "pass", "pass", "pass", "pass", "fail", "pass"]


def test_qg_case_is_free_where_one_column_fits(neuron):
    neuron.write("c.csv", "Email,Id,ID\na@x.org,1,2\n,1,3\n")
    rules = {"key": ["EMAIL"], "rules": ["email > ''", "nulls(EMAIL) = 0", {"schema": {"columns": ["email", "Id", "ID"], "allow_extra": False}}],
             "columns": {"email": ["not_null", "unique", {"format": "email"}, {"range": ["a", "z"]}, {"accepted_values": ["a@x.org"]},
                                   {"relationships": {"to": "c.csv", "field": "EMAIL"}}, {"max_length": "<= 7"}]}}
    assert judged(neuron, rules)[0] == ["pass", "fail", "pass", "fail", "pass", "pass", "pass", "pass", "pass", "pass"]
    got, said = verdict(neuron, of_column("id", "not_null"))
    assert got == "error" and said == '"id" fits several columns that differ in case (write the name as the header does)'
    assert verdict(neuron, of_column("Id", "unique"))[0] == "fail"


def test_qg_a_name_that_is_none_is_refused_with_the_way_to_write_it(neuron):
    neuron.write("c.csv", "a\n1\n")
    said = refused(neuron, {"rules": ["duplicates(x y) = 0"]})
    assert "duplicates needs names of columns in its parentheses" in said and "double quotes" in said


# ---- QH: a metric that does not exist is refused as a metric ----

REFUSED = {
    "missing_percent(email) < 5%": ("no metric missing_percent", "here it is null_percentage(email) < 5%"),
    "missing_count(email) = 0": ("no metric missing_count", "here it is nulls(email) = 0"),
    "duplicate_count(a, b) = 0": ("no metric duplicate_count", "here it is duplicates(a, b) = 0"),
    "avg_length(a) < 3": ("no metric avg_length", "here it is mean_length(a) < 3"),
    "hasCompleteness(a) >= 95": ("no metric hasCompleteness", "here it is completeness(a) >= 95"),
    "isUnique(a)": ("no metric isUnique", "here it is unique(a)"),
    "dbt_utils.unique_combination_of_columns(a, b)": ("no metric dbt_utils.unique_combination_of_columns", "here it is duplicates(a, b)"),
    "expect_table_row_count_to_equal = 5": ("no metric expect_table_row_count_to_equal", "here it is row_count = 5"),
    "freshness < 1d": ("freshness needs a column", "freshness(created_at) < 1d"),
    "nulls = 0": ("nulls needs a column", "nulls(a) = 0"),
    "distinct_count(x) = 2": ("no metric distinct_count", "uniqueness(a)"),
    "completness(a) >= 95": ("no metric completness", "did you mean completeness?"),
    "uniqeness >= 95": ("no metric `uniqeness`", "did you mean `uniqueness`?"),
    "skewness(a) < 1": ("no metric skewness", "completeness, uniqueness, consistency, null_percentage"),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_qh_a_metric_that_is_none(neuron, rule):
    neuron.write("c.csv", "a\n1\n")
    said = refused(neuron, {"rules": [rule]})
    for words in REFUSED[rule]:
        assert words in said
    refused(neuron, {"rules": [{rule: {"warn": "> 1"}}]})


COLUMN_REFUSED = {
    "drift": "`anomaly` on mean, stddev or row_count watches a number",
    "expect_column_values_to_not_be_null": "here it is not_null",
    "isComplete": "here it is not_null",
    "accepted_range": "here it is range",
    "regex": "name ~ 'pattern'",
    "not_nul": "did you mean `not_null`?",
    "xyz": "not_null, unique, missing",
}


@pytest.mark.parametrize("rule", COLUMN_REFUSED)
def test_qh_a_rule_of_a_column_that_is_none(neuron, rule):
    neuron.write("c.csv", "a\n1\n")
    for written in (rule, {rule: {"fail": "> 0.2"}}):
        said = refused(neuron, of_column("a", written))
        assert f"no rule `{rule}` for a column" in said and COLUMN_REFUSED[rule] in said


def test_qh_row_rules_with_functions_stay_row_rules(neuron):
    neuron.write("c.csv", "a,max\nxy,4\n")
    assert judged(neuron, {"rules": ["length(a) > 1", "upper(a) = 'XY'", "max > 3", "abs(max) < 5", "(max) > 3"]})[0] == ["pass"] * 5


# ---- QJ: bounds ----

@pytest.mark.parametrize("bounds", [[5, 0], ["5", "0"], ["2024-02-01", "2024-01-01"]])
def test_qj_a_range_that_ends_before_it_begins_is_refused(neuron, bounds):
    neuron.write("c.csv", "a\n1\n")
    assert f"no value fits in the range: {bounds[0]} is above {bounds[1]}" in refused(neuron, of_column("a", {"range": bounds}))


def test_qj_underscores_between_digits(neuron):
    neuron.write("c.csv", "a\n15000\n")
    neuron.write("r.yaml", "columns: { a: [ { range: [0, 20_000] }, { range: [0, 1_0_0] }, { max: '<= 15_000' } ] }")
    report = json.loads(neuron.run_any("check", "c.csv", "--rules", "r.yaml", "--json"))
    assert [r["verdict"] for r in report["rules"]] == ["pass", "fail", "pass"]


@pytest.mark.parametrize("place", ["csv", "ndjson", "postgres", "sqlite"])
def test_qj_a_quoted_bound_is_compared_by_the_columns_type(neuron, db, place):
    args = ["c.csv"]
    neuron.write("c.csv", "a\n2\n10\n")
    if place == "ndjson":
        neuron.write("c.ndjson", '{"a":2}\n{"a":10}\n')
        args = ["c.ndjson"]
    if place == "postgres":
        db("CREATE TABLE t(a int); INSERT INTO t VALUES (2), (10)")
        args = [db.url, "--table", "t"]
    if place == "sqlite":
        args = sqlite(neuron, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES (2), (10)")
    rules = of_column("a", {"range": ["1", "10"]}, {"range": ["1", "4"]}, {"range": ["1", None]})
    report = check(neuron, rules, *args)
    assert [(r["verdict"], r["failed_rows"]) for r in report["rules"]] == [("pass", 0), ("fail", 1), ("pass", 0)]


def test_qj_numbers_and_texts_are_not_compared(neuron):
    neuron.write("c.csv", "s\nx\n2\n")
    got, said = verdict(neuron, of_column("s", {"range": [0, 5]}))
    assert got == "error"
    assert said == 'the column s is text, and the range is of numbers (write the rule "s"::numeric between 0 and 5)'
    assert verdict(neuron, of_column("s", {"range": [0, None]}))[1].endswith('(write the rule "s"::numeric >= 0)')
    assert verdict(neuron, of_column("s", {"range": ["a", "z"]}))[0] == "fail"


# ---- QK: types of PostgreSQL, formats ----

def test_qk_numbers_past_38_digits_are_refused_as_such(neuron, db):
    db("CREATE TABLE t(n numeric(40,2)); INSERT INTO t VALUES (1.5)")
    rules = of_column("n", {"range": [0, 5]}, {"max": "<= 5"}, {"sum": "<= 5"}, {"mean": "<= 5"})
    verdicts, said = judged(neuron, rules, db.url, "--table", "t")
    assert verdicts == ["error"] * 4 and set(said) == {"the column n is numeric(40,2), of more than 38 digits"}


def test_qk_the_padding_of_char_does_not_count(neuron, db):
    db("CREATE TABLE r(c text); INSERT INTO r VALUES ('ab'); CREATE TABLE t(a char(5), b char(3)[]); INSERT INTO t VALUES ('ab', '{ab}')")
    neuron.write("neuron.yaml", json.dumps({"connections": {"pg": {"url": db.url}}, "quality": {"q": {
        "from": "pg", "table": "t", "rules": ["a = 'ab'", "length(a) = 2", {"row_count = 1": {"where": "a = 'ab'"}}],
        "columns": {"a": [{"accepted_values": ["ab"]}, {"range": ["ab", "ab"]}, {"max_length": "= 2"},
                          {"relationships": {"to": "pg.r", "field": "c"}}, {"missing": {"values": ["ab"], "must": "= 1"}}]}}}}))
    report = json.loads(neuron.run_any("check", "q", "--json"))
    assert [r["verdict"] for r in report["rules"]] == ["pass"] * 8


def test_qk_no_card_begins_with_0(neuron):
    neuron.write("c.csv", "n,x\n0000000000000000,a\n4111111111111111,a\n0000-0000-0000-0000,a\n")
    report = check(neuron, of_column("n", {"format": "credit_card"}))
    assert report["rules"][0]["failed_rows"] == 2


# ---- QL: lower ----

def test_ql_two_nulls_repeat_in_duplicates_and_not_in_unique(neuron):
    neuron.write("c.csv", "a,b\n,1\n,2\n")
    assert judged(neuron, {"rules": ["duplicates(a) = 0"], "columns": {"a": ["unique"]}})[0] == ["fail", "pass"]


@pytest.mark.parametrize("rule", ["completeness >= 0.95", "uniqueness(a) > 0.9", "consistency = 0.5", "completeness between 0.5 and 0.9"])
def test_ql_a_share_of_one_is_refused_with_the_percentage(neuron, rule):
    neuron.write("c.csv", "a\n1\n")
    said = refused(neuron, {"rules": [rule]})
    assert "is in per cent" in said and "is less than 1 %" in said
    share = rule.replace("0.95", "95").replace("0.9", "90").replace("0.5", "50")
    neuron.write("r.yaml", json.dumps({"rules": [share]}))
    assert neuron.run_any("check", "c.csv", "--rules", "r.yaml", "--json")


def test_ql_a_share_below_1_per_cent_can_be_meant(neuron):
    neuron.write("c.csv", "a\n1\n")
    neuron.write("r.yaml", json.dumps({"rules": ["completeness >= 0.95%", {"null_percentage": {"fail": "> 0.5"}}]}))
    assert json.loads(neuron("check", "c.csv", "--rules", "r.yaml", "--json").stdout)["verdict"] == "pass"
