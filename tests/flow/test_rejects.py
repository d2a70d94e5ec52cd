"""`neuron rejects`: dead letters and rejected rows by cause, shown, fixed, replayed."""

import glob
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from conftest import PROGRAM
from postgres import Database

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
    assert "no rejects of --show" in neuron("rejects", "s", "--show", "99", code=1).stderr

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
    assert sent[b"k1"].headers() == [("h", b"v")]
    # Once is enough; what is no JSON can't be fixed and stays.
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
        # On purpose they are loaded again; a table has let them go.
        listed = place.endswith("ndjson")
        assert rejects(neuron, "p", "--fix", "* REPLACE (id + 1 AS amount)", "--all")[0]["replayed"] == (2 if listed else 0)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (5 if mode == "append" else 3,)
    assert rejects(neuron) == [] if not listed else rejects(neuron)[0]["replayed"] == 2


def test_replayed_rows_that_fail_again_are_new_rejects(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="upsert", rejects="bad.ndjson", key="key: [id]"))
    neuron.write("in.ndjson", '{"id":2,"amount":0,"note":"b"}\n')
    neuron.result("etl", "p")
    (done,) = rejects(neuron, "p", "--replay", code=1)
    assert (done["replayed"], done["records_loaded"], done["records_rejected"]) == (0, 0, 1)
    (cause,) = rejects(neuron)
    assert (cause["count"], cause["replayed"]) == (1, 1)


    # They are loaded when the cause is fixed, though their text is the same.
    fixed = PIPELINE.replace("10 / amount > 0", "amount >= 0")
    neuron.write("neuron.yaml", fixed.format(mode="upsert", rejects="bad.ndjson", key="key: [id]"))
    (done,) = rejects(neuron, "p", "--replay")
    assert (done["replayed"], done["replayed_before"], done["records_loaded"]) == (1, 1, 1)
    assert sql(neuron, "SELECT id, amount FROM t") == [(2, 0)]
    assert rejects(neuron, "p", "--replay")[0]["replayed"] == 0


def test_what_is_refused_again_stays(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="upsert", rejects="bad.ndjson", key="key: [id]"))
    neuron.write("in.ndjson", '{"id":2,"amount":0,"note":"b"}\n{"id":3,"amount":0,"note":"c"}\n')
    assert neuron("rejects", "p").stdout == "no rejects\n"
    neuron.result("etl", "p")
    assert "2 would be replayed" in neuron("rejects", "p", "--replay", "--dry-run").stdout
    said = neuron("rejects", "p", "--fix", "* REPLACE (CASE WHEN id = 2 THEN 1 ELSE 0 END AS amount)", code=1).stdout
    assert "p: 1 replayed, 1 stay (1 refused again), 0 were replayed before" in said


def test_all_shows_what_was_replayed_too(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="upsert", rejects="bad.ndjson", key="key: [id]"))
    neuron.write("in.ndjson", '{"id":2,"amount":0,"note":"b"}\n')
    neuron.result("etl", "p")
    (cause,) = rejects(neuron)
    rejects(neuron, "p", "--fix", "* REPLACE (1 AS amount)")
    neuron.write("in.ndjson", '{"id":3,"amount":0,"note":"c"}\n{"id":2,"amount":1,"note":"b"}\n')
    neuron.result("etl", "p")

    def counted(*args):
        return neuron("rejects", "p", *args).stdout.splitlines()[1].split()[2]
    assert (counted(), counted("--all")) == ("1", "2")
    shown = [len(neuron("rejects", "p", "--cause", cause["cause"], *more).stdout.splitlines()) for more in ([], ["--all"])]
    assert shown == [1, 2]
    rejects(neuron, "p", "--fix", "* REPLACE (1 AS amount)")
    assert "--all shows" in neuron("rejects", "p", "--cause", cause["cause"], code=1).stderr


