"""No message can stop a stream: whatever a broker, a table or a file refuses costs that message, and says so."""

import hashlib
import json
import os
import random
import sqlite3
import time

import pytest
from confluent_kafka.admin import NewTopic

from kafka import Kafka
from postgres import Database
from test_rejects import rejects
from test_run import running, wait_for
from test_run_streams import serve, state
from test_stream_kafka import Stream

GOOD = ['{"type":"a","id":0,"s":"x"}', '{"type":"a","id":2,"s":"y"}']


def hexes(count, seed=1):
    return "".join(random.Random(seed).choices("0123456789abcdef", k=count))


def poison(neuron, kafka, select="id, s", **options):
    options.setdefault("to", "topic: {target}")
    options.setdefault("partitions", 1)
    return Stream(neuron, kafka, processors=f"""
    route_by: type
    processors: {{ a: [ {{ select: "{select}" }} ] }}
""", **options)


def own_topics(s, kafka, target=None, dead=None):
    """Topics with their own limits, in the place of the usual ones."""
    text = s.neuron.read("neuron.yaml")
    for name, config in (("target", target), ("dead", dead)):
        if config:
            old, new = getattr(s, name), kafka.topic(name, 1, **config)
            text = text.replace(old, new)
            setattr(s, name, new)
    s.neuron.write("neuron.yaml", text)


def ids(s):
    return [m["id"] for m in s.out()]


def around(message):
    return [GOOD[0], message, GOOD[1]]


def sha256(text):
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


# ---- letters that are larger than their topic takes ----

def test_an_envelope_that_is_too_large_becomes_raw(neuron, kafka):
    s = poison(neuron, kafka)
    message = '{"type":"a","id":1,"s":"' + '\\"' * 480000
    s.produce(*around({"value": message, "key": "k", "headers": [("h", b"\xff\x00")], "timestamp": 1700000000123}))
    result = s.drain()
    assert (result["dead_lettered"], result["aborted_cycles"], ids(s)) == (1, 0, [0, 2])
    (letter,) = kafka.consume(s.dead)
    assert (letter.value().decode(), letter.key(), letter.timestamp()[1]) == (message, b"k", 1700000000123)
    headers = dict(letter.headers())
    assert headers["h"] == b"\xff\x00" and (headers["dlq.topic"], headers["dlq.offset"]) == (s.source.encode(), b"1")


@pytest.mark.parametrize("letters", ["topic: {dead}", "topic: {dead}, format: raw"])
@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_letter_that_fits_in_no_form_is_cut(neuron, kafka, letters, delivery):
    s = poison(neuron, kafka, letters=letters, rest=f"    delivery: {delivery}\n")
    own_topics(s, kafka, dead={"max_message_bytes": 100000})
    message = b'{"type":"a","s":"' + hexes(300000).encode() + b'\xff"}'
    s.produce(*around({"value": message, "key": b"\xfe\x00"}))
    result = s.drain()
    assert (result["dead_lettered"], result["aborted_cycles"], ids(s)) == (1, 0, [0, 2])
    (letter,) = s.letters()
    assert letter["original_truncated"] is True and letter["original_bytes"] == len(message)
    assert letter["original_sha256"] == sha256(message) and letter["encoding"] == "base64"
    assert (letter["topic"], letter["partition"], letter["offset"]) == (s.source, 0, 1) and "JSON" in letter["error"]


def test_a_cut_letter_is_listed_and_not_replayed(neuron, kafka):
    s = poison(neuron, kafka)
    own_topics(s, kafka, dead={"max_message_bytes": 20000})
    s.produce('{"type":"a","s":"' + hexes(50000))
    assert s.drain()["dead_lettered"] == 1
    (cause,) = rejects(neuron, "s")
    (shown,) = rejects(neuron, "s", "--cause", cause["cause"])
    assert shown["original_truncated"] is True and shown["original_bytes"] == 50017
    replayed = neuron("rejects", "s", "--replay", code=1).stdout
    assert f"the message itself is in topic {s.source}, partition 0, offset 0" in replayed
    assert len(kafka.consume(s.source)) == 1


