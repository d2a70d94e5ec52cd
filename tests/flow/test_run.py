"""`neuron run`: the real program on a port of its own, over SQLite and CSV."""

import concurrent.futures
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from conftest import PROGRAM

CONFIG = """
neuron: {{ id: test-neuron }}
drain: 5s
http: {{ listen: "127.0.0.1:0", token: "{token}" }}
connections:
  source: sqlite:///source.db
  target: sqlite:///target.db
pipelines:
  good:
    {schedule}
    from: source
    from_table: raw
    steps: [ {{ drop_nulls: all }} ]
    to: target
    table: t
    key: [id]
{more}
"""
DEAD = """  dead:
    from: source
    from_table: raw
    to: sqlite:////no/such/folder/target.db
    table: t
    mode: append
"""


def wait_for(what, seconds=20):
    """Poll until `what()` is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come in time")


class Running:
    """A neuron that runs in a folder; asked over HTTP."""

    def __init__(self, folder, *args, env=None):
        self.log_path = os.path.join(folder, f"log-{time.monotonic_ns()}")
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([PROGRAM, "run", *args], cwd=folder, stderr=log,
                                            env={**os.environ, **(env or {})})
        ready = wait_for(lambda: re.search(r"port=(\d+)", self.log()) or self.process.poll() is not None)
        assert ready is not True, self.log()
        self.port = int(ready.group(1))

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def ask(self, path, method="GET", headers=None, body=None):
        """Status, body text, headers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method,
                                         headers=headers or {}, data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode(), answer.headers

    def get(self, path, method="GET", code=200, **options):
        """The body; code None: whatever the status is."""
        status, text, _ = self.ask(path, method, **options)
        assert code in (None, status), text
        return json.loads(text)

    def runs(self, query=""):
        return self.get(f"/api/v1/runs?limit=1000{query}")["runs"]

    def run_ended(self, run_id, seconds=20):
        def ended():
            run = self.get(f"/api/v1/runs/{run_id}")
            return run if run["finished_at"] else None
        return wait_for(ended, seconds)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def running(neuron, *args, env=None):
    one = Running(neuron.folder, *args, env=env)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def make(neuron, schedule="", more="", token=""):
    neuron.write("neuron.yaml", CONFIG.format(schedule=schedule, more=more, token=token))
    with sqlite3.connect(os.path.join(neuron.folder, "source.db")) as db:
        db.executescript("""CREATE TABLE IF NOT EXISTS raw(id INTEGER, amount REAL);
                            INSERT INTO raw VALUES (1, 2.5), (2, 3), (3, NULL);""")


def target_rows(neuron, table="t"):
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_runs_at_start_and_by_post(neuron):
    make(neuron)
    with running(neuron) as one:
        first = wait_for(lambda: [r for r in one.runs() if r["status"] == "success"])[0]
        assert first["trigger"] == "start"
        assert first["result"]["records_loaded"] == 2
        assert target_rows(neuron) == 2
        asked = one.get("/api/v1/pipelines/good/runs", "POST", code=202)
        done = one.run_ended(asked["run_id"])
        assert (done["status"], done["trigger"], done["result"]["unchanged"]) == ("success", "api", 2)
        assert len(one.runs("&pipeline=good&status=success")) == 2
        assert one.runs(f"&before={asked['run_id']}")[0]["run_id"] == first["run_id"]
        status = one.get("/api/v1/status")
        assert (status["id"], status["health"]) == ("test-neuron", "healthy")
        assert status["pipelines"][0]["last_status"] == "success"
        assert one.get("/health")["status"] == "healthy"
        assert one.end() == 143


def test_at_start_false_runs_nothing_at_the_start(neuron):
    make(neuron, schedule="at_start: false", more="""  other:
    from: source
    from_table: raw
    to: target
    table: o
quality:
  quiet: { from: source, table: raw, schedule: "0 3 * * *", at_start: false, rules: [ row_count > 0 ] }
  loud: { from: source, table: raw, schedule: "0 3 * * *", rules: [ row_count > 0 ] }
""")
    with running(neuron) as one:
        wait_for(lambda: [r for r in one.runs("&pipeline=other") if r["status"] == "success"])
        wait_for(lambda: one.get("/api/v1/quality/loud/reports")["reports"])
        assert one.runs("&pipeline=good") == []
        assert one.get("/api/v1/quality/quiet/reports")["reports"] == []
        asked = one.get("/api/v1/pipelines/good/runs", "POST", code=202)
        assert one.run_ended(asked["run_id"])["status"] == "success"