def test_names_and_causes_that_are_none(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="upsert", rejects="bad.ndjson", key="key: [id]").replace(
        "  p:", "  prices:"))
    said = neuron("rejects", "price", code=2).stderr
    assert 'no pipeline or stream "price"' in said and 'did you mean "prices"?' in said
    assert "no rejects of --cause nope" in neuron("rejects", "prices", "--cause", "nope", "--replay", code=1).stderr
    assert "ids are shown by --cause" in neuron("rejects", "prices", "--show", "1", code=1).stderr


def sql(neuron, *statements, file="target.db"):
    with sqlite3.connect(os.path.join(neuron.folder, file)) as db:
        return [db.execute(statement) for statement in statements][-1].fetchall()


STAGES = """
connections: {{ target: '{target}' }}
pipelines:
  p:
    from: in.ndjson
    steps: [ {{ where: 10 / a > 0 }}, {{ where: 10 / b > 0 }} ]
    to: target
    table: t
    mode: append
    rejects: {rejects}
"""


def pour(neuron, *rows):
    neuron.write("in.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    return neuron.result("etl", "p")


def test_rows_of_two_stages_are_two_though_their_text_is_one(neuron):
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///target.db", rejects="bad.ndjson"))
    assert pour(neuron, {"a": 0, "b": 1}, {"a": 1, "b": 0})["records_rejected"] == 2
    (done,) = rejects(neuron, "p", "--fix", "7 AS a, 7 AS b")
    assert (done["replayed"], done["records_loaded"]) == (2, 2)
    assert sql(neuron, "SELECT a, b FROM t") == [(7, 7), (7, 7)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "file", "another", "another sqlite"])
def test_what_was_replayed_is_not_loaded_with_what_was_refused_later(neuron, server, kind):
    db, other = Database(server, f"late_{kind}"), Database(server, f"other_{kind}")
    target = "sqlite:///target.db" if kind == "sqlite" else db.url
    place = {"file": "bad.ndjson", "another": f"'{other.url}'", "another sqlite": "'sqlite:///bad.db'"}.get(kind, "bad")
    neuron.write("neuron.yaml", STAGES.format(target=target, rejects=place))
    for number in (1, 2, 3):
        assert pour(neuron, {"a": 0, "b": 1}, {"a": 1, "b": number})["records_rejected"] == 1
        assert [c["count"] for c in rejects(neuron)] == [1]
        (done,) = rejects(neuron, "p", "--fix", "* REPLACE (9 AS a)")
        assert (done["replayed"], done["records_loaded"]) == (1, 1)
        assert sum(c["count"] for c in rejects(neuron)) == 0
    if kind == "sqlite":
        assert sql(neuron, "SELECT count(*) FROM t WHERE a = 9") == [(3,)]
        assert sql(neuron, "SELECT count(*) FROM bad") == [(0,)]
    else:
        assert db("SELECT count(*) FROM t WHERE a = 9") == "3"


def test_rows_are_replayed_into_a_file_that_is_appended_to(neuron):
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///none.db", rejects="bad.ndjson").replace(
        "to: target\n    table: t", "to: out.ndjson"))
    for number in (1, 2):
        pour(neuron, {"a": number, "b": 1}, {"a": 0, "b": number})
        assert rejects(neuron, "p", "--fix", "* REPLACE (9 AS a)")[0]["records_loaded"] == 1
    assert [json.loads(line) for line in neuron.read("out.ndjson").splitlines()] == [
        {"a": 1, "b": 1}, {"a": 9, "b": 1}, {"a": 2, "b": 1}, {"a": 9, "b": 2}]


def halted(neuron, *statements, fix="9 AS a, b", **options):
    """A replay that fails where the statements say; then they are undone."""
    for i, statement in enumerate(statements):
        sql(neuron, f"CREATE TRIGGER halt{i} {statement} BEGIN SELECT RAISE(ABORT, 'halted'); END", **options)
    assert "halted" in neuron("rejects", "p", "--fix", fix, code=1).stderr
    for i, _ in enumerate(statements):
        sql(neuron, f"DROP TRIGGER halt{i}", **options)


