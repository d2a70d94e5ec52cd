"""Streams on a real Kafka: what users of other tools reported (of the cases for streams)."""

import json
import random
import sqlite3
import subprocess
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import NewPartitions, NewTopic

from conftest import PROGRAM
from kafka import Kafka



class Topics:
    """The configuration of the cases, on topics of its own."""

    def __init__(self, neuron, kafka, select, to="topic: {out}", dead="topic: {dead}", partitions=1, name="s", rest="",
                 dead_config=None, out_config=None, group=None, file="neuron.yaml"):
        self.neuron, self.kafka, self.name, self.file = neuron, kafka, name, file
        self.source = kafka.topic("in", partitions)
        self.out, self.dead = kafka.topic("out", 1, **(out_config or {})), kafka.topic("dead", 1, **(dead_config or {}))
        names = {"out": self.out, "dead": self.dead}
        letters = f"    dead_letter: {{ {dead.format(**names)} }}\n" if dead else ""
        neuron.write(file, f"""
connections: {{ events: 'kafka://{kafka.brokers}', db: 'sqlite:///d.db' }}
streams:
  {name}:
    from: {{ topic: {self.source}, group: {group or self.source} }}
    processors: {{ a: [ {{ select: {json.dumps(select)} }} ] }}
    to: {{ {to.format(**names)} }}
{letters}{rest}""")

    def produce(self, *messages):
        self.kafka.produce(self.source, messages)

    def drain(self, code=0):
        done = self.neuron("stream", self.name, "--drain", "--json", "-c", self.file, code=code)
        return json.loads(done.stdout) if code == 0 else done.stderr

    def values(self):
        return [json.loads(m.value()) for m in self.kafka.consume(self.out)]

    def table(self):
        with sqlite3.connect(self.neuron.folder + "/d.db") as file:
            return [n for (n,) in file.execute("SELECT n FROM t ORDER BY rowid")]

    def remake(self, partitions=1):
        """Deletes the topic and creates it under its name."""
        self.kafka.admin.delete_topics([self.source])[self.source].result(timeout=30)
        while True:
            try:
                self.kafka.admin.create_topics([NewTopic(self.source, partitions, 1)])[self.source].result(timeout=30)
                return
            except KafkaException as error:  # it is being deleted still
                assert "EXISTS" in str(error), error


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it doesn't happen"


def numbers(*values):
    return [json.dumps({"type": "a", "n": n}) for n in values]


# ---- A: a message lost or changed ----

def test_a1_a_topic_made_again_loses_nothing(neuron, kafka):
    s = Topics(neuron, kafka, "n", to="connection: db, table: t")
    s.produce(*numbers(1, 2))
    assert s.drain()["emitted"] == 2
    s.remake()
    s.produce(*numbers(*range(100, 106)))
    said = s.drain(code=1)
    assert "made again" in said and s.source in said and s.table() == [1, 2]


def test_a1_a_topic_made_again_and_shorter_has_its_own_hint(neuron, kafka):
    s = Topics(neuron, kafka, "n", to="connection: db, table: t", dead=None)
    s.produce(*numbers(1, 2, 3))
    assert s.drain()["emitted"] == 3
    s.remake()
    s.produce(*numbers(100))
    said = s.drain(code=1)
    assert "made again" in said and "fix the message" not in said


BYTES = b"\x00\xff\x01"


@pytest.mark.parametrize("value", ['{"type":"a","n":"x"}', '{bad'])
def test_a2_a_raw_letter_keeps_a_key_of_bytes(neuron, kafka, value):
    s = Topics(neuron, kafka, "n + 1 AS n", dead="topic: {dead}, format: raw")
    s.produce({"key": BYTES, "value": value})
    assert s.drain()["dead_lettered"] == 1
    assert kafka.consume(s.dead)[0].key() == BYTES


def test_a2_a_message_passed_on_keeps_a_key_of_bytes(neuron, kafka):
    s = Topics(neuron, kafka, "n", rest="    unknown: pass\n")
    s.produce({"key": BYTES, "value": '{"type":"z"}', "headers": [("h", BYTES)]})
    assert s.drain()["emitted"] == 1
    (message,) = kafka.consume(s.out)
    assert (message.key(), message.headers()) == (BYTES, [("h", BYTES)])


