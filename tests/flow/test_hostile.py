"""Strangers, hostile input, limits of the machine: what they get to see, and what they can cost."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from conftest import PROGRAM
from postgres import Database
from test_run import running, wait_for

VALUES = ["alice@example.com", "078-05-1120"]


@pytest.fixture
def database(server, request):
    return Database(server, request.node.name)


def failing(neuron, database, more=""):
    """A configuration with pipelines that fail because of the rows; what the errors hold are VALUES."""
    database("CREATE TABLE people(email text PRIMARY KEY); INSERT INTO people VALUES ('alice@example.com')")
    neuron.write("people.csv", "email\nalice@example.com\n")
    neuron.write("ssn.csv", "ssn\n078-05-1120\n")
    neuron.write("neuron.yaml", f"""
http: {{ listen: "127.0.0.1:0", token: s3cret-t0ken }}
{more}
connections:
  target: {database.url}
pipelines:
  unique: {{ from: people.csv, to: target, table: people, mode: append }}
  cast: {{ from: ssn.csv, steps: [ {{ select: "ssn::int AS ssn" }} ], to: out.ndjson }}
  judged: {{ from: target, query: "SELECT '078-05-1120'::text::int AS ssn", to: other.ndjson }}
""")


BEARER = {"Authorization": "Bearer s3cret-t0ken"}


def both_failed(run):
    parts = run.get("/health", headers=BEARER)["dependencies"]
    return all(parts[f"pipeline:{name}"].get("error") for name in ["unique", "cast", "judged"])


def test_health_without_the_token_is_status_and_kind(neuron, database):
    failing(neuron, database)
    with running(neuron) as run:
        wait_for(lambda: both_failed(run))
        text = run.ask("/health")[1]
        health = json.loads(text)
        assert set(health) == {"status", "dependencies"} and health["status"] == "degraded"
        for name, part in health["dependencies"].items():
            assert set(part) <= {"status", "kind"}, (name, part)
        assert health["dependencies"]["pipeline:unique"] == {"status": "unhealthy", "kind": "data"}
        assert health["dependencies"]["pipeline:cast"] == {"status": "unhealthy", "kind": "data"}
        known = run.ask("/health", headers=BEARER)[1]
        assert all(value in known for value in VALUES) and json.loads(known)["uptime"] > 0
        foreign = run.ask("/health", headers={"Authorization": "Bearer s3cret"})[1]
        assert set(json.loads(foreign)) == {"status", "dependencies"}


PASSWORDS = ["pa55/word", "pa55@word", "pa55#word", "pa55?word", "pa55%zzword", "55/pa55word", "55?pa55=word",
             "55#pa55=word", "pa55@word/x", "pa55%00word", "pa55/word@x?pa55#word"]


def refused(neuron, url, *commands):
    neuron.write("neuron.yaml", f"""
connections:
  source: "{url}"
pipelines:
  p: {{ from: source, from_table: t, to: out.csv }}
  q: {{ from: "{url}", from_table: t, to: out.csv }}
