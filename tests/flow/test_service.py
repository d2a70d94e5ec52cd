"""The running neuron as a service: reload without a gap, health of its connections, the manners of the API."""

import json
import os
import socket
import threading
import time

from test_run import make, running, wait_for


def test_a_reload_closes_no_door(neuron):
    make(neuron)
    with running(neuron) as run:
        seen, over = [], threading.Event()

        def knock():
            while not over.is_set():
                try:
                    seen.append((run.ask("/livez")[0], run.ask("/health")[0]))
                except OSError as error:
                    seen.append((str(error), None))
        thread = threading.Thread(target=knock)
        thread.start()
        for count in range(1, 4):
            run.get("/api/v1/reload", "POST", 202)
            wait_for(lambda count=count: run.log().count("daemon: ready") == count + 1)
            wait_for(lambda: run.ask("/readyz")[0] == 200)
        over.set()
        thread.join()
        assert len(seen) > 10
        assert {live for live, _ in seen} == {200}
        assert {health for _, health in seen} <= {200, 503}
        assert run.end() == 143


def test_a_new_token_and_a_taken_address(neuron):
    make(neuron)
    with running(neuron) as run:
        make(neuron, token="new")
        run.get("/api/v1/reload", "POST", 202)
        wait_for(lambda: run.ask("/api/v1/status")[0] == 401)
        text = neuron.read("neuron.yaml")
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = other.getsockname()[1]
            neuron.write("neuron.yaml", text.replace("127.0.0.1:0", f"127.0.0.1:{taken}"))
            head = {"Authorization": "Bearer new"}
            run.get("/api/v1/reload", "POST", 202, headers=head)
            wait_for(lambda: "the old address stays" in run.log())
            wait_for(lambda: run.ask("/readyz")[0] == 200)
        assert run.end() == 143


def test_health_of_connections(neuron):
    neuron.write("in.csv", "id\n1\n")
    neuron.write("neuron.yaml", """
http: { listen: "127.0.0.1:0" }
connections:
  good: sqlite:///good.db
  gone: postgresql://user:s3cret@127.0.0.1:1/db?connect_timeout=2
  idle: sqlite:///idle.db
pipelines:
  a: { from: in.csv, to: good, table: t, key: [id] }
  b: { from: gone, from_table: x, to: good, table: u, key: [id] }
""")
    with running(neuron) as run:
        def parts():
            return json.loads(run.ask("/health")[1])["dependencies"]
        wait_for(lambda: parts()["connection:gone"]["status"] == "unhealthy"
                 and parts()["connection:good"]["status"] == "healthy")
        found = parts()
        assert found["connection:idle"]["status"] == "unknown"
        assert found["connection:gone"]["error"] and found["connection:gone"]["since"].endswith("Z")
        assert found["connection:good"]["checked_at"].endswith("Z")
        assert "s3cret" not in json.dumps(found)
        health = json.loads(run.ask("/health")[1])
        assert health["status"] == "degraded" and run.ask("/health")[0] == 200
