"""The running neuron as a service: reload without a gap, health of its connections, the manners of the API."""

import contextlib
import json
import random
import re
import signal
import socket
import sqlite3
import threading

import pytest
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


def raw(run, text):
    """One request as bytes; the whole answer."""
    with socket.create_connection(("127.0.0.1", run.port), timeout=10) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            more = connection.recv(65536)
            if not more:
                return answer.decode("utf-8", "replace")
            answer += more


def form(run, body, more=""):
    return raw(run, f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\nConnection: close\r\n{more}"
                    f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}")


def test_login_by_form_and_cookie(neuron):
    make(neuron, token="s3cret&token +1")
    with running(neuron) as run:
        status, page, headers = run.ask("/")
        assert status == 200 and 'action=/login' in page and "/api/v1/status" not in page
        answer = form(run, "token=s3cret%26token+%2B1")
        assert answer.startswith("HTTP/1.1 303") and "Location: /\r\n" in answer
        cookie = re.search(r"Set-Cookie: (neuron_session=[0-9a-f]{64}); Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict\r\n",
                           answer).group(1)
        assert "s3cret" not in answer
        assert "/api/v1/" in run.ask("/", headers={"Cookie": cookie})[1]
        assert run.get("/api/v1/status", headers={"Cookie": cookie})["token"] is True
        assert run.ask("/api/v1/pipelines/good/runs", "POST", {"Cookie": cookie})[0] == 202
        # Another site's page may not use it, nor may a forged one.
        assert run.ask("/api/v1/pipelines/good/runs", "POST", {"Cookie": cookie, "Origin": "http://evil.example"})[0] == 403
        assert run.ask("/api/v1/status", headers={"Cookie": "neuron_session=" + "0" * 64})[0] == 401
        assert run.ask("/api/v1/status", headers={"Cookie": "neuron_session="})[0] == 401
        out = raw(run, f"POST /logout HTTP/1.1\r\nHost: 127.0.0.1:{run.port}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        assert "neuron_session=; Path=/; Max-Age=0" in out
        # A new token ends every session.
        neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("s3cret&token +1", "other"))
        assert run.ask("/api/v1/reload", "POST", {"Cookie": cookie})[0] == 202
        wait_for(lambda: run.ask("/api/v1/status", headers={"Authorization": "Bearer other"})[0] == 200)
        assert run.ask("/api/v1/status", headers={"Cookie": cookie})[0] == 401
        assert "s3cret" not in run.log()


