"""Several neurons on one state store in PostgreSQL: each tick runs once, through kills and stops."""

import collections
import http.server
import json
import os
import random
import signal
import threading
import time

import pytest
from confluent_kafka import KafkaException

from federation_double import Core
from postgres import Postgres
from test_run import Running, wait_for

SOAK = bool(os.environ.get("NEURON_SOAK"))

CONFIG = """
neuron: {{ id: twin }}
state: "postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
drain: 5s
http: {{ listen: "127.0.0.1:0" }}
federation: {{ url: "{core}", heartbeat: 1s }}
connections: {{ db: "postgresql://postgres@127.0.0.1:{port}/postgres" }}
pipelines:
  p:
    schedule: every 1s
    from: db
    from_table: raw
    to: db
    table: loaded
    key: [id]
"""


@pytest.fixture(scope="module")
def postgres():
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def twins(neuron, postgres):
    postgres.psql("DROP SCHEMA IF EXISTS neuron_state CASCADE; DROP TABLE IF EXISTS raw, loaded, neuron_loads;"
                  "CREATE TABLE raw AS SELECT n AS id, 'x' || n AS name FROM generate_series(1, 1000) AS n")
    core = Core()
    neuron.write("neuron.yaml", CONFIG.format(port=postgres.port, core=core.url))
    neuron.core, neuron.running = core, []
    yield neuron
    for one in neuron.running:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGCONT)
            one.process.kill()
            one.process.wait()
    core.close()


def start(twins):
    one = Running(twins.folder)
    twins.running.append(one)
    return one


def ticks(postgres):
    out, _ = postgres.psql("SELECT scheduled_us, count(*), string_agg(status, ',') FROM neuron_state.runs"
                           " WHERE scheduled_us > 0 GROUP BY 1 ORDER BY 1")
    return [(int(at), int(count), statuses) for at, count, statuses in (line.split("|") for line in out.split())]


def test_each_tick_runs_once(twins, postgres):
    one, two = start(twins), start(twins)
    assert {one.get("/api/v1/status")["id"], two.get("/api/v1/status")["id"]} == {"twin-1", "twin-2"}
    wait_for(lambda: len(ticks(postgres)) >= 6, 30)
    wait_for(lambda: len(twins.core.neurons) == 2)
    assert set(twins.core.neurons) == {"twin-1", "twin-2"} and twins.core.registrations == 2
    # What one of them ran is seen by both.
    runs = [{run["run_id"] for run in each.runs("&status=success")} for each in (one, two)]
    assert len(runs[0] & runs[1]) >= 5
    assert one.end() == 143 and two.end() == 143
    seen = ticks(postgres)
    assert all(count == 1 for _, count, _ in seen)
    assert {b - a for (a, _, _), (b, _, _) in zip(seen, seen[1:])} == {1000000}, "a tick was missed"
    published = int(postgres.psql("SELECT count(*) FROM neuron_loads WHERE pipeline = 'p'")[0])
    succeeded = int(postgres.psql("SELECT count(*) FROM neuron_state.runs WHERE status = 'success'")[0])
    assert published == succeeded
    assert postgres.psql("SELECT count(*), count(DISTINCT id) FROM loaded")[0].strip() == "1000|1000"
    left = postgres.psql("SELECT count(*) FROM neuron_state.leases")[0].strip()
    assert left == "0", "an orderly end gives its leases back"


class History:
    """All runs that the store had at one time or another (it keeps the last 1,000)."""

    def __init__(self, postgres):
        self.postgres, self.runs = postgres, {}

    def note(self):
        out, _ = self.postgres.psql("SELECT run_id, scheduled_us, trigger, status, started_us, finished_us"
                                    " FROM neuron_state.runs")
        for line in out.split():
            run_id, at, trigger, status, started, finished = line.split("|")
            self.runs[run_id] = (int(at), trigger, status, int(started), int(finished))
        return self

    def ticks(self):
        return sorted(at for at, *_ in self.runs.values() if at)

    def gaps(self):
        """Ticks that nobody took. One that comes while another run is at it is skipped, as `overlap: skip` has it: that
        of a start, or one that a busy machine keeps for more than its second."""
        ticks, runs = self.ticks(), self.runs.values()
        free = sorted(set(range(ticks[0], ticks[-1], 1000000)) - set(ticks))
        return [at for at in free if not any(run[3] - 200000 <= at <= run[4] for run in runs)], len(free)


