"""`neuron check`: the guide's report on files and tables, all formats, exit codes."""

import json
import os
import sqlite3
import xml.etree.ElementTree

import pytest

PEOPLE = """id,name,email,date,age
1,Ann,ann@x.org,2024-01-01,34
2,Bob,bob(at)x.org,2024-02-30,x
3,Cy,,2024-03-01,36
4,Dee,dee@x.org,2024-03-02,41
1,Ann,ann@x.org,2024-01-01,34
""" + "".join(f"{i},Eve,e@x.co,2024-03-02,41\n" for i in range(5, 11))


def rule(report, name):
    return next(r for r in report["rules"] if r["name"] == name)


def test_the_guides_report_on_a_file(neuron):
    neuron.write("people.csv", PEOPLE)
    report = json.loads(neuron("check", "people.csv", "--json", code=1).stdout)
    assert report["dataset_name"] == "people" and report["total_records"] == 11
    assert report["metrics"]["null_percentage"] == pytest.approx(100 / 55)
    assert report["metrics"]["duplicate_percentage"] == pytest.approx(100 / 11)
    assert report["metrics"]["completeness"] == pytest.approx(100 - 100 / 55)
    assert report["metrics"]["uniqueness"] == pytest.approx(1000 / 11)
    assert report["metrics"]["consistency"] == pytest.approx(90)  # of e-mails; dates: 10 of 11
    # 100 - 2 columns of mixed types - 1 rule
    assert report["quality_score"] == 80 and report["verdict"] == "fail"
    mixed = {i["column"]: i for i in report["issues"] if i.get("type") == "mixed_data_types"}
    assert set(mixed) == {"date", "age"}
    failed = next(i for i in report["issues"] if i.get("rule"))
    assert failed["rule"] == "uniqueness" and failed["threshold"] == 99
    assert failed["failed_rows"] == 1 and failed["severity"] == "medium"


def test_a_table_and_json_lines_give_the_same_numbers(neuron):
    rows = [(i, f"p{i % 7}@x.org" if i % 5 else None, f"2024-01-{i % 28 + 1:02}") for i in range(100)]
    rows += rows[:4]
    with sqlite3.connect(os.path.join(neuron.folder, "x.db")) as db:
        db.execute("CREATE TABLE t(id INTEGER, email TEXT, date TEXT)")
        db.executemany("INSERT INTO t VALUES (?,?,?)", rows)
    neuron.write("t.csv", "id,email,date\n" + "".join(f"{a},{b or ''},{c}\n" for a, b, c in rows))
    neuron.write("t.ndjson", "".join(json.dumps({"id": a, "email": b, "date": c}) + "\n" for a, b, c in rows))
    reports = [json.loads(neuron("check", *args, "--json", code=1).stdout)
               for args in (["t.csv"], ["t.ndjson"], ["sqlite:///x.db", "--table", "t"])]
    for report in reports:
        assert report["metrics"] == reports[0]["metrics"] and report["quality_score"] == 80
    assert reports[0]["metrics"]["duplicate_percentage"] == pytest.approx(400 / 104)


def test_formats(neuron):
    neuron.write("people.csv", PEOPLE)
    table = neuron("check", "people.csv", code=1).stdout
    assert table.startswith("FAIL people 80/100  1 of 3 rules failed")
    suite = xml.etree.ElementTree.fromstring(
        neuron("check", "people.csv", "--format", "junit", code=1).stdout.encode())
    assert suite.tag == "testsuite" and suite.get("failures") == "3" and len(suite) == 5
    neuron("check", "people.csv", "--format", "html", "-o", "r.html", code=1)
    page = neuron.read("r.html")
    assert page.startswith("<!doctype html>") and "http:" not in page and "https:" not in page
    assert "| fail | uniqueness | 90.91 % |" in neuron("check", "people.csv", "--format", "markdown", code=1).stdout