def test_a_replay_gives_back_key_headers_and_time(neuron, kafka):
    for letters in ("topic: {dead}", "topic: {dead}, format: raw", "file: dead.ndjson", "connection: target, table: dead"):
        s = poison(neuron, kafka, select="id + 1 AS id, s", letters=letters, partitions=4)
        made = {"key": "k7", "value": '{"type":"a","id":"x","s":"y"}', "headers": [("h", b"\xff\x00"), ("t", b"v")],
                "timestamp": int(time.time() * 1000) - 3600123}
        s.produce(made)
        assert s.drain()["dead_lettered"] == 1
        (done,) = rejects(neuron, "s", "--replay", "--fix", "* REPLACE (7 AS id)")
        assert done["replayed"] == 1
        first, second = kafka.consume(s.source)
        assert (second.key(), second.headers(), second.timestamp(), second.partition()) == (
            first.key(), first.headers(), first.timestamp(), first.partition()), letters
        assert s.drain()["emitted"] == 1


def test_the_smallest_letter_has_nothing_of_the_message(neuron, kafka):
    s = poison(neuron, kafka)
    own_topics(s, kafka, dead={"max_message_bytes": 800})
    message = '{"type":"' + hexes(3000) + '","s":"\\'
    s.produce(*around({"value": message, "key": hexes(2000, 2)}))
    assert s.drain()["dead_lettered"] == 1 and ids(s) == [0, 2]
    (letter,) = s.letters()
    assert letter["original_message"] is None and letter["original_sha256"] == sha256(message)
    assert letter["original_bytes"] == len(message) and letter["offset"] == 1


# ---- outputs that their topic refuses ----

@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_an_output_that_is_too_large_is_a_dead_letter(neuron, kafka, delivery):
    s = poison(neuron, kafka, select="id, s || s AS s", rest=f"    delivery: {delivery}\n")
    message = {"type": "a", "id": 1, "s": "p" * 600000}
    s.produce(*around(message))
    assert s.drain()["dead_lettered"] == 1 and ids(s) == [0, 2]
    (letter,) = s.letters()
    assert letter["original_message"] == message and "larger than rdkafka.message.max.bytes" in letter["error"]
    assert (letter["stage"], letter["offset"], letter["type"]) == ("write", 1, "a")


def test_a_topics_own_limit_is_on_what_is_compressed(neuron, kafka):
    s = poison(neuron, kafka)
    own_topics(s, kafka, target={"max_message_bytes": 1000})
    s.produce(*around({"type": "a", "id": 1, "s": hexes(3000)}), {"type": "a", "id": 3, "s": "z" * 3000},
              *[{"type": "a", "id": i, "s": hexes(100, i)} for i in range(4, 400)])
    result = s.drain()
    assert (result["dead_lettered"], result["aborted_cycles"]) == (1, 0)
    assert ids(s) == [0, 2, *range(3, 400)]
    (letter,) = s.letters()
    assert letter["original_message"]["id"] == 1 and "max.message.bytes (1000)" in letter["error"]


def test_an_output_without_a_key_for_a_compacted_topic(neuron, kafka):
    s = poison(neuron, kafka, to="topic: {target}, key: s")
    own_topics(s, kafka, target={"cleanup_policy": "compact"}, dead={"cleanup_policy": "compact"})
    s.produce(*around({"type": "a", "id": 1, "s": None}))
    assert s.drain()["dead_lettered"] == 1 and ids(s) == [0, 2]
    (letter,) = kafka.consume(s.dead)
    assert letter.key().decode() == f"{s.source}/0/1" and json.loads(letter.value())["original_message"]["id"] == 1


