"""What may go wrong between two PostgreSQL servers: what, where, the fix, the exit code; and afterwards all is right."""

import json
import os
import shutil
import signal
import subprocess
import time
import zlib

import pytest
from conftest import PROGRAM
from postgres import Database, Postgres
from test_postgres_source import wait_for

CONFIG = """
connections: {{ a: "{a}", b: "{b}" }}
pipelines:
  p: {{ from: a, {what}, to: b, table: {table}, {more} }}
"""
ROWS = 3000


@pytest.fixture
def second():
    postgres = Postgres()
    yield postgres
    postgres.close()


def content(db, table):
    """Needs no space on the server."""
    return db(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t")


class Pair:
    """A source on one server and a target, on the same one or another, with a pipeline between them."""

    def __init__(self, neuron, source, target, name):
        self.neuron, self.a, self.b = neuron, Database(source, name + "_a"), Database(target, name + "_b")
        self.a(f"CREATE TABLE raw AS SELECT i::bigint AS id, 'v' || i AS v FROM generate_series(1, {ROWS}) AS i")

    def configure(self, what="from_table: raw", table="t", more="key: [id]", a=None, b=None):
        self.neuron.write("neuron.yaml", CONFIG.format(a=a or self.a.url, b=b or self.b.url, what=what, table=table,
                                                       more=more))

    def fails(self, code):
        done = self.neuron("etl", "p", "--json", code=code)
        return json.loads(done.stdout)["error"]

    def start(self):
        return subprocess.Popen([PROGRAM, "etl", "p", "--json"], cwd=self.neuron.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def nothing_is_there(self):
        assert self.b("SELECT to_regclass('t') IS NULL") == "t"
        if self.b("SELECT to_regclass('neuron_loads') IS NOT NULL") == "t":
            assert self.b("SELECT count(*) FROM neuron_loads") == "0"

    def runs_well(self):
        self.neuron("etl", "p")
        assert content(self.b, "t") == content(self.a, "raw")
        assert self.neuron.result("etl", "p")["inserted"] == 0


@pytest.fixture
def pair(neuron, server, request):
    return Pair(neuron, server, server, f"v{zlib.crc32(request.node.name.encode()):x}")


# ---- mistakes and missing things ----

@pytest.mark.parametrize("case,change,code,what,where,hint", [
    ("source_table", {"what": "from_table: rew"}, 1, '"rew" does not exist', 'FROM "rew"', "check the name"),
    ("source_column", {"what": 'query: "SELECT id, w FROM raw"'}, 1, '"w" does not exist', "id, w FROM", "column's name"),
    ("cursor", {"more": "key: [id], incremental: { cursor: att }"}, 2, "\"att\"", "", "select"),
    ("key", {"more": "key: [idd]"}, 2, "\"idd\"", "", "did you mean \"id\""),
    ("target_table", {"more": "key: [id], create: false"}, 1, "no table \"t\"", "", "create: true"),
    ("target_column", {"table": "narrow", "more": "key: [id], evolve: false"}, 1, "no column \"v\"", "", "evolve: true"),
    ("target_schema", {"table": "none.t"}, 1, 'schema "none"', "table none.t", "create the schema"),
    ("a_user", {"a": "guest@"}, 1, "permission denied for table raw", "", "GRANT"),
    ("b_user", {"b": "guest@"}, 1, "neuron_loads can't be created", "", "grant CREATE"),
    ("a_password", {"a": "locked:wrong-one@"}, 1, "source: postgresql: connection to server", "", "password"),
    ("b_password", {"b": "locked:wrong-one@"}, 1, "target: postgresql: connection to server", "", "password"),
    ("a_database", {"a": "_none"}, 1, "source: postgresql", "", "database of the URL"),
    ("b_database", {"b": "_none"}, 1, "target: postgresql", "", "database of the URL"),
    ("a_down", {"a": ":1/"}, 3, "source: postgresql", "", "is the server running"),
    ("b_down", {"b": ":1/"}, 3, "target: postgresql", "", "is the server running"),
    ("standby", {"b": "?options=-cdefault_transaction_read_only%3Don"}, 1, "read-only", "", "can only be read"),
])
def test_each_mistake_has_what_where_mend_and_exit_code(pair, server, case, change, code, what, where, hint):
    pair.b("CREATE TABLE narrow (id bigint PRIMARY KEY)")
    server.psql("CREATE ROLE guest LOGIN; CREATE ROLE locked LOGIN PASSWORD 'right'")
    pair.b("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    rules = os.path.join(server.data, "pg_hba.conf")
    with open(rules, encoding="utf-8") as file:
        old = file.read()
    if "locked" not in old:
        with open(rules, "w", encoding="utf-8") as file:
            file.write("host all locked 127.0.0.1/32 scram-sha-256\n" + old)
    pair.a("SELECT pg_reload_conf()")
    for side in "ab":
        value, url = change.get(side), getattr(pair, side).url
        if value and value.endswith("@"):
            change = {**change, side: url.replace("postgres@", value)}
        elif value and value.startswith(":"):
            change = {**change, side: url.replace(f":{server.port}/", value)}
        elif value:
            change = {**change, side: url + value}
    pair.configure(**change)
    if case.endswith("password"):  # the server reads its rules again in its own time
        wait_for(lambda: json.loads(pair.neuron.run_any("etl", "p", "--json"))["error"])
    error = pair.fails(code)
    assert what in error["what"] and where in (error["where"] or "") and hint in error["hint"], error
    assert "wrong-one" not in json.dumps(error)
    pair.nothing_is_there()
    pair.configure()
    pair.runs_well()


# ---- a server that goes away ----

def crash(server):
    server.server.send_signal(signal.SIGQUIT)
    server.server.wait(timeout=60)


@pytest.mark.parametrize("mode", ["upsert", "append"])
@pytest.mark.parametrize("when", ["read", "write", "commit"])
def test_a_server_that_goes_away(neuron, server, second, when, mode):
    """The source while it is read, the target while rows go in, and while it has the COMMIT: exit 3, nothing half."""
    pair = Pair(neuron, *((second, server) if when == "read" else (server, second)), f"gone_{when}_{mode}")
    key = "key: [id], mode: upsert" if mode == "upsert" else "mode: append"
    slow = f'query: "SELECT id, v FROM raw, LATERAL (SELECT pg_sleep(0.002) WHERE id > 0) AS s LIMIT {ROWS}"'
    pair.configure(more=key, what=slow if when != "commit" else "from_table: raw")
    if when == "commit":
        # A constraint that is checked at COMMIT, and takes its time.
        pair.b("""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                  'BEGIN IF new.id = 1 THEN PERFORM pg_sleep(600); END IF; RETURN NULL; END';
                  CREATE TABLE t (id bigint PRIMARY KEY, v text);
                  CREATE CONSTRAINT TRIGGER w AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                  EXECUTE FUNCTION wait()""")
    run = pair.start()
    if when == "commit":
        wait_for(lambda: pair.b("SELECT count(*) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'active'") == "1")
    else:
        side = pair.a if when == "read" else pair.b
        wait_for(lambda: side("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'neuron' AND "
                              f"datname = '{side.name}' AND xact_start IS NOT NULL") == "1")
        time.sleep(0.3)
    crash(second)
    out, _ = run.communicate(timeout=120)
    error = json.loads(out)["error"]
    assert run.returncode == 3 and error["kind"] == "connect", error
    assert error["hint"], error
    if when == "commit":
        assert "COMMIT" in error["what"] and "run again" in error["hint"], error
    second.start()
    if when == "commit":
        assert pair.b("SELECT count(*), (SELECT count(*) FROM neuron_loads) FROM t") == "0|0"
        pair.b("DROP TRIGGER w ON t")
    else:
        pair.nothing_is_there()
    pair.configure(more=key + ", incremental: { cursor: id }" if mode == "append" else key)
    pair.runs_well()


# ---- a disk that is full ----

class SmallDisk:
    """A file system of its own for a server's files, so small that it fills up."""

    def __init__(self, server, name, megabytes):
        self.path = os.path.join(server.folder, name)
        os.mkdir(self.path)
        self.mount(f"size={megabytes}m,mode=777")
        self.tablespace = os.path.join(self.path, "files")
        os.mkdir(self.tablespace, 0o700)
        if server.user:
            shutil.chown(self.tablespace, server.user)

    def mount(self, options):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            pytest.skip("needs the right to mount a small file system: " + done.stderr.strip())

    def grow(self, megabytes):
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", self.path], check=True)

    def close(self):
        subprocess.run(["umount", self.path], check=True)


@pytest.fixture
def small(server):
    disk = SmallDisk(server, f"disk{time.monotonic_ns()}", 24)
    server.psql(f"CREATE TABLESPACE small LOCATION '{disk.tablespace}'")
    yield disk
    for database in server.psql("SELECT datname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace"
                                " WHERE spcname = 'small'")[0].split():
        server.psql(f"DROP DATABASE {database} WITH (FORCE)")
    server.psql("DROP TABLESPACE small")
    disk.close()


@pytest.mark.parametrize("mode,rows,doing", [
    ("upsert", 90000, "staging its rows"),  # the stage alone is too big
    ("upsert", 30000, "publishing"),  # the stage finds room, the target doesn't any more
    ("append", 90000, "writing its rows"),
    ("replace", 30000, "writing its rows"),
])
def test_a_full_disk(neuron, server, small, mode, rows, doing):
    pair = Pair(neuron, server, server, f"full_{mode}_{rows}")
    pair.b.server.psql(f"ALTER DATABASE {pair.b.name} SET TABLESPACE small")
    old = 20000 if mode == "replace" else 100
    pair.a(f"""TRUNCATE raw; INSERT INTO raw SELECT i, 'old' || repeat(md5(i::text), 8) FROM generate_series(1, {old}) AS i
               ORDER BY random()""")
    key = "mode: append, incremental: { cursor: id }" if mode == "append" else f"key: [id], mode: {mode}"
    if mode == "replace":
        key = "mode: replace"
    pair.configure(more=key)
    neuron("etl", "p")
    before = content(pair.b, "t")
    pair.a(f"""INSERT INTO raw SELECT i, repeat(md5(i::text), 8) FROM generate_series({old + 1}, {rows + old}) AS i
               ORDER BY random()""")
    error = pair.fails(1)
    assert (error["kind"], error["sqlstate"]) == ("space", "53100"), error
    assert "No space left on device" in error["what"] and "make room" in error["hint"], error
    assert error["where"] == f"table t, {doing}", error
    small.grow(25)  # a new session of the server may write some kB of its own
    assert content(pair.b, "t") == before
    assert pair.b("SELECT count(*) FROM neuron_loads") == "1"
    pair.b("CHECKPOINT")
    error = pair.fails(1)  # as long as there is no room
    assert error["kind"] == "space", error
    small.grow(300)
    result = neuron.result("etl", "p")
    assert result["inserted"] == (rows if mode != "replace" else rows + old)
    assert content(pair.b, "t") == content(pair.a, "raw")


def test_a_full_disk_of_the_log(neuron, server, second):
    """The log's disk: statements fail, or the server stops. When it has room and is up again, all is right."""
    pair = Pair(neuron, server, second, "full_log")
    pair.a("INSERT INTO raw SELECT i, repeat(md5(i::text), 8) FROM generate_series(3001, 200000) AS i")
    second.server.send_signal(signal.SIGINT)
    second.server.wait(timeout=60)
    wal, disk = os.path.join(second.data, "pg_wal"), SmallDisk(second, "disk", 40)
    try:
        shutil.rmtree(disk.tablespace)
        shutil.copytree(wal, disk.tablespace)
        subprocess.run(["chown", "-R", "--reference=" + wal, disk.tablespace], check=True)
        os.chmod(disk.tablespace, 0o700)
        shutil.rmtree(wal)
        os.symlink(disk.tablespace, wal)
        second.start()
        pair.configure()
        run = pair.start()
        error = json.loads(run.communicate(timeout=120)[0])["error"]
        assert (error["kind"], run.returncode) in (("space", 1), ("connect", 3)) and "run again" in error["hint"], error
        second.server.send_signal(signal.SIGQUIT)
        second.server.wait(timeout=60)
        disk.grow(400)
        second.start()
        pair.nothing_is_there()
        pair.runs_well()
    finally:
        if second.server.poll() is None:
            second.server.send_signal(signal.SIGQUIT)
            second.server.wait(timeout=60)
        disk.close()
