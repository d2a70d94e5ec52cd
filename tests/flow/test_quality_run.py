"""Datasets of a running neuron: scheduled and asked checks, reports, trends, metrics, history."""

import json
import os
import re
import sqlite3

import pytest
from test_run import running, wait_for

CONFIG = """
neuron: { id: watcher }
drain: 5s
http: { listen: "127.0.0.1:0" }
connections:
  source: sqlite:///source.db
  target: sqlite:///target.db
pipelines:
  load:
    from: source
    from_table: raw
    to: target
    table: t
    key: [id]
quality:
  t:
    from: target
    table: t
    schedule: every 1h
    min_score: 95
    keep: 100
    rules: [ completeness >= 95, uniqueness >= 99, row_count >= 3, row_count: { anomaly: {} } ]
    columns: { id: [ not_null, unique ] }
  asked: { from: target, table: t, rules: [ completeness >= 1 ] }
  gone: { from: target, table: nothing }
  step_only: { rules: [ row_count > 0 ] }
"""


def make(neuron, values="(1, 2.5), (2, 3), (3, NULL)"):
    neuron.write("neuron.yaml", CONFIG)
    with sqlite3.connect(os.path.join(neuron.folder, "source.db")) as db:
        db.executescript(f"DROP TABLE IF EXISTS raw; CREATE TABLE raw(id INTEGER, amount REAL); INSERT INTO raw VALUES {values};")


def dataset(one, name):
    return next(q for q in one.get("/api/v1/quality")["quality"] if q["name"] == name)


def test_a_dataset_is_checked_behind_the_run_that_loads_it(neuron):
    make(neuron)
    with running(neuron) as one:
        wait_for(lambda: dataset(one, "t")["last_check"])
        got = dataset(one, "t")
        assert got["verdict"] == "fail" and got["quality_score"] == 90 and got["min_score"] == 95
        assert got["total_records"] == 3 and got["issues_count"] == 1 and got["next_check"]
        assert {q["name"] for q in one.get("/api/v1/quality")["quality"]} == {"t", "asked", "gone"}
        report = one.get("/api/v1/quality/t/reports?limit=5")["reports"][0]
        assert report["dataset_name"] == "t" and report["metrics"]["completeness"] == pytest.approx(500 / 6)
        assert report["issues"][0]["rule"] == "completeness" and report["issues"][0]["severity"] == "medium"
        assert [r["verdict"] for r in report["rules"]] == ["fail", "pass", "pass", "learning", "pass", "pass"]

        metrics = one.ask("/metrics")[1]
        assert re.search(r'^neuron_quality_score\{dataset="t"\} 90$', metrics, re.M)
        assert re.search(r'^neuron_quality_min_score\{dataset="t"\} 95$', metrics, re.M)
        assert re.search(r'^neuron_quality_check_status\{dataset="t",check="completeness",severity="auto",state="fail"\} 1$',
                         metrics, re.M)
        assert re.search(r'^neuron_quality_rows_total\{dataset="t"\} 3$', metrics, re.M)
        assert any(q["name"] == "t" for q in one.get("/api/v1/status")["quality"])
        assert one.ask("/")[0] == 200


def test_checks_that_are_asked_for(neuron):
    make(neuron)
    with running(neuron) as one:
        wait_for(lambda: dataset(one, "t")["last_check"])
        assert dataset(one, "asked")["quality_score"] is None
        answer = one.get("/api/v1/quality/asked/checks", "POST", code=202)
        assert answer == {"dataset": "asked", "status": "queued"}
        wait_for(lambda: dataset(one, "asked")["last_check"])
        assert dataset(one, "asked")["verdict"] == "pass"
        assert "did you mean \"asked\"" in one.get("/api/v1/quality/askd/checks", "POST", code=404)["detail"]
        assert one.get("/api/v1/quality/step_only/reports", code=404)

        # One that can't run is no pass: it is shown, and degrades the health.
        one.get("/api/v1/quality/gone/checks", "POST", code=202)
        wait_for(lambda: dataset(one, "gone")["last_error"])
        assert dataset(one, "gone")["verdict"] == "error" and "nothing" in dataset(one, "gone")["last_error"]
        assert one.get("/health")["status"] == "degraded"