def test_schedule_ticks(neuron):
    make(neuron, schedule="schedule: every 1s")
    with running(neuron) as one:
        ticks = wait_for(lambda: len(found := one.runs("&status=success")) >= 4 and found)
        moments = [r["scheduled_for"] for r in ticks if r["trigger"] == "schedule"]
        assert len(moments) == len(set(moments)) >= 3
        assert all(re.fullmatch(r"[\d-]+T[\d:]+Z", moment) for moment in moments)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_metrics_pass_promtool(neuron):
    make(neuron, more=DEAD)
    with running(neuron) as one:
        wait_for(lambda: len([r for r in one.runs() if r["finished_at"]]) >= 2)
        _, text, headers = one.ask("/metrics")
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                 capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        assert 'neuron_pipeline_runs_total{pipeline="good",status="success"} 1' in text
        assert 'neuron_pipeline_runs_total{pipeline="dead",status="failed"} 1' in text
        assert 'neuron_pipeline_rows_total{pipeline="good",stage="dropped"} 1' in text
        _, text, headers = one.ask("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert headers["Content-Type"].startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n") and "# TYPE neuron_pipeline_runs counter\n" in text


def test_dead_target_degrades_only_its_part(neuron):
    make(neuron, more=DEAD)
    with running(neuron) as one:
        wait_for(lambda: len([r for r in one.runs() if r["finished_at"]]) == 2)
        health = one.get("/health")
        assert health["status"] == "degraded"
        assert health["dependencies"]["pipeline:good"]["status"] == "healthy"
        dead = health["dependencies"]["pipeline:dead"]
        assert dead["status"] == "unhealthy" and dead["since"] and "target" in dead["error"]
        assert target_rows(neuron) == 2
        again = one.get("/api/v1/pipelines/good/runs", "POST", code=202)
        assert one.run_ended(again["run_id"])["status"] == "success"


@pytest.mark.parametrize("change, said", [
    (("from_table", "from_tabel"), "from_tabel"),
    (("mode: append", "mode: appendd"), "mode"),
    (("token: \"\"", "token: \"${NO_SUCH_VARIABLE}\""), "NO_SUCH_VARIABLE"),
    (("127.0.0.1:0", "nowhere"), "listen"),
])
def test_wrong_configuration_does_not_start(neuron, change, said):
    make(neuron, more=DEAD)
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace(*change))
    assert said in neuron("run", code=2).stderr
    assert not os.path.exists(os.path.join(neuron.folder, "target.db"))


def test_wrong_schedule_is_said(neuron):
    make(neuron, schedule="schedule: '61 * * * *'")
    said = neuron("run", code=2).stderr
    assert "minute" in said and "neuron.yaml:" in said


def test_pipelines_that_wait_for_others(neuron):
    last = """  last:
    after: [good]
    from: source
    from_table: raw
    to: target
    table: t3
    mode: append
"""
    make(neuron, more=last)
    with running(neuron) as one:
        runs = wait_for(lambda: len(found := one.runs("&status=success")) == 2 and found)
        assert [r["pipeline"] for r in runs if r["started_at"]] == ["last", "good"]
        ends = {r["pipeline"]: r for r in runs}
        assert ends["good"]["finished_at"] <= ends["last"]["started_at"]
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("[good]", "[god]"))
    assert "no pipeline \"god\"" in neuron("validate", code=2).stderr
    neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("[god]", "[last]"))
    assert "waits for itself" in neuron("validate", code=2).stderr