def test_a_good_file_and_an_empty_one_exit_0(neuron):
    neuron.write("good.csv", "id,x\n" + "".join(f"{i},a{i}\n" for i in range(1000)))
    assert neuron("check", "good.csv").stdout.startswith("PASS good 100/100  3 rules  1 000 rows")
    neuron.write("empty.csv", "id,x\n")
    empty = json.loads(neuron("check", "empty.csv", "--json").stdout)
    assert empty["empty"] is True and empty["quality_score"] == 100 and empty["total_records"] == 0
    assert empty["metrics"]["null_percentage"] == 0 and empty["metrics"]["completeness"] == 100


def test_where_looks_at_some_rows(neuron):
    neuron.write("people.csv", PEOPLE)
    report = json.loads(neuron("check", "people.csv", "--where", "id > 4", "--json").stdout)
    assert report["total_records"] == 6 and report["metrics"]["uniqueness"] == 100


def test_mistakes_are_named(neuron):
    assert "no format \"pdf\"" in neuron("check", "x.csv", "--format", "pdf", code=2).stderr
    assert "missing.csv" in neuron("check", "missing.csv", code=1).stderr
    neuron.write("people.csv", PEOPLE)
    assert "no column" in neuron("check", "people.csv", "--where", "agee > 4", code=2).stderr
    assert "no column \"idd\"" in neuron("check", "people.csv", "--key", "idd", code=2).stderr


def test_rows_that_cant_be_read_are_no_pass(neuron):
    neuron.write("bad.csv", "a,b\n1,2\n3\n4,5\n")
    report = json.loads(neuron("check", "bad.csv", "--json", code=1).stdout)
    assert report["total_records"] == 2 and rule(report, "readable_rows")["failed_rows"] == 1


def test_repeats_are_counted_exactly_in_little_memory(neuron):
    count = 400000
    neuron.write("many.csv", "a,b\n" + "".join(f"{i % 350000},x{i % 350000}\n" for i in range(count)))
    for memory in ("512MB", "8MB"):
        report = json.loads(neuron("check", "many.csv", "--memory", memory, "--json", code=1).stdout)
        assert rule(report, "uniqueness")["failed_rows"] == count - 350000


RULES = """
key: [id]
rules:
  - completeness >= 95
  - row_count between 1_0 and 5000000
  - duplicates(id, email) = 0
  - freshness(date): { warn: "> 1h", fail: "> 6h", severity: low }
  - schema: { columns: [id, name, mail] }
  - row_count: { anomaly: { season: day_of_week, sensitivity: 3 } }
  - "id >= 2": { where: "name <> 'Cy'", on_fail: reject, name: old ids }
  - mean(id) between 1 and 5
  - row_count = row_count(other.csv) ± 50%
columns:
  id: [not_null, unique, { range: [0, 8] }, { mean: { between: [1, 500] } }, { sum: "> 3" }]
  email: [ { missing: { values: ["", "N/A"], warn: "> 1%", fail: "> 50%" } }, { format: email, fail: "> 0.1%" } ]
  name: [ { accepted_values: [Ann, Bob, "Eve"] }, { relationships: { to: other.csv, field: who } }, { max_length: "<= 3" } ]
  age: [ { range: [0, 20] } ]
  nothere: not_null
"""