def drop_connections(postgres, chance):
    """As a network that fails: of all that either of them holds, or of some."""
    some = "" if chance.random() < 0.5 else " AND pid % 2 = 0"
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                  " AND backend_type = 'client backend'" + some)


def test_kills_stops_and_dropped_connections_lose_and_double_nothing(twins, postgres):
    chance = random.Random(3)
    one, two = start(twins), start(twins)
    wanted, step, history = 1000 if SOAK else 20, 0, History(postgres)
    while step < 9 or len(history.note().ticks()) < wanted:
        time.sleep(chance.uniform(0.5, 3))
        if step % 3 == 0:  # one of the two dies, and comes again
            dying = chance.choice((one, two))
            dying.process.kill()
            dying.process.wait()
            fresh = start(twins)
            one, two = (fresh, two) if dying is one else (one, fresh)
        elif step % 3 == 1:  # or sleeps, once through its lease
            sleeper = chance.choice((one, two))
            sleeper.process.send_signal(signal.SIGSTOP)
            time.sleep(17 if step % 12 == 4 else chance.uniform(0.2, 2))
            sleeper.process.send_signal(signal.SIGCONT)
        else:
            drop_connections(postgres, chance)
        step += 1
    # Everything that was begun ends, also what the dead had taken.
    now_us = int(postgres.psql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")[0])
    wait_for(lambda: postgres.psql("SELECT count(*) FROM neuron_state.runs WHERE status IN ('queued', 'running')"
                                   f" AND started_us <= {now_us}")[0].strip() == "0", 60)
    assert one.end() == 143 and two.end() == 143
    seen = history.note().ticks()
    assert len(set(seen)) == len(seen), "a tick ran twice"
    gaps, skipped = history.gaps()
    kinds = collections.Counter(run[2] for run in history.runs.values())
    print(f"{len(seen)} ticks, {step} disturbances, {dict(kinds)}, {skipped} skipped beside another run")
    assert not gaps, gaps
    assert set(kinds) <= {"success", "skipped", "queued", "failed"}
    failed, _ = postgres.psql("SELECT result FROM neuron_state.runs WHERE status = 'failed'")
    for line in failed.splitlines():
        assert json.loads(line)["error"]["kind"] in ("fenced", "connect"), line
    doubled = postgres.psql("SELECT count(*) - count(DISTINCT run_id) FROM neuron_loads WHERE pipeline = 'p'")[0]
    assert doubled.strip() == "0"
    published = set(postgres.psql("SELECT run_id FROM neuron_loads WHERE pipeline = 'p'")[0].split())
    assert {run_id for run_id, run in history.runs.items() if run[2] == "success"} <= published
    assert postgres.psql("SELECT count(*), count(DISTINCT id) FROM loaded")[0].strip() == "1000|1000"


def test_the_store_may_go_and_come_back(twins, postgres):
    one = start(twins)
    wait_for(lambda: len(one.runs("&status=success")) >= 2, 20)
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                  " AND backend_type = 'client backend'")
    before = len(one.runs("&status=success"))
    wait_for(lambda: len(one.runs("&status=success")) >= before + 2, 20)
    assert one.end() == 143


def test_reports_of_a_dead_neuron_are_delivered_however_old_they_are(twins, postgres):
    one = start(twins)

    def reports():
        return (twins.core.heartbeats[-1]["applicationMetrics"]["analytics"] or {}).get("reports", [])
    wait_for(lambda: twins.core.heartbeats and reports() and
             postgres.psql("SELECT count(*) FROM neuron_state.outbox WHERE id < 3")[0].strip() == "0", 40)
    body = json.dumps({"pipeline": "p", "run_id": "left-behind", "status": "success", "records_extracted": 1})
    postgres.psql("INSERT INTO neuron_state.outbox(id, kind, body, at_us, scope) VALUES (1, 'pipeline_run',"
                  f" '{body}', (extract(epoch FROM now()) * 1000000)::bigint, '63')")
    wait_for(lambda: postgres.psql("SELECT count(*) FROM neuron_state.outbox WHERE id = 1")[0].strip() == "0", 60)
    wait_for(lambda: any(r.get("run_id") == "left-behind" for r in reports()), 10)
    assert one.end() == 143


def test_a_store_that_cannot_be_reached(neuron):
    neuron.write("neuron.yaml", "state: 'postgresql://u:sekret@127.0.0.1:1/x'\n")
    done = neuron("run", code=3)
    assert "state store" in done.stderr and "sekret" not in done.stderr