HEADERS = [("h", b"\xff\xfe"), ("h", b"twice"), ("n", None), ("e", b""), ("j", b'{"@base64":"//4="}')]


@pytest.mark.parametrize("value", ['{"type":"a","n":"x"}', '{bad'])
def test_a3_a_raw_letter_keeps_headers_of_bytes(neuron, kafka, value):
    s = Topics(neuron, kafka, "n + 1 AS n", dead="topic: {dead}, format: raw")
    s.produce({"value": value, "headers": HEADERS})
    assert s.drain()["dead_lettered"] == 1
    headers = kafka.consume(s.dead)[0].headers()
    assert [h for h in headers if not h[0].startswith("dlq.")] == HEADERS


@pytest.mark.parametrize("dead", ["file: dead.ndjson", "topic: {dead}", "topic: {dead}, format: raw",
                                  "connection: db, table: letters"])
def test_a4_a_replay_is_the_message_that_failed(neuron, kafka, dead):
    s = Topics(neuron, kafka, "n + 1 AS n", dead=dead, partitions=4)
    s.produce(*({"key": key, "headers": [("h", b"v" + key), *HEADERS], "value": '{"type":"a","n":"7"}'}
                for key in (b"key-0", b"key-1", b"key-2", BYTES)))
    before = kafka.consume(s.source)
    assert s.drain()["dead_lettered"] == 4
    neuron("rejects", "s", "--replay", "--fix", "* REPLACE (n::int AS n)")
    after = [m for m in kafka.consume(s.source) if json.loads(m.value())["n"] == 7]
    assert [(m.partition(), m.key(), m.headers()) for m in after] == [
        (m.partition(), m.key(), m.headers()) for m in before]
    assert s.drain()["emitted"] == 4


# ---- B: one message stops a stream for ever ----

@pytest.mark.parametrize("dead", ["topic: {dead}", "topic: {dead}, format: raw", "file: dead.ndjson",
                                  "connection: db, table: letters"])
def test_b1_a_value_of_bytes_whose_envelope_is_too_large(neuron, kafka, dead):
    s = Topics(neuron, kafka, "s", dead=dead)
    s.produce(b"\xff" * 800000, '{"type":"a","s":"ok"}')
    result = s.drain()
    assert (result["dead_lettered"], s.values()) == (1, [{"s": "ok"}])


def hexes(count):
    return "".join(random.Random(1).choices("0123456789abcdef", k=count))


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_b2_an_output_that_its_topic_refuses(neuron, kafka, delivery):
    s = Topics(neuron, kafka, "s", out_config={"max_message_bytes": 1000}, rest=f"    delivery: {delivery}\n")
    s.produce(json.dumps({"type": "a", "s": hexes(3000)}), '{"type":"a","s":"ok"}')
    result = s.drain()
    (letter,) = [json.loads(m.value()) for m in kafka.consume(s.dead)]
    assert (result["dead_lettered"], s.values()) == (1, [{"s": "ok"}])
    assert letter["offset"] == 0 and "too large" in letter["error"].lower()


# ---- C: strangers on one cluster ----

def test_c1_streams_of_one_name_and_two_groups_run_side_by_side(neuron, kafka):
    one = Topics(neuron, kafka, "n", name="orders", file="one.yaml")
    two = Topics(neuron, kafka, "n", name="orders", file="two.yaml")
    one.produce(*numbers(1))
    two.produce(*numbers(2))
    process = subprocess.Popen([PROGRAM, "stream", "orders", "-c", "one.yaml"], cwd=neuron.folder,
                               stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: one.values() == [{"n": 1}])
        assert two.drain()["emitted"] == 1
        one.produce(*numbers(3))
        until(lambda: one.values() == [{"n": 1}, {"n": 3}])
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 143, process.stderr.read()


# ---- E: what `validate` can know ----