def test_a_time_that_the_topic_refuses(neuron, kafka):
    s = poison(neuron, kafka, letters="topic: {dead}, format: raw", rest="    unknown: pass\n")
    limit = {"message_timestamp_before_max_ms": 86400000}
    own_topics(s, kafka, target=limit, dead=limit)
    s.produce(GOOD[0], {"value": '{"type":"b"}', "timestamp": 1500000000000},
              {"value": "{bad", "timestamp": 1500000000000}, GOOD[1])
    assert s.drain()["dead_lettered"] == 2 and ids(s) == [0, 2]
    bad, unknown = kafka.consume(s.dead)
    assert (unknown.value(), bad.value()) == (b'{"type":"b"}', b"{bad")
    assert dict(bad.headers())["dlq.timestamp"] == b"2017-07-14T02:40:00Z"


def test_a_message_larger_than_the_clients_queue(neuron, kafka):
    s = poison(neuron, kafka)
    own_topics(s, kafka, target={"max_message_bytes": 20000000}, dead={"max_message_bytes": 20000000})
    text = neuron.read("neuron.yaml").replace("options: {", "options: { queue.buffering.max.kbytes: 600,")
    neuron.write("neuron.yaml", text)
    s.produce(*around({"type": "a", "id": 1, "s": hexes(900000)}))
    assert s.drain()["dead_lettered"] == 1 and ids(s) == [0, 2]
    (letter,) = s.letters()
    assert letter["original_truncated"] and "queue.buffering.max.kbytes" in letter["error"]


# ---- what the broker alone knows: bob may not ask for the topics' limits ----

@pytest.fixture(scope="module")
def guarded():
    broker = Kafka(secure=True, rules=True)
    yield broker
    broker.close()


def bobs(neuron, guarded, allowed=("target", "dead"), **options):
    """A stream of bob's, who may write to the topics."""
    s = poison(neuron, guarded, **options)
    login = guarded.sasl_url("").replace("/#", "#")
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(f"kafka://{guarded.brokers}", login))
    guarded.rules("TOPIC", s.source, ["READ", "DESCRIBE"])
    guarded.rules("GROUP", s.source, ["READ"])
    guarded.rules("TRANSACTIONAL_ID", "*", ["WRITE", "DESCRIBE"])
    for name in ("target", "dead"):
        guarded.rules("TOPIC", getattr(s, name), ["DESCRIBE"] + (["WRITE"] if name in allowed else []))
    return s


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_outputs_that_only_the_broker_knows_to_be_too_large(neuron, guarded, delivery):
    s = bobs(neuron, guarded, rest=f"    delivery: {delivery}\n")
    guarded.configure(s.target, max_message_bytes=1000)
    bad = [{"type": "a", "id": i, "s": hexes(3000, i)} for i in range(3)]
    good = [{"type": "a", "id": i, "s": hexes(100, i)} for i in range(10, 400)]
    s.produce(*good[:100], bad[0], *good[100:300], bad[1], bad[2], *good[300:])
    result = s.drain()
    assert result["dead_lettered"] == 3
    assert set(ids(s)) == set(range(10, 400)) and (delivery == "at_least_once" or ids(s) == [*range(10, 400)])
    assert [m["original_message"]["id"] for m in s.letters()] == [0, 1, 2]
    assert "Message size too large" in s.letters()[0]["error"]


def test_letters_that_only_the_broker_knows_to_be_too_large(neuron, guarded):
    s = bobs(neuron, guarded)
    guarded.configure(s.dead, max_message_bytes=10000)
    message = '{"type":"a","s":"' + hexes(40000)
    s.produce(*around(message))
    assert s.drain()["dead_lettered"] == 1 and ids(s) == [0, 2]
    (letter,) = s.letters()
    assert letter["original_truncated"] and letter["original_sha256"] == sha256(message)


