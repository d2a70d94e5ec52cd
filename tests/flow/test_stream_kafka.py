"""Streams against a real Kafka: the guide's processors, delivery through kills, dead letters, tables with offsets."""

import collections
import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic

from conftest import PROGRAM
from postgres import CutProxy, Postgres
from test_stream import PROCESSORS, adds_up, payment, view

KILLS = 60 if os.environ.get("NEURON_SOAK") else 8


class Stream:
    """One stream of the guide's shape on topics of its own."""

    def __init__(self, neuron, kafka, partitions=4, to="topic: {target}, key: user_id", letters="topic: {dead}", rest="",
                 processors=PROCESSORS, start="", target="sqlite:///target.db"):
        self.neuron, self.kafka = neuron, kafka
        self.source, self.target, self.dead = (kafka.topic(name, partitions) for name in ("in", "out", "dead"))
        names = {"target": self.target, "dead": self.dead}
        letters = f"    dead_letter: {{ {letters.format(**names)} }}\n" if letters else ""
        neuron.write("neuron.yaml", f"""
connections: {{ events: 'kafka://{kafka.brokers}', target: '{target}' }}
streams:
  s:
    from: {{ topic: {self.source}, group: {self.source}{start} }}
{processors}    to: {{ {to.format(**names)} }}
{letters}{rest}
    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }}
""")

    def produce(self, *messages):
        self.kafka.produce(self.source, [m if isinstance(m, (str, bytes)) or "value" in m else json.dumps(m)
                                         for m in messages])

    def drain(self, **options):
        result = self.neuron.result("stream", "s", "--drain", **options)
        adds_up(result)
        return result

    def begin(self):
        return subprocess.Popen([PROGRAM, "stream", "s", "--json"], cwd=self.neuron.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def out(self):
        return [json.loads(m.value()) for m in self.kafka.consume(self.target)]

    def letters(self):
        return [json.loads(m.value()) for m in self.kafka.consume(self.dead)]

    def consumed(self):
        return sum(max(n, 0) for n in self.kafka.committed(self.source, self.source).values())


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it doesn't happen"
        time.sleep(0.05)


# ---- the guide ----

def test_the_guides_processors(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1)
    s.produce(view(7), payment("a", 10001), payment("b", 5), view(8, event_type="click"), {"type": "nope"}, "{bad",
              payment("c", "many"), {"no": "type"})
    result = s.drain()
    assert (result["consumed"], result["emitted"], result["filtered"], result["dead_lettered"]) == (8, 3, 3, 2)
    assert result["unknown"] == 2 and result["lag_messages"] == 0
    messages = kafka.consume(s.target)
    assert [json.loads(m.value()) for m in messages] == [
        {"type": "user_activity_summary", "user_id": 7, "event_count": 1, "last_activity": "2024-01-01T00:00:00Z",
         "activity_type": "page_view"},
        {"type": "fraud_alert", "transaction_id": "a", "amount": 10001, "risk_score": 85,
         "reason": "Large transaction amount"},
        {"type": "transaction_processed", "transaction_id": "b", "status": "approved"}]
    assert [m.key() for m in messages] == [b"7", None, None]
    bad, many = s.letters()
    assert bad["original_message"] == "{bad" and "JSON" in bad["error"] and bad["stage"] == "read"
    assert (bad["topic"], bad["partition"], bad["offset"]) == (s.source, 0, 5) and bad["timestamp"].endswith("Z")
    assert many["original_message"] == payment("c", "many") and many["processor"] == "transaction"
    assert (many["type"], many["offset"], many["stage"]) == ("transaction", 6, "transaction/1")
    assert s.consumed() == 8
    assert s.drain()["consumed"] == 0


def test_dead_letters_raw(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, letters="topic: {dead}, format: raw")
    s.produce({"value": b"\xff{", "key": b"k\x00", "headers": [("h", "v")], "timestamp": 1700000000123},
              {"value": json.dumps(payment("c", "x"))})
    assert s.drain()["dead_lettered"] == 2
    first, second = kafka.consume(s.dead)
    assert (first.value(), first.key(), first.timestamp()[1]) == (b"\xff{", b"k\x00", 1700000000123)
    headers = dict(first.headers())
    assert headers["h"] == b"v" and headers["dlq.topic"] == s.source.encode() and headers["dlq.offset"] == b"0"
    assert b"JSON" in headers["dlq.error.message"] and headers["dlq.stage"] == b"read"
    assert json.loads(second.value()) == payment("c", "x") and dict(second.headers())["dlq.stage"] == b"transaction/1"


def test_unknown_messages_pass_with_key_headers_and_time(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, rest="    unknown: pass\n")
    s.produce({"value": '{"type": "x",  "n": 1.50}', "key": "k", "headers": [("h", "v")], "timestamp": 1700000000123})
    assert s.drain()["emitted"] == 1
    (message,) = kafka.consume(s.target)
    assert (message.value(), message.key()) == (b'{"type": "x",  "n": 1.50}', b"k")
    assert message.headers() == [("h", b"v")] and message.timestamp()[1] == 1700000000123


def test_metadata_in_expressions(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, processors="""
    route_by: "@headers.kind"
    processors:
      a: [ { select: "@topic AS t, @partition AS p, @offset AS o, @key AS k, @headers.kind AS h, @timestamp AS at" } ]
""", to="topic: {target}, key: k || '!'")
    s.produce({"value": "{}", "key": "k1", "headers": [("kind", "a")], "timestamp": 1700000000123})
    assert s.drain()["emitted"] == 1
    (message,) = kafka.consume(s.target)
    assert message.key() == b"k1!" and json.loads(message.value()) == {
        "t": s.source, "p": 0, "o": 0, "k": "k1", "h": "a", "at": "2023-11-14T22:13:20.123Z"}


# ---- delivery ----

def messages_of(count):
    chance = random.Random(5)
    made = []
    for i in range(count):
        kind = chance.randrange(100)
        if kind < 2:
            made.append({"value": f"bad {i}"})
            continue
        message = (view(i) if kind < 45 else view(i, event_type="click") if kind < 55 else
                   payment(i, 20000 if kind < 70 else 5) if kind < 97 else payment(i, "no number"))
        made.append({"value": json.dumps(message), "key": str(i % 100)})
    return made


def named(message):
    return message.get("user_id", message.get("transaction_id"))


def wanted(made):
    """Which messages are to come out, and which to become dead letters."""
    out, dead = [], []
    for message in made:
        text = message["value"]
        if text.startswith("bad"):
            dead.append(text)
            continue
        body = json.loads(text)
        if body.get("event_type") == "click":
            continue
        if body["type"] == "transaction" and isinstance(body["transaction"]["amount"], str):
            dead.append(text)
        else:
            out.append(body.get("user_id", body.get("transaction", {}).get("id")))
    return sorted(out), sorted(dead)


def dead_texts(letters):
    return sorted(m if isinstance(m, str) else json.dumps(m) for m in (letter["original_message"] for letter in letters))


def same(got, expected):
    """The same things as often; what is lost and what is there too often is named, not all of it."""
    got, expected = collections.Counter(got), collections.Counter(expected)
    assert (sorted((expected - got).elements()), sorted((got - expected).elements())) == ([], []), "(lost, too many)"


def kill_often(s, kills=KILLS):
    chance = random.Random(11)
    for _ in range(kills):
        process = s.begin()
        time.sleep(chance.uniform(0.1, 1.2))
        process.kill()
        process.communicate()


@pytest.mark.parametrize("delivery", ["exactly_once", "at_least_once"])
def test_killed_at_any_moment(neuron, kafka, delivery):
    s = Stream(neuron, kafka, rest=f"    delivery: {delivery}\n    cycle_rows: 400\n    cycle: 30ms\n",
               start=", instance: one")
    made = messages_of(40000)
    kafka.produce(s.source, made)
    kill_often(s)
    s.drain()
    out, dead = wanted(made)
    got, letters = [named(m) for m in s.out()], dead_texts(s.letters())
    if delivery == "exactly_once":
        same(got, out)
        same(letters, dead)
    else:
        assert (sorted(set(got)), sorted(set(letters))) == (out, dead)
    assert s.consumed() == len(made) and s.drain()["consumed"] == 0


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


class Target:
    """A database's table, be it SQLite or PostgreSQL."""

    def __init__(self, neuron, request, kind):
        self.kind, self.neuron = kind, neuron
        self.url = "sqlite:///target.db"
        if kind == "postgres":
            self.server = request.getfixturevalue("postgres")
            self.name = "d" + os.urandom(4).hex()
            self.server.psql(f"CREATE DATABASE {self.name}")
            self.url = f"postgresql://postgres@127.0.0.1:{self.server.port}/{self.name}"

    def ask(self, sql):
        if self.kind == "postgres":
            out, err = self.server.psql(sql, "-d", self.name)
            assert not err, err
            return out.split()
        with sqlite3.connect(os.path.join(self.neuron.folder, "target.db")) as db:
            return [str(row[0]) for row in db.execute(sql)]


@pytest.mark.parametrize("kind, where", [("sqlite", "topic"), ("sqlite", "table"), ("postgres", "table")])
def test_into_a_table_with_offsets_in_the_same_transaction(neuron, kafka, request, kind, where):
    target = Target(neuron, request, kind)
    letters = "connection: events, topic: {dead}" if where == "topic" else "connection: target, table: dead"
    s = Stream(neuron, kafka, to="connection: target, table: t", letters=letters,
               rest="    cycle_rows: 400\n    cycle: 30ms\n", start=", instance: one", target=target.url,
               processors=PROCESSORS.replace("user_id,", "user_id::bigint AS user_id,")
               .replace("transaction.id AS", "transaction.id::bigint AS")
               .replace("timestamp AS", "timestamp::text AS").replace("transaction.amount AS", "transaction.amount::numeric AS"))
    made = messages_of(20000)
    kafka.produce(s.source, made)
    kill_often(s)
    s.drain()
    out, dead = wanted(made)
    same((int(n) for n in target.ask("SELECT coalesce(user_id, transaction_id) FROM t")), out)
    if where == "table":
        assert target.ask("SELECT count(*) FROM dead") == [str(len(dead))]
    if where == "topic":
        assert set(dead_texts(s.letters())) == set(dead)
    assert s.drain()["consumed"] == 0
    # What the group committed is of no account: the table knows.
    kafka.produce(s.source, [json.dumps(view(99999999))])
    assert s.drain()["consumed"] == 1


class HeldCommit(CutProxy):
    """Stands before a PostgreSQL and keeps the COMMIT of whoever copied rows to itself."""

    def __init__(self, port):
        self.held = threading.Event()
        super().__init__(port)

    def forward(self, source, target):
        if source.getpeername()[1] == self.port:
            super().forward(source, target)
            return
        wrote = False
        try:
            while data := source.recv(65536):
                wrote = wrote or b"COPY" in data
                if wrote and b"COMMIT" in data:
                    self.held.set()
                    return
                target.sendall(data)
        except OSError:
            pass


def test_dead_letters_are_no_word_for_the_table(neuron, kafka, request):
    """Killed between the letters' commit and the table's: the group hasn't moved, and no row is lost."""
    target = Target(neuron, request, "postgres")
    target.ask("CREATE TABLE t (user_id bigint)")
    proxy = HeldCommit(target.server.port)
    proxied = f"postgresql://postgres@127.0.0.1:{proxy.own_port}/{target.name}"
    s = Stream(neuron, kafka, to="connection: target, table: t", letters="connection: events, topic: {dead}", partitions=1,
               start=", instance: one", target=proxied, rest="    cycle: 30ms\n",
               processors="    processors: { n: [ { select: 'user_id::bigint AS user_id' } ] }\n")
    s.produce(*({"type": "n", "user_id": n} for n in (1, "no number", 2)))
    process = s.begin()
    assert proxy.held.wait(60)
    assert len(s.letters()) == 1
    process.kill()
    process.communicate()
    proxy.close()
    assert s.consumed() == 0 and target.ask("SELECT count(*) FROM t") == ["0"]
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(proxied, target.url))
    s.drain()
    assert target.ask("SELECT user_id FROM t ORDER BY 1") == ["1", "2"] and s.consumed() == 3


