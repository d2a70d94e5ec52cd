"""`neuron rejects`: dead letters and rejected rows by cause, shown, mended, replayed."""

import json
import os
import sqlite3

import pytest

from test_run import running, wait_for
from test_run_streams import serve
from test_stream import payment, view
from test_stream_kafka import Stream


def rejects(neuron, *args, code=0):
    return json.loads(neuron("rejects", *args, "--json", code=code).stdout)["rejects"]


MEND = ("* REPLACE (CASE WHEN transaction.amount::text = 'many' THEN '{\"id\":\"c\",\"amount\":20000}'::json "
        "ELSE '{\"id\":\"d\",\"amount\":1}'::json END AS transaction)")


@pytest.mark.parametrize("form", ["envelope", "raw"])
def test_dead_letters_of_a_topic(neuron, kafka, form):
    s = Stream(neuron, kafka, partitions=2, letters=f"topic: {{dead}}, format: {form}")
    assert rejects(neuron) == []
    s.produce({"value": json.dumps(payment("c", "many")), "key": "k1", "headers": [("h", "v")]},
              {"value": json.dumps(payment("d", "few")), "key": "k2"}, "{bad", view(1))
    s.drain()
    causes = {c["stage"]: c for c in rejects(neuron)}
    assert {stage: c["count"] for stage, c in causes.items()} == {"transaction/1": 2, "read": 1}
    assert all(c["name"] == "s" and c["kind"] == "stream" and c["first"] and c["replayed"] == 0 for c in causes.values())
    text = neuron("rejects").stdout
    assert "transaction/1" in text and causes["read"]["cause"] in text
    wrong = causes["transaction/1"]["cause"]
    shown = rejects(neuron, "s", "--cause", wrong)
    assert sorted(c["original"]["transaction"]["id"] for c in shown) == ["c", "d"]
    assert rejects(neuron, "s", "--show", shown[0]["id"]) == shown[:1]
    assert "no such" in neuron("rejects", "s", "--show", "99", code=1).stderr

    dry = neuron("rejects", "s", "--cause", wrong, "--fix", MEND, "--dry-run").stdout
    assert '"amount":20000' in dry and "2 would be replayed" in dry
    assert s.drain()["consumed"] == 0
    (done,) = rejects(neuron, "s", "--cause", wrong, "--fix", MEND)
    assert (done["replayed"], done["skipped"], done["dry_run"]) == (2, 0, False)
    result = s.drain()
    assert (result["consumed"], result["emitted"]) == (2, 2)
    kinds = sorted(m["type"] for m in s.out() if "transaction_id" in m)
    assert kinds == ["fraud_alert", "transaction_processed"]
    sent = {m.key(): m for m in kafka.consume(s.source) if m.key()}
    assert sent[b"k1"].headers() == ([("h", b"v")] if form == "raw" else None)
    # Once is enough; what is no JSON can't be mended and stays.
    (again,) = rejects(neuron, "s", "--cause", wrong, "--replay")
    assert (again["replayed"], again["replayed_before"]) == (0, 2)
    (rest,) = rejects(neuron, "s", "--replay", code=1)
    assert (rest["replayed"], rest["skipped"]) == (0, 1)
    counts = {c["stage"]: (c["count"], c["replayed"]) for c in rejects(neuron)}
    assert counts == {"transaction/1": (0, 2), "read": (1, 0)}
    # New ones of the same cause are open again.
    s.produce(payment("e", "more"))
    s.drain()
    assert {c["stage"]: c["count"] for c in rejects(neuron)}["transaction/1"] == 1


def test_over_the_api(neuron, kafka):
    s = serve(neuron, Stream(neuron, kafka, partitions=1))
    s.produce(*["{bad %d" % i for i in range(60)])
    with running(neuron) as run:
        wait_for(lambda: run.get("/api/v1/streams/s")["dead_lettered"] == 60)
        letters = run.get("/api/v1/streams/s/dead-letters?limit=3")["dead_letters"]
        assert [letter["original"] for letter in letters] == ["{bad 59", "{bad 58", "{bad 57"]
        assert len(run.get("/api/v1/streams/s/dead-letters")["dead_letters"]) == 50
        assert run.ask("/api/v1/streams/no/dead-letters")[0] == 404