def test_errors_are_problems(neuron):
    make(neuron, token="s3cret-token")
    bearer = {"Authorization": "Bearer s3cret-token"}
    with running(neuron) as one:
        for path, method, headers, code in [
                ("/api/v1/status", "GET", {}, 401), ("/nothing", "GET", {}, 401), ("/metrics", "GET", {}, 401),
                ("/api/v1/status", "GET", {"Authorization": "Bearer s3cret-tokem"}, 401),
                ("/api/v1/status", "GET", {"Authorization": "Bearer s3cret-token2"}, 401),
                ("/nothing", "GET", bearer, 404), ("/api/v1/pipelines/nope", "GET", bearer, 404),
                ("/api/v1/runs/nope", "GET", bearer, 404), ("/api/v1/status", "POST", bearer, 405),
                ("/api/v1/runs?limit=x", "GET", bearer, 400), ("/api/v1/runs?limit=-1", "GET", bearer, 400),
                ("/api/v1/status", "GET", {**bearer, "Origin": "http://evil.example"}, 403)]:
            status, text, got = one.ask(path, method, headers)
            assert status == code, (path, text)
            assert got["Content-Type"] == "application/problem+json"
            assert json.loads(text)["status"] == code
        status, text, _ = one.ask("/api/v1/pipelines/good/runs", "POST", bearer, b"x" * (2 << 20))
        assert status == 413, text
        for path in ["/health", "/livez", "/readyz", "/"]:
            assert one.ask(path)[0] == 200
        assert one.get("/api/v1/status", headers=bearer)["health"] == "healthy"
        config = one.ask("/api/v1/config", headers=bearer)[1]
        assert "s3cret" not in config + one.log() and json.loads(config)["token"] == "***"


def test_members_that_a_body_must_not_have(neuron):
    make(neuron)
    with running(neuron) as one:
        def refused(path, body, said):
            status, text, _ = one.ask(f"/api/v1/{path}", "POST", body=body)
            assert status == 400 and said in json.loads(text)["detail"], text
        refused("pipelines/good/runs", b'{"limt": 3}', "takes no `limt`")
        refused("alerts/0123456789abcdef/silence", b'{"duraton": "4h"}', "did you mean `duration`?")
        refused("alerts/0123456789abcdef/silence", b'{"duration": 4}', "`duration` must be a text")
        refused("reload", b'[]', "not a JSON object")
        assert one.get("/api/v1/pipelines/good/runs", "POST", code=202, body=b"{}")["run_id"]


def test_foreign_host_is_refused(neuron):
    make(neuron)
    with running(neuron) as one:
        assert one.ask("/api/v1/status", headers={"Host": "evil.example"})[0] == 403
        assert one.ask("/api/v1/status", headers={"Host": f"localhost:{one.port}"})[0] == 200
        paths = one.get("/openapi.json")["paths"]
        assert set(paths["/api/v1/pipelines/{name}/runs"]) == {"post"}
        status, page, _ = one.ask("/")
        assert status == 200 and "<title>neuron</title>" in page and "://" not in page.replace("http://127", "")


def big_csv(neuron, rows):
    neuron.write("big.csv", "id,v\n" + "".join(f"{i},value {i}\n" for i in range(rows)))


BIG = """  big:
    from: big.csv
    to: target
    table: big
    mode: append
"""


def test_sigterm_drains(neuron):
    make(neuron, more=BIG)
    big_csv(neuron, 300000)
    with running(neuron) as one:
        wait_for(lambda: one.runs("&pipeline=big&status=running"))
        assert one.end() == 143
        assert "ending" in one.log()
    with running(neuron) as one:
        runs = wait_for(lambda: all(r["finished_at"] for r in one.runs("&pipeline=big")) and
                        one.runs("&pipeline=big"))
        assert all(r["status"] == "success" for r in runs)
        assert target_rows(neuron, "big") == 300000 * len(runs)
        assert one.end(signal.SIGINT) == 130


def test_killed_loses_and_doubles_nothing(neuron):
    make(neuron, more=BIG)
    big_csv(neuron, 100000)
    chance = random.Random(7)
    asked = []
    for _ in range(5):
        with running(neuron) as one:
            asked.append(one.get("/api/v1/pipelines/big/runs", "POST", code=202)["run_id"])
            end = time.monotonic() + chance.random() * 0.4
            wait_for(lambda: time.monotonic() > end)
            one.process.kill()
            one.process.wait()
    with running(neuron) as one:
        for run_id in asked:
            assert one.run_ended(run_id, 60)["status"] == "success"
        runs = wait_for(lambda: all(r["finished_at"] for r in one.runs("&pipeline=big")) and
                        one.runs("&pipeline=big"), 60)
        assert {r["status"] for r in runs} == {"success"}
        assert target_rows(neuron, "big") == 100000 * len(runs)


