"""Streams over files and tables: routing, dead letters, positions, kills, mistakes in configurations."""

import base64
import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import PROGRAM

PROCESSORS = """
    processors:
      user_event:
        - where: event_type = 'page_view'
          select: |
            'user_activity_summary' AS type, user_id, 1 AS event_count,
            timestamp AS last_activity, 'page_view' AS activity_type
      transaction:
        - where: transaction.amount > 10000
          select: |
            'fraud_alert' AS type, transaction.id AS transaction_id, transaction.amount AS amount,
            85 AS risk_score, 'Large transaction amount' AS reason
        - select: "'transaction_processed' AS type, transaction.id AS transaction_id, 'approved' AS status"
"""
TO_FILE = "    to: { file: out.ndjson }\n    dead_letter: { file: dead.ndjson }\n"
TO_TABLE = "    to: { connection: target, table: t }\n    dead_letter: { connection: target, table: dead }\n"


def configure(neuron, rest=TO_FILE, source="{ file: in.ndjson }", processors=PROCESSORS):
    neuron.write("neuron.yaml", "connections: { target: 'sqlite:///target.db' }\nstreams:\n  s:\n"
                 f"    from: {source}\n{processors}{rest}")


def lines(neuron, name):
    if not os.path.exists(os.path.join(neuron.folder, name)):
        return []
    return [json.loads(line) for line in neuron.read(name).splitlines()]


def adds_up(result):
    assert result["consumed"] == result["emitted"] + result["filtered"] + result["dead_lettered"]
    assert result["ledger_gap"] == 0 and result["in_flight"] == 0
    for counts in result["types"].values():
        assert counts["messages"] == counts["emitted"] + counts["filtered"] + counts["failed"]


def run(neuron, *messages, **options):
    text = b"".join(m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages)
    neuron.write("in.ndjson", text)
    result = neuron.result("stream", "s", **options)
    adds_up(result)
    return result


def view(user, **more):
    return {"type": "user_event", "event_type": "page_view", "user_id": user, "timestamp": "2024-01-01T00:00:00Z", **more}


def payment(name, amount):
    return {"type": "transaction", "transaction": {"id": name, "amount": amount}}


# ---- routing ----

def test_the_guides_processors(neuron):
    configure(neuron)
    result = run(neuron, view(1), payment("a", 10000.01), payment("b", 10000), view("x", event_type="click"))
    assert lines(neuron, "out.ndjson") == [
        {"type": "user_activity_summary", "user_id": 1, "event_count": 1, "last_activity": "2024-01-01T00:00:00Z",
         "activity_type": "page_view"},
        {"type": "fraud_alert", "transaction_id": "a", "amount": 10000.01, "risk_score": 85,
         "reason": "Large transaction amount"},
        {"type": "transaction_processed", "transaction_id": "b", "status": "approved"}]
    assert (result["consumed"], result["emitted"], result["filtered"], result["dead_lettered"]) == (4, 3, 1, 0)
    assert (result["messages_processed"], result["messages_failed"]) == (4, 0)
    assert result["types"]["user_event"] == {"messages": 2, "emitted": 1, "filtered": 1, "failed": 0}
    assert result["average_processing_time"] > 0 and result["status"] == "stopped"
    assert list(neuron.read("out.ndjson").splitlines()[0])[:9] == list('{"type":"')


def test_the_order_stays_whatever_the_processor(neuron):
    configure(neuron)
    chance = random.Random(3)
    messages = [chance.choice([view(i), payment(i, 1), payment(i, 20000), view(i, event_type="no")]) for i in range(5000)]
    run(neuron, *messages)
    got = [m.get("user_id", m.get("transaction_id")) for m in lines(neuron, "out.ndjson")]
    assert got == [i for i, m in enumerate(messages) if m.get("event_type") != "no"]