def test_letters_in_a_file_of_a_stream_into_a_topic_do_not_pile_up(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, letters="file: dead.ndjson",
               processors="    processors: { n: [ { select: 'user_id::bigint AS user_id' } ] }\n")
    kept = lambda: json.loads(neuron.read("dead.ndjson.neuron"))["position"]["samples"]["letters"]
    for run in range(4):
        s.produce(*({"type": "n", "user_id": n} for n in (run, "a", "b", "c")))
        assert s.drain()["dead_lettered"] == 3
        assert [letter[1] for letter in kept()] == [4 * run + n for n in (1, 2, 3)]
    assert len(neuron.read("dead.ndjson").splitlines()) == 12 and len(s.out()) == 4


def test_letters_in_a_file_when_a_topic_begins_anew(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, letters="file: dead.ndjson", to="connection: target, table: t",
               processors="    processors: { n: [ { select: 'user_id::bigint AS user_id' } ] }\n")
    written = lambda: [json.loads(line)["original_message"]["user_id"] for line in neuron.read("dead.ndjson").splitlines()]
    s.produce(*({"type": "n", "user_id": n} for n in (1, "a", "b", 2, "c")))
    s.drain()
    assert written() == ["a", "b", "c"]
    kafka.admin.delete_topics([s.source])[s.source].result(timeout=30)
    kafka.admin.delete_consumer_groups([s.source])[s.source].result(timeout=30)
    os.unlink(os.path.join(neuron.folder, "target.db"))
    until(lambda: s.source not in kafka.admin.list_topics(timeout=10).topics)
    kafka.admin.create_topics([NewTopic(s.source, 1, 1)])[s.source].result(timeout=30)
    s.produce(*({"type": "n", "user_id": n} for n in (3, "d", "e")))
    assert s.drain()["dead_lettered"] == 2
    assert written() == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("table", [False, True])