def test_outputs_that_the_broker_refuses_with_their_batch(neuron, guarded):
    s = bobs(neuron, guarded, to="topic: {target}, key: s")
    guarded.configure(s.target, cleanup_policy="compact")
    made = [{"type": "a", "id": i, "s": None if i in (70, 71, 400) else f"k{i}"} for i in range(500)]
    s.produce(*made)
    result = s.drain()
    assert result["dead_lettered"] == 3 and result["aborted_cycles"] <= 8
    assert ids(s) == [m["id"] for m in made if m["s"]]
    assert [m["original_message"]["id"] for m in s.letters()] == [70, 71, 400]


# ---- what no letter can be written for holds the stream ----

def test_a_missing_topic_for_letters_holds_the_stream_until_it_is_there(neuron, kafka):
    s = serve(neuron, poison(neuron, kafka))
    name = s.dead + "-later"
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(s.dead, name))
    s.produce(*around("{bad"))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "held")
        told = run.get("/api/v1/streams/s")
        assert f"there is no topic \"{name}\"" in told["error"]["what"] and told["consumed"] == 0
        health = run.get("/health")
        assert health["status"] == "degraded" and health["dependencies"]["stream:s"]["state"] == "held"
        assert 'neuron_stream_held{stream="s"} 1' in run.ask("/metrics")[1]
        kafka.admin.create_topics([NewTopic(name, 1, 1)])[name].result(timeout=30)
        s.dead = name
        wait_for(lambda: len(s.letters()) == 1, 60)
        wait_for(lambda: state(run) == "running")
        assert run.log().count("held: what it must write is not taken") == 1
    assert ids(s) == [0, 2]


def test_letters_that_no_form_fits_hold_the_stream(neuron, kafka):
    s = serve(neuron, poison(neuron, kafka))
    own_topics(s, kafka, dead={"max_message_bytes": 200})
    s.produce(*around("{bad"))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "held")
        what = run.get("/api/v1/streams/s")["error"]["what"]
        assert "partition 0, offset 1: its dead letter can't be written" in what and "max.message.bytes (200)" in what
        assert ids(s) == []
        kafka.configure(s.dead, max_message_bytes=100000)
        wait_for(lambda: state(run) == "running", 60)
        wait_for(lambda: ids(s) == [0, 2], 60)
        assert len(kafka.consume(s.dead)) == 1 and run.get("/api/v1/streams/s")["ledger_gap"] == 0


@pytest.mark.parametrize("forbidden", ["target", "dead"])
def test_a_topic_that_may_not_be_written_holds_the_stream(neuron, guarded, forbidden):
    s = serve(neuron, bobs(neuron, guarded, allowed={"target", "dead"} - {forbidden}))
    s.produce(*around("{bad"))
    done = neuron("stream", "s", "--drain", "--json", code=1)
    assert "authorization failed" in done.stderr and getattr(s, forbidden) in done.stderr
    with running(neuron) as run:
        wait_for(lambda: state(run) == "held", 60)
        assert "authorization failed" in run.get("/api/v1/streams/s")["error"]["what"]
        assert ids(s) == [] and s.letters() == []
        guarded.rules("TOPIC", getattr(s, forbidden), ["WRITE"])
        run.get("/api/v1/streams/s/resume", "POST", code=202)
        wait_for(lambda: len(s.letters()) == 1 and ids(s) == [0, 2], 60)
        wait_for(lambda: state(run) == "running", 60)


# ---- tables and files ----

HARD = [r'{"type":"a","id":10,"s":"zero \u0000 byte"}', '{"type":"a","id":11,"s":' + "1" * 2000 + "}",
        '{"type":"a","id":12,"s":1e99999}', '{"type":"a","id":13,"s":"' + "x" * 900000 + '"}',
        '{"type":"a","id":14,"s":' + "[" * 990 + "]" * 990 + "}", b"\xff\xfe", b"a\x00b", b"", r'{"type":"a","s":"\ud800"}',
        '{"type":"a","id":15,"s":[' + ",".join(["0"] * 200000) + "]}", r'{"type":"\u0000","id":16}']


