"""The world that faults happen to: two PostgreSQL servers, a broker, proxies, three neurons, a small disk."""

import glob
import json
import os
import shutil
import signal
import subprocess
import urllib.request

import psycopg
from confluent_kafka.admin import NewTopic

from conftest import PROGRAM
from kafka import Kafka, free_port
from postgres import Postgres
from proxy import FaultProxy

SMALL_DISK_BYTES = 48 * 1024 * 1024
PARTITIONS = 3
UNREACHABLE = 3  # exit code

COMMON = """
neuron: {{ id: {id} }}
state: "{state}"
drain: 5s
memory: 64MB
http: {{ listen: "127.0.0.1:{http}" }}
connections:
  source: "postgresql://postgres@127.0.0.1:{source}/postgres?connect_timeout=5"
  target: "postgresql://postgres@127.0.0.1:{target}/postgres?connect_timeout=5"
  events: "kafka://127.0.0.1:{kafka}"
"""

REPLICA = """
pipelines:
  up:
    schedule: every 1s
    from: source
    from_table: raw_up
    incremental: { cursor: updated_at }
    steps:
      - where: v <> 'skip'
      - select: "id, v, amount::numeric AS amount, updated_at, row_hash(*) AS h, now() AS processed_at"
    to: target
    table: up
    mode: upsert
    key: [id]
    ignore_for_change: [processed_at]
    rejects: up_rejects
  ap:
    schedule: every 1s
    from: source
    from_table: raw_ap
    incremental: { cursor: id }
    steps: [ { select: "id, payload, n::bigint AS n" } ]
    to: target
    table: ap
    mode: append
    rejects: ap_rejects
  aw:
    schedule: every 1s
    from: source
    from_table: raw_aw
    incremental: { cursor: at }
    to: target
    table: aw
    mode: append
  rp: { schedule: every 3s, from: source, from_table: raw_rp, to: target, table: rp, mode: replace }
  mi:
    schedule: every 2s
    from: source
    from_table: raw_mi
    to: target
    table: mi
    key: [id]
    mode: mirror
    max_delete: 90%
streams:
  ev:
    from: { topic: in1, group: ev }
    route_by: type
    cycle: 500ms
    processors:
      a: [ { select: "id, 'x' || s AS s, num + 1 AS num" } ]
      b:
        - where: num > 50
          select: "id, num::text AS num, 'big' AS k"
        - where: num > 25
          select: "id, 100 / (num - 30) AS q"
    unknown: dead_letter
    to: { topic: out1, key: id }
    dead_letter: { topic: dl1 }
    options: { session.timeout.ms: 6000, heartbeat.interval.ms: 1000 }
  sh:
    from: { topic: in2, group: sh }
    route_by: type
    cycle: 500ms
    processors: { a: [ { select: "id, s::text AS s, num::bigint AS num" } ],
                  b: [ { where: "num > 50", select: "id, s::text || 'b' AS s, num::bigint AS num" } ] }
    unknown: drop
    to: { connection: target, table: sh, mode: append }
    dead_letter: { connection: target, table: sh_dead }
    options: { session.timeout.ms: 6000, heartbeat.interval.ms: 1000 }
quality:
  up:
    from: target
    table: up
    schedule: every 2s
    rules: [ "completeness >= 1", "uniqueness >= 99", "row_count >= 0" ]
"""

SINGLE = """
pipelines:
  fi:
    schedule: every 2s
    from: source
    from_table: raw_ap
    incremental: {{ cursor: id }}
    steps: [ {{ select: "id, n::bigint AS n" }} ]
    to: "{disk}/fi.ndjson"
    mode: append
    rejects: "{disk}/fi_rejects.ndjson"
  li:
    schedule: every 2s
    from: source
    from_table: raw_ap
    incremental: {{ cursor: id }}
    steps: [ {{ select: "id, payload, n::bigint AS n" }} ]
    to: "sqlite:///{disk}/li.db"
    table: li
    key: [id]
    mode: upsert
    rejects: li_rejects
streams:
  tb:
    from: {{ topic: in2, group: tb }}
    route_by: type
    cycle: 500ms
    processors: {{ a: [ {{ select: "id, s::text AS s, num::bigint AS num" }} ],
                  b: [ {{ where: "num > 50", select: "id, s::text || 'b' AS s, num::bigint AS num" }} ] }}
    unknown: drop
    to: {{ connection: target, table: tb, mode: append }}
    dead_letter: {{ connection: target, table: tb_dead }}
    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 1000 }}
  fl:
    from: {{ topic: in2, group: fl }}
    route_by: type
    cycle: 500ms
    processors: {{ a: [ {{ select: "id, s::text AS s, num::bigint AS num" }} ],
                  b: [ {{ where: "num > 50", select: "id, s::text || 'b' AS s, num::bigint AS num" }} ] }}
    unknown: drop
    to: {{ file: "{disk}/fl.ndjson" }}
    dead_letter: {{ file: "{disk}/fl_dead.ndjson" }}
    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 1000 }}
"""

SOURCES = """
CREATE TABLE raw_up(id int PRIMARY KEY, v text, amount text, updated_at timestamptz NOT NULL);
CREATE INDEX ON raw_up(updated_at);
CREATE TABLE raw_ap(id bigserial PRIMARY KEY, payload text, n text);
CREATE TABLE raw_aw(id bigserial, payload text, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON raw_aw(at);
CREATE TABLE raw_rp(id int, v text);
CREATE TABLE raw_mi(id int PRIMARY KEY, v text, x int);
INSERT INTO raw_rp SELECT g, 'r' FROM generate_series(1, 500) AS g;
INSERT INTO raw_mi SELECT g, 'm', 0 FROM generate_series(1, 500) AS g;
"""