def test_rules_of_all_kinds(neuron):
    neuron.write("people.csv", PEOPLE)
    neuron.write("rules.yaml", RULES)
    neuron.write("other.csv", "who\n" + "Ann\nBob\nCy\nDee\n" * 3)
    report = json.loads(neuron("check", "people.csv", "--rules", "rules.yaml", "--json", code=1).stdout)
    got = {r["name"]: (r["verdict"], r.get("failed_rows", r["value"])) for r in report["rules"]}
    mean = pytest.approx((1 + 2 + 3 + 4 + 1 + 5 + 6 + 7 + 8 + 9 + 10) / 11)
    assert got == {
        "completeness": ("pass", pytest.approx(100 - 100 / 55)),
        "row_count": ("pass", 11),
        "duplicates(id, email)": ("fail", 1),
        "freshness(date)": ("fail", got["freshness(date)"][1]),
        "schema": ("fail", 1),
        "row_count #2": ("learning", 11),
        "old ids": ("fail", 2),
        "mean(id)": ("fail", mean),
        "row_count #3": ("pass", 11),
        "id.not_null": ("pass", 0),
        "id.unique": ("fail", 1),
        "id.range": ("fail", 2),
        "id.mean": ("pass", mean),
        "id.sum": ("pass", 56),
        "email.missing": ("warn", 1),
        "email.format": ("fail", 1),
        "name.accepted_values": ("fail", 2),
        "name.relationships": ("fail", 6),
        "name.max_length": ("pass", 3),
        "age.range": ("error", None),
        "nothere.not_null": ("error", None),
    }
    assert rule(report, "email.format")["evidence"] == [{"row": 2, "line": 3, "key": {"id": 2}, "value": "bob(at)x.org"}]
    assert rule(report, "freshness(date)")["severity"] == "low"
    assert rule(report, "email.format")["value"] == pytest.approx(10) and rule(report, "email.format")["unit"] == "%"
    assert "mail is missing" in rule(report, "schema")["note"]
    assert "no column \"nothere\"" in rule(report, "nothere.not_null")["error"]
    assert report["quality_score"] == 0 and report["verdict"] == "fail"


BAD_RULES = """- completness >= 95
- uniqueness   > = 99
- row_count betwen 1 and 2
- uniqueness
- "id >": {}
- "id > 3": { wher: a, on_fail: nope }
- completeness >= 3: { on_fail: reject, drift: { against: x } }
- schema: {}
- freshness(date): { warn: "> 1 apple" }
- mean(id): { warn: "> 5", fail: "> 3" }
- [a]
"""


@pytest.mark.parametrize("line, mistake", [
    (1, ":1:3: no metric `completness` (did you mean `completeness`?)"), (2, ":1:17: a number is missing"),
    (3, ":1:13: a condition begins with"), (4, ":1:3: uniqueness says no condition"),
    (5, "a value expected"), (6, "unknown key `wher` in the rule (did you mean `where`?)"),
    (7, "`drift` is not there yet"), (8, "schema says nothing to check"),
    (9, "a duration like 6h is missing"), (10, "`warn` can never decide"), (11, "a rule is one line, or a map")])
def test_mistakes_in_rules_have_a_place(neuron, line, mistake):
    neuron.write("people.csv", PEOPLE)
    neuron.write("rules.yaml", BAD_RULES.splitlines()[line - 1] + "\n")
    assert mistake in neuron("check", "people.csv", "--rules", "rules.yaml", code=2).stderr


def test_datasets_of_the_configuration(neuron):
    with sqlite3.connect(os.path.join(neuron.folder, "x.db")) as db:
        db.executescript("CREATE TABLE t(id INTEGER, email TEXT); INSERT INTO t VALUES (1, 'a@b.co'), (2, NULL);")
    neuron.write("neuron.yaml", """
connections: { src: "sqlite:///x.db" }
quality:
  t:
    from: src
    table: t
    rules: [ completeness >= 70, "row_count = row_count(src.t)" ]
    columns: { id: [ unique, { relationships: { to: src.t, field: id } } ] }
  u: { rules: [ row_count > 0 ] }
""")
    assert neuron("check", "t").stdout.startswith("PASS t 100/100  4 rules  2 rows")
    assert "did you mean \"t\"" in neuron("check", "tt", code=2).stderr
    assert "names no dataset" in neuron("check", "u", code=2).stderr
    neuron.write("neuron.yaml", """
quality:
  t:
    from: x.csv
    rules: [ "row_count = row_count(nope.t)" ]
    columns: { email: [ { format: emial } ], x: [ uniqe ] }
    shcedule: "@hourly"
  u: { schedule: "@hourly", rules: [ row_count > 0 ] }
""")
    done = neuron("validate", code=2)
    for mistake in ("neuron.yaml:7:5: unknown key `shcedule` in the quality set (did you mean `schedule`?)",
                    "no dataset \"nope.t\"", "no format `emial` (email)", "no rule `uniqe` for a column",
                    "a schedule needs a dataset"):
        assert mistake in done.stdout + done.stderr