def test_the_latest_start_outlives_a_kill_before_the_first_cycle(neuron, kafka, table):
    to = {"to": "connection: target, table: t, key: [user_id]", "letters": ""} if table else {}
    processors = "    processors: { activity: [ { select: 'user_id' } ] }\n    unknown: drop\n"
    s = Stream(neuron, kafka, partitions=2, start=", start: latest", rest="    cycle: 60s\n",
               processors=processors, **to)
    s.produce(*[{"type": "activity", "user_id": n} for n in range(9)])
    process = s.begin()
    until(lambda: min(kafka.committed(s.source, s.source).values()) >= 0)
    assert s.consumed() == 9
    s.produce(*[{"type": "activity", "user_id": n} for n in range(9, 14)])
    process.kill()
    process.communicate()
    assert s.drain()["consumed"] == 5
    # A partition that is made later is read whole.
    kafka.admin.create_partitions([NewPartitions(s.source, 3)])[s.source].result(timeout=30)
    until(lambda: len(kafka.admin.list_topics(s.source, timeout=10).topics[s.source].partitions) == 3)
    s.produce(*[{"value": json.dumps({"type": "activity", "user_id": n}), "partition": 2} for n in range(14, 17)])
    assert s.drain()["consumed"] == 3
    # A group that has nothing begins at the end, whatever others have.
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(f"group: {s.source}", "group: another"))
    assert table or s.drain()["consumed"] == 0


