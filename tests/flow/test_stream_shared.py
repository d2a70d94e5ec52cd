"""Several processes share one stream into one table or file, each its partitions; whatever happens to a session, each
message is there once: the target is asked where reading begins, and lets nobody commit whose partitions another took."""

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
from confluent_kafka import Producer

from conftest import PROGRAM
from postgres import CutProxy, Postgres
from test_stream_kafka import set_offset, until

SOAK = bool(os.environ.get("NEURON_SOAK"))
STEPS = 200 if SOAK else 6
CONFIG = """
neuron: {{ id: {id} }}
connections: {{ events: 'kafka://{brokers}', target: '{target}' }}
streams:
  s:
    from: {{ topic: {topic}, group: {topic} }}
    route_by: type
    cycle: {cycle}
    cycle_rows: 500
    processors: {{ a: [ {{ select: "id::bigint AS id" }} ] }}
    to: {{ {to} }}
    dead_letter: {{ {letters} }}
    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }}
"""
KINDS = {
    "postgres": ("connection: target, table: loaded", "connection: target, table: dead"),
    "postgres, letters in a file": ("connection: target, table: loaded", "file: dead.ndjson"),
    "postgres, upsert": ("connection: target, table: loaded, mode: upsert, key: [id]", "connection: target, table: dead"),
    "postgres, letters in a topic": ("connection: target, table: loaded", "connection: events, topic: {dead}"),
    "sqlite": ("connection: target, table: loaded", "file: dead.ndjson"),
    "file": ("file: out.ndjson", "file: dead.ndjson"),
}


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


class Crew:
    """Processes of one stream, a feeder, and what came of it all."""

    def __init__(self, neuron, kafka, request, kind, partitions=4, cycle="100ms"):
        self.neuron, self.kafka, self.kind, self.cycle = neuron, kafka, kind, cycle
        self.topic, self.dead = kafka.topic("in", partitions), kafka.topic("dead", 1)
        self.partitions, self.members, self.sent, self.number = partitions, {}, 0, 0
        self.end, self.feeder, self.proxy, self.target = threading.Event(), None, None, "sqlite:///target.db"
        if kind.startswith("postgres"):
            self.server, self.name = request.getfixturevalue("postgres"), "d" + os.urandom(4).hex()
            self.server.psql(f"CREATE DATABASE {self.name}")
            self.proxy = CutProxy(self.server.port)
            self.target = f"postgresql://postgres@127.0.0.1:{self.proxy.own_port}/{self.name}"

    def start(self):
        name, self.number = f"n{self.number}", self.number + 1
        to, letters = KINDS[self.kind]
        self.neuron.write(name + ".yaml", CONFIG.format(id=name, brokers=self.kafka.brokers, target=self.target, to=to,
                                                        topic=self.topic, letters=letters.format(dead=self.dead),
                                                        cycle=self.cycle))
        with open(os.path.join(self.neuron.folder, name + ".log"), "ab") as log:
            self.members[name] = subprocess.Popen([PROGRAM, "stream", "s", "-c", name + ".yaml"], cwd=self.neuron.folder,
                                                  stdout=subprocess.DEVNULL, stderr=log)
        return name

    def signal(self, name, number):
        self.members[name].send_signal(number)

    def kill(self, name):
        process = self.members.pop(name)
        process.kill()
        process.wait()

    def stop(self, name):
        process = self.members.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143, self.log(name)

    def log(self, name):
        return self.neuron.read(name + ".log")

    def feed(self, each=20, pause=0.02):
        """Until `enough`; each twentieth message can't be read as wanted and becomes a dead letter."""
        producer = Producer({"bootstrap.servers": self.kafka.brokers, "log_level": 0})

        def run():
            while not self.end.is_set():
                for _ in range(each):
                    value = {"type": "a", "id": self.sent if self.sent % 20 else f"x{self.sent}"}
                    producer.produce(self.topic, json.dumps(value), partition=self.sent % self.partitions)
                    self.sent += 1
                producer.poll(0)
                time.sleep(pause)
            producer.flush()
        self.feeder = threading.Thread(target=run)
        self.feeder.start()

    def enough(self):
        self.end.set()
        self.feeder.join()

    def owners(self):
        """How many partitions each member has, while the group is at rest."""
        group = self.kafka.admin.describe_consumer_groups([self.topic])[self.topic].result(timeout=30)
        return sorted(len(member.assignment.topic_partitions) for member in group.members)

    def psql(self, sql):
        out, err = self.server.psql(sql, "-d", self.name)
        assert not err, err
        return out.split()

    def target_sql(self, sql):
        if self.kind.startswith("postgres"):
            self.psql(sql)
            return
        with sqlite3.connect(os.path.join(self.neuron.folder, "target.db"), timeout=30) as db:
            db.execute(sql)

    def rows(self):
        try:
            if self.kind.startswith("postgres"):
                return [int(n) for n in self.psql("SELECT id FROM loaded")]
            if self.kind == "file":
                return [json.loads(line)["id"] for line in self.neuron.read("out.ndjson").splitlines()]
            with sqlite3.connect(os.path.join(self.neuron.folder, "target.db")) as db:
                return [row[0] for row in db.execute("SELECT id FROM loaded")]
        except (AssertionError, OSError, sqlite3.OperationalError):
            return []  # not there yet

    def letters(self):
        if self.kind.endswith("topic"):
            data = [json.loads(m.value())["original_message"]["id"] for m in self.kafka.consume(self.dead)]
        elif "dead.ndjson" not in KINDS[self.kind][1]:
            data = self.psql("SELECT data::json ->> 'id' FROM dead")
        else:
            lines = self.neuron.read("dead.ndjson").splitlines()
            data = [json.loads(line)["original_message"]["id"] for line in lines]
        return [int(text[1:]) for text in data]

    def committed(self):
        """Rows are there, and nobody is in the middle of a commit: he would take the files' locks to sleep with him."""
        if len(self.rows()) <= 200:
            return False
        for name in ("out.ndjson", "dead.ndjson"):
            path = os.path.join(self.neuron.folder, name)
            if os.path.exists(path):
                with open(path, "rb") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        return False
        return True

    def moved(self):
        if self.kind.startswith("postgres"):
            return self.psql("SELECT sum(next_offset)::bigint FROM neuron_positions")
        return []

    def close(self):
        self.end.set()
        for process in self.members.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        if self.proxy:
            self.proxy.close()


