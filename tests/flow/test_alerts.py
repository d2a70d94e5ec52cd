"""Alerts of the running program: real receivers, a real Alertmanager, restarts and kills in between."""

import hashlib
import hmac
import http.server
import json
import os
import random
import re
import signal
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest
from alertmanager import Alertmanager, free_port
from conftest import ROOT
from test_run import running, wait_for

CONFIG = """
neuron: {{ id: n-1 }}
drain: 5s
http: {{ listen: "127.0.0.1:0" }}
pipelines:
  good: {{ from: in.csv, to: "sqlite:///target.db", table: t, key: [id] }}
{pipelines}
alerts:
  interval: 200ms
  group_interval: 0s
  retry: 200ms
{alerts}
"""
QUIET = "  thresholds: { disk: 100%, memory: 100% }\n"
FULL = "  thresholds: { disk: 0%, memory: 100% }\n"
DEAD = """
  dead: { from: in.csv, to: "sqlite:////no/such/folder/t.db", table: t, key: [id] }
"""


class Receiver:
    """A webhook's other end; `answers` are the next statuses, then 200."""

    def __init__(self, port=0, tls=None):
        self.bodies, self.headers, self.answers = [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 200:
                    outer.headers.append(dict(self.headers) | {"path": self.path, "raw": body})
                    outer.bodies.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, name):
        return [b for b in self.bodies if b["groupLabels"]["alertname"] == name]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook():
    one = Receiver()
    yield one
    one.close()


def write(neuron, alerts, pipelines=""):
    neuron.write("in.csv", "id\n1\n2\n")
    neuron.write("neuron.yaml", CONFIG.format(alerts=alerts, pipelines=pipelines))


def states(run):
    return {a["name"]: a["state"] for a in run.get("/api/v1/alerts")["alerts"]}


def test_a_failing_pipeline_is_told_once(neuron, hook):
    write(neuron, QUIET + f"  receivers: [ {{ webhook: '{hook.url}', token: tok-3n, secret: s3cret }} ]", DEAD)
    with running(neuron) as run:
        for count in range(1, 5):
            runs = run.runs("&pipeline=dead")
            last = runs[0]["run_id"] if count == 1 else run.get("/api/v1/pipelines/dead/runs", "POST", 202)["run_id"]
            assert run.run_ended(last)["status"] == "failed"
            if count <= 3:
                time.sleep(0.5)  # longer than a round: three failures are not more than three
                assert states(run) == {} and hook.bodies == []
        wait_for(lambda: hook.bodies)
        assert states(run) == {"PipelineFailing": "firing"}
        body, headers = hook.bodies[0], hook.headers[0]
        assert body["version"] == "4" and body["status"] == "firing" and body["receiver"] == "webhook-1"
        assert body["groupKey"] == '{}:{alertname="PipelineFailing"}'
        assert body["groupLabels"] == {"alertname": "PipelineFailing"}
        assert body["truncatedAlerts"] == 0 and body["externalURL"] == ""
        alert = body["alerts"][0]
        assert alert["labels"] == {"alertname": "PipelineFailing", "pipeline": "dead", "neuron": "n-1",
                                   "severity": "critical"} == body["commonLabels"]
        assert alert["endsAt"] == "0001-01-01T00:00:00Z" and alert["startsAt"].endswith("Z")
        assert "dead failed 4 times" in alert["annotations"]["summary"]
        assert headers["Authorization"] == "Bearer tok-3n" and headers["Idempotency-Key"].startswith("n-1-")
        good = hmac.new(b"s3cret", headers["raw"], hashlib.sha256).hexdigest()
        assert headers["X-Neuron-Signature"] == "sha256=" + good
        # Restarts, also by kill -9, tell nothing twice and forget nothing.
        listed = run.get("/api/v1/alerts")["alerts"][0]
        assert listed["id"] == alert["fingerprint"]
        run.process.kill()
        run.process.wait()
    with running(neuron) as run:
        wait_for(lambda: run.runs("&pipeline=dead&status=failed"))
        time.sleep(1)
        again = run.get("/api/v1/alerts")["alerts"][0]
        assert again["fired_at"] == listed["fired_at"] and again["state"] == "firing"
        assert len(hook.bodies) == 1
        assert "neuron_alerts{alertname=\"PipelineFailing\",alertstate=\"firing\"} 1" in run.ask("/metrics")[1]
        assert "tok-3n" not in run.log() and "s3cret" not in run.log() and "/hook" not in run.log()


