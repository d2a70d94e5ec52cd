"""HTTP while a remote system says nothing: who asks for something else has the answer at once, and every wait ends."""

import concurrent.futures
import json
import time

import pytest
from browser import Browser
from http_raw import ask, connect, request, status
from silent import SilentProxy, SilentServer
from test_run import running, wait_for

CONFIG = """
neuron: {{ id: silent }}
state: "postgresql://postgres@127.0.0.1:{store}/postgres"
http: {{ listen: "127.0.0.1:0" }}
drain: 3s
connections:
  db: "postgresql://postgres@127.0.0.1:{db}/postgres"
  bus: "kafka://127.0.0.1:{bus}"
pipelines:
  p: {{ from: db, query: "select 1 as id", to: db, table: silent_x, key: [id], schedule: every 1s }}
quality:
  q: {{ from: db, query: "select 1 as id", rules: [ row_count > 0 ] }}
streams:
  s: {{ from: {{ connection: bus, topic: in }}, processors: {{ a: [ {{ select: type }} ] }}, to: {{ connection: bus, topic: out }},
       dead_letter: {{ topic: letters }} }}
"""
# What the process knows by itself, and what asks others.
OWN = ["/livez", "/readyz", "/health", "/metrics", "/", "/openapi.json", "/api/v1/status", "/api/v1/pipelines", "/api/v1/pipelines/p",
       "/api/v1/streams", "/api/v1/streams/s", "/api/v1/quality", "/api/v1/alerts", "/api/v1/config"]
STORE = [("GET", "/api/v1/runs"), ("GET", "/api/v1/runs/x"), ("GET", "/api/v1/quality/q/reports"), ("GET", "/api/v1/quality/trends"),
         ("POST", "/api/v1/pipelines/p/runs"), ("POST", "/api/v1/streams/s/pause")]
BROKER = [("GET", "/api/v1/streams/s/dead-letters", ""), ("POST", "/api/v1/streams/s/messages", '{"a":1}')]


@pytest.fixture
def silent(neuron, server):
    server.psql("DROP SCHEMA IF EXISTS neuron_state CASCADE")
    proxy, broker = SilentProxy(server.port), SilentServer()
    neuron.write("neuron.yaml", CONFIG.format(store=proxy.port, db=server.port, bus=broker.port))
    with running(neuron) as run:
        run.proxy = proxy
        yield run
    proxy.close()
    broker.close()


def quick(run, paths=OWN):
    """Each answered at once (on a busy machine: far sooner than any deadline); the bodies."""
    bodies = {}
    for path in paths:
        answer, took = ask(run.port, request("GET", path))
        assert status(answer) in (200, 503) and took < 4, (path, took, answer[:200])
        assert status(answer) == 200 or path in ("/health", "/readyz"), (path, answer[:300])
        bodies[path] = answer.split("\r\n\r\n", 1)[1]
    return bodies


def test_a_silent_state_store(silent):
    run = silent
    wait_for(lambda: run.runs("&status=success"))
    assert json.loads(quick(run)["/health"])["dependencies"]["state"]["status"] == "healthy"
    run.proxy.hold()
    wait_for(lambda: json.loads(quick(run, ["/health"])["/health"])["dependencies"]["state"]["status"] == "unhealthy", 15)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        begin = time.monotonic()
        asked = [pool.submit(ask, run.port, request(*route), timeout=30) for route in STORE * 5]
        for _ in range(3):
            health = json.loads(quick(run)["/health"])
            state = health["dependencies"]["state"]
            assert health["status"] == "unhealthy" and state["kind"] == "timeout" and "answer" in state["error"], state
        for one in asked:
            answer, took = one.result()
            assert status(answer) in (503, 504) and took < 18, answer[:300]
            assert "Retry-After" in answer and "application/problem+json" in answer
        assert time.monotonic() - begin < 25
    # While it stays silent, what asks it fails soon.
    answer, took = ask(run.port, request("GET", "/api/v1/runs"), timeout=30)
    assert status(answer) == 503 and took < 6
    run.proxy.release()
    wait_for(lambda: run.ask("/health")[0] == 200, 10)
    before = len(run.runs("&status=success"))
    wait_for(lambda: len(run.runs("&status=success")) > before)


def test_the_page_says_what_is_missing(silent):
    run = silent
    wait_for(lambda: run.runs("&status=success"))
    run.proxy.hold()
    browser = Browser()
    try:
        browser.open(f"http://127.0.0.1:{run.port}/")
        wait_for(lambda: "Runs:" in browser.run("return document.getElementById('parts').innerText"), 15)
        wait_for(lambda: "unhealthy" in browser.run("return document.getElementById('state').textContent"))
        shown = browser.run("return document.body.innerText")
        assert "Pipelines" in shown and "Streams" in shown
    finally:
        browser.close()


def test_an_end_while_the_store_is_silent(silent):
    run = silent
    wait_for(lambda: run.runs("&status=success"))
    run.proxy.hold()
    ask(run.port, request("GET", "/api/v1/runs"), timeout=0.5)
    begin = time.monotonic()
    assert run.end() == 143
    assert time.monotonic() - begin < 30


def test_a_silent_broker(silent):
    run = silent
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        begin = time.monotonic()
        asked = [pool.submit(ask, run.port, request(method, path, body=body), timeout=40)
                 for method, path, body in BROKER * 4]
        while time.monotonic() - begin < 3:
            quick(run)
            assert run.ask("/api/v1/runs")[0] == 200
        answers = [one.result() for one in asked]
    assert all(status(answer) >= 400 and took < 25 for answer, took in answers), answers
    assert [status(answer) for answer, _ in answers].count(503) >= 6, "two of one stream at a time"
    # A request that nobody waits for any more is no hindrance to the end.
    with connect(run.port) as gone:
        gone.sendall(request(*BROKER[0][:2]).encode())
    begin = time.monotonic()
    assert run.end() == 143
    assert time.monotonic() - begin < 20