def check(crew):
    """Everything arrives, and arrives once."""
    crew.enough()
    wanted = collections.Counter(n for n in range(crew.sent) if n % 20)
    until(lambda: len(crew.rows()) >= len(wanted), 90)
    for name in list(crew.members):
        crew.stop(name)
    rows = collections.Counter(crew.rows())
    lost, doubled = sorted((wanted - rows).elements()), sorted((rows - wanted).elements())
    assert (lost, doubled) == ([], []), f"of {crew.sent}: (lost, doubled)"
    letters, wanted = collections.Counter(crew.letters()), collections.Counter(range(0, crew.sent, 20))
    assert sorted((wanted - letters).elements()) == [], "lost letters"
    if not crew.kind.endswith("topic"):  # which is at least once beside a table
        assert sorted((letters - wanted).elements()) == [], "doubled letters"
    if crew.kind.startswith("postgres"):
        assert crew.moved() == [str(crew.sent)]
        counts = crew.psql("SELECT sum(records_loaded), sum(records_extracted) FROM neuron_loads")
        assert counts == [f"{sum(rows.values())}|{crew.sent}"]


@pytest.fixture
def crew(neuron, kafka, request):
    made = Crew(neuron, kafka, request, request.param)
    yield made
    made.close()


@pytest.mark.parametrize("crew", ["postgres", "sqlite", "file"], indirect=True)
def test_a_session_that_is_lost_again_and_again(crew):
    name = crew.start()
    crew.feed()
    until(lambda: len(crew.rows()) > 200)
    for _ in range(20 if SOAK else 2):
        crew.signal(name, signal.SIGSTOP)
        until(lambda: crew.owners() == [])  # the group has gone on without it
        crew.signal(name, signal.SIGCONT)
        before = len(crew.rows())
        until(lambda before=before: len(crew.rows()) > before + 200)
    check(crew)


@pytest.mark.parametrize("crew", ["postgres", "postgres, letters in a file", "file"], indirect=True)
def test_who_sleeps_commits_nothing_after_its_successor_began(crew):
    crew.cycle = "2s"
    sleeper = crew.start()
    crew.feed()
    until(crew.committed)
    crew.signal(sleeper, signal.SIGSTOP)  # with a cycle open, which ends as soon as it wakes
    crew.cycle = "100ms"
    crew.start()
    before = len(crew.rows())
    until(lambda: len(crew.rows()) > before + 500)
    crew.signal(sleeper, signal.SIGCONT)
    until(lambda: crew.owners() == [2, 2])
    check(crew)