def set_offset(kafka, group, partition, offset):
    """As Kafka's own tool does. A broker that has just begun has no coordinator yet: again."""
    def done():
        place = TopicPartition(group, partition, offset)
        (asked,) = kafka.admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [place])]).values()
        try:
            return all(p.error is None for p in asked.result(timeout=30).topic_partitions)
        except KafkaException:
            return False
    until(done)
    assert kafka.committed(group, group)[partition] == offset


@pytest.mark.parametrize("kind", ["exactly_once", "at_least_once", "table"])
def test_a_group_of_another_tool_begins_its_idle_partitions_at_the_end(neuron, kafka, kind):
    table = kind == "table"
    to = {"to": "connection: target, table: t, key: [user_id]", "letters": ""} if table else {}
    s = Stream(neuron, kafka, partitions=3, start=", start: latest", rest="" if table else f"    delivery: {kind}\n",
               processors="    processors: { activity: [ { select: 'user_id' } ] }\n    unknown: drop\n", **to)
    chance = iter(range(100))
    put = lambda *parts: kafka.produce(s.source, [
        {"value": json.dumps({"type": "activity", "user_id": next(chance)}), "partition": part} for part in parts])
    put(0, 0, 1, 2, 2)
    set_offset(kafka, s.source, 0, 1)
    # One of the first partition is left; the others were never read, and are not now.
    assert s.drain()["consumed"] == 1
    assert kafka.committed(s.source, s.source) == {0: 2, 1: 1, 2: 2}
    put(0, 1, 2)
    assert s.drain()["consumed"] == 3
    # It is known since with how many it began, also when every offset has moved: a later one is read whole.
    kafka.admin.create_partitions([NewPartitions(s.source, 4)])[s.source].result(timeout=30)
    until(lambda: len(kafka.admin.list_topics(s.source, timeout=10).topics[s.source].partitions) == 4)
    put(3, 3, 0)
    assert s.drain()["consumed"] == 3