def test_wrong_forms_are_wrong_tokens(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        for body in ("token=wrong", "token=", "", "token=" + "x" * 5000, "x=right", "token=%", "token=right%00"):
            assert form(run, body).startswith("HTTP/1.1 401"), body
        assert form(run, "token=right").startswith("HTTP/1.1 303")


def test_foreign_sites_are_refused(neuron):
    make(neuron)
    with running(neuron) as run:
        for headers in ({"Host": "evil.example"}, {"Host": f"evil.example:{run.port}"}, {"Origin": "http://evil.example"},
                        {"Origin": "null"}, {"Origin": f"http://127.0.0.1:{run.port + 1}"}):
            for path in ("/", "/api/v1/status", "/metrics", "/openapi.json", "/nothing"):
                status, text, answer = run.ask(path, headers=headers)
                assert status == 403 and json.loads(text)["status"] == 403, (headers, path)
                assert answer["Content-Type"] == "application/problem+json" and "Access-Control-Allow-Origin" not in answer
        assert run.ask("/api/v1/pipelines/good/runs", "POST", {"Sec-Fetch-Site": "cross-site"})[0] == 403
        assert run.ask("/livez", headers={"Host": "evil.example"})[0] == 200
        own = {"Origin": f"http://127.0.0.1:{run.port}"}
        assert run.ask("/api/v1/pipelines/good/runs", "POST", own)[0] == 202
        assert run.ask("/login", "POST", body=b"token=x")[0] == 404  # there is no token here


@pytest.mark.parametrize("method, path, body, status", [
    ("GET", "/nothing", None, 404), ("GET", "/api/v1/", None, 404), ("GET", "/api/v1/pipelines/none", None, 404),
    ("GET", "/api/v1/runs/none", None, 404), ("POST", "/api/v1/runs/none/cancel", None, 404),
    ("GET", "/api/v1/streams/none", None, 404), ("POST", "/api/v1/streams/none/pause", None, 404),
    ("POST", "/api/v1/quality/none/checks", None, 404), ("GET", "/api/v1/quality/none/reports", None, 404),
    ("GET", "/api/v1/runs?limit=x", None, 400), ("GET", "/api/v1/runs?limit=99999999", None, 400),
    ("GET", "/api/v1/quality/trends?days=-1", None, 400), ("POST", "/api/v1/alerts/none/silence", None, 404),
    ("POST", "/api/v1/alerts/none/silence", b"{", 400), ("DELETE", "/api/v1/status", None, 405),
    ("PUT", "/metrics", None, 405), ("GET", "/api/v1/reload", None, 405), ("POST", "/api/v1/reload", b"x" * (2 << 20), 413),
], ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_problems(neuron, method, path, body, status):
    make(neuron)
    with running(neuron) as run:
        got, text, headers = run.ask(path, method, body=body)
        problem = json.loads(text)
        assert got == status == problem["status"] and headers["Content-Type"] == "application/problem+json"
        assert problem["type"] == "about:blank" and problem["title"] and problem["detail"]
        if status == 405:
            assert headers["Allow"]


def test_malformed_requests_break_nothing(neuron):
    make(neuron)
    with running(neuron) as run:
        chance = random.Random(1)
        bad = ["", "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
               "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
               "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
               "GET / HTTP/1.1\r\nHost: " + "a" * 70000 + "\r\n\r\n", "GET /" + "a" * 70000 + " HTTP/1.1\r\nHost: x\r\n\r\n",
               "GET / HTTP/1.1\r\n" + "X: y\r\n" * 9000 + "\r\n", "POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999\r\n\r\nx",
               "GET /api/v1/runs?limit=%ff%00&before=%%% HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
               "GET /api/v1/pipelines/%2e%2e%2f HTTP/1.1\r\nHost: [::1\r\nCookie: ;;=;neuron_session\r\nConnection: close\r\n\r\n"]
        bad += ["".join(chr(chance.randrange(256)) for _ in range(chance.randrange(400))) for _ in range(60)]
        for text in bad:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", run.port), timeout=0.1) as connection:
                connection.sendall(text.encode())
                connection.recv(65536)  # an answer, or none: what is no request is waited for a while
        slow = [socket.create_connection(("127.0.0.1", run.port)) for _ in range(100)]
        for one in slow:
            one.sendall(b"GET / HTTP/1.1\r\nHo")
        assert run.ask("/livez")[0] == 200 and run.ask("/api/v1/status")[0] == 200
        for one in slow:
            one.close()
        assert run.end() == 143


def changed_lives(neuron, streams, pipelines):
    """A configuration with these streams and pipelines."""
    text = 'http: { listen: "127.0.0.1:0" }\nconnections: { bus: embedded }\nstreams:\n'
    for name in streams:
        text += (f"  {name}: {{ from: {{ connection: bus, topic: in-{name} }}, delivery: at_least_once,\n"
                 f"    processors: {{ a: [ {{ select: 'type' }} ] }}, to: {{ file: {name}.ndjson }} }}\n")
    text += "pipelines:\n" + "".join(f"  {name}: {{ from: in.csv, to: {name}.out.ndjson, schedule: '0 5 1 1 *' }}\n"
                                     for name in pipelines)
    neuron.write("neuron.yaml", text)


def told_before(neuron, change=None):
    """What the state store keeps of earlier updates; `change`: put in its place."""
    with sqlite3.connect(f"{neuron.folder}/neuron-state.db") as db:
        if change is not None:
            db.execute("UPDATE pairs SET value = ? WHERE key LIKE '%config_update'", (json.dumps(change),))
        found = db.execute("SELECT value FROM pairs WHERE key LIKE '%config_update'").fetchall()
    return json.loads(found[0][0])


def test_d1_a_pause_outlives_a_paused_part_that_is_gone(neuron):
    neuron.write("in.csv", "id\n1\n")
    changed_lives(neuron, ["s1", "s2"], ["p"])
    with running(neuron) as run:
        for name in ["s1", "s2"]:
            assert run.get(f"/api/v1/streams/{name}/pause", "POST", 202)["paused"]
        changed_lives(neuron, ["s1"], ["p"])
        run.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "no longer fits" in run.log() and run.ask("/api/v1/streams/s1")[0] == 200)
        assert run.get("/api/v1/streams/s1")["paused"] and run.ask("/api/v1/streams/s2")[0] == 404
        assert run.log().count("no longer fits") == 1 and told_before(neuron) == {"paused": {"s1": True}}
    for _ in range(2):
        with running(neuron) as run:
            assert run.get("/api/v1/streams/s1")["paused"] and "no longer fits" not in run.log()


def test_d1_each_kept_change_stands_for_itself(neuron):
    neuron.write("in.csv", "id\n1\n")
    changed_lives(neuron, ["s1"], ["p", "q"])
    with running(neuron) as run:
        run.get("/api/v1/streams/s1/pause", "POST", 202)
    good = {"paused": {"p": True, "s1": True}, "schedules": {"q": "0 6 2 2 *"}, "log_level": "debug"}
    bad = {"paused": {"gone": True, "p": True, "q": 7, "s1": True}, "workers": 9, "heartbeat_interval": -1,
           "schedules": {"p": "no schedule", "gone": "@daily", "q": "0 6 2 2 *", "s1": []}, "log_level": "debug"}
    told_before(neuron, bad)
    with running(neuron) as run:
        jobs = {job["name"]: job for job in run.get("/api/v1/pipelines")["pipelines"]}
        assert jobs["p"]["paused"] and not jobs["q"]["paused"] and run.get("/api/v1/streams/s1")["paused"]
        assert jobs["q"]["schedule"] == "0 6 2 2 *" and jobs["p"]["schedule"] == "0 5 1 1 *"
        assert run.get("/api/v1/config")["log_level"] == "debug"
        assert run.log().count("no longer fits") == 7 and told_before(neuron) == good
    for damaged in ["not a JSON object", [1, 2]]:
        told_before(neuron, damaged)
        with running(neuron) as run:
            assert not run.get("/api/v1/streams/s1")["paused"] and run.log().count("no longer fits") == 1
            assert told_before(neuron) == {}