@pytest.mark.parametrize("place", ["bad.ndjson", "'sqlite:///bad.db'"])
def test_a_replay_ended_before_it_was_marked_is_finished_as_it_was_begun(neuron, place):
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///target.db", rejects=place))
    pour(neuron, {"a": 0, "b": 1})
    # As if it were killed when the rows were published and nothing else was.
    if place == "bad.ndjson":
        rejects(neuron)  # makes the state store
        halted(neuron, "BEFORE INSERT ON pairs WHEN NEW.key LIKE 'rejects:%'", file="neuron-state.db")
    else:
        halted(neuron, "BEFORE DELETE ON neuron_rejects", file="bad.db")
    assert sql(neuron, "SELECT a, b FROM t") == [(9, 1)]
    pour(neuron, {"a": 0, "b": 2})
    (dry,) = rejects(neuron, "p", "--fix", "9 AS a, b", "--dry-run")
    (done,) = rejects(neuron, "p", "--fix", "9 AS a, b")
    assert done["replayed"] == 1
    assert place != "bad.ndjson" or (dry["replayed"], dry["replayed_before"]) == (1, 1)
    assert sql(neuron, "SELECT a, b FROM t ORDER BY b") == [(9, 1), (9, 2)]
    assert rejects(neuron, "p", "--replay")[0]["replayed"] == 0


def test_a_replay_from_another_database_is_finished_as_it_was_begun(neuron, server):
    db, other = Database(server, "begun"), Database(server, "begun_other")
    neuron.write("neuron.yaml", STAGES.format(target=db.url, rejects=f"'{other.url}'"))
    pour(neuron, {"a": 0, "b": 1}, {"a": 0, "b": 0})
    other("CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''halted''; END';"
          "CREATE TRIGGER halt BEFORE DELETE ON neuron_rejects FOR EACH ROW EXECUTE FUNCTION halt()")
    assert "halted" in neuron("rejects", "p", "--fix", "9 AS a, b", code=1).stderr
    other("DROP TRIGGER halt ON neuron_rejects")
    # The two of before, and what was refused again.
    assert db("SELECT * FROM t") == "9|1" and other("SELECT count(*) FROM neuron_rejects") == "3"
    (done,) = rejects(neuron, "p", "--fix", "a, 5 AS b")
    assert (done["replayed"], done["records_loaded"]) == (1, 1)
    assert db("SELECT * FROM t ORDER BY b") == "9|1\n9|5" and other("SELECT count(*) FROM neuron_rejects") == "0"


@pytest.mark.parametrize("place", ["bad", "bad.ndjson"])
def test_of_two_stages_the_one_that_was_not_published_is_replayed_again(neuron, place):
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///target.db", rejects=place))
    pour(neuron, {"a": 0, "b": 1}, {"a": 3, "b": 0}, {"a": 0, "b": 2})
    halted(neuron, "BEFORE INSERT ON neuron_loads WHEN NEW.run_id LIKE 'replay-%-1'")
    assert sql(neuron, "SELECT a, b FROM t ORDER BY b") == [(9, 1), (9, 2)]
    # What the second refused again was in the file before its run, and left it when that was not published.
    assert [c["count"] for c in rejects(neuron)] == ([1] if place == "bad" else [2, 1])
    (done,) = rejects(neuron, "p", "--fix", "8 AS a, 8 AS b")
    assert (done["replayed"], done["records_loaded"]) == (1, 1)
    assert sql(neuron, "SELECT a, b FROM t ORDER BY b") == [(9, 1), (9, 2), (8, 8)]
    assert rejects(neuron, "p", "--replay")[0]["replayed"] == 0


