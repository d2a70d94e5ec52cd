"""`neuron run` with streams: the guide's neuron on a real Kafka, pausing, sending, reload, a broker that is away."""

import json
import os
import signal
import sqlite3
import time

import pytest
from kafka import Kafka, free_port
from test_run import running, wait_for
from test_stream import PROCESSORS, adds_up, payment, view
from test_stream_kafka import Stream


def serve(neuron, stream):
    """The stream's configuration as that of a whole neuron."""
    head = 'http: { listen: "127.0.0.1:0" }\nstate: sqlite:///state.db\n'
    neuron.write("neuron.yaml", head + neuron.read("neuron.yaml"))
    return stream


def state(run, name="s"):
    return run.get(f"/api/v1/streams/{name}")["state"]


def lines(*messages):
    return "".join(json.dumps(m) + "\n" for m in messages).encode()


def test_a_stream_as_the_api_tells_it(neuron, kafka):
    s = serve(neuron, Stream(neuron, kafka))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "running")
        sent = run.get("/api/v1/streams/s/messages", "POST", code=202,
                       body=lines(view(1), payment("a", 20000), payment("b", "x"), {"type": "nope"}))
        assert sent == {"accepted": 4}
        wait_for(lambda: run.get("/api/v1/streams/s")["consumed"] == 4)
        wait_for(lambda: run.get("/api/v1/streams/s")["in_flight"] == 0)
        told = run.get("/api/v1/streams")["streams"][0]
        adds_up(told)
        assert (told["messages_processed"], told["messages_failed"], told["emitted"]) == (2, 1, 2)
        assert told["average_processing_time"] > 0 and told["types"]["transaction"]["failed"] == 1
        wait_for(lambda: run.get("/api/v1/streams/s")["lag_messages"] == 0)
        told = run.get("/api/v1/streams/s")
        assert told["lag_seconds"] == 0 and [p["partition"] for p in told["partitions"]] == [0, 1, 2, 3]
        assert told["error"] is None and told["rebalances"] >= 1
        health = run.get("/health")
        assert health["status"] == "healthy" and health["dependencies"]["stream:s"]["state"] == "running"
        metrics = run.ask("/metrics")[1]
        for line in ('neuron_stream_messages_total{stream="s",processor="transaction",outcome="failed"} 1',
                     'neuron_stream_messages_total{stream="s",processor="user_event",outcome="processed"} 1',
                     f'neuron_stream_lag_records{{stream="s",topic="{s.source}",partition="0"}} 0',
                     'neuron_stream_ledger_gap{stream="s"} 0', 'neuron_stream_running{stream="s"} 1',
                     'neuron_stream_end_to_end_seconds_count{stream="s"}'):
            assert line in metrics, line
        assert "POST" not in run.ask("/api/v1/streams/nope")[1] and run.ask("/api/v1/streams/nope")[0] == 404
        assert run.ask("/api/v1/streams/s/messages", "POST", body=b'{"a":1}\n{bad\n')[0] == 400
        assert run.get("/api/v1/status")["streams"][0]["name"] == "s"
        assert run.end() == 143
    assert len(s.out()) == 2 and len(s.letters()) == 1


def test_paused_and_resumed_and_still_paused_after_a_restart(neuron, kafka):
    s = serve(neuron, Stream(neuron, kafka))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "running")
        assert run.get("/api/v1/streams/s/pause", "POST", code=202)["paused"] is True
        wait_for(lambda: state(run) == "paused")
        s.produce(view(1))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "paused")
        assert run.get("/health")["status"] == "healthy" and s.out() == []
        run.get("/api/v1/streams/s/resume", "POST", code=202)
        wait_for(lambda: len(s.out()) == 1)
        assert state(run) == "running"


def test_reload_at_a_transactions_boundary(neuron, kafka):
    s = serve(neuron, Stream(neuron, kafka, rest="    cycle: 20ms\n"))
    with running(neuron) as run:
        wait_for(lambda: state(run) == "running")
        s.produce(*[view(i) for i in range(3000)])
        text = neuron.read("neuron.yaml")
        neuron.write("neuron.yaml", text.replace("'page_view' AS activity_type", "'seen' AS activity_type"))
        run.process.send_signal(signal.SIGHUP)
        s.produce(*[view(i) for i in range(3000, 6000)])
        wait_for(lambda: s.consumed() == 6000, 60)
        neuron.write("neuron.yaml", text.replace("streams:", "streams: ["))
        run.process.send_signal(signal.SIGHUP)
        s.produce(view(6000))
        wait_for(lambda: s.consumed() == 6001, 60)
        assert f'neuron_stream_lag_records{{stream="s",topic="{s.source}"' in run.ask("/metrics")[1]
        neuron.write("neuron.yaml", text[:text.index("streams:")])
        run.process.send_signal(signal.SIGHUP)
        wait_for(lambda: run.ask("/api/v1/streams")[1] == '{"streams":[]}')
        assert not [line for line in run.ask("/metrics")[1].splitlines()
                    if line.startswith(("neuron_stream_lag", "neuron_stream_running"))]
    out = s.out()
    assert sorted(m["user_id"] for m in out) == list(range(6001))
    assert {m["activity_type"] for m in out if m["user_id"] >= 5999} == {"seen"}