def test_members_that_begin_together_begin_at_the_end(neuron, kafka):
    s = Stream(neuron, kafka, partitions=4, start=", start: latest", rest="    cycle: 30ms\n")
    neuron.write("other.yaml", "neuron: { id: other }\n" + neuron.read("neuron.yaml"))
    s.produce(*[view(n) for n in range(100)])
    both = [subprocess.Popen([PROGRAM, "stream", "s", *more], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) for more in ((), ("-c", "other.yaml"))]
    until(lambda: min(kafka.committed(s.source, s.source).values()) >= 0)
    s.produce(*[view(n) for n in range(100, 150)])
    until(lambda: s.consumed() == 150)
    for one in both:
        one.send_signal(signal.SIGTERM)
        assert one.wait(30) == 143
    assert sorted(named(m) for m in s.out()) == list(range(100, 150))


def test_signals_end_it_in_order(neuron, kafka):
    s = Stream(neuron, kafka)
    s.produce(*[view(i) for i in range(1000)])
    for number, code, sent in ((signal.SIGTERM, 143, 1002), (signal.SIGINT, 130, 1004)):
        process = s.begin()
        s.produce(view(1), view(2))
        until(lambda sent=sent: s.consumed() == sent)
        begin = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == code, err
        assert time.monotonic() - begin < 5
        adds_up(json.loads(out))
    assert len(s.out()) == 1004


