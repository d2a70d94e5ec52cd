"""Servers that say nothing, talk without end or have names that don't resolve: each wait ends, and a signal ends it."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from conftest import PROGRAM, ROOT
from postgres import CutProxy, Database


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


WELCOME = (message(b"R", struct.pack("!i", 0)) + message(b"S", b"server_encoding\0UTF8\0") + message(b"S", b"server_version\0" b"15.0\0")
           + message(b"K", struct.pack("!ii", 7, 9)) + message(b"Z", b"I"))
NOTICE = message(b"N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0")


class Fake:
    """Speaks PostgreSQL's protocol up to a stage, then is silent, or sends notices without end."""

    def __init__(self, stage):
        self.stage = stage
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.reached = threading.Event()
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def packet(self, client):
        size = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))[0]
        return client.recv(size - 4, socket.MSG_WAITALL)

    def serve(self, client):
        try:
            if self.stage == "nothing":
                self.reached.set()
                return
            while struct.unpack("!i", (head := self.packet(client))[:4])[0] in (80877103, 80877104):
                if self.stage == "ssl":
                    self.reached.set()
                    return
                client.sendall(b"N")
            if self.stage == "login":
                self.reached.set()
                return
            client.sendall(WELCOME)
            client.recv(1)
            self.reached.set()
            while self.stage == "notices":
                client.sendall(NOTICE * 50)
        except (OSError, struct.error):
            pass

    def close(self):
        self.listener.close()
        for client in self.open:
            client.close()


@pytest.fixture
def fake(request):
    server = Fake(request.param)
    yield server
    server.close()


STAGES = ["nothing", "ssl", "login", "statement", "notices"]


@pytest.mark.parametrize("fake", STAGES, indirect=True)
def test_each_stage_has_a_deadline(neuron, fake):
    begun = time.monotonic()
    done = neuron("copy", "--query", "SELECT 1", f"postgresql://u@127.0.0.1:{fake.port}/d?connect_timeout=2#timeout=2s", "-#ndjson",
                  code=1 if fake.stage == "notices" else 3)
    assert time.monotonic() - begun < 15
    assert {"statement": "no answer", "notices": "notices without end"}.get(fake.stage, "in time") in done.stderr


def config(neuron, url):
    neuron.write("neuron.yaml", f"""
neuron: {{ name: n }}
state: sqlite:///state.db
drain: 2s
http: {{ listen: "127.0.0.1:0" }}
connections: {{ far: "{url}" }}
pipelines:
  p: {{ from: far, query: "SELECT 1 AS id", to: out.csv }}
  q: {{ from: in.csv, to: far, table: t, mode: append }}
streams:
  s:
    from: {{ file: "-#ndjson" }}
    processors: {{ a: {{ select: "1 AS id" }} }}
    to: {{ connection: far, table: t, mode: append }}
quality:
  d: {{ from: far, table: t, rules: [ "row_count > 0" ] }}
""")
    neuron.write("in.csv", "id\n1\n")


COMMANDS = [("etl", "p"), ("etl", "q"), ("check", "d"), ("stream", "s"), ("run",)]


def ends(neuron, command, reached, env=None, wait=0.3):
    run = subprocess.Popen([PROGRAM, *command], cwd=neuron.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    run.stdin.write(b'{"type": "a"}\n')
    run.stdin.flush()
    assert reached(20), run.communicate(timeout=5) if run.poll() is not None else command
    try:
        run.wait(timeout=wait)
        raise AssertionError((command, run.communicate()))
    except subprocess.TimeoutExpired:
        pass
    run.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    run.wait(timeout=30)
    assert run.returncode == 143, (command, run.communicate())
    assert time.monotonic() - begun < 10, command


@pytest.mark.parametrize("fake", STAGES[:-1], indirect=True)
def test_a_signal_ends_the_wait(neuron, fake):
    config(neuron, f"postgresql://u@127.0.0.1:{fake.port}/d?connect_timeout=60")
    for command in COMMANDS:
        fake.reached.clear()
        ends(neuron, command, fake.reached.wait)


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("slow") / "slow_names.so")
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", path, os.path.join(ROOT, "tests/flow/slow_names.c"), "-ldl"],
                   check=True)
    return {"LD_PRELOAD": path}


def test_a_name_that_does_not_resolve_in_time(neuron, server, slow):
    begun = time.monotonic()
    done = neuron("copy", "--query", "SELECT 1", "postgresql://u@slow.test/d?connect_timeout=2", "-#ndjson", env=slow, code=3)
    assert 'address of "slow.test" was not found in 2 s' in done.stderr
    assert time.monotonic() - begun < 10
    good = f"postgresql://postgres@slow.test,good.test:{server.port}/postgres?connect_timeout=1"
    assert neuron("copy", "--query", "SELECT 1 AS id", good, "-#ndjson", env=slow).stdout == '{"id":1}\n'
    config(neuron, "postgresql://u@slow.test/d?connect_timeout=50")
    for command in COMMANDS:
        ends(neuron, command, lambda _: True, slow, wait=1.0)


def test_hosts_are_tried_in_their_order(neuron, server):
    fake = Fake("login")
    try:
        url = f"postgresql://postgres@127.0.0.1:{fake.port},localhost:{server.port}/postgres?connect_timeout=2"
        assert neuron("copy", "--query", "SELECT 1 AS id", url, "-#ndjson").stdout == '{"id":1}\n'
        url = f"postgresql://postgres@127.0.0.1:1,127.0.0.1:{server.port}/postgres?target_session_attrs=prefer-standby"
        assert neuron("copy", "--query", "SELECT 1 AS id", url, "-#ndjson").stdout == '{"id":1}\n'
        url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres?target_session_attrs=standby"
        assert "standby" in neuron("copy", "--query", "SELECT 1 AS id", url, "-#ndjson", code=3).stderr
    finally:
        fake.close()