""")
    for args in commands:
        done = neuron(*args, code=2)
        text = done.stdout + done.stderr
        assert "percent-encode" in text or "unknown kind" in text
        assert "pa55" not in text and "word" not in text.replace("password", ""), text


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "mysql", "kafka"])
def test_a_url_that_does_not_parse_is_refused_and_never_quoted(neuron, scheme):
    for password in PASSWORDS:
        refused(neuron, f"{scheme}://etl:{password}@127.0.0.1:5432/x", ["validate"])
    url = f"{scheme}://etl:{PASSWORDS[0]}@127.0.0.1:5432/x"
    refused(neuron, url, ["etl", "p"], ["run", "--for", "1s"], ["copy", url, "out.csv", "--from-table", "t"],
            ["copy", "--json", url, "out.csv", "--from-table", "t"], ["check", url])


@pytest.mark.parametrize("key, where", [("state", ""), ("url", "federation"), ("webhook", "alerts")])
def test_other_addresses_that_do_not_parse_are_refused(neuron, key, where):
    for password in ["pa55/word", "pa55@word", "pa55%zzword"]:
        scheme = "postgresql" if key == "state" else "http"
        line = f'{key}: "{scheme}://etl:{password}@127.0.0.1:5432/x"'
        text = {"": line, "federation": f"federation: {{ {line} }}",
                "alerts": f"alerts: {{ receivers: [ {{ name: a, {line} }} ] }}"}[where]
        neuron.write("neuron.yaml", text + "\npipelines: { p: { from: in.csv, to: out.csv } }\n")
        for args in [("validate",), ("run", "--for", "1s")]:
            said = neuron(*args, code=2).stderr
            assert "percent-encode" in said and "pa55" not in said and "neuron.yaml:1:" in said, said


def test_a_password_is_nowhere(neuron, server, database):
    """The server's own message holds it; so would the configuration, the log and the state."""
    password = "Tr0ub4dor&3"
    database(f"DROP ROLE IF EXISTS etl; CREATE ROLE etl LOGIN PASSWORD '{password}';"
             f"CREATE FUNCTION judge() RETURNS int LANGUAGE plpgsql AS "
             f"$$ BEGIN RAISE EXCEPTION 'no, not with %', '{password}'; END $$")
    neuron.write("token", "t0ken-from-a-file\n")
    url = database.url.replace("postgres@", "etl:Tr0ub4dor%263@")
    neuron.write("neuron.yaml", f"""
http: {{ listen: "127.0.0.1:0", token: "${{file:token}}" }}
connections: {{ source: "{url}" }}
pipelines:
  p: {{ from: source, query: "SELECT judge() AS a", to: out.ndjson }}
  q: {{ from: source, query: "SELECT 't0ken-from-a-file'::text::int AS a", to: other.ndjson }}
""")
    bearer = {"Authorization": "Bearer t0ken-from-a-file"}
    secrets = [password, "Tr0ub4dor%263", "t0ken-from-a-file"]
    with running(neuron) as run:
        wait_for(lambda: len([r for r in run.get("/api/v1/runs", headers=bearer)["runs"] if r["finished_at"]]) == 2)
        seen = [run.ask(path, headers=bearer)[1] for path in
                ["/health", "/api/v1/runs", "/api/v1/status", "/api/v1/config", "/api/v1/pipelines", "/metrics"]]
        seen.append(run.log())
    with open(f"{neuron.folder}/neuron-state.db", "rb") as file:
        seen.append(file.read().decode("latin-1"))
    seen += [neuron("etl", name, *args, code=1).stderr for name in "pq" for args in [(), ("--json",)]]
    seen += [neuron.run_any("etl", name, "--json") for name in "pq"]
    for text in seen:
        assert not [secret for secret in secrets if secret in text], text
    assert "not with ***" in seen[1]


def test_masked_values_are_nowhere(neuron, database):
    database("CREATE TABLE parent(id int PRIMARY KEY);"
             "CREATE FUNCTION judge(a text) RETURNS int LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE EXCEPTION 'no %', a USING HINT = a, ERRCODE = '23514'; END $$")
    neuron.write("many.csv", "id,ssn\n1,12\n2,078-05-1120\n3,13\n")
    failing(neuron, database, """values: masked
quality:
  people: { from: target, table: people, key: [email], rules: [ "email like 'b%'" ],
            columns: { email: [ { accepted_values: [x] } ] } }
""")
    text = neuron.read("neuron.yaml") + """
  raised: { from: target, query: "SELECT judge('078-05-1120') AS a", to: third.ndjson }
  kept: { from: many.csv, steps: [ { select: "id, ssn::int AS ssn" } ], to: kept.ndjson, rejects: rej.ndjson }
  shown: { from: many.csv, to: shown.ndjson }
"""
    neuron.write("neuron.yaml", text)
    names = ["unique", "cast", "judged", "raised"]
    seen = []
    with running(neuron) as run:
        wait_for(lambda: all(run.get(f"/api/v1/pipelines/{name}", headers=BEARER)["last_status"]
                             for name in names + ["kept"]))
        run.get("/api/v1/quality/people/checks", "POST", 202, headers=BEARER)
        wait_for(lambda: run.get("/api/v1/quality/people/reports", headers=BEARER)["reports"])
        seen += [run.ask(path, headers=BEARER)[1] for path in
                 ["/health", "/api/v1/runs", "/api/v1/status", "/api/v1/quality/people/reports", "/api/v1/alerts"]]
        seen.append(run.log())
    with open(f"{neuron.folder}/neuron-state.db", "rb") as file:
        seen.append(file.read().decode("latin-1"))
    for name in names:
        done = neuron("etl", name, code=1)
        seen.append(done.stderr + neuron.run_any("etl", name, "--json"))
    seen.append(neuron("etl", "shown", "--dry-run").stdout)
    seen.append(neuron.run_any("etl", "shown", "--dry-run", "--json"))
    seen.append(neuron.run_any("check", "people"))
    seen.append(neuron.run_any("check", "people", "--format", "json"))
    seen.append(neuron("rejects").stdout)
    cause = json.loads(neuron("rejects", "--json").stdout)["rejects"][0]
    seen.append(neuron("rejects", "kept", "--show", cause["example"]).stdout)
    for text in seen:
        assert not [value for value in VALUES if value in text], text
    assert "078-05-1120" in neuron.read("rej.ndjson")  # the rows themselves are the owner's