def test_disk_and_memory_by_thresholds(neuron, hook):
    write(neuron, "  thresholds: { disk: 0%, memory: 0% }\n" + f"  receivers: [ {{ webhook: '{hook.url}' }} ]")
    with running(neuron) as run:
        wait_for(lambda: len(hook.bodies) >= 2)
        assert {b["groupLabels"]["alertname"] for b in hook.bodies} == {"DiskFull", "MemoryHigh"}
        text = run.ask("/metrics")[1]
        assert "neuron_disk_used_ratio{mount=\"" in text and "neuron_memory_used_ratio 0." in text
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        wait_for(lambda: 'neuron_notifications_total{receiver="webhook-1",status="sent"} 2' in run.ask("/metrics")[1])


def test_a_dead_receiver_gets_it_later_and_delays_no_other(neuron, hook):
    port = free_port()
    write(neuron, FULL + f"""  receivers:
    - {{ name: away, webhook: "http://127.0.0.1:{port}/hook" }}
    - {{ name: slack, slack: "{hook.url}" }}
""")
    with running(neuron) as run:
        wait_for(lambda: hook.bodies)
        assert hook.bodies[0]["text"].startswith("[FIRING] Of the disk at /")
        assert hook.bodies[0]["attachments"][0]["color"] == "danger"
        wait_for(lambda: 'receiver=away' in run.log())
        assert run.end() == 143
    late = Receiver(port)
    try:
        late.answers = [503, 500, 429]
        with running(neuron) as run:
            wait_for(lambda: late.bodies)
            assert late.bodies[0]["alerts"][0]["labels"]["alertname"] == "DiskFull"
            assert run.log().count("takes notices again") == 1
        assert len(hook.bodies) == 1
    finally:
        late.close()


def test_a_refusal_is_no_reason_to_try_again(neuron, hook):
    hook.answers = [400] * 50
    write(neuron, FULL + f"  receivers: [ {{ webhook: '{hook.url}' }} ]")
    with running(neuron) as run:
        wait_for(lambda: "a notice is dropped" in run.log())
        assert 'status="dropped"} 1' in run.ask("/metrics")[1]
        time.sleep(1)
        assert len(hook.answers) == 49


def test_resolved_and_changed_rules(neuron, hook):
    receivers = f"  receivers: [ {{ name: h, webhook: '{hook.url}' }} ]\n"
    rules = """  rules:
    - { name: Mine, when: 'neuron_pipeline_rows_total{pipeline="good",stage="rejected"} >= 0', severity: page, labels: { team: data },
        summary: "{pipeline} of {team} is {value}" }
    - { name: Later, when: "process_open_fds > 0", for: 1h }
    - { name: MemoryHigh, enabled: false }
"""
    write(neuron, "  thresholds: { disk: 100%, memory: 0% }\n" + receivers + rules)
    with running(neuron) as run:
        wait_for(lambda: hook.of("Mine"))
        alert = hook.of("Mine")[0]["alerts"][0]
        assert alert["labels"]["team"] == "data" and alert["labels"]["severity"] == "page"
        assert alert["annotations"]["summary"] == "good of data is 0"
        assert states(run) == {"Mine": "firing", "Later": "pending"}
        write(neuron, QUIET + receivers)
        run.get("/api/v1/reload", "POST", 202)
        wait_for(lambda: len(hook.of("Mine")) == 2)
        done = hook.of("Mine")[1]
        assert done["status"] == "resolved" and done["alerts"][0]["status"] == "resolved"
        assert done["alerts"][0]["startsAt"] == alert["startsAt"]
        assert done["alerts"][0]["endsAt"] > alert["startsAt"]


def test_quality_below_its_minimum(neuron, hook):
    write(neuron, QUIET + f"  receivers: [ {{ webhook: '{hook.url}' }} ]", """
quality:
  sales: { from: "sqlite:///target.db", table: t, min_score: 95, rules: [ completeness >= 100 ] }
  fine: { from: "sqlite:///target.db", table: t, min_score: 5, rules: [ row_count > 0 ] }
""")
    with running(neuron) as run:
        run.run_ended(run.runs()[0]["run_id"])
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
            db.execute("ALTER TABLE t ADD COLUMN name TEXT")
        for name in ("sales", "fine"):
            run.get(f"/api/v1/quality/{name}/checks", "POST", 202)
        begin = time.monotonic()
        wait_for(lambda: hook.bodies)
        assert time.monotonic() - begin < 5
        alert = hook.bodies[0]["alerts"][0]
        assert len(hook.bodies) == 1 and alert["labels"]["dataset"] == "sales"
        assert hook.bodies[0]["groupLabels"] == {"alertname": "QualityScoreLow"}
        run.end()
    with running(neuron) as run:  # the last score is known again
        wait_for(lambda: states(run) == {"QualityScoreLow": "firing"})
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
            db.execute("UPDATE t SET name = 'x'")
        run.get("/api/v1/quality/sales/checks", "POST", 202)
        wait_for(lambda: len(hook.bodies) == 2)
        assert hook.bodies[1]["status"] == "resolved"