def test_texts_that_are_equal_values_are_repeats(neuron):
    """The fast pass over texts and the pass over typed columns give one report."""
    files = {
        "variants": ("a,b\n1,1.5\n1,1.50\n2,7\n2,7.0\n3,x1\n", 1),
        "times": ("a,b\n1,2024-01-01 10:00:00\n1,2024-01-01T10:00:00\n2,2024-01-01 10:00:00\n", 1),
        "texts": ("a,b\n1,1.5\n1,1.50\n2,x\n", 0),
        "nulls": ('a,b\n1,""\n1,\n1,\n"1",""\n', 2),
        "quotes": ('a,b\n"x ""y""","1,2"\n"x ""y""","1,2"\nx,"a long text with ""quotes"" in it"\n', 1),
        "numbers": ("a,b\n1,1.50\n1,1.51\n1,1.50\n2,true\n", 1),
    }
    for name, (text, repeats) in files.items():
        if name == "variants":
            text = text.replace("3,x1\n", "3,8\n")
            repeats = 2
        neuron.write("f.csv", text)
        fast, typed = (json.loads(neuron.run_any("check", "f.csv", "--json", *more)) for more in ([], ["--where", "true"]))
        assert rule(fast, "uniqueness")["failed_rows"] == repeats, name
        for key in ("metrics", "columns", "quality_score", "rules", "issues", "total_records"):
            assert fast[key] == typed[key], (name, key)


def test_repeats_are_named_by_line_and_key(neuron):
    rows = [f"{i},x{i % 990}" for i in range(1000)] + ["5,x5"]
    neuron.write("f.csv", "id,name\n" + "\n".join(rows) + "\n")
    neuron.write("rules.yaml", "rules: [ uniqueness = 100 ]\ncolumns: { name: [ { unique: { evidence: 2 } } ] }")
    for more in ([], ["--where", "id >= 0"]):
        report = json.loads(neuron("check", "f.csv", "--rules", "rules.yaml", "--key", "id", "--json", *more, code=1).stdout)
        assert rule(report, "uniqueness")["evidence"] == [{"row": 1001, "line": 1002, "key": {"id": 5}}]
        assert rule(report, "name.unique")["failed_rows"] == 11
        assert rule(report, "name.unique")["evidence"] == [
            {"row": 991, "line": 992, "key": {"id": 990}, "value": "x0"}, {"row": 992, "line": 993, "key": {"id": 991}, "value": "x1"}]


def test_lines_are_those_of_the_file(neuron):
    rows = ["id,when"] + [f"{i},2024-01-0{i % 9 + 1}" for i in range(20)]
    rows[3] = '2,"not\na date"'
    rows[9] = "8,never"
    neuron.write("f.csv", "\n".join(rows) + "\n")
    neuron.write("rules.yaml", "columns: { when: [ { format: date } ] }")
    report = json.loads(neuron("check", "f.csv", "--rules", "rules.yaml", "--key", "id", "--json", code=1).stdout)
    assert [(e["line"], e["row"], e["key"]) for e in rule(report, "when.format")["evidence"]] == [(4, 3, {"id": 2}), (11, 9, {"id": 8})]
    (mixed,) = [i for i in report["issues"] if i.get("type")]
    assert {t["type"]: t["lines"][:2] for t in mixed["types"]} == {"time": [2, 3], "text": [4, 11]}