def test_cancel(neuron):
    make(neuron, more=BIG)
    big_csv(neuron, 1000000)
    with running(neuron) as one:
        run = wait_for(lambda: one.runs("&pipeline=big&status=running"))[0]
        one.get(f"/api/v1/runs/{run['run_id']}/cancel", "POST", code=202)
        assert one.run_ended(run["run_id"])["status"] == "cancelled"
        assert one.ask(f"/api/v1/runs/{run['run_id']}/cancel", "POST")[0] == 409
        assert target_rows(neuron, "sqlite_master WHERE name = 'big'") == 0 or target_rows(neuron, "big") == 0


def test_reload(neuron):
    make(neuron)
    good = neuron.read("neuron.yaml")
    with running(neuron) as one:
        neuron.write("neuron.yaml", "pipelines: [")
        assert one.ask("/api/v1/reload", "POST")[0] == 422
        assert one.get("/api/v1/status")["health"] == "healthy"
        neuron.write("neuron.yaml", good.replace("127.0.0.1:0", f"127.0.0.1:{one.port}") + DEAD)
        one.get("/api/v1/reload", "POST", code=202)

        def has_dead():
            try:
                return one.ask("/api/v1/pipelines/dead")[0] == 200
            except OSError:
                return False
        wait_for(has_dead)
        assert len(one.runs("&pipeline=good")) == 1
        assert one.end() == 143


def test_ends_by_itself(neuron):
    make(neuron)
    begun = time.monotonic()
    neuron("run", "--for", "1s", code=0)
    assert 0.9 < time.monotonic() - begun < 10
    assert "--for" in neuron("run", "--for", "soon", code=2).stderr


def test_damaged_state_store(neuron):
    make(neuron)
    neuron.write("neuron-state.db", "no database " * 100)
    said = neuron("run", code=1).stderr
    assert "neuron-state.db" in said and "not a database" in said


def test_a_state_store_that_was_moved_away(neuron):
    """Nothing is written into a file that nobody finds again; put back, it goes on."""
    make(neuron)
    path = os.path.join(neuron.folder, "neuron-state.db")
    state = lambda: run.get("/health", code=None)["dependencies"]["state"]
    with running(neuron) as run:
        assert "a new, empty one is made" in run.log()
        wait_for(lambda: run.runs("&status=success"))
        os.replace(path, path + ".away")
        assert run.ask("/api/v1/pipelines/good/runs", "POST")[0] >= 500
        bad = wait_for(lambda: state()["status"] == "unhealthy" and state())
        assert bad["kind"] == "io" and "neuron-state.db was removed or moved" in bad["error"]
        assert "put the file back, or restart the neuron" in bad["error"]
        with open(path, "w", encoding="utf-8"):
            pass
        wait_for(lambda: "another file is in the place of" in state().get("error", ""))
        os.replace(path + ".away", path)
        wait_for(lambda: state()["status"] == "healthy")
        again = run.get("/api/v1/pipelines/good/runs", "POST", code=202)["run_id"]
        assert run.run_ended(again)["status"] == "success"
        assert run.log().count("the state store can't be used") == 1
        assert run.log().count("the state store can be used again") == 1
        assert run.end() == 143
    with running(neuron) as run:
        assert run.get(f"/api/v1/runs/{again}")["status"] == "success" and "a new, empty one" not in run.log()


def test_guide_without_configuration(neuron):
    """The guide's neuron from its environment variables; what has no variable is left out."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - 3600))
    with sqlite3.connect(os.path.join(neuron.folder, "s.db")) as db:
        db.executescript(f"""
            CREATE TABLE raw_customers(customer_id INTEGER, name TEXT, email TEXT, registration_date TEXT,
                                       last_activity TEXT, updated_at TEXT);
            INSERT INTO raw_customers VALUES (1, 'a', 'a@b.de', '2026-01-01', '2026-01-02', '{now}'),
                                             (2, 'b', NULL, '2026-01-01', '2026-01-02', '{now}'),
                                             (3, 'c', 'c@b.de', '2026-01-01', '2026-01-02', '2020-01-01 00:00:00');
            CREATE TABLE raw_transactions(transaction_id INTEGER, customer_id INTEGER, amount REAL,
                                          product_id INTEGER, transaction_date TEXT);
            INSERT INTO raw_transactions VALUES (10, 1, 2.5, 7, '{now}');""")
    env = {"SOURCE_DB_URL": "sqlite+aiosqlite:///s.db", "TARGET_DB_URL": "sqlite:///target.db",
           "NEURON_ID": "guide-1", "NEURON_LISTEN": "127.0.0.1:0", "KAFKA_SERVERS": "", "FEDERATION_URL": ""}
    with running(neuron, env=env) as one:
        wait_for(lambda: len(one.runs("&status=success")) == 2)
        assert target_rows(neuron, "processed_customers") == 1
        assert target_rows(neuron, "processed_sales WHERE amount_usd = 2.5 AND record_hash IS NOT NULL") == 1
        assert one.get("/api/v1/status")["id"] == "guide-1"
        assert "variable=KAFKA_SERVERS" in one.log() and "variable=FEDERATION_URL" in one.log()
        assert one.end() == 143


def test_guide_as_a_file(neuron):
    neuron("init", "--guide", "guide.yaml")
    assert "is valid: 2 pipelines" in neuron("validate", "-c", "guide.yaml").stdout


def raw_ask(port, data, seconds=0.2):
    """Bytes to the port, all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as link:
        with contextlib.suppress(OSError):  # it may be refused half way
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(OSError):
            while piece := link.recv(65536):
                answer += piece
        return answer