class Hook:
    """A webhook's other end."""

    def __init__(self):
        self.bodies = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, name):
        return [a["labels"] for b in self.bodies for a in b["alerts"] if a["labels"]["alertname"] == name]


def test_what_they_have_in_common_is_told_by_one(twins):
    hook = Hook()
    twins.write("neuron.yaml", twins.read("neuron.yaml").replace("every 1s", "every 1h") + f"""
  dead: {{ from: db, from_table: nothing, to: db, table: t, key: [id] }}
alerts:
  interval: 200ms
  group_interval: 0s
  thresholds: {{ disk: 0%, memory: 100%, failures: 2 }}
  receivers: [ {{ webhook: "http://127.0.0.1:{hook.server.server_address[1]}/" }} ]
""")

    def firing(one):
        return {a["name"] for a in one.get("/api/v1/alerts")["alerts"] if a["state"] == "firing"}
    try:
        one, two = start(twins), start(twins)
        for each in (one, two, one):
            run = each.get("/api/v1/pipelines/dead/runs", "POST", 202)["run_id"]
            assert each.run_ended(run)["status"] == "failed"
        wait_for(lambda: hook.told("PipelineFailing"))
        wait_for(lambda: len(hook.told("DiskFull")) >= 2)
        assert {labels["neuron"] for labels in hook.told("DiskFull")} == {"twin-1", "twin-2"}  # each has its own disk
        leaders = [each for each in (one, two) if "PipelineFailing" in firing(each)]
        assert len(leaders) == 1
        other = two if leaders[0] is one else one
        leaders[0].process.kill()
        wait_for(lambda: "PipelineFailing" in firing(other), 40)
        time.sleep(1)
        assert [labels["neuron"] for labels in hook.told("PipelineFailing")] == ["twin"]  # once, whoever tells
        assert other.end() == 143
    finally:
        hook.server.shutdown()
        hook.server.server_close()


def test_a_stream_into_a_table_is_shared_part_by_part(twins, postgres, kafka):
    topic = kafka.topic("shared", 4)
    postgres.psql("DROP TABLE IF EXISTS streamed, neuron_positions")
    twins.write("neuron.yaml", twins.read("neuron.yaml").replace("every 1s", "every 1h").replace(
        "connections: {", f"connections: {{ events: 'kafka://{kafka.brokers}',") + f"""
streams:
  s:
    from: {{ topic: {topic} }}
    route_by: type
    cycle: 100ms
    processors: {{ a: [ {{ select: "id::bigint AS id" }} ] }}
    to: {{ connection: db, table: streamed }}
    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }}
""")
    put = lambda first, last: kafka.produce(topic, [{"value": json.dumps({"type": "a", "id": n}), "partition": n % 4}
                                                    for n in range(first, last)])

    def rows():
        out, _ = postgres.psql("SELECT id FROM streamed")
        return sorted(int(n) for n in out.split())

    def consumed(one):
        return one.get("/api/v1/streams/s")["consumed"]
    one, two = start(twins), start(twins)

    def members():
        try:
            group = kafka.admin.describe_consumer_groups(["s"])["s"].result(timeout=30)
        except KafkaException:
            return []  # it has no coordinator yet
        return sorted(len(member.assignment.topic_partitions) for member in group.members)
    wait_for(lambda: members() == [2, 2], 60)
    put(0, 2000)
    wait_for(lambda: len(rows()) >= 2000, 60)
    wait_for(lambda: consumed(one) + consumed(two) == 2000, 20)  # a busy machine may have moved partitions between
    one.process.kill()
    one.process.wait()
    put(2000, 3000)
    wait_for(lambda: len(rows()) >= 3000, 60)
    assert two.get("/api/v1/streams/s")["ledger_gap"] == 0
    three = start(twins)
    wait_for(lambda: members() == [2, 2], 60)
    put(3000, 4000)
    wait_for(lambda: len(rows()) >= 4000, 60)
    assert two.end() == 143 and three.end() == 143
    assert rows() == list(range(4000))
    assert postgres.psql("SELECT count(*), sum(next_offset) FROM neuron_positions WHERE stream = 's'")[0].strip() == "4|4000"
    assert postgres.psql("SELECT sum(records_loaded) FROM neuron_loads WHERE pipeline = 's'")[0].strip() == "4000"