def test_nulls_are_written_and_the_last_of_equal_keys_counts(neuron):
    configure(neuron)
    run(neuron, b'{"type":"nothing","type":"user_event","event_type":"page_view","user_id":1,"user_id":2}\n')
    assert neuron.read("out.ndjson") == ('{"type":"user_activity_summary","user_id":2,"event_count":1,'
                                         '"last_activity":null,"activity_type":"page_view"}\n')


@pytest.mark.parametrize("message", [{"type": "nope"}, {"type": None}, {"other": 1}, {"type": 5}, {"type": ["transaction"]},
                                     {"type": {"a": "transaction"}}, {"type": ""}, {"type": "Transaction"}])
def test_unknown_types_in_three_ways(neuron, message):
    for way in ("drop", "dead_letter", "pass"):
        configure(neuron, TO_FILE + f"    unknown: {way}\n")
        result = run(neuron, {**message, "n": [1, 2.50]}, view(1))
        assert result["unknown"] == 1 and result["consumed"] == 2
        assert (result["filtered"], result["dead_lettered"]) == {
            "drop": (1, 0), "dead_letter": (0, 1), "pass": (0, 0)}[way]
        out, dead = lines(neuron, "out.ndjson"), lines(neuron, "dead.ndjson")
        assert [m for m in out if "n" in m] == ([{**message, "n": [1, 2.5]}] if way == "pass" else [])
        for letter in dead:
            assert letter["original_message"] == {**message, "n": [1, 2.5]}
            assert letter["stage"] == "route" and letter["processor"] is None and "type" in letter["error"]
        for name in ("out.ndjson", "out.ndjson.neuron", "dead.ndjson", "dead.ndjson.neuron"):
            if os.path.exists(os.path.join(neuron.folder, name)):
                os.unlink(os.path.join(neuron.folder, name))


def test_cases_first_true_wins_and_an_error_does_not_fall_through(neuron):
    configure(neuron, processors="""
    route_by: kind.name
    processors:
      a:
        - { where: x > 10, select: "'big' AS c, x" }
        - { where: x > 5, select: "'middle' AS c, x" }
        - { where: "1 / x > 0", select: "'small' AS c, x" }
      b:
        - select: "*, x + 1 AS y"
      c:
        - where: x IS NULL
""")
    kind = lambda name, **more: {"kind": {"name": name}, **more}
    result = run(neuron, kind("a", x=11), kind("a", x=7), kind("a", x=2), kind("a", x=-3), kind("a", x=0), kind("a"),
                 kind("b", x=1), kind("b", x="1"), kind("c"), kind("c", x=1))
    assert [(m.get("c"), m.get("x"), m.get("y")) for m in lines(neuron, "out.ndjson")] == [
        ("big", 11, None), ("middle", 7, None), ("small", 2, None), (None, 1, 2), (None, None, None)]
    assert [(m["stage"], m["processor"], m["offset"]) for m in lines(neuron, "dead.ndjson")] == [("a/3", "a", 4), ("b/1", "b", 7)]
    assert result["filtered"] == 3


# ---- dead letters ----

def test_the_envelope_exactly(neuron):
    configure(neuron)
    result = run(neuron, payment("a", "much"), b"{not json\n", b'"a text"\n', b"\n", b"[1, 2]\n", b'{"type":"\xff"}\n')
    letters = lines(neuron, "dead.ndjson")
    assert result["dead_lettered"] == result["messages_failed"] == len(letters) == 5
    for letter in letters:
        assert list(letter) == [key for key in ("original_message", "encoding", "error", "timestamp", "topic", "partition",
                                                "offset", "type", "processor", "stage", "path")
                                if key != "encoding" or "encoding" in letter]
        assert letter["timestamp"].endswith("Z") and letter["topic"] is None and letter["partition"] == 0
    by_offset = {letter["offset"]: letter for letter in letters}
    assert by_offset[0]["original_message"] == payment("a", "much")
    assert (by_offset[0]["type"], by_offset[0]["processor"], by_offset[0]["stage"]) == ("transaction",) * 2 + ("transaction/1",)
    assert "text" in by_offset[0]["error"] and by_offset[0]["path"] == "transaction.amount"
    assert by_offset[1]["original_message"] == "{not json" and by_offset[1]["stage"] == "read"
    assert by_offset[2]["original_message"] == "a text" and "object" in by_offset[2]["error"]
    assert by_offset[3]["original_message"] == [1, 2]
    assert base64.b64decode(by_offset[4]["original_message"]) == b'{"type":"\xff"}' and by_offset[4]["encoding"] == "base64"