def test_a_fix_that_fails_leaves_the_row_open(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1)
    s.produce(payment("a", "x"), payment("b", "1"), payment("c", "y"))
    s.drain()
    cast = "* REPLACE (('{\"id\":\"z\",\"amount\":' || transaction.amount::text::numeric || '}')::json AS transaction)"
    (done,) = rejects(neuron, "s", "--fix", cast, code=1)
    assert (done["replayed"], done["skipped"]) == (1, 2)
    assert s.drain()["emitted"] == 1
    (cause,) = rejects(neuron)
    assert (cause["count"], cause["replayed"]) == (2, 1)
    (done,) = rejects(neuron, "s", "--fix", "'transaction' AS type, '{\"id\":1,\"amount\":5}'::json AS transaction")
    assert (done["replayed"], done["skipped"], done["replayed_before"]) == (2, 0, 1)
    assert s.drain()["emitted"] == 2
    bad = neuron("rejects", "s", "--fix", "nope(", code=2)
    assert "--fix" in bad.stderr


PIPELINE = """
connections: {{ target: 'sqlite:///target.db' }}
pipelines:
  p:
    from: in.ndjson
    steps:
      - select: "id, amount, note"
      - where: 10 / amount > 0
      - select: "*, amount * 2 AS twice"
    to: target
    table: t
    mode: {mode}
    {key}
    rejects: {rejects}
"""


@pytest.mark.parametrize("place, mode", [("bad.ndjson", "upsert"), ("bad", "upsert"), ("bad.ndjson", "append")])
def test_rejected_rows_of_a_pipeline_go_through_the_rest_of_its_steps(neuron, place, mode):
    neuron.write("neuron.yaml", PIPELINE.format(mode=mode, rejects=place, key="key: [id]" if mode == "upsert" else ""))
    neuron.write("in.ndjson", '{"id":1,"amount":5,"note":"a"}\n{"id":2,"amount":0,"note":"b"}\n{"id":3,"amount":0,"note":"c"}\n')
    assert rejects(neuron) == []
    result = neuron.result("etl", "p")
    assert (result["records_loaded"], result["records_rejected"]) == (1, 2)
    (cause,) = rejects(neuron)
    assert (cause["name"], cause["kind"], cause["count"], cause["stage"]) == ("p", "pipeline", 2, "2. where")
    assert "zero" in cause["reason"]
    dry = neuron("rejects", "p", "--fix", "* REPLACE (id + 1 AS amount)", "--dry-run").stdout
    assert "2 would be replayed" in dry
    (done,) = rejects(neuron, "p", "--fix", "* REPLACE (id + 1 AS amount)")
    assert (done["replayed"], done["records_loaded"], done["records_rejected"]) == (2, 2, 0)
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        rows = db.execute("SELECT id, amount, note, twice FROM t ORDER BY id").fetchall()
        assert rows == [(1, 5, "a", 10), (2, 3, "b", 6), (3, 4, "c", 8)]
        # The same rows again, be it on purpose, are the same run.
        assert rejects(neuron, "p", "--fix", "* REPLACE (id + 1 AS amount)", "--all")[0]["replayed"] == 2
        assert db.execute("SELECT count(*) FROM t").fetchone() == (3,)
    if place.endswith("ndjson"):
        assert rejects(neuron)[0]["replayed"] == 2


def test_replayed_rows_that_fail_again_are_new_rejects(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="upsert", rejects="bad.ndjson", key="key: [id]"))
    neuron.write("in.ndjson", '{"id":2,"amount":0,"note":"b"}\n')
    neuron.result("etl", "p")
    (done,) = rejects(neuron, "p", "--replay")
    assert (done["replayed"], done["records_loaded"], done["records_rejected"]) == (1, 0, 1)
    (cause,) = rejects(neuron)
    assert (cause["count"], cause["replayed"]) == (1, 1)


def test_what_has_no_rejects_says_so(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="append", rejects="stop", key=""))
    assert "keeps no rejects" in neuron("rejects", "p", code=2).stderr
    assert "of which" in neuron("rejects", "--replay", code=2).stderr
    assert "q" in neuron("rejects", "q", code=2).stderr