def test_kills_at_any_moment_lose_and_double_no_change(neuron, hook):
    write(neuron, QUIET + f"  receivers: [ {{ webhook: '{hook.url}' }} ]", """
quality:
  sales: { from: "sqlite:///data.db", table: d, min_score: 95, rules: [ completeness >= 100 ] }
""")
    chance = random.Random(5)
    data = sqlite3.connect(os.path.join(neuron.folder, "data.db"), isolation_level=None)
    data.executescript("CREATE TABLE d(id INTEGER, name TEXT); INSERT INTO d VALUES (1, NULL)")
    for turn in range(14):
        data.execute("UPDATE d SET name = ?", (None if turn % 2 == 0 else "x",))
        with running(neuron) as run:
            run.ask("/api/v1/quality/sales/checks", "POST")
            time.sleep(chance.uniform(0, 0.5))
            run.process.kill()
            run.process.wait()
    data.execute("UPDATE d SET name = NULL")
    with running(neuron) as run:
        run.get("/api/v1/quality/sales/checks", "POST", 202)
        wait_for(lambda: states(run) == {"QualityScoreLow": "firing"})
        wait_for(lambda: hook.bodies and hook.bodies[-1]["status"] == "firing")
        run.end()
    keys, told = set(), []
    for body, headers in zip(hook.bodies, hook.headers):
        if headers["Idempotency-Key"] not in keys:  # a kill between delivery and its record sends it again
            told.append(body["status"])
        keys.add(headers["Idempotency-Key"])
    assert told == ["firing", "resolved"] * (len(told) // 2) + ["firing"] and len(hook.bodies) - len(told) <= 14
    data.close()


def test_a_stream_that_is_stuck_falls_behind(neuron, hook):
    write(neuron, f"  thresholds: {{ disk: 100%, memory: 100%, lag: 1s }}\n  receivers: [ {{ webhook: '{hook.url}' }} ]", f"""
connections: {{ events: 'kafka://127.0.0.1:{free_port()}' }}
streams:
  s:
    from: {{ topic: a }}
    processors: {{ x: [ {{ select: "*" }} ] }}
    route_by: type
    to: {{ topic: b }}
    dead_letter: {{ topic: c }}
""")
    with running(neuron) as run:
        wait_for(lambda: hook.bodies, 60)
        alert = hook.bodies[0]["alerts"][0]
        assert alert["labels"]["alertname"] == "StreamLag" and alert["labels"]["stream"] == "s"
        assert 'neuron_stream_lag_seconds{stream="s",topic="a",partition="stalled"}' in run.ask("/metrics")[1]


def test_silence(neuron, hook):
    write(neuron, FULL.replace("thresholds", "repeat: 1s\n  thresholds")
          + f"  receivers: [ {{ webhook: '{hook.url}' }} ]\n")
    with running(neuron) as run:
        wait_for(lambda: len(hook.bodies) >= 2)  # told again after `repeat`
        name = run.get("/api/v1/alerts")["alerts"][0]["id"]
        path = f"/api/v1/alerts/{name}/silence"
        quiet = run.get(path, "POST", body=b'{"duration": "1h", "by": "me", "comment": "known"}')
        assert quiet["silence"]["by"] == "me" and quiet["silence"]["comment"] == "known"
        wait_for(lambda: "status=\"sent\"} %d" % len(hook.bodies) in run.ask("/metrics")[1])
        told = len(hook.bodies)
        time.sleep(2.5)
        assert len(hook.bodies) == told
        run.end(signal.SIGTERM)
    with running(neuron) as run:
        time.sleep(2)
        assert len(hook.bodies) == told  # the silence outlives a restart
        run.get(path, "POST", body=b'{"duration": "0s"}')
        wait_for(lambda: len(hook.bodies) > told)
        assert run.ask("/api/v1/alerts/0123456789abcdef/silence", "POST")[0] == 404
        assert run.ask(path, "POST", body=b'{"duration": "soon"}')[0] == 400
        assert run.ask(path, "POST", body=b'{')[0] == 400


def test_command(neuron):
    write(neuron, FULL + "  receivers: [ { command: [ sh, -c, 'cat > told.json' ] } ]")
    with running(neuron):
        wait_for(lambda: os.path.exists(os.path.join(neuron.folder, "told.json"))
                 and neuron.read("told.json").endswith("}"))
    assert json.loads(neuron.read("told.json"))["alerts"][0]["labels"]["alertname"] == "DiskFull"


def test_tls_is_verified(neuron):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   cwd=neuron.folder, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(neuron.folder, "cert.pem"), os.path.join(neuron.folder, "key.pem"))
    secret = Receiver(tls=tls)
    try:
        write(neuron, FULL + f"  receivers: [ {{ webhook: 'https://localhost:{secret.port}/hook?key=abc123' }} ]")
        with running(neuron) as run:
            wait_for(lambda: "certificate" in run.log())
            assert secret.bodies == [] and "abc123" not in run.log()
    finally:
        secret.close()