def test_malformed_requests(neuron):
    make(neuron)
    chance = random.Random(11)
    good = b"POST /api/v1/pipelines/nope/runs?limit=3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    cases = [b"", b"\r\n\r\n", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
             b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
             b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n",
             b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
             b"POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
             b"POST /api/v1/alerts/x/silence HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
             b"GET /api/v1/runs/%00%ff%2e%2e HTTP/1.1\r\nHost: localhost\r\n\r\n",
             b"GET /api/v1/runs?limit=%00&before='%3b-- HTTP/1.1\r\nHost: [::1\r\n\r\n"]
    for _ in range(40):
        wild = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            wild[chance.randrange(len(wild))] = chance.randrange(256)
        cases.append(bytes(wild[:chance.randrange(1, len(wild) + 1)]))
    with running(neuron) as one:
        for case in cases:
            answer = raw_ask(one.port, case)
            assert answer == b"" or answer.startswith(b"HTTP/1."), case
            assert not answer.startswith(b"HTTP/1.1 500"), case
        assert one.get("/api/v1/status")["health"] == "healthy"
        assert one.end() == 143


def test_a_name_with_a_slash_is_reachable(neuron):
    make(neuron)
    text = neuron.read("neuron.yaml")
    neuron.write("neuron.yaml", text.replace("  good:", "  a/b%c:"))
    with running(neuron) as one:
        wait_for(lambda: one.runs("&status=success"))
        for name in ("a%2Fb%25c", "a%2fb%25c"):
            assert one.get(f"/api/v1/pipelines/{name}")["name"] == "a/b%c"
        asked = one.get("/api/v1/pipelines/a%2Fb%25c/runs", "POST", code=202)
        assert one.run_ended(asked["run_id"])["status"] == "success"
        assert len(one.runs("&pipeline=a%2Fb%25c")) == 2 and one.ask("/api/v1/pipelines/a/b%25c")[0] == 404
        assert one.ask("/%2Flivez")[0] == 404 and one.ask("/api/v1%2Fstatus")[0] == 404


def test_what_two_readers_may_read_differently_is_refused(neuron):
    make(neuron)
    with running(neuron) as one:
        assert [one.ask(path)[0] for path in ("/livez", "/livez%00", "/livez%00x", "/%6civez")] == [200, 404, 404, 200]
        for second in (b"2", b"5"):
            answer = raw_ask(one.port, b"POST /api/v1/pipelines/good/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                                       b"content-length: " + second + b"\r\n\r\n{}GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 2)
            assert answer.startswith(b"HTTP/1.1 400") and b"more than one Content-Length" in answer
            assert answer.count(b"HTTP/1.1") == 1 and b"Connection: close" in answer
        assert len(one.runs()) == 1


def test_slow_and_many_connections(neuron):
    make(neuron)
    with running(neuron) as one:
        slow = [socket.create_connection(("127.0.0.1", one.port), timeout=5) for _ in range(100)]
        for link in slow:
            link.sendall(b"GET /health HTTP/1.1\r\nHo")
        assert one.get("/health")["status"] == "healthy"

        def many():
            for _ in range(20):
                assert one.ask("/api/v1/status")[0] == 200
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(many) for _ in range(8)]:
                done.result()
        assert one.end() == 143, "open connections must not hold the end"
        for link in slow:
            link.close()