def test_a_file_that_was_taken_away_and_begins_anew_is_read_from_its_beginning(neuron):
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///target.db", rejects="bad.ndjson"))
    pour(neuron, {"a": 0, "b": 1}, {"a": 0, "b": 2}, {"a": 0, "b": 3})
    assert rejects(neuron, "p", "--fix", "9 AS a, b")[0]["replayed"] == 3
    pour(neuron, {"a": 0, "b": 4})
    assert [(c["count"], c["replayed"]) for c in rejects(neuron)] == [(1, 3)]
    for name in ("bad.ndjson", "bad.ndjson.neuron"):
        os.unlink(os.path.join(neuron.folder, name))
    pour(neuron, {"a": 0, "b": 5}, {"a": 0, "b": 6})
    assert [(c["count"], c["replayed"]) for c in rejects(neuron)] == [(2, 0)]
    (done,) = rejects(neuron, "p", "--fix", "9 AS a, b")
    assert (done["replayed"], done["replayed_before"], done["records_loaded"]) == (2, 0, 2)
    assert sql(neuron, "SELECT b FROM t ORDER BY b") == [(1,), (2,), (3,), (5,), (6,)]
    assert [(c["count"], c["replayed"]) for c in rejects(neuron)] == [(0, 2)]


def slow_replay(neuron):
    """A replay of 100,000 rows that has begun to gather them."""
    neuron.write("neuron.yaml", STAGES.format(target="sqlite:///target.db", rejects="bad.ndjson"))
    assert pour(neuron, *({"a": 0, "b": n} for n in range(1, 100001)))["records_rejected"] == 100000
    command = [PROGRAM, "rejects", "p", "--fix", "10 AS a, 1 AS b"]
    slow = subprocess.Popen(command, cwd=neuron.folder, env={**os.environ, "TMPDIR": neuron.folder},
                            stderr=subprocess.PIPE, text=True)
    wait_for(lambda: any(os.path.getsize(path) for path in glob.glob(os.path.join(neuron.folder, "neuron-replay-*"))))
    slow.send_signal(signal.SIGSTOP)
    return slow


@pytest.mark.parametrize("state", ["same", "another"])
def test_of_two_replays_at_once_one_loads_nothing(neuron, state):
    slow = slow_replay(neuron)
    neuron.write("other.yaml", neuron.read("neuron.yaml") + "state: sqlite:///other.db\n")
    more = ["-c", "other.yaml"] if state == "another" else []
    # The first lives: the second is turned away at once, until the first has said nothing for some seconds.
    if state == "same":
        err = neuron("rejects", "p", "--fix", "10 AS a, 1 AS b", code=1).stderr
        assert f"p is being replayed by process {slow.pid} on " in err and " since 20" in err
        assert rejects(neuron, "p", "--replay", "--dry-run")[0]["replayed"] == 100000
        time.sleep(6)
    (done,) = rejects(neuron, "p", "--fix", "10 AS a, 1 AS b", *more)
    assert done["records_loaded"] == 100000
    slow.send_signal(signal.SIGCONT)
    _, err = slow.communicate(timeout=60)
    assert slow.returncode == 1 and ("another took over" if state == "same" else "published meanwhile") in err
    assert sql(neuron, "SELECT count(*) FROM t") == [(100000,)]
    (again,) = rejects(neuron, "p", "--replay", *more)
    assert (again["replayed"], again["replayed_before"]) == (0, 100000)


def test_a_replay_goes_on_when_the_one_before_was_killed(neuron):
    slow = slow_replay(neuron)
    slow.kill()
    slow.communicate()
    (done,) = rejects(neuron, "p", "--fix", "10 AS a, 1 AS b")
    assert done["records_loaded"] == 100000
    assert rejects(neuron, "p", "--replay")[0]["replayed"] == 0


def test_what_has_no_rejects_says_so(neuron):
    neuron.write("neuron.yaml", PIPELINE.format(mode="append", rejects="stop", key=""))
    assert "no `rejects:` destination" in neuron("rejects", "p", code=2).stderr
    assert "of which" in neuron("rejects", "--replay", code=2).stderr
    assert "q" in neuron("rejects", "q", code=2).stderr