def test_trends_and_history_outlive_a_restart(neuron):
    make(neuron)
    with running(neuron) as one:
        empty = one.get("/api/v1/quality/trends?days=7&dataset=asked")
        assert empty["average_quality_score"] is None and empty["quality_trend"] is None
        assert empty["total_reports"] == 0 and empty["datasets_monitored"] == 0 and empty["points"] == []
        wait_for(lambda: dataset(one, "t")["last_check"])
        assert one.end() == 143
    with running(neuron) as one:
        assert dataset(one, "t")["quality_score"] == 90
        wait_for(lambda: one.get("/api/v1/quality/trends")["total_reports"] == 2)
        trends = one.get("/api/v1/quality/trends?days=7")
        assert trends["average_quality_score"] == 90 and trends["quality_trend"] == "stable"
        assert trends["datasets_monitored"] == 1 and len(trends["points"]) == 2


def test_the_command_keeps_reports_and_judges_by_them(neuron):
    make(neuron)
    neuron("etl", "load")
    for count in range(8):
        report = json.loads(neuron("check", "t", "--json", code=1).stdout)
        verdicts = {r["name"]: r["verdict"] for r in report["rules"]}
        assert verdicts["row_count #2"] == ("learning" if count < 7 else "pass")
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        db.executemany("INSERT INTO t(id, amount) VALUES (?, 1)", [(i,) for i in range(10, 60)])
    report = json.loads(neuron("check", "t", "--json", code=1).stdout)
    rules = {r["name"]: r for r in report["rules"]}
    assert rules["row_count #2"]["verdict"] == "fail" and "8 earlier" in rules["row_count #2"]["note"]
    assert rules["row_count #2"]["condition"].startswith("1 to 8.")
    # Looking at some of the rows, or by other rules, is no report of the dataset.
    neuron("check", "t", "--where", "id > 0")
    with sqlite3.connect(os.path.join(neuron.folder, "neuron-state.db")) as db:
        assert db.execute("SELECT count(*) FROM reports").fetchone() == (9,)


def test_a_changed_type_is_told(neuron):
    neuron.write("neuron.yaml", "quality: { f: { from: f.csv, rules: [ schema: { no_type_change: true } ] } }")
    for text, code, verdict in (("a,b\n1,2\n", 0, "learning"), ("a,b\n3,4\n", 0, "pass"), ("a,b\nx,4\n", 1, "fail")):
        neuron.write("f.csv", text)
        report = json.loads(neuron("check", "f", "--json", code=code).stdout)
        assert report["rules"][0]["verdict"] == verdict
    assert report["rules"][0]["note"] == "a was bigint and is text"


def test_the_guides_neuron_watches_with_its_three_rules(neuron):
    for name, text in (("source.db", "CREATE TABLE raw_customers(customer_id INTEGER, name TEXT, email TEXT, registration_date TEXT, last_activity TEXT, updated_at TEXT);"
                        "INSERT INTO raw_customers VALUES (1,'a','a@x.org','2024-01-01','2024-01-01', datetime('now')), (2,'b','bad','2024-01-01','2024-01-01', datetime('now'));"
                        "CREATE TABLE raw_transactions(transaction_id INTEGER, customer_id INTEGER, amount REAL, product_id INTEGER, transaction_date TEXT);"),):
        with sqlite3.connect(os.path.join(neuron.folder, name)) as db:
            db.executescript(text)
    env = {"SOURCE_DB_URL": "sqlite:///source.db", "TARGET_DB_URL": "sqlite:///target.db", "NEURON_LISTEN": "127.0.0.1:0"}
    with running(neuron, env=env) as one:
        wait_for(lambda: dataset(one, "processed_customers")["last_check"])
        report = one.get("/api/v1/quality/processed_customers/reports")["reports"][0]
        rules = {r["name"]: (r["threshold"], r["verdict"], r["value"]) for r in report["rules"]}
        assert rules == {"completeness": (95, "pass", 100), "uniqueness": (99, "pass", 100), "consistency": (90, "fail", 50)}
        assert report["quality_score"] == 90