def hard(s):
    for number, value in enumerate(HARD):
        s.produce({"value": value, "key": b"\x00k\xff" if number % 2 else "a\0b", "headers": [("h", b"\xff\x00"), ("u", "a\0")]})


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("letters", ["connection: target, table: dead", "topic: {dead}", "file: dead.ndjson"])
def test_tables_and_their_letters_take_any_message(neuron, kafka, server, request, database, letters):
    target = Database(server, request.node.name).url if database == "postgresql" else "sqlite:///target.db"
    s = poison(neuron, kafka, select="id::int AS id, s::text AS s", to="connection: target, table: t", letters=letters,
               target=target, rest="    unknown: dead_letter\n")
    s.produce(GOOD[0])
    hard(s)
    s.produce(GOOD[1])
    result = s.drain()
    assert result["consumed"] == len(HARD) + 2 and result["emitted"] + result["dead_lettered"] == len(HARD) + 2
    assert result["dead_lettered"] >= 5
    assert sum(cause["count"] for cause in rejects(neuron, "s")) == result["dead_lettered"]


def test_a_row_that_the_table_refuses_keeps_its_message(neuron, kafka, server, request):
    s = poison(neuron, kafka, select="id::int AS id, s || s AS s", to="connection: target, table: t, key: id",
               letters="file: dead.ndjson", target=Database(server, request.node.name).url)
    zero = {"type": "a", "id": 1, "s": "\0"}
    s.produce(GOOD[0], {"value": json.dumps(zero), "key": "k", "headers": [("h", "v")]}, GOOD[1])
    result = s.drain()
    assert (result["emitted"], result["dead_lettered"]) == (2, 1)
    letter = json.loads(neuron.read("dead.ndjson"))
    assert letter["original_message"] == zero and (letter["topic"], letter["offset"]) == (s.source, 1)
    assert (letter["key"], letter["headers"]) == ("k", {"h": "v"}) and "zero byte" in letter["error"]


@pytest.mark.parametrize("system", ["postgresql", "sqlite"])
@pytest.mark.parametrize("change", ["refuses", "dropped"])
def test_a_table_of_letters_that_takes_none_holds_the_stream(neuron, kafka, server, request, system, change):
    if system == "sqlite":
        url, lite = "sqlite:///t.db", sqlite3.connect(os.path.join(neuron.folder, "t.db"), isolation_level=None, timeout=20)
        db = lambda sql: [str(row[0]) for row in lite.execute(sql)]
    else:
        database = Database(server, request.node.name)
        url, db = database.url, lambda sql: database(sql).split()
    s = serve(neuron, poison(neuron, kafka, to="connection: target, table: t", target=url,
                             letters="connection: target, table: dead"))
    db("CREATE TABLE t (id bigint, s text)")
    s.produce(*around("{bad"))
    with running(neuron) as run:
        wait_for(lambda: len(db("SELECT id FROM t")) == 2 and len(db("SELECT 1 FROM dead")) == 1, 60)
        if change == "dropped":
            db("DROP TABLE dead")
        else:
            db("ALTER TABLE dead RENAME TO before")
            db("CREATE TABLE dead AS SELECT * FROM before WHERE 1 = 0")
            if system == "postgresql":
                db("ALTER TABLE dead ADD CHECK (stage IS NULL)")
            else:
                db("CREATE TRIGGER no BEFORE INSERT ON dead BEGIN SELECT RAISE(ABORT, 'no letters'); END")
        s.produce(*around("{worse"))
        if change == "refuses":
            wait_for(lambda: state(run) == "held", 60)
            assert "takes none" in run.get("/api/v1/streams/s")["error"]["what"]
            assert len(db("SELECT id FROM t")) == 2
            db("DROP TABLE dead")
        wait_for(lambda: len(db("SELECT id FROM t")) == 4 and len(db("SELECT 1 FROM dead")) == 1, 60)
        wait_for(lambda: state(run) == "running", 60)