def test_a_broker_that_is_away_does_not_stop_the_rest(neuron, kafka):
    neuron.write("in.csv", "id,name\n1,a\n")
    port = free_port()
    neuron.write("neuron.yaml", f"""
http: {{ listen: "127.0.0.1:0" }}
connections: {{ events: 'kafka://127.0.0.1:{port}', target: 'sqlite:///target.db' }}
pipelines:
  p: {{ from: in.csv, to: target, table: t, mode: append }}
streams:
  s:
    from: {{ topic: a }}
{PROCESSORS}    to: {{ topic: b }}
    dead_letter: {{ topic: c }}
""")
    with running(neuron) as run:
        wait_for(lambda: [r for r in run.runs() if r["status"] == "success"])
        wait_for(lambda: state(run) == "waiting", 40)
        health = run.get("/health")
        assert health["status"] == "degraded" and "no broker answers" in health["dependencies"]["stream:s"]["error"]
        assert health["dependencies"]["stream:s"]["since"] and run.ask("/readyz")[0] == 200
        sent = run.ask("/api/v1/streams/s/pause", "POST")
        assert sent[0] == 202
        begin = time.monotonic()
        assert run.end() == 143 and time.monotonic() - begin < 5
        assert run.log().count("can't be reached") == 1


def test_a_broker_that_dies_and_comes_back(neuron):
    own = Kafka()
    try:
        s = serve(neuron, Stream(neuron, own, rest="    cycle: 20ms\n"))
        with running(neuron) as run:
            s.produce(*[view(i) for i in range(2000)])
            wait_for(lambda: s.consumed() > 0, 60)
            own.stop(signal.SIGKILL)
            time.sleep(1)
            assert run.ask("/readyz")[0] == 200
            own.start()
            s.produce(*[view(i) for i in range(2000, 4000)])
            wait_for(lambda: s.consumed() == 4000, 120)
            wait_for(lambda: run.get("/health")["status"] == "healthy", 60)
            told = run.get("/api/v1/streams/s")
            assert told["ledger_gap"] == 0 and run.end() == 143
        assert sorted(m["user_id"] for m in s.out()) == list(range(4000))
    finally:
        own.close()


def test_the_breaker_holds_the_stream_until_it_is_resumed(neuron, kafka):
    s = serve(neuron, Stream(neuron, kafka, partitions=1, rest="    max_rejects: 10% in 1m\n    cycle: 200ms\n"))
    s.produce(*[view(i) for i in range(100)])
    with running(neuron) as run:
        wait_for(lambda: s.consumed() == 100)
        s.produce(*["{bad"] * 50)
        wait_for(lambda: state(run) == "held")
        told = run.get("/api/v1/streams/s")
        assert "max_rejects" in told["error"]["what"] and run.get("/health")["status"] == "degraded"
        assert len(s.letters()) <= 11 and told["dead_lettered"] == len(s.letters())
        run.get("/api/v1/streams/s/resume", "POST", code=202)
        wait_for(lambda: len(s.letters()) == 50)
        assert state(run) == "running"


def test_the_guides_neuron(neuron, kafka):
    from confluent_kafka.admin import NewTopic
    for made in kafka.admin.create_topics([NewTopic(name, 2, 1) for name in
                                           ("data-events", "processed-data", "failed-messages")]).values():
        made.result(timeout=30)
    env = {"NEURON_LISTEN": "127.0.0.1:0", "KAFKA_SERVERS": kafka.brokers}
    with running(neuron, env=env) as run:
        wait_for(lambda: state(run, "data-events") == "running")
        kafka.produce("data-events", [json.dumps(m) for m in (view(1), payment("a", 10001), payment("b", 10000))] + ["{"])
        wait_for(lambda: run.get("/api/v1/streams/data-events")["consumed"] == 4)
        assert run.end() == 143
    assert sorted(json.loads(m.value())["type"] for m in kafka.consume("processed-data")) == [
        "fraud_alert", "transaction_processed", "user_activity_summary"]
    (letter,) = kafka.consume("failed-messages")
    assert json.loads(letter.value())["original_message"] == "{"


@pytest.mark.parametrize("way", ["removed", "moved", "replaced"])
def test_a_sqlite_target_that_is_taken_away_is_noticed(neuron, kafka, way):
    """No row goes into a file that nobody finds any more: those after the change are where the path leads."""
    s = serve(neuron, Stream(neuron, kafka, to="connection: target, table: t", target="sqlite:///t.db", partitions=1,
                             processors="""
    route_by: type
    processors: { a: [ { select: "id" } ] }
"""))
    path = os.path.join(neuron.folder, "t.db")

    def found():
        if not os.path.exists(path):
            return []
        db = sqlite3.connect(path, timeout=20)
        try:
            return [row[0] for row in db.execute("SELECT id FROM t ORDER BY id")]
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    s.produce(*(json.dumps({"type": "a", "id": i, "n": i}) for i in range(10)))
    with running(neuron) as run:
        wait_for(lambda: len(found()) == 10, 60)
        if way == "replaced":
            with sqlite3.connect(path) as db, sqlite3.connect(path + ".new") as copy:
                db.backup(copy)
        for ending in ("-wal", "-shm", ""):
            if os.path.exists(path + ending):
                os.rename(path + ending, path + ".old" + ending) if way == "moved" else os.remove(path + ending)
        if way == "replaced":
            os.rename(path + ".new", path)
        s.produce(*(json.dumps({"type": "a", "id": i, "n": i}) for i in range(10, 20)))
        wait_for(lambda: [i for i in found() if i >= 10] == list(range(10, 20)), 60)
        wait_for(lambda: state(run) == "running", 60)
        assert "was removed or moved" in run.log()
    assert found() == list(range(0 if way == "replaced" else 10, 20))