def test_a_real_alertmanager(neuron):
    if not Alertmanager.program:
        pytest.skip("prometheus-alertmanager is not installed")
    manager = Alertmanager(neuron.folder)
    try:
        receivers = f"  receivers: [ {{ alertmanager: '{manager.url}/' }} ]\n"
        write(neuron, FULL + receivers)
        with running(neuron) as run:
            wait_for(manager.alerts)
            alert = manager.alerts()["DiskFull"]
            mine = run.get("/api/v1/alerts")["alerts"][0]
            assert alert["fingerprint"] == mine["id"]  # the same identity there
            assert alert["labels"]["neuron"] == "n-1" and alert["status"]["state"] == "active"
            assert "Of the disk at" in alert["annotations"]["summary"]
            write(neuron, "  defaults: false\n" + receivers)
            run.get("/api/v1/reload", "POST", 202)
            wait_for(lambda: not manager.alerts())
    finally:
        manager.close()


@pytest.mark.parametrize("alerts, what", [
    ("  rules: [ { name: A, when: neuron_disc_used_ratio > 1 } ]", "9:29: when: there is no metric \"neuron_disc_used_ratio\""
     " (did you mean neuron_disk_used_ratio?)"),
    ("  rules: [ { name: A } ]", "no condition"),
    ("  rules: [ { name: A, when: 'neuron_disk_used_ratio{disk=\"/\"} > 1' } ]", "it has mount"),
    ("  rules: [ { name: A, when: neuron_disk_used_ratio > 1 }, { name: A, when: neuron_disk_used_ratio > 2 } ]",
     "same name"),
    ("  receivers: [ { webhook: 'ftp://x' } ]", "not an http or https address"),
    ("  receivers: [ { webhook: 'http://x', slack: 'http://y' } ]", "one kind"),
    ("  receivers: [ { token: x } ]", "one kind"),
    ("  threshold: {}", "thresholds"),
    ("  thresholds: { disk: much }", "disk"),
    ("  repeat: 0s", "too short"),
])
def test_mistakes(neuron, alerts, what):
    neuron.write("neuron.yaml", "neuron:\n  id: n\nhttp:\n  listen: 127.0.0.1:0\n\n\n\nalerts:\n" + alerts + "\n")
    done = neuron("validate", code=2)
    assert what in done.stdout + done.stderr


def test_the_documentation_is_true(neuron):
    with open(os.path.join(ROOT, "docs/alerts.md"), encoding="utf-8") as file:
        text = file.read()
    example = re.search(r"```yaml\n(.*?)```", text, re.S).group(1)
    neuron.write("neuron.yaml", "federation: { url: 'http://127.0.0.1:9' }\n" + example)
    assert "is valid" in neuron("validate").stdout
    schema = json.loads(neuron("schema").stdout)["properties"]["alerts"]["properties"]
    for key in ("interval", "group_by", "group_interval", "repeat", "retry", "thresholds", "rules", "receivers"):
        assert key in schema and f"`{key}`" in text or f"{key}:" in text, key
    for name in ("QualityScoreLow", "PipelineFailing", "StreamLag", "DiskFull", "MemoryHigh", "RunsWaiting"):
        assert f"`{name}`" in text