def test_two_members_share_the_partitions(neuron, kafka):
    s = Stream(neuron, kafka, rest="    cycle: 30ms\n")
    config = neuron.read("neuron.yaml")
    neuron.write("other.yaml", "neuron: { id: other }\n" + config)
    first = s.begin()
    s.produce(*[{"value": json.dumps(view(i)), "partition": i % 4} for i in range(2000)])
    until(lambda: s.consumed() == 2000)
    second = subprocess.Popen([PROGRAM, "stream", "s", "--json", "-c", "other.yaml"], cwd=neuron.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def members():
        described = kafka.admin.describe_consumer_groups([s.source])[s.source].result(timeout=30)
        return [len(member.assignment.topic_partitions) for member in described.members]

    until(lambda: sorted(members()) == [2, 2])
    s.produce(*[{"value": json.dumps(view(i)), "partition": i % 4} for i in range(2000, 4000)])
    until(lambda: s.consumed() == 4000)
    results = []
    for process in (second, first):
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 143, err
        results.append(json.loads(out))
        adds_up(results[-1])
    assert sum(r["consumed"] for r in results) == 4000 and all(r["consumed"] for r in results)
    assert sorted(named(m) for m in s.out()) == list(range(4000))
    assert any(r["rebalances"] > 1 for r in results)


def test_a_file_of_letters_that_is_locked_holds_no_partition(neuron, kafka):
    """Who waits for the lock past the end of a revoke undoes his cycle; each letter is there once."""
    s = Stream(neuron, kafka, letters="file: dead.ndjson", rest="    cycle: 30ms\n")
    neuron.write("other.yaml", "neuron: { id: other }\n" + neuron.read("neuron.yaml"))
    produce = lambda numbers: s.produce(*[{"value": json.dumps(payment(i, "x") if i % 2 else view(i)), "partition": i % 4}
                                          for i in numbers])
    first = s.begin()
    produce(range(8))
    until(lambda: s.consumed() == 8)
    with open(os.path.join(neuron.folder, "dead.ndjson"), "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        produce(range(8, 200))
        assert "waits for the lock" in first.stderr.readline()
        second = subprocess.Popen([PROGRAM, "stream", "s", "--json", "-c", "other.yaml"], cwd=neuron.folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        described = lambda: kafka.admin.describe_consumer_groups([s.source])[s.source].result(timeout=30).members
        until(lambda: sorted(len(member.assignment.topic_partitions) for member in described()) == [2, 2])
        assert s.consumed() == 8
    until(lambda: s.consumed() == 200)
    for process in (second, first):
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 143, err
        adds_up(json.loads(out))
    letters = [json.loads(line)["original_message"]["transaction"]["id"] for line in neuron.read("dead.ndjson").splitlines()]
    assert sorted(letters) == [*range(1, 200, 2)]
    assert sorted(named(m) for m in s.out()) == [*range(0, 200, 2)]


def test_without_a_broker_it_waits_then_says_so(neuron, kafka):
    s = Stream(neuron, kafka)
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(kafka.brokers, "127.0.0.1:1"))
    begin = time.monotonic()
    dead = neuron("stream", "s", "--drain", "--patience", "1s", code=3)
    assert "no broker answers" in dead.stderr and time.monotonic() - begin < 40
    assert s.out() == []


def test_without_a_place_for_dead_letters_the_message_is_named(neuron, kafka):
    s = Stream(neuron, kafka, partitions=1, letters="")
    s.produce(view(1), "{bad", view(2))
    failed = neuron("stream", "s", "--drain", code=1)
    assert "offset 1" in failed.stderr and "dead_letter" in failed.stderr
    assert s.consumed() <= 1


def test_a_broker_that_goes_and_comes_back(neuron, kafka):
    """Killed in the middle, away for longer than a transaction may last, then back on the same data."""
    s = Stream(neuron, kafka, rest="    cycle_rows: 200\n    cycle: 30ms\n")
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("options: { ", "options: { transaction.timeout.ms: 4000, "))
    made = messages_of(20000)
    process = s.begin()
    kafka.produce(s.source, made[:10000])
    until(lambda: 0 < s.consumed())
    kafka.stop(signal.SIGKILL)
    time.sleep(5)
    kafka.start()
    kafka.produce(s.source, made[10000:])
    until(lambda: s.consumed() == len(made), 120)
    process.send_signal(signal.SIGTERM)
    text, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    adds_up(json.loads(text))
    out, dead = wanted(made)
    assert (sorted(named(m) for m in s.out()), dead_texts(s.letters())) == (out, dead)