def test_values_are_shown_to_the_owner_by_default(neuron, database):
    failing(neuron, database)
    assert "alice@example.com" in neuron("etl", "unique", code=1).stderr
    assert "078-05-1120" in neuron("etl", "cast", code=1).stderr
    assert "078-05-1120" in neuron("etl", "judged", code=1).stderr


# ---- descriptors, limits, ends ----

@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_g5_closed_descriptors_are_nobody_elses(neuron, closed):
    neuron.write("in.csv", "id\n1\n2\n")
    for command in ["copy in.csv out.csv", "copy in.csv sqlite:///x.db --table t", "copy in.csv out.ndjson.gz"]:
        done = subprocess.run(["sh", "-c", f"exec {PROGRAM} {command} {closed}"], cwd=neuron.folder,
                              capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
    assert neuron.read("out.csv") == "id\n1\n2\n"
    assert neuron("copy", "out.ndjson.gz", "-#ndjson").stdout == '{"id":1}\n{"id":2}\n'
    assert neuron("copy", "sqlite:///x.db", "-#ndjson", "--from-table", "t").stdout == '{"id":1}\n{"id":2}\n'


def limited(which, size):
    return lambda: resource.setrlimit(which, (size, size))


@pytest.mark.parametrize("to", ["out.csv", "out.ndjson", "out.csv.gz", "append.ndjson", "x.db"])
def test_g6_the_largest_size_of_a_file_fails_the_run_with_its_reason(neuron, to):
    neuron.write("in.ndjson", "".join(json.dumps({"id": i, "v": os.urandom(40).hex()}) + "\n" for i in range(20000)))
    more = {"append.ndjson": ["--mode", "append"], "x.db": ["--table", "t"]}.get(to, [])
    target = f"sqlite:///{to}" if to == "x.db" else to
    command = [PROGRAM, "copy", "in.ndjson", target, *more]
    done = subprocess.run(command, cwd=neuron.folder, capture_output=True, timeout=60, check=False,
                          preexec_fn=limited(resource.RLIMIT_FSIZE, 200000))
    assert done.returncode == 1, done
    said = done.stderr.decode()
    assert "too large" in said or "full" in said or "I/O" in said, said
    assert not [name for name in os.listdir(neuron.folder) if name.endswith(".tmp")]
    assert json.loads(neuron(*command[1:]).stdout)["records_loaded"] == 20000


def test_g6_a_neuron_lives_on_with_the_largest_size_of_a_file(neuron):
    neuron.write("in.ndjson", "".join(json.dumps({"id": i, "v": "x" * 80}) + "\n" for i in range(20000)))
    neuron.write("few.csv", "id\n1\n")
    neuron.write("neuron.yaml", 'http: { listen: "127.0.0.1:0" }\npipelines:\n  big: { from: in.ndjson, to: out.csv }\n'
                 "  few: { from: few.csv, to: few.ndjson }\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (800000, before[1]))
    try:
        with running(neuron) as run:
            wait_for(lambda: len([r for r in run.runs() if r["finished_at"]]) == 2)
            seen = {r["pipeline"]: r for r in run.runs()}
            assert seen["few"]["status"] == "success" and seen["big"]["status"] == "failed"
            assert "too large" in seen["big"]["result"]["error"]["what"] and run.end() == 143
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("which, size", [(resource.RLIMIT_NOFILE, 4), (resource.RLIMIT_NOFILE, 6),
                                         (resource.RLIMIT_NOFILE, 9), (resource.RLIMIT_AS, 60 << 20),
                                         (resource.RLIMIT_AS, 90 << 20), (resource.RLIMIT_AS, 150 << 20)])
def test_a_tight_limit_ends_a_run_cleanly(neuron, which, size):
    neuron.write("old.csv", "id\n7\n")
    neuron.write("in.csv", "id,v\n" + "".join(f"{i},{'x' * 50}\n" for i in range(100000)))
    for target in [["old.csv"], ["sqlite:///x.db", "--table", "t", "--key", "id"]]:
        done = subprocess.run([PROGRAM, "copy", "in.csv", *target], cwd=neuron.folder, capture_output=True, timeout=60,
                              check=False, preexec_fn=limited(which, size))
        assert done.returncode in (0, 1, 127), done
        assert done.returncode != 1 or done.stderr.startswith(b"neuron: "), done.stderr
        if done.returncode and target == ["old.csv"]:
            assert neuron.read("old.csv") == "id\n7\n"


def started(neuron, *args, **options):
    return subprocess.Popen([PROGRAM, *args], cwd=neuron.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **options)


def names(neuron, ending=".tmp"):
    return sorted(name for name in os.listdir(neuron.folder) if name.endswith(ending))


def slow_copy(neuron, rows=3000000):
    """A copy into out.csv that has begun, stopped."""
    before = names(neuron)
    with sqlite3.connect(os.path.join(neuron.folder, "source.db")) as db:
        db.execute("CREATE TABLE IF NOT EXISTS t(i)")
    run = started(neuron, "copy", "sqlite:///source.db", "out.csv", "--query",
                  f"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {rows}) SELECT i FROM c")
    wait_for(lambda: set(names(neuron)) - set(before) or run.poll() is not None)
    run.send_signal(signal.SIGSTOP)
    assert run.poll() is None, run.communicate()
    return run


def test_g6_the_next_run_takes_away_what_a_killed_one_left(neuron):
    neuron.write("in.csv", "id\n1\n")
    neuron.write("out.csv", "id\n9\n")
    for _ in range(3):
        run = slow_copy(neuron)
        run.kill()
        run.communicate()
    assert len(names(neuron)) == 1  # each run took the one of before away
    for name in [".out.csv.x.tmp", ".out.csv.tmp", ".other.csv.1.tmp", "out.csv.1.tmp", ".out.csv.backup.1.tmp"]:
        neuron.write(name, "the user's own")
    neuron.write(".out.csv.99999.1.tmp", "of a process that is gone")
    neuron("copy", "in.csv", "out.csv")
    assert neuron.read("out.csv") == "id\n1\n"
    assert names(neuron) == sorted([".out.csv.x.tmp", ".out.csv.tmp", ".other.csv.1.tmp", "out.csv.1.tmp",
                                    ".out.csv.backup.1.tmp"])


def test_g6_nobody_takes_away_the_file_of_one_that_lives(neuron):
    neuron.write("in.csv", "id\n5\n")
    run = slow_copy(neuron, 1000000)
    neuron("copy", "in.csv", "out.csv")
    assert neuron.read("out.csv") == "id\n5\n" and len(names(neuron)) == 1
    run.send_signal(signal.SIGCONT)
    run.communicate(timeout=60)
    assert run.returncode == 0 and neuron.read("out.csv").endswith("\n1000000\n") and not names(neuron)


def test_g6_two_signals_at_once_are_one(neuron):
    """As `timeout` sends them: to the process and to its group."""
    for _ in range(5):
        run = slow_copy(neuron)
        run.send_signal(signal.SIGCONT)
        run.send_signal(signal.SIGTERM)
        time.sleep(0.002)  # two signals, not one that was sent twice
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
        assert run.returncode == 143 and not names(neuron)


# ---- files that cost more than they are ----

def bomb(levels, wide=10):
    lines = ["a0: &a0 [" + ", ".join(["x"] * wide) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * wide) + "]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


def deep(levels):
    lines = ["a0: &a0 " + "[" * 50 + "x" + "]" * 50]
    return "\n".join(lines + [f"a{i}: &a{i} " + "[" * 50 + f"*a{i - 1}" + "]" * 50 for i in range(1, levels)]) + "\n"


@pytest.mark.parametrize("text, what", [
    (bomb(9), "an alias counts as all"), (bomb(9, 2) + "p: [" + "*a8, " * 1000 + "x]\n", "an alias counts as all"),
    (bomb(30, 2), "an alias counts as all"), (deep(3), "nested too deeply"), ("[" * 100000, "nested too deeply"),
    ("x: " + "[" * 100000, "nested too deeply"), ("- " * 50000, "nested too deeply"), ("{a: " * 70, "nested too deeply"),
    ("".join(f"k{i}: 1\n" for i in range(100000)), "more than 10000 keys"), ("a: &a [*a]\n", "no anchor"),
    ("x: [" + "1, " * 300000 + "1]\n", "too many values"), ("x: |\n" + "  y\n" * 5000000, "more than 16777216"),
], ids=range(12))
def test_f1_yaml_that_costs_too_much_is_refused_at_once(neuron, text, what):
    neuron.write("bomb.yaml", text)
    before = time.monotonic()
    done = neuron("validate", "-c", "bomb.yaml", code=2)
    assert time.monotonic() - before < 5 and what in done.stdout + done.stderr, done.stderr
    assert "more than 16777216" == what or "bomb.yaml:" in done.stdout + done.stderr


def test_f1_aliases_are_of_use_still(neuron):
    neuron.write("in.csv", "id\n1\n")
    neuron.write("neuron.yaml", """
pipelines:
  a: { from: in.csv, to: a.ndjson, steps: &steps [ { select: "id, '$${HOME}' AS home" } ] }
  b: { from: in.csv, to: b.ndjson, steps: *steps }
""")
    for name in "ab":
        neuron("etl", name)
        assert json.loads(neuron.read(f"{name}.ndjson")) == {"id": 1, "home": "${HOME}"}


def packed(neuron, name, *parts):
    """A file of parts, each (bytes, times), packed by its ending."""
    tool = {"gz": ["gzip", "-c"], "zst": ["zstd", "-qc"]}.get(name.rsplit(".", 1)[1], ["cat"])
    with open(os.path.join(neuron.folder, name), "wb") as file:
        pack = subprocess.Popen(tool, stdin=subprocess.PIPE, stdout=file)
        for data, times in parts:
            for _ in range(times):
                pack.stdin.write(data)
        pack.stdin.close()
        assert pack.wait() == 0


MEASURE = """import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([done.returncode, done.stderr.decode(), most]))"""


def measured(neuron, *args):
    """Exit code, what was said, the most memory in MB; by a process of its own, whose memory is small."""
    done = subprocess.run([sys.executable, "-c", MEASURE, PROGRAM, *args], cwd=neuron.folder, capture_output=True,
                          timeout=120, check=True)
    return json.loads(done.stdout)


MEGABYTE = 1 << 20


@pytest.mark.parametrize("name, head, part, line", [
    ("bomb.csv.gz", b'id,v\n1,2\n3,"', b"x" * MEGABYTE, 3), ("bomb.csv.zst", b'id,v\n1,2\n3,"', b"\n" * MEGABYTE, 3),
    ("bomb.csv", b"id,v\n1,2\n3,4\n5,", b"y" * MEGABYTE, 4), ("bomb.csv.gz", b"id,v\n1,", b",," * (MEGABYTE // 2), 2),
    ("bomb.csv", b"", b"z" * MEGABYTE, 1), ("bomb.tsv.gz", b"a\tb\n", b'"\t"' * (MEGABYTE // 3), 2),
    ("bomb.ndjson.gz", b'{"a":1}\n{"a":"', b"x" * MEGABYTE, 2), ("bomb.ndjson.zst", b"{}\n", b"[" * MEGABYTE, 2),
    ("bomb.ndjson", b'{"a":1}\n', b" " * MEGABYTE, 2)], ids=range(9))
def test_f2_one_enormous_field_is_refused_with_its_line(neuron, name, head, part, line):
    packed(neuron, name, (head, 1), (part, 100))
    for args in [("copy", name, "o.ndjson", "--memory", "64MB"),
                 ("copy", name, "sqlite:///x.db", "--table", "t", "--memory", "64MB")]:
        code, said, most = measured(neuron, *args)
        assert code == 1 and most < 160, (code, said, most)
        assert "8 MiB" in said and (f"{name}:{line}:" in said or f"line {line} " in said), said
        assert not os.path.exists(os.path.join(neuron.folder, "o.ndjson"))


def test_f2_a_large_field_in_its_limit_is_taken_and_its_size_is_not_kept(neuron):
    packed(neuron, "large.csv.gz", (b"id,v\n1,", 1), (b"x" * MEGABYTE, 7), (b"\n", 1), (b"2,y\n" * 100000, 20))
    code, said, most = measured(neuron, "copy", "large.csv.gz", "o.ndjson", "--memory", "64MB")
    assert code == 0 and most < 200, (said, most)
    with open(os.path.join(neuron.folder, "o.ndjson"), encoding="utf-8") as file:
        assert len(json.loads(file.readline())["v"]) == 7 * MEGABYTE and sum(1 for _ in file) == 2000000


def test_f2_wide_rows_and_deep_json_are_refused(neuron):
    neuron.write("wide.csv", ",".join(f"c{i}" for i in range(1000000)) + "\n")
    assert "columns" in neuron("copy", "wide.csv", "o.ndjson", code=1).stderr
    neuron.write("deep.ndjson", "[" * 100000 + "]" * 100000 + "\n")
    assert "deep.ndjson:1" in neuron("copy", "deep.ndjson", "o.ndjson", code=1).stderr
    neuron.write("deep.ndjson", '{"a":' * 100000 + "1" + "}" * 100000 + "\n")
    assert "deep.ndjson:1" in neuron("copy", "deep.ndjson", "o.ndjson", code=1).stderr


@pytest.mark.parametrize("args", [("copy", "-#csv", "o.ndjson"), ("copy", "-#ndjson", "o.csv"), ("check", "-#csv"),
                                  ("eval", "a"), ("check", "-#ndjson")])
def test_a_signal_ends_a_wait_for_standard_input(neuron, args):
    end, begin = os.pipe()
    run = started(neuron, *args, stdin=end)
    os.close(end)
    os.write(begin, b'{"a":1}\n' if "csv" not in args[1] else b"a\n1\n")
    with open(f"/proc/{run.pid}/status", encoding="utf-8") as status:
        wait_for(lambda: status.seek(0) == 0 and "SigCgt:\t0000000000004002" in status.read())
    run.send_signal(signal.SIGTERM)
    before = time.monotonic()
    assert run.wait(20) == 143 and time.monotonic() - before < 5
    run.communicate()
    os.close(begin)


def test_a_signal_ends_the_search_for_types(neuron):
    neuron.write("in.csv", "id,v\n" + "1,2020-01-01T00:00:00Z\n" * 8000000)
    run = started(neuron, "copy", "in.csv", "o.ndjson")
    with open(f"/proc/{run.pid}/io", encoding="utf-8") as io:
        wait_for(lambda: io.seek(0) == 0 and int(io.read().split()[1]) > 2000000)
    run.send_signal(signal.SIGTERM)
    before = time.monotonic()
    assert run.wait(20) in (143, 0) and time.monotonic() - before < 5
    run.communicate()


@pytest.mark.parametrize("select, says", [
    ("id::regclass::text", "does not exist"), ("id::regtype::text", ""), ("id::regrole::text", ""), ("nextval(id)::text", ""),
    ("current_setting(id)", ""), ("dyn(id)", ""), ("(id || '.a.b')::regclass::text", ""), ("(id || '.a')::regclass::text", ""),
    ("pg_read_file(id)", ""), ("pg_database_size(id::name)::text", ""), ("nothing", 'column "nothing" does not exist')])
def test_masked_values_that_name_things(neuron, database, select, says):
    """A name that isn't there may be a row's value; one that the statement itself has is shown."""
    database("CREATE TABLE src (id text); INSERT INTO src VALUES ('alice');"
             "CREATE FUNCTION dyn(text) RETURNS text LANGUAGE plpgsql AS"
             " $$ DECLARE r text; BEGIN EXECUTE 'SELECT ' || $1 INTO r; RETURN r; END $$")
    neuron.write("neuron.yaml", f"""values: masked
connections: {{ source: "{database.url}" }}
pipelines:
  p: {{ from: source, query: "SELECT {select} AS a FROM src", to: o.csv }}
""")
    seen = subprocess.run([PROGRAM, "etl", "p", "--json"], cwd=neuron.folder, capture_output=True, text=True, timeout=60,
                          check=False)
    assert seen.returncode
    seen = seen.stdout + seen.stderr
    assert "alice" not in seen and says in seen, seen