class Server(Postgres):
    """A PostgreSQL behind a proxy. What compares and writes goes past the proxy."""

    def __init__(self, seed):
        super().__init__("fsync=off", "max_connections=120", "shared_buffers=64MB", "deadlock_timeout=500ms")
        self.proxy = FaultProxy(self.port, seed)

    def connect(self, database="postgres", **options):
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=postgres dbname={database}", **options)

    def rows(self, sql, database="postgres"):
        with self.connect(database, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def close(self):
        self.proxy.close()
        super().close()


class Broker(Kafka):
    """A Kafka whose neurons' listener is behind a proxy; its own clients go past it."""

    def __init__(self, seed):
        self.seed, self.proxy = seed, None
        super().__init__()

    def java(self, name, *args):
        if self.proxy is None:
            self.behind_proxy()
        super().java(name, *args)

    def behind_proxy(self):
        port = free_port()
        self.proxy = FaultProxy(port, self.seed)
        with open(self.properties, encoding="utf-8") as file:
            lines = file.read().splitlines()
        for number, line in enumerate(lines):
            if line.startswith("listeners="):
                lines[number] = f"{line},PROXY://127.0.0.1:{port}"
            elif line.startswith("advertised.listeners="):
                lines[number] = f"{line},PROXY://127.0.0.1:{self.proxy.own_port}"
        lines += ["listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXY:PLAINTEXT",
                  "group.min.session.timeout.ms=3000"]
        with open(self.properties, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def close(self):
        self.proxy.close()
        super().close()


class Node:
    """One neuron, in a folder of its own; its clock is what `step_clock` says."""

    def __init__(self, folder, name, config, http, faketime):
        self.name, self.http, self.folder = name, http, os.path.join(folder, name)
        self.starts, self.ended, self.process = 0, [], None
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "neuron.yaml"), "w", encoding="utf-8") as file:
            file.write(config)
        self.environment = dict(os.environ)
        if faketime:
            self.clock = os.path.join(self.folder, "clock")
            self.environment |= {"LD_PRELOAD": faketime, "FAKETIME_TIMESTAMP_FILE": self.clock,
                                 "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_CACHE_DURATION": "1",
                                 "FAKETIME_FORCE_MONOTONIC_FIX": "0"}  # else every timed wait ends at once
            self.step_clock(0)

    def step_clock(self, seconds):
        with open(self.clock + ".new", "w", encoding="utf-8") as file:
            file.write(f"{seconds:+d}")
        os.replace(self.clock + ".new", self.clock)

    def start(self):
        self.starts += 1
        self.log = os.path.join(self.folder, f"log-{self.starts:03}")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([PROGRAM, "run"], cwd=self.folder, stdout=log, stderr=log,
                                            env=self.environment)

    def alive(self):
        return self.process.poll() is None

    def revive(self):
        """Starts it again where it ended by itself, and remembers that it did: but for a start at which a system
        that it needs was away, which a supervisor tries again."""
        if not self.alive():
            if self.process.returncode != UNREACHABLE:
                self.ended.append((self.process.returncode, self.log))
            self.start()

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=30):
        """SIGTERM; the exit code, or None where it did not end in time (then it is killed)."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stacks()
            self.kill()
            return None

    def stacks(self):
        """What each thread waits for, into the log of one that doesn't end."""
        if shutil.which("gdb"):
            with open(self.log, "a", encoding="utf-8") as log:
                subprocess.run(["gdb", "-p", str(self.process.pid), "-batch", "-ex", "thread apply all bt"],
                               stdout=log, stderr=log, timeout=60, check=False)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return json.loads(answer.read())


class World:
    def __init__(self, folder, seed):
        self.folder, self.missing, self.nodes, self.parts = folder, [], [], []
        self.disk = os.path.join(folder, "disk")
        os.makedirs(self.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", self.disk],
                              capture_output=True, check=False)
        self.small_disk = done.returncode == 0
        if not self.small_disk:
            self.missing.append("a disk that fills up (mount needs root)")
        found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        if not found:
            self.missing.append("a clock that is stepped (libfaketime)")
        self.faketime = f"{self.timed_waits()} {found[0]}" if found else None
        try:
            self.source, self.target = self.part(Server(seed)), self.part(Server(seed + 1))
            self.broker = self.part(Broker(seed + 2))
            self.prepare()
        except BaseException:
            self.close()
            raise

    def part(self, made):
        self.parts.append(made)
        return made

    def prepare(self):
        for name in ("in1", "out1", "dl1", "in2"):
            self.broker.admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
        self.source.rows(SOURCES)
        self.target.rows("CREATE DATABASE state")
        state = f"postgresql://postgres@127.0.0.1:{self.target.proxy.own_port}/state?connect_timeout=5"
        for name in ("one", "two"):
            self.add(name, COMMON, REPLICA, id="twin", state=state)
        self.add("single", COMMON, SINGLE.format(disk=self.disk), id="single",
                 state=f"sqlite:///{self.disk}/state.db")

    def add(self, name, common, rest, **values):
        http = free_port()
        config = common.format(http=http, source=self.source.proxy.own_port, target=self.target.proxy.own_port,
                               kafka=self.broker.proxy.own_port, **values) + rest
        self.nodes.append(Node(self.folder, name, config, http, self.faketime))

    def timed_waits(self):
        library = os.path.join(self.folder, "timed_waits.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "timed_waits.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source], check=True)
        return library

    def start(self):
        for node in self.nodes:
            node.start()

    def close(self):
        for node in self.nodes:
            node.kill()
        for made in self.parts:
            made.close()
        if self.small_disk:
            subprocess.run(["umount", self.disk], check=False)

