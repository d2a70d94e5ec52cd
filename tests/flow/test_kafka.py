"""Kafka against a real broker: copies, malformed messages, groups, exactly once through kill -9."""

import base64
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from conftest import build_driver
from kafka import Kafka

KILLS = 60 if os.environ.get("NEURON_SOAK") else 8


@pytest.fixture(scope="module")
def kafka():
    broker = Kafka(secure=True)
    assert broker.brokers.startswith("127.0.0.1:")
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """The flow engine between two topics, as streams use it."""
    rooms = ("work_flow", "work_step", "connect", "connect_kafka", "engine_column", "engine_expr", "engine_format",
             "foundation_base", "foundation_codec", "foundation_net")
    return build_driver(tmp_path_factory.mktemp("driver"), "kafka_flow", rooms, ["rdkafka"])


class Flow:
    """One running flow; cycles of 500 rows or 50 ms."""

    def __init__(self, driver, source, target, delivery="exactly_once", select="*", drain=False, rows=500):
        self.process = subprocess.Popen(
            [driver, source, target, delivery, str(rows), "50000", select, *(["drain"] if drain else [])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, how=None, code=0):
        if how:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == code, f"exit {self.process.returncode}: {err}"
        return json.loads(out) if out else None


def numbers(messages):
    return sorted(json.loads(message.value())["i"] for message in messages)


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it doesn't happen"
        time.sleep(0.05)


def catches(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
    return int(caught, 16) >> (number - 1) & 1


def murmur2(key, partitions):
    """Java's default partitioner."""
    mask, m = 0xffffffff, 0x5bd1e995
    h = (0x9747b28c ^ len(key)) & mask
    for i in range(0, len(key) - 3, 4):
        k = int.from_bytes(key[i:i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = key[len(key) & ~3:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7fffffff) % partitions


# ---- copies ----

def test_there_and_back_with_keys(neuron, kafka):
    topic = kafka.topic()
    rows = [{"id": i, "name": f"näme {i}", "none": None, "price": 1.50, "deep": {"a": [i, "x"]}} for i in range(5000)]
    neuron.write("in.ndjson", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    result = neuron.result("copy", "in.ndjson", kafka.url(topic), "--key", "id")
    assert result["records_loaded"] == 5000
    messages = kafka.consume(topic)
    assert len(messages) == 5000
    for message in messages:
        row = json.loads(message.value())
        assert message.key() == str(row["id"]).encode() and row == rows[row["id"]]
        assert message.partition() == murmur2(message.key(), 4)
    assert neuron.result("copy", kafka.url(topic), "out.ndjson")["records_loaded"] == 5000
    back = [json.loads(line) for line in neuron.read("out.ndjson").splitlines()]
    assert sorted(back, key=lambda row: row["id"]) == rows


def test_several_key_columns_and_a_null_key(neuron, kafka):
    topic = kafka.topic()
    neuron.write("in.ndjson", '{"a": 1, "b": "x"}\n{"a": null, "b": "y"}\n')
    neuron.result("copy", "in.ndjson", kafka.url(topic), "--key", "a,b")
    assert sorted(m.key() for m in kafka.consume(topic)) == [b'["1","x"]', b'[null,"y"]']
    topic = kafka.topic()
    neuron.result("copy", "in.ndjson", kafka.url(topic, delivery="at_least_once"), "--key", "a")
    assert sorted(m.key() or b"" for m in kafka.consume(topic)) == [b"", b"1"]
    assert "\"c\"" in neuron("copy", "in.ndjson", kafka.url(topic), "--key", "c", code=2).stderr


def test_a_copy_that_fails_leaves_nothing_to_readers_of_what_is_committed(neuron, kafka):
    topic = kafka.topic()
    neuron.write("in.ndjson", '{"a": 1}\n' * 20000)
    neuron.write("bad.csv", "a\n" + "1\n" * 20000 + '"\n')
    assert neuron("copy", "in.ndjson", kafka.url(topic), "--where", "a / (a - 1) > 0", code=1)
    assert kafka.consume(topic) == []


def test_a_group_goes_on_where_it_was(neuron, kafka):
    topic = kafka.topic()
    kafka.produce(topic, [json.dumps({"i": i}) for i in range(1000)])
    assert neuron.result("copy", kafka.url(topic, group="g-on"), "a.ndjson")["records_loaded"] == 1000
    # Messages without a key may leave a partition empty: the group has no offset of it.
    assert sum(max(0, offset) for offset in kafka.committed(topic, "g-on").values()) == 1000
    again = neuron.result("copy", kafka.url(topic, group="g-on"), "b.ndjson")
    assert again["records_loaded"] == 0 and again["message"] == "No new data to process"
    kafka.produce(topic, [json.dumps({"i": i}) for i in range(1000, 1300)])
    assert neuron.result("copy", kafka.url(topic, group="g-on"), "c.ndjson")["records_loaded"] == 300
    late = kafka.url(topic, group="g-late", **{"from": "latest"})
    assert neuron.result("copy", late, "d.ndjson")["records_loaded"] == 0
    assert neuron.result("copy", kafka.url(topic), "e.ndjson", "--limit", "70")["records_loaded"] == 70


# ---- malformed messages ----

def test_malformed_messages_are_rejects_with_their_place(neuron, kafka):
    topic = kafka.topic(partitions=1)
    deep = "[" * 10000 + "]" * 10000
    kafka.produce(topic, [
        '{"a": 1}', "{bad", "", {"value": None, "key": "k1"}, b"\xff\xfe",
        {"value": "[1]", "key": b"\xff", "headers": [("h", "v"), ("h", b"\xff"), ("n", None)], "timestamp": 1700000000123},
        '{"a": 1', deep, '{"a": 2, "a": 3}'])
    plain = neuron("copy", kafka.url(topic), "x.ndjson", code=1)
    assert f"topic {topic}, partition 0, offset 1: not valid JSON" in plain.stderr
    result = neuron.result("copy", kafka.url(topic, group="g-bad"), "out.ndjson", "--rejects", "bad.ndjson")
    assert (result["records_loaded"], result["records_rejected"]) == (2, 7)
    assert [json.loads(line) for line in neuron.read("out.ndjson").splitlines()] == [{"a": 1}, {"a": 3}]
    bad = [json.loads(line) for line in neuron.read("bad.ndjson").splitlines()]
    assert [row["row"] for row in bad] == [1, 2, 3, 4, 5, 6, 7] and {row["stage"] for row in bad} == {"read"}
    assert [row["data"] for row in bad] == ["{bad", "", None, {"@base64": base64.b64encode(b"\xff\xfe").decode()}, "[1]",
                                            '{"a": 1', deep]
    assert "empty" in bad[1]["reason"] and "tombstone" in bad[2]["reason"] and bad[2]["key"]["key"] == "k1"
    place = bad[4]["key"]
    assert (place["topic"], place["partition"], place["offset"], place["timestamp"]) == (topic, 0, 5, 1700000000123)
    assert place["key"] == {"@base64": "/w=="}
    assert '"headers":{"h":"v","h":{"@base64":"/w=="},"n":null}' in neuron.read("bad.ndjson")
    assert kafka.committed(topic, "g-bad") == {0: 9}


def test_messages_too_large_to_write_are_rejects(neuron, kafka):
    topic = kafka.topic()
    neuron.write("in.ndjson", json.dumps({"a": "x" * 1200000}) + '\n{"a": "y"}\n')
    assert "larger than" in neuron("copy", "in.ndjson", kafka.url(topic), code=1).stderr
    result = neuron.result("copy", "in.ndjson", kafka.url(topic), "--rejects", "bad.ndjson")
    assert (result["records_loaded"], result["records_rejected"]) == (1, 1)
    assert [m.value() for m in kafka.consume(topic)] == [b'{"a":"y"}']


def test_what_the_broker_refuses_is_named(neuron, kafka):
    topic = kafka.topic(max_message_bytes="1000")
    neuron.write("in.ndjson", json.dumps({"a": random.Random(1).randbytes(4000).hex()}) + "\n")
    for delivery in ("exactly_once", "at_least_once"):
        refused = neuron("copy", "in.ndjson", kafka.url(topic, delivery=delivery), code=1).stderr
        assert "too large" in refused and "max.message.bytes" in refused
    assert kafka.consume(topic) == []


# ---- what can't be reached ----

def test_unknown_topic_and_dead_broker_end_in_time(neuron, kafka):
    neuron.write("in.ndjson", '{"a": 1}\n')
    for args in (("copy", kafka.url("nowhere"), "x.ndjson"), ("copy", "in.ndjson", kafka.url("nowhere"))):
        assert "there is no topic \"nowhere\"" in neuron(*args, code=3).stderr
    begin = time.monotonic()
    dead = neuron("copy", "kafka://127.0.0.1:1/t", "x.ndjson", code=3)
    assert "no broker answers" in dead.stderr and "hint" in dead.stderr and time.monotonic() - begin < 30


def test_who_is_let_in(neuron, kafka):
    topic = kafka.topic()
    neuron.write("in.ndjson", '{"a": 1}\n')
    for i, url in enumerate((kafka.sasl_url(topic), kafka.tls_url(topic, kafka.certificate))):
        assert neuron.result("copy", "in.ndjson", url)["records_loaded"] == 1
        assert neuron.result("copy", url + f"&group=g{i}", "out.ndjson")["records_loaded"] == i + 1
    wrong = [(kafka.sasl_url(topic, password="falsch99"), 1, "refuses the connection", "sasl"),
             (kafka.sasl_url(topic, user="eve"), 1, "refuses the connection", "sasl"),
             (kafka.tls_url(topic), 3, "certificate", "rdkafka.ssl.ca.location"),
             (kafka.url(topic, **{"rdkafka.security.protocol": "SSL"}), 3, "refuses the connection", "security.protocol"),
             (kafka.tls_url(topic, "/nowhere.pem"), 2, "ssl.ca.location", "CONFIGURATION"),
             (kafka.sasl_url(topic).replace("PLAIN&", "PLAN&"), 2, "PLAN", "CONFIGURATION")]
    for url, code, what, hint in wrong:
        for args in (("copy", "in.ndjson", url), ("copy", url, "out.ndjson")):
            begin = time.monotonic()
            done = neuron(*args, code=code)
            assert what in done.stderr and hint in done.stderr.split("hint:")[1], done.stderr
            assert "falsch99" not in done.stderr + done.stdout and kafka.password not in done.stderr + done.stdout
            assert time.monotonic() - begin < 8


# ---- ends ----

def test_a_copy_ends_where_the_topic_ended(neuron, kafka):
    """Also behind messages that were undone, marks of transactions, and while others write on."""
    topic = kafka.topic(partitions=2)
    writer = Producer({"bootstrap.servers": kafka.brokers, "transactional.id": topic})
    writer.init_transactions()
    for round_, commit in enumerate((True, False, True, False)):
        writer.begin_transaction()
        for i in range(10):
            writer.produce(topic, json.dumps({"i": round_ * 10 + i}), partition=i % 2)
        writer.flush()
        writer.commit_transaction() if commit else writer.abort_transaction()
    assert neuron.result("copy", kafka.url(topic), "out.ndjson")["records_loaded"] == 20
    begin = time.monotonic()
    group = kafka.url(topic, group=topic)
    assert neuron.result("copy", group, "out.ndjson")["records_loaded"] == 20
    assert neuron.result("copy", group, "out.ndjson")["records_loaded"] == 0
    writer.begin_transaction()
    writer.produce(topic, '{"i": 99}', partition=0)
    writer.flush()
    assert neuron.result("copy", group, "out.ndjson")["records_loaded"] == 0
    writer.commit_transaction()
    assert neuron.result("copy", group, "out.ndjson")["records_loaded"] == 1
    assert time.monotonic() - begin < 20


def test_deleted_messages_and_topics_are_named(neuron, kafka):
    topic = kafka.topic(partitions=1)
    url = kafka.url(topic, group=topic)
    kafka.produce(topic, ['{"a": 1}'] * 50)
    assert neuron.result("copy", url, "out.ndjson")["records_loaded"] == 50
    kafka.produce(topic, ['{"a": 1}'] * 50)
    at = TopicPartition(topic, 0, 70)
    kafka.admin.delete_records([at])[at].result(timeout=30)
    gone = neuron("copy", url, "out.ndjson", code=1).stderr
    assert f"topic {topic}, partition 0: the messages 50 to 69 were deleted" in gone and "to 70 by hand" in gone
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": topic})
    consumer.commit(offsets=[TopicPartition(topic, 0, 200)], asynchronous=False)
    consumer.close()
    beyond = neuron("copy", url, "out.ndjson", code=1).stderr
    assert "read up to offset 200, but ends at 100" in beyond and "made again" in beyond


def test_the_embedded_broker(neuron, kafka):
    refused = neuron("copy", "x.ndjson", "kafka://embedded/t#delivery=exactly_once", code=2)
    assert "no transactions" in refused.stderr
    neuron.write("in.ndjson", '{"a": 1}\n' * 100)
    assert neuron.result("copy", "in.ndjson", "kafka://embedded/t")["records_loaded"] == 100
    assert neuron.result("copy", "kafka://embedded/t", "out.ndjson")["records_loaded"] == 0  # of its own process


# ---- flows in cycles ----

def test_metadata_of_messages(kafka, driver):
    source, target, _ = kafka.topic(partitions=2), kafka.topic(), dead(kafka)
    kafka.produce(source, [{"value": '{"i": 1}', "key": "k", "headers": [("h", "v")], "timestamp": 1700000000123}])
    select = "i, @topic AS t, @partition AS p, @offset AS o, @key AS k, @timestamp AS at, @headers.h AS h"
    flow = Flow(driver, kafka.url(source, group=source), kafka.url(target), select=select, drain=True)
    assert flow.end()["loaded"] == 1
    (message,) = kafka.consume(target)
    assert json.loads(message.value()) == {"i": 1, "t": source, "p": murmur2(b"k", 2), "o": 0, "k": "k",
                                           "at": "2023-11-14T22:13:20.123Z", "h": "v"}


def dead(kafka):
    """The topic that the driver names for rejects."""
    if "dead" not in kafka.admin.list_topics(timeout=10).topics:
        kafka.admin.create_topics([NewTopic("dead", 1, 1)])["dead"].result(timeout=30)
    return "dead"


class Writer(threading.Thread):
    """Writes numbered messages all the time, to all partitions."""

    def __init__(self, kafka, topic, partitions, first=20000):
        super().__init__(daemon=True)
        self.kafka, self.topic, self.partitions, self.count, self.over = kafka, topic, partitions, 0, False
        self.write(first)
        self.start()

    def write(self, count):
        self.kafka.produce(self.topic, [{"value": json.dumps({"i": i}), "partition": i % self.partitions}
                                        for i in range(self.count, self.count + count)])
        self.count += count

    def run(self):
        while not self.over:
            self.write(300)
            time.sleep(0.05)

    def end(self):
        self.over = True
        self.join()
        return self.count


def done(kafka, topic):
    """How many messages the group of the topic's name has committed."""
    return sum(max(offset, 0) for offset in kafka.committed(topic, topic).values())


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_kill_loses_nothing_and_exactly_once_doubles_nothing(kafka, driver, delivery):
    source, target = kafka.topic(), kafka.topic()
    dead(kafka)
    chance, steps = random.Random(3), set()
    writer = Writer(kafka, source, 4)
    url = kafka.url(source, group=source, **{"rdkafka.session.timeout.ms": 6000,
                                             "rdkafka.heartbeat.interval.ms": 500, "instance": "one"})
    for _ in range(KILLS):
        flow = Flow(driver, url, kafka.url(target, id=target), delivery, rows=300)
        time.sleep(chance.uniform(0.2, 1.2))
        flow.end(signal.SIGKILL, code=-9)
        steps.add(done(kafka, source))
    count = writer.end()
    Flow(driver, url, kafka.url(target, id=target), delivery, drain=True).end()
    seen = numbers(kafka.consume(target))
    assert set(seen) == set(range(count))
    assert done(kafka, source) == count
    assert len(steps - {0, count}) >= KILLS // 3  # it was killed while it worked
    assert delivery == "at_least_once" or len(seen) == count


def test_partitions_move_between_members_without_loss_or_doubles(kafka, driver):
    source, target = kafka.topic(partitions=6), kafka.topic()
    dead(kafka)
    count = 60000
    url = kafka.url(source, group=source)
    first = Flow(driver, url, kafka.url(target, id=target + "-1"), rows=200)
    kafka.produce(source, [{"value": json.dumps({"i": i}), "partition": i % 6} for i in range(count // 2)])
    second = Flow(driver, url, kafka.url(target, id=target + "-2"), rows=200)
    kafka.produce(source, [{"value": json.dumps({"i": i}), "partition": i % 6} for i in range(count // 2, count)])
    wait_for(lambda: sum(kafka.committed(source, source).values()) >= count // 2)
    late = list(range(count, count + 6000))
    wait_for(lambda: len(members(kafka, source)) == 2 and all(members(kafka, source)))
    kafka.produce(source, [{"value": json.dumps({"i": i}), "partition": i % 6} for i in late])
    wait_for(lambda: sum(kafka.committed(source, source).values()) == count + 6000)
    both = [second.end(signal.SIGTERM), first.end(signal.SIGTERM)]
    assert all(result["loaded"] > 0 for result in both)
    assert sum(result["loaded"] for result in both) == count + 6000
    assert numbers(kafka.consume(target)) == list(range(count + 6000))


def test_two_members_killed_at_any_moment(kafka, driver):
    """Whoever is killed, and whatever the other holds: each message is written once."""
    source, target = kafka.topic(partitions=6), kafka.topic()
    dead(kafka)
    chance, steps = random.Random(7), set()
    writer = Writer(kafka, source, 6)

    def begin(number):
        url = kafka.url(source, group=source, instance=f"m{number}",
                        **{"rdkafka.session.timeout.ms": 6000, "rdkafka.heartbeat.interval.ms": 300})
        return Flow(driver, url, kafka.url(target, id=f"{target}-{number}"), rows=200)

    flows = [begin(0), begin(1)]
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.5))
        which = chance.randrange(2)
        flows[which].end(signal.SIGKILL, code=-9)
        steps.add(done(kafka, source))
        flows[which] = begin(which)
    count = writer.end()
    wait_for(lambda: done(kafka, source) == count, 120)
    for flow in flows:
        flow.end(signal.SIGTERM)
    assert numbers(kafka.consume(target)) == list(range(count))
    assert len(steps - {0, count}) >= KILLS // 3


def test_a_member_that_sleeps_too_long_writes_nothing_twice(kafka, driver):
    """Stopped, it loses its partitions and its transaction; awake again it may write nothing of them."""
    source, target = kafka.topic(partitions=6), kafka.topic()
    dead(kafka)
    writer = Writer(kafka, source, 6)

    def begin(number):
        url = kafka.url(source, group=source, **{"rdkafka.session.timeout.ms": 6000, "rdkafka.heartbeat.interval.ms": 300})
        to = kafka.url(target, id=f"{target}-{number}", **{"rdkafka.transaction.timeout.ms": 4000})
        return Flow(driver, url, to, rows=200)

    first, second = begin(0), begin(1)
    wait_for(lambda: len(members(kafka, source)) == 2 and all(members(kafka, source)))
    first.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: members(kafka, source) == [6])
    count = writer.count
    wait_for(lambda: done(kafka, source) >= count)
    first.process.send_signal(signal.SIGCONT)
    time.sleep(1)
    count = writer.end()
    wait_for(lambda: done(kafka, source) == count)
    first.process.send_signal(signal.SIGTERM)
    _, err = first.process.communicate(timeout=60)
    assert first.process.returncode in (0, 3), err  # a stream goes on after 3
    second.end(signal.SIGTERM)
    assert numbers(kafka.consume(target)) == list(range(count))


def members(kafka, group):
    """How many partitions each member of the group has; empty while nobody knows."""
    try:
        described = kafka.admin.describe_consumer_groups([group])[group].result(timeout=30)
    except KafkaException:
        return []
    return [len(member.assignment.topic_partitions) for member in described.members]


def test_a_second_producer_of_the_same_id_fences_the_first(kafka, driver):
    source, target = kafka.topic(), kafka.topic()
    dead(kafka)
    first = Flow(driver, kafka.url(source, group=source), kafka.url(target, id=target))
    kafka.produce(source, ['{"i": 1}'])
    wait_for(lambda: len(kafka.consume(target)) == 1)
    second = Flow(driver, kafka.url(source, group=source + "-2"), kafka.url(target, id=target))
    wait_for(lambda: len(kafka.consume(target)) == 2)
    kafka.produce(source, ['{"i": 2}'])
    out, err = first.process.communicate(timeout=60)
    assert first.process.returncode == 1 and err.startswith("fenced"), err
    wait_for(lambda: numbers(kafka.consume(target)) == [1, 1, 2])
    assert second.end(signal.SIGTERM)["loaded"] == 2


def test_from_one_cluster_to_another(neuron, kafka):
    """A transaction of one can't hold the offsets of the other: at least once, or refused."""
    other = Kafka()
    try:
        source, target = other.topic(), kafka.topic()
        other.produce(source, [json.dumps({"i": i}) for i in range(100)])
        url = other.url(source, group=source)
        refused = neuron("copy", url, kafka.url(target, delivery="exactly_once"), code=2).stderr
        assert "one cluster to another" in refused and "at_least_once" in refused
        assert kafka.consume(target) == [] and done(other, source) == 0
        assert neuron.result("copy", url, kafka.url(target))["records_loaded"] == 100
        assert numbers(kafka.consume(target)) == list(range(100)) and done(other, source) == 100
        assert neuron.result("copy", url, kafka.url(target, delivery="at_least_once"))["records_loaded"] == 0
    finally:
        other.close()


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_a_broker_that_goes_and_comes_back_loses_nothing(kafka, driver, delivery):
    source, target = kafka.topic(), kafka.topic()
    dead(kafka)
    kafka.produce(source, [json.dumps({"i": i}) for i in range(3000)])
    flow = Flow(driver, kafka.url(source, group=source), kafka.url(target, id=target), delivery, rows=100)
    wait_for(lambda: sum(max(n, 0) for n in kafka.committed(source, source).values()) >= 100)
    kafka.stop(signal.SIGKILL)
    time.sleep(2)
    kafka.start()
    kafka.produce(source, [json.dumps({"i": i}) for i in range(3000, 4000)])
    wait_for(lambda: sum(kafka.committed(source, source).values()) == 4000 or flow.process.poll() is not None, 90)
    if flow.process.poll() is None:
        flow.end(signal.SIGTERM)
    else:  # it may give up; what it left is done by the next
        flow.process.communicate(timeout=10)
        Flow(driver, kafka.url(source, group=source), kafka.url(target, id=target), delivery, drain=True).end()
    seen = numbers(kafka.consume(target))
    assert sorted(set(seen)) == list(range(4000))
    assert delivery == "at_least_once" or len(seen) == 4000


def test_ended_while_joining_is_an_orderly_end(kafka, driver):
    """librdkafka before 2.3 aborts the process when a consumer is freed before its first assignment."""
    source, target = kafka.topic(), kafka.topic()
    dead(kafka)
    for wait in (0.02, 0.1, 0.2, 0.3, 0.5):
        flow = Flow(driver, kafka.url(source, group=source), kafka.url(target, id=target))
        wait_for(lambda flow=flow: catches(flow.process.pid, signal.SIGTERM))
        time.sleep(wait)
        flow.end(signal.SIGTERM)