@pytest.mark.parametrize("crew", list(KINDS), indirect=True)
def test_one_three_two(crew):
    first = crew.start()
    crew.feed()
    until(lambda: len(crew.rows()) > 200)
    second, third = crew.start(), crew.start()
    until(lambda: crew.owners() == [1, 1, 2])
    before = len(crew.rows())
    until(lambda: len(crew.rows()) > before + 500)
    crew.kill(first)
    until(lambda: crew.owners() == [2, 2])
    before = len(crew.rows())
    until(lambda: len(crew.rows()) > before + 500)
    crew.stop(second)
    until(lambda: crew.owners() == [4])
    assert third in crew.members
    check(crew)


def disturb(crew, chance):
    """One of: a kill with a successor, a sleep past the session or a short one, a cut, one more or one less."""
    what = chance.choice(["kill", "sleep", "nap", "cut", "more", "less"])
    name = chance.choice(sorted(crew.members))
    if what == "kill":
        crew.kill(name)
        crew.start()
    elif what in ("sleep", "nap"):
        crew.signal(name, signal.SIGSTOP)
        time.sleep(chance.uniform(6.5, 9) if what == "sleep" else chance.uniform(0.1, 2))
        crew.signal(name, signal.SIGCONT)
    elif what == "cut" and crew.proxy:
        crew.proxy.cut()
    elif what == "more" and len(crew.members) < 3:
        crew.start()
    elif what == "less" and len(crew.members) > 1:
        crew.stop(name)
    time.sleep(chance.uniform(0.2, 4))


@pytest.mark.parametrize("crew", list(KINDS) if SOAK else ["postgres, letters in a file"], indirect=True)
def test_kills_stops_cuts_and_rebalances(crew):
    chance = random.Random(int(os.environ.get("NEURON_SEED", "7")))
    crew.start()
    crew.start()
    crew.feed(each=5 if SOAK else 20)
    until(lambda: len(crew.rows()) > 200)
    for _ in range(STEPS):
        disturb(crew, chance)
    check(crew)


# ---- what a former version left ----

OLD = {
    "sqlite": "CREATE TABLE neuron_loads (pipeline TEXT NOT NULL, run_id TEXT NOT NULL, epoch INTEGER NOT NULL, watermark TEXT,"
              " position TEXT, started_at TEXT NOT NULL, published_at TEXT NOT NULL, status TEXT NOT NULL,"
              " records_extracted INTEGER NOT NULL, records_transformed INTEGER NOT NULL, records_dropped INTEGER NOT NULL,"
              " records_rejected INTEGER NOT NULL, records_loaded INTEGER NOT NULL, inserted INTEGER NOT NULL,"
              " updated INTEGER NOT NULL, unchanged INTEGER NOT NULL, deleted INTEGER NOT NULL, config_hash TEXT,"
              " PRIMARY KEY (pipeline, epoch));"
              "INSERT INTO neuron_loads VALUES ('s', 'r', 7, NULL, '{\"parts\":{\"0\":3,\"1\":5}}', '2026-01-01T00:00:00Z',"
              " '2026-01-01T00:00:00Z', 'success', 8, 8, 0, 0, 8, 8, 0, 0, 0, 'x')",
    "postgres": "CREATE TABLE neuron_loads (pipeline text NOT NULL, run_id text NOT NULL, epoch bigint NOT NULL, cycle bigint"
                " NOT NULL DEFAULT 0, watermark text, position text, started_at timestamptz NOT NULL DEFAULT now(),"
                " published_at timestamptz NOT NULL DEFAULT now(), status text NOT NULL DEFAULT 'success',"
                " records_extracted bigint NOT NULL DEFAULT 0, records_transformed bigint NOT NULL DEFAULT 0,"
                " records_dropped bigint NOT NULL DEFAULT 0, records_rejected bigint NOT NULL DEFAULT 0,"
                " records_loaded bigint NOT NULL DEFAULT 0, inserted bigint NOT NULL DEFAULT 0, updated bigint NOT NULL DEFAULT 0,"
                " unchanged bigint NOT NULL DEFAULT 0, deleted bigint NOT NULL DEFAULT 0, config_hash text,"
                " PRIMARY KEY (pipeline, epoch));"
                "INSERT INTO neuron_loads (pipeline, run_id, epoch, position) VALUES ('s', 'q', 6, '{\"parts\":{\"0\":1}}'),"
                " ('s', 'r', 7, '{\"parts\":{\"0\":3,\"1\":5}}')",
}