def kill_between_both_commits(neuron):
    """The letters of a cycle are committed, its data waits for the lock of its file: then it is killed."""
    before = neuron.read("dead.ndjson") if os.path.exists(os.path.join(neuron.folder, "dead.ndjson")) else ""
    with open(os.path.join(neuron.folder, "out.ndjson"), "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        stream = subprocess.Popen([PROGRAM, "stream", "s"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        assert b"waits for the lock" in stream.stderr.readline()
        stream.kill()
        stream.communicate()
    assert neuron.read("dead.ndjson") != before and neuron.read("out.ndjson") == ""


def test_letters_of_a_cycle_that_is_read_again(neuron):
    """Those that stand there are not doubled; a message that is refused only now isn't lost."""
    configure(neuron)
    messages = [payment("a", "x"), view(1), payment("b", "y"), view(2)]
    neuron.write("in.ndjson", "".join(json.dumps(m) + "\n" for m in messages))
    kill_between_both_commits(neuron)
    result = run(neuron, payment("a", "x"), payment("c", "z"), payment("b", 1), payment("d", 1))
    assert (result["dead_lettered"], result["emitted"]) == (2, 2)
    assert [letter["original_message"]["transaction"]["id"] for letter in lines(neuron, "dead.ndjson")] == ["a", "b", "c"]
    assert [m["transaction_id"] for m in lines(neuron, "out.ndjson")] == ["b", "d"]


def test_letters_of_a_source_that_begins_anew(neuron):
    configure(neuron)
    run(neuron, *[payment(n, "x") for n in range(5)])
    for name in ("out.ndjson", "out.ndjson.neuron"):
        os.unlink(os.path.join(neuron.folder, name))
    result = run(neuron, *[payment(n, "y") for n in range(10, 14)])
    assert result["dead_lettered"] == 4
    assert [m["original_message"]["transaction"]["id"] for m in lines(neuron, "dead.ndjson")] == [*range(5), *range(10, 14)]


def test_original_numbers_and_keys_are_kept_letter_for_letter(neuron):
    configure(neuron)
    text = '{"type":"transaction","b":1.500,"b":12345678901234567890123,"transaction":{"amount":"x","é":"\\u00e9"}}'
    run(neuron, text.encode() + b"\n")
    assert neuron.read("dead.ndjson").startswith('{"original_message":' + text + ',"error"')


def test_text_is_not_a_number_unless_cast(neuron):
    configure(neuron)
    run(neuron, payment("a", "20000"))
    assert lines(neuron, "out.ndjson") == [] and "cast" in lines(neuron, "dead.ndjson")[0]["error"]
    configure(neuron, processors="    processors: { transaction: [ { where: 'transaction.amount::numeric > 10000' } ] }\n",
              rest="    to: { file: out2.ndjson }\n    dead_letter: { file: dead2.ndjson }\n")
    run(neuron, payment("a", "20000"))
    assert lines(neuron, "out2.ndjson") == [payment("a", "20000")]


def test_deep_and_huge_messages(neuron):
    configure(neuron)
    deep = b'{"type":"user_event","x":' + b"[" * 10000 + b"]" * 10000 + b"}\n"
    huge = view("big", filler="x" * (10 << 20))
    broken = b'{"type":"user_event","filler":"' + b"y" * (10 << 20) + b"\n"
    result = run(neuron, view(1), deep, huge, broken, view(2))
    assert (result["emitted"], result["dead_lettered"]) == (3, 2)
    letters = lines(neuron, "dead.ndjson")
    assert letters[0]["original_message"] == deep.decode().strip() and letters[0]["offset"] == 1
    assert letters[1]["original_message"] == broken.decode().strip()


def test_without_a_place_for_dead_letters_the_stream_ends_and_names_the_message(neuron):
    configure(neuron, "    to: { file: out.ndjson }\n")
    neuron.write("in.ndjson", json.dumps(view(1)) + "\n" + json.dumps(payment("a", "x")) + "\n" + json.dumps(view(2)) + "\n")
    done = neuron("stream", "s", code=1)
    assert "transaction/1: row 2" in done.stderr and "dead_letter" in done.stderr
    assert json.loads(done.stdout)["status"] == "failed" and lines(neuron, "out.ndjson") == []
    # Fixed, nothing is lost.
    neuron.write("in.ndjson", json.dumps(view(1)) + "\n" + json.dumps(payment("a", 1)) + "\n" + json.dumps(view(2)) + "\n")
    assert neuron.result("stream", "s")["emitted"] == 3
    neuron.write("in.ndjson", "{oops\n")
    os.unlink(os.path.join(neuron.folder, "out.ndjson")), os.unlink(os.path.join(neuron.folder, "out.ndjson.neuron"))
    assert "in.ndjson:1:" in neuron("stream", "s", code=1).stderr


# ---- tables ----

def test_into_a_table_with_the_columns_of_all_cases(neuron):
    configure(neuron, TO_TABLE)
    result = run(neuron, view(1), payment("a", 20000.5), payment("b", 1), payment("c", "x"), b"oops\n")
    assert (result["emitted"], result["dead_lettered"]) == (3, 2)
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
        target.row_factory = sqlite3.Row
        rows = [dict(row) for row in target.execute("SELECT * FROM t ORDER BY rowid")]
        assert list(rows[0]) == ["type", "user_id", "event_count", "last_activity", "activity_type", "transaction_id",
                                 "amount", "risk_score", "reason", "status"]
        assert [(r["type"], r["user_id"], r["transaction_id"], r["amount"], r["status"]) for r in rows] == [
            ("user_activity_summary", 1, None, None, None), ("fraud_alert", None, "a", 20000.5, None),
            ("transaction_processed", None, "b", None, "approved")]
        dead = target.execute("SELECT stage, row, data FROM dead ORDER BY row").fetchall()
        assert [(stage, row) for stage, row, _ in dead] == [("transaction/1", 3), ("read", 4)]
        assert [json.loads(data) for *_, data in dead] == [payment("c", "x"), "oops"]
        assert [tuple(row) for row in target.execute("SELECT pipeline, records_rejected FROM neuron_loads")] == [("s", 2)]


def test_upsert_by_key_and_only_what_is_new(neuron):
    configure(neuron, "    to: { connection: target, table: t, key: [user_id] }\n", processors=(
        "    processors: { user_event: [ { select: 'user_id::bigint AS user_id, timestamp::text AS at' } ] }\n"))
    result = run(neuron, view(1), view(2), view(1, timestamp="later"))
    assert (result["emitted"], result["filtered"]) == (2, 1)
    with open(os.path.join(neuron.folder, "in.ndjson"), "a") as file:
        file.write(json.dumps(view(2, timestamp="last")) + "\n")
    result = neuron.result("stream", "s")
    adds_up(result)
    assert result["consumed"] == 1
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
        assert target.execute("SELECT user_id, at FROM t ORDER BY 1").fetchall() == [(1, "later"), (2, "last")]
    assert neuron.result("stream", "s")["consumed"] == 0


def test_a_row_that_the_table_refuses_becomes_a_dead_letter(neuron):
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
        target.execute("CREATE TABLE t (user_id INTEGER CHECK (user_id < 10))")
    configure(neuron, "    to: { connection: target, table: t }\n    dead_letter: { file: dead.ndjson }\n", processors=(
        "    processors: { user_event: [ { select: 'user_id::bigint AS user_id' } ] }\n"))
    result = run(neuron, view(1), view(11), view(2))
    assert (result["emitted"], result["dead_lettered"]) == (2, 1)
    letter = lines(neuron, "dead.ndjson")[0]
    assert letter["offset"] == 1 and letter["original_message"]["user_id"] == 11 and "CHECK" in letter["error"]


# ---- input and output ----

def test_standard_input_and_output_as_messages_come(neuron):
    configure(neuron, "    to: { file: '-#ndjson' }\n    dead_letter: { file: dead.ndjson }\n", source="{ file: '-#ndjson' }")
    stream = subprocess.Popen([PROGRAM, "stream", "s"], cwd=neuron.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    for i in range(3):  # each answer comes before the next message is sent
        stream.stdin.write(json.dumps(view(i)).encode() + b"\n")
        stream.stdin.flush()
        assert json.loads(stream.stdout.readline())["user_id"] == i
    stream.stdin.write(b"oops\n")
    out, err = stream.communicate(timeout=60)
    assert (out, err, stream.returncode) == (b"", b"", 0)
    assert lines(neuron, "dead.ndjson")[0]["original_message"] == "oops"


@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_order(neuron, number, code):
    configure(neuron, source="{ file: '-#ndjson' }")
    stream = subprocess.Popen([PROGRAM, "stream", "s", "--json"], cwd=neuron.folder, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stream.stdin.write(json.dumps(view(1)).encode() + b"\n")
    stream.stdin.flush()
    until(lambda: lines(neuron, "out.ndjson"))
    stream.stdin.write(json.dumps(view(2)).encode() + b"\n")
    stream.stdin.flush()
    until(lambda: len(lines(neuron, "out.ndjson")) == 2)
    stream.send_signal(number)
    assert stream.wait(timeout=20) == code
    result = json.loads(stream.stdout.read())
    stream.stdin.close()
    adds_up(result)
    assert result["emitted"] == 2 and result["status"] == "stopped"


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_compressed_files_and_csv(neuron):
    configure(neuron, "    to: { file: out.csv }\n", processors=(
        "    processors: { user_event: [ { select: 'user_id, event_type' } ] }\n"))
    run(neuron, view(1), view("b, c"))
    with open(os.path.join(neuron.folder, "in.ndjson"), "a") as file:
        file.write(json.dumps(view(3)) + "\n")
    assert neuron.result("stream", "s")["consumed"] == 1
    assert neuron.read("out.csv") == 'user_id,event_type\n1,page_view\n"b, c",page_view\n3,page_view\n'


def test_a_file_has_one_writer(neuron):
    one = "streams:\n  {name}:\n    from: {{ file: in.ndjson }}\n" + PROCESSORS.replace("{", "{{").replace("}", "}}") \
        + TO_FILE.replace("{", "{{").replace("}", "}}")
    neuron.write("neuron.yaml", one.format(name="s"))
    run(neuron, view(1))
    # A copy may append; the stream's position stays.
    neuron("copy", "in.ndjson", "out.ndjson", "--mode", "append")
    assert neuron.result("stream", "s")["consumed"] == 0
    assert len(lines(neuron, "out.ndjson")) == 2
    neuron.write("neuron.yaml", one.format(name="other"))
    assert "written by \"s\"" in neuron("stream", "other", code=2).stderr


# ---- kills ----

MANY = 60000


def expected(messages):
    emitted, dead = [], []
    for number, message in enumerate(messages):
        amount = message.get("transaction", {}).get("amount")
        if isinstance(amount, str):
            dead.append(number)
        elif message.get("event_type") != "click":
            emitted.append(message.get("user_id", message.get("transaction", {}).get("id")))
    return emitted, dead


def many_messages():
    chance = random.Random(11)
    kinds = [lambda i: view(i), lambda i: payment(i, 1), lambda i: payment(i, 20000), lambda i: view(i, event_type="click"),
             lambda i: payment(i, "x")]
    return [chance.choices(kinds, [6, 6, 2, 2, 1])[0](i) for i in range(MANY)]


@pytest.mark.parametrize("where", ["file", "table", "table and file"])
def test_killed_at_any_moment_nothing_is_lost_or_doubled(neuron, where):
    rest = {"file": TO_FILE, "table": TO_TABLE,
            "table and file": "    to: { connection: target, table: t }\n    dead_letter: { file: dead.ndjson }\n"}[where]
    configure(neuron, rest + "    cycle: 1ms\n    cycle_rows: 500\n")
    messages = many_messages()
    neuron.write("in.ndjson", "".join(json.dumps(m) + "\n" for m in messages))
    chance = random.Random(5)
    killed = 0
    for _ in range(60 if os.environ.get("NEURON_SOAK") else 15):
        stream = subprocess.Popen([PROGRAM, "stream", "s"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE)
        try:
            stream.wait(timeout=0.004 + chance.random() * 0.03)
        except subprocess.TimeoutExpired:
            stream.kill()
            killed += 1
        assert stream.wait() in (0, -signal.SIGKILL), stream.stderr.read()
    assert killed > 3, f"{killed} kills hit a running program"
    neuron("stream", "s")
    emitted, dead = expected(messages)
    if where == "file":
        got = [m.get("user_id", m.get("transaction_id")) for m in lines(neuron, "out.ndjson")]
    else:
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
            got = [row[0] for row in target.execute("SELECT coalesce(user_id, transaction_id) FROM t ORDER BY rowid")]
            assert target.execute("SELECT count(*) FROM neuron_loads").fetchone()[0] <= 100
    assert got == emitted
    if where == "table":
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as target:
            assert [row[0] for row in target.execute("SELECT row FROM dead ORDER BY row")] == dead
    else:
        assert sorted(m["offset"] for m in lines(neuron, "dead.ndjson")) == dead


# ---- configuration ----

def test_neuron_test_of_processors(neuron):
    configure(neuron, TO_FILE + """
tests:
  - name: large ones
    processor: s/transaction
    input: [ { transaction: { id: 1, amount: 20000 } }, { transaction: { id: 2, amount: x } }, { transaction: { id: 3, amount: 5 } } ]
    output: [ { type: fraud_alert, risk_score: 85 }, { transaction_id: 3, amount: 1 } ]
    dead_letters: 1
  - { processor: s, input: [ { type: user_event, event_type: page_view, user_id: 7 }, { type: nope } ], output: [ { user_id: 7 } ] }
""")
    done = neuron("test", code=1)
    assert "FAIL large ones" in done.stdout and "row 2" in done.stdout and "ok   s" in done.stdout
    assert "1 passed, 1 failed" in done.stdout
    assert sorted(os.listdir(neuron.folder)) == ["neuron.yaml"]
    configure(neuron, TO_FILE + "tests: [ { processor: s/transactoin, input: [], output: [] } ]\n")
    assert "did you mean \"transaction\"" in neuron("test", code=2).stderr


@pytest.mark.parametrize("place, what, text", [
    ("2:3", "lacks `to`", "from: { file: a.ndjson }\n    processors: { a: [ {} ] }"),
    ("5:5", "only one place", "from: { file: a.ndjson }\n    processors: { a: { select: '*' } }\n    to: { file: b.ndjson, topic: x }"),
    ("3:19", "JSON lines", "from: { file: a.csv }\n    processors: { a: { select: '*' } }\n    to: { file: b.ndjson }"),
    ("4:38", "a value expected", "from: { file: a.ndjson }\n    processors: { a: [ { where: 'x > ' } ] }\n    to: { file: b.ndjson }"),
    ("4:", "no function", "from: { file: a.ndjson }\n    processors: { a: [ { select: 'nope(x) AS y' } ] }\n    to: { file: b.ndjson }"),
    ("4:26", "did you mean where|unknown key `wher`|where", "from: { file: a.ndjson }\n    processors: { a: [ { wher: x } ] }\n    to: { file: b.ndjson }"),
    ("4:", "never reached", "from: { file: a.ndjson }\n    processors: { a: [ { select: x }, { select: y } ] }\n    to: { file: b.ndjson }"),
    ("5:", "a list of cases", "from: { file: a.ndjson }\n    processors:\n      a: []\n    to: { file: b.ndjson }"),
    ("2:3", "`*` has others", "from: { file: a.ndjson }\n    processors: { a: [ { select: '*' } ] }\n    to: { connection: target, table: t }"),
    ("2:3", "cast one", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ], b: [ { select: \"'1' AS x\" } ] }\n    to: { connection: target, table: t }"),
    ("5:", "no processor makes", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: target, table: t, key: [y] }"),
    ("5:", "needs a connection to a broker", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: target, topic: t }"),
    ("5:", "no connection `events`", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { topic: t }"),
    ("5:", "did you mean the connection `target`", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: targte, table: t }"),
    ("6:14", "needs a place", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { file: b.ndjson }\n    unknown: dead_letter"),
    ("6:14", "can't put messages into a table", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: target, table: t }\n    unknown: pass"),
    ("6:", "did you mean drop", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { file: b.ndjson }\n    unknown: dorp"),
    ("6:", "needs a topic", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { file: b.ndjson }\n    dead_letter: { file: d.ndjson, format: raw }"),
    ("6:", "outputs go to this file", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { file: b.ndjson }\n    dead_letter: { file: b.ndjson }"),
    ("5:", "no column \"nobody\"", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: bus, topic: t, key: nobody }"),
    ("6:15", "keeps nothing", "from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { connection: bus, topic: t }\n    delivery: exactly_once"),
    ("3:", "`route_by` must give a text", "route_by: 1 + 1\n    from: { file: a.ndjson }\n    processors: { a: [ { select: '1 AS x' } ] }\n    to: { file: b.ndjson }"),
])
def test_mistakes_have_a_place_and_a_mend(neuron, place, what, text):
    neuron.write("neuron.yaml", f"streams:\n  s:\n    {text}\nconnections: {{ target: 'sqlite:///x.db', bus: embedded }}\n")
    error = neuron("validate", code=2).stderr
    assert any(f"neuron.yaml:{place}" in line and any(w in line for w in what.split("|")) for line in error.splitlines()), error
    assert neuron("stream", "s", code=2).stderr


def test_a_key_that_only_some_outputs_have(neuron):
    neuron.write("neuron.yaml", "connections: { events: 'kafka://localhost:9' }\nstreams:\n  s:\n    from: { topic: a }\n"
                 + PROCESSORS + "    to: { topic: b, key: user_id }\n    options: { linger.ms: 5 }\n")
    assert "is valid" in neuron("validate").stdout


def test_which_stream(neuron):
    configure(neuron)
    assert "no stream \"x\"" in neuron("stream", "x", code=2).stderr
    assert "needs more arguments" in neuron("stream", code=2).stderr
    assert "--patience" in neuron("stream", "s", "--patience", "soon", code=2).stderr
    assert "no such file" in neuron("stream", "s", code=1).stderr
    schema = json.loads(neuron("schema").stdout)["properties"]["streams"]["additionalProperties"]
    assert {"from", "to", "processors", "unknown", "dead_letter", "delivery"} <= set(schema["properties"])
    assert schema["required"] == ["from", "processors", "to"]