class Freezer(CutProxy):
    """Passes bytes on until it is frozen; connections are taken then, too, and nothing is answered."""

    def __init__(self, port):
        self.thawed = threading.Event()
        self.thawed.set()
        super().__init__(port)

    def forward(self, source, target):
        try:
            while data := source.recv(65536):
                self.thawed.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.fixture
def db(server, request):
    return Database(server, f"s{hash(request.node.name) % 10**12}")


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.02)
    return value


def is_at(db, query):
    return db(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'neuron' AND state = 'active' AND query LIKE '{query}'") == "1"


def test_a_server_that_hangs_is_noticed_by_another_connection(neuron, db):
    proxy = Freezer(db.server.port)
    url = db.url.replace(str(db.server.port), str(proxy.own_port))
    run = subprocess.Popen([PROGRAM, "copy", "--query", "SELECT pg_sleep(60)::text AS x", url + "#timeout=20s", "-#ndjson"],
                           cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: is_at(db, "%pg_sleep%"))
    proxy.thawed.clear()
    begun = time.monotonic()
    assert run.wait(timeout=60) == 3
    assert time.monotonic() - begun < 15
    assert "doesn't answer any more" in run.communicate()[1]
    proxy.thawed.set()
    proxy.close()


def test_a_long_statement_is_waited_for(neuron, db):
    """The server answers questions over other connections meanwhile."""
    done = neuron("copy", "--query", "SELECT pg_sleep(5)::text AS x", db.url + "#timeout=12s", "-#ndjson")
    assert done.stdout == '{"x":""}\n'
    done = neuron("copy", "--query", "SELECT pg_sleep(30)::text AS x", db.url + "#timeout=2s", "-#ndjson", code=3)
    assert "no answer" in done.stderr and "`timeout:`" in done.stderr
    wait_for(lambda: not is_at(db, "%pg_sleep(30)%"))  # it was cancelled there


@pytest.mark.parametrize("what", ["timeout", "signal"])
def test_a_backend_that_is_stopped(neuron, db, what):
    db("CREATE TABLE t (id int); CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END';"
       " CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
    neuron.write("in.csv", "id\n" + "".join(f"{i}\n" for i in range(2_000_000)))
    limit = "#timeout=3s" if what == "timeout" else ""
    run = subprocess.Popen([PROGRAM, "copy", "in.csv", db.url + limit, "--table", "t"], cwd=neuron.folder, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    pid = int(wait_for(lambda: db("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                                  f" AND datname = '{db.name}'")))
    os.kill(pid, signal.SIGSTOP)
    try:
        if what == "signal":
            time.sleep(0.5)
            run.send_signal(signal.SIGTERM)
        assert run.wait(timeout=30) == (143 if what == "signal" else 3), run.communicate()
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: db(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}") == "0")
    assert db("SELECT count(*) FROM t") == "0"


def test_notices_of_a_function(neuron, db):
    db("CREATE FUNCTION chatter() RETURNS int LANGUAGE plpgsql AS 'BEGIN LOOP RAISE NOTICE ''x''; END LOOP; END';"
       " CREATE FUNCTION loud() RETURNS int LANGUAGE plpgsql AS 'BEGIN SET LOCAL client_min_messages = notice;"
       " LOOP RAISE NOTICE ''x''; END LOOP; END'")
    done = neuron("copy", "--query", "SELECT chatter() AS x", db.url + "#timeout=2s", "-#ndjson", code=3)
    assert "no answer" in done.stderr
    done = neuron("copy", "--query", "SELECT loud() AS x", db.url, "-#ndjson", code=1)
    assert "notices without end" in done.stderr
    run = subprocess.Popen([PROGRAM, "copy", "--query", "SELECT chatter() AS x", db.url, "-#ndjson"], cwd=neuron.folder,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: is_at(db, "%chatter%"))
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=10) == 143
    wait_for(lambda: not is_at(db, "%chatter%"))


def test_the_timeout_of_a_connection(neuron, server):
    neuron.write("neuron.yaml", f"""
connections: {{ far: {{ url: "postgresql://postgres@127.0.0.1:{server.port}/postgres", timeout: 1s }} }}
pipelines: {{ p: {{ from: far, query: "SELECT pg_sleep(20)::text AS x", to: out.csv }} }}
""")
    assert json.loads(neuron("etl", "p", "--json", code=3).stdout)["error"]["kind"] == "timeout"
    neuron.write("neuron.yaml", "connections: { a: { url: 'sqlite:///a.db', timeout: 1s }, b: { url: 'postgresql://h/d', timeout: soon } }")
    mistakes = neuron("validate", code=2)
    assert "1:53: `timeout` is for postgresql://" in mistakes.stdout + mistakes.stderr
    assert "duration" in neuron("copy", "--query", "SELECT 1", "postgresql://127.0.0.1/d#timeout=soon", "-#ndjson", code=2).stderr


def test_names_of_brokers_and_of_the_federation(neuron, slow):
    neuron.write("neuron.yaml", """
neuron: { name: n }
state: sqlite:///state.db
drain: 3s
http: { listen: "127.0.0.1:0" }
federation: { url: "http://slow.test:5000" }
connections: { events: "kafka://slow.test:9092" }
streams:
  s: { from: { topic: a, group: g }, processors: { a: { select: "1 AS id" } }, to: { topic: b } }
""")
    for command in [("run",), ("stream", "s")]:
        ends(neuron, command, lambda _: True, slow, wait=2.0)
    begun = time.monotonic()
    ends(neuron, ("copy", "kafka://slow.test:9092/t", "-#ndjson"), lambda _: True, slow, wait=1.0)
    assert time.monotonic() - begun < 12