@pytest.mark.parametrize("crew", ["postgres", "sqlite", "file"], indirect=True)
def test_it_goes_on_where_a_former_version_was(crew):
    """Its offsets stood with its runs, all partitions in one; those of the group are behind them, or missing."""
    if crew.kind == "sqlite":
        with sqlite3.connect(os.path.join(crew.neuron.folder, "target.db")) as db:
            db.executescript(OLD["sqlite"])
    elif crew.kind == "postgres":
        crew.server.psql(OLD["postgres"], "-d", crew.name)
    else:
        crew.neuron.write("out.ndjson", "")
        crew.neuron.write("out.ndjson.neuron", '{"length":0,"name":"s","position":{"parts":{"0":3,"1":5}},"run_id":"r"}')
    crew.kafka.produce(crew.topic, [{"value": json.dumps({"type": "a", "id": 100 * part + n}), "partition": part}
                                    for part in range(3) for n in range(8)])
    set_offset(crew.kafka, crew.topic, 0, 2)
    crew.start()
    until(lambda: len(crew.rows()) >= 16)
    # Each process has one row of counts, which grow.
    crew.kafka.produce(crew.topic, [{"value": json.dumps({"type": "a", "id": 208}), "partition": 2}])
    until(lambda: len(crew.rows()) > 16)
    if crew.kind == "sqlite":
        with sqlite3.connect(os.path.join(crew.neuron.folder, "target.db")) as db:
            assert db.execute("SELECT count(*), sum(records_loaded) FROM neuron_loads WHERE epoch > 7").fetchall() == [(1, 17)]
    wanted = [*range(3, 8), *range(105, 108), *range(200, 209)]
    crew.stop("n0")
    assert sorted(crew.rows()) == wanted
    # The next one finds them at their new place.
    crew.kafka.produce(crew.topic, [{"value": json.dumps({"type": "a", "id": 301}), "partition": 1}])
    crew.start()
    until(lambda: len(crew.rows()) > 17)
    crew.stop("n1")
    assert sorted(crew.rows()) == [*wanted, 301]


@pytest.mark.parametrize("crew", ["postgres"], indirect=True)
def test_a_topic_that_ends_before_the_tables_offset_is_named(crew):
    crew.psql("CREATE TABLE neuron_positions (stream text NOT NULL, topic text NOT NULL, partition integer NOT NULL,"
              " next_offset bigint, fence bigint NOT NULL, PRIMARY KEY (stream, topic, partition));"
              f"INSERT INTO neuron_positions VALUES ('s', '{crew.topic}', 0, 1000, 3)")
    crew.kafka.produce(crew.topic, [{"value": json.dumps({"type": "a", "id": 1}), "partition": 0}])
    name = crew.start()
    until(lambda: crew.members[name].poll() is not None)
    assert "it was read up to offset 1000, but ends at 1" in crew.log(name)
    assert "neuron_positions" in crew.log(name)
    crew.members.pop(name)
    crew.psql("UPDATE neuron_positions SET next_offset = 0")
    crew.start()
    until(lambda: crew.rows() == [1])


@pytest.mark.parametrize("crew", ["postgres", "sqlite"], indirect=True)
def test_a_dropped_table_of_offsets_is_named_with_the_fix(crew):
    def send(number):
        crew.kafka.produce(crew.topic, [json.dumps({"type": "a", "id": number})])

    name = crew.start()
    send(1)
    until(lambda: crew.rows() == [1])
    crew.target_sql("DROP TABLE neuron_positions")
    send(2)
    until(lambda: crew.members[name].poll() is not None)
    assert 'table "neuron_positions", which holds the stream\'s offsets, was dropped' in crew.log(name)
    assert "start the stream again" in crew.log(name)
    crew.members.pop(name)
    name = crew.start()
    until(lambda: crew.rows() == [1, 2])
    crew.stop(name)
    crew.target_sql("DROP TABLE neuron_positions")
    name = crew.start()
    send(3)
    until(lambda: crew.rows() == [1, 2, 3])
    assert "the target has lost the stream's offsets" in crew.log(name)