OFFLINE = """connections: { events: 'kafka://127.0.0.1:1' }
streams:
  s:
    from: { topic: in, group: g }
    processors: { a: [ { select: n } ] }
    to: { topic: out }
    options:
      %s
"""
MISTAKES = {
    "nonsense.option: 1": "nonsense.option",
    "group.id: x": "from.group",
    "auto.offset.reset: latest": "start",
    "transactional.id: mine": "neuron.id",
    "acks: 1": "acks",
    "bootstrap.servers: 'x:1'": "connection",
    "session.timeout.ms: soon": "session.timeout.ms",
    "enable.auto.commit: true": "enable.auto.commit",
    "security.protocl: SSL": "security.protocol",
}


@pytest.mark.parametrize("option", MISTAKES)
def test_e1_options_are_judged_without_a_broker(neuron, option):
    neuron.write("neuron.yaml", OFFLINE % option)
    said = neuron("validate", code=2).stderr
    assert "neuron.yaml:8:7: " in said and MISTAKES[option] in said
    assert "group=" not in said and "from=" not in said and "id=" not in said


def test_e1_options_that_are_right_are_valid(neuron):
    neuron.write("neuron.yaml", OFFLINE % "session.timeout.ms: 6000\n      linger.ms: 5\n      acks: all")
    neuron("validate")


# ---- F: neuron test ----

TESTS = """connections: { events: 'kafka://127.0.0.1:1' }
streams:
  s:
    from: { topic: in, group: g }
    processors: { a: [ { select: n } ] }
    to: { topic: out }
tests:
"""


def test_f2_a_wrong_name_fails_alone_with_its_line(neuron):
    neuron.write("neuron.yaml", TESTS + "  - { processor: s/zz, input: [ { type: a } ], output: [] }\n"
                 "  - { processor: s/a, input: [ { type: a, n: 7 } ], output: [ { n: 7 } ] }\n")
    said = neuron("validate", code=2).stderr
    assert "neuron.yaml:8:" in said and '"zz"' in said and '"a"' in said
    said = neuron("test", code=2).stderr
    assert "neuron.yaml:8:" in said and '"zz"' in said and '"a"' in said


# ---- H and I: lower ----

def test_h1_partitions_added_at_run_time_are_read(neuron, kafka):
    s = Topics(neuron, kafka, "n")
    s.produce(*numbers(0))
    process = subprocess.Popen([PROGRAM, "stream", "s"], cwd=neuron.folder, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: s.values() == [{"n": 0}])
        kafka.admin.create_partitions([NewPartitions(s.source, 3)])[s.source].result(timeout=30)
        for partition in range(3):
            kafka.produce(s.source, [{"value": numbers(partition + 1)[0], "partition": partition}])
        until(lambda: sorted(row["n"] for row in s.values()) == [0, 1, 2, 3])
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def guarded():
    """A broker at which bob may do nothing but what the tests allow."""
    broker = Kafka(secure=True, rules=True)
    yield broker
    broker.close()


def test_i1_a_forbidden_transactional_id_is_named(neuron, guarded):
    s = Topics(neuron, guarded, "n")
    text = neuron.read("neuron.yaml").replace(f"kafka://{guarded.brokers}", guarded.sasl_url("").replace("/#", "#"))
    neuron.write("neuron.yaml", text)
    guarded.rules("TOPIC", s.source, ["READ"])
    guarded.rules("GROUP", s.source, ["READ"])
    guarded.rules("TOPIC", s.out, ["WRITE"])
    said = s.drain(code=1)
    assert "transactional id neuron-" in said and "TransactionalId" in said


def test_i2_from_and_to_are_one_topic(neuron):
    neuron.write("neuron.yaml", (OFFLINE % "linger.ms: 5").replace("to: { topic: out }", "to: { topic: in }"))
    done = neuron("validate", code=2)
    assert "neuron.yaml:6:" in done.stderr and "loop" in done.stderr


def test_j1_a_byte_order_mark_is_no_part_of_the_message(neuron, kafka):
    s = Topics(neuron, kafka, "n")
    s.produce(b"\xef\xbb\xbf" + numbers(1)[0].encode())
    assert s.drain()["emitted"] == 1 and s.values() == [{"n": 1}]
