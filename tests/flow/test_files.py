"""Files that several append to at once: rows of all, whole; waits for the lock; one run of a name."""

import fcntl
import json
import os
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import PROGRAM, ROOT
from test_stream import lines, until

CONFIG = """
pipelines:
  a:
    from: many.ndjson
    steps:
      - where: 10 / n > 0
    to: a.ndjson
    rejects: bad.ndjson
  b:
    from: -#ndjson
    steps:
      - where: 10 / n > 0
    to: b.ndjson
    rejects: bad.ndjson
  p:
    from: -#ndjson
    to: out.ndjson
    mode: append
  slow:
    from: many.ndjson
    to: a.ndjson
    mode: append
"""


def begin(neuron, *args, **options):
    return subprocess.Popen([PROGRAM, *args], cwd=neuron.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)


def rows(*ids, n=0, **more):
    return "".join(json.dumps({"id": i, "n": n, **more}) + "\n" for i in ids)


def exists(neuron, *names):
    return all(os.path.exists(os.path.join(neuron.folder, name)) for name in names)


def in_the_middle(neuron, name, *args):
    """A run of 300,000 rows that has begun with that file, stopped."""
    neuron.write("many.ndjson", rows(1, 2) + rows(*range(300000), n=1, text="x" * 100))
    run = begin(neuron, *args)
    deadline = time.monotonic() + 30
    while not exists(neuron, name):
        assert time.monotonic() < deadline and run.poll() is None, "it doesn't begin"
        time.sleep(0.0005)
    time.sleep(0.03)
    run.send_signal(signal.SIGSTOP)
    assert run.poll() is None
    return run


def goes_on(run):
    run.send_signal(signal.SIGCONT)
    return run.communicate(timeout=60)


def is_whole(neuron, name):
    """The journal counts all of the file."""
    return json.loads(neuron.read(name + ".neuron"))["length"] == os.path.getsize(os.path.join(neuron.folder, name))


def test_two_pipelines_refuse_rows_into_one_file(neuron):
    neuron.write("neuron.yaml", CONFIG)
    first = in_the_middle(neuron, "bad.ndjson", "etl", "a")
    assert neuron.result("etl", "b", stdin=rows(*range(10, 2000)))["records_rejected"] == 1990
    out, err = goes_on(first)
    assert first.returncode == 0, err
    assert [row["data"]["id"] for row in lines(neuron, "bad.ndjson")] == [*range(10, 2000), 1, 2]
    assert is_whole(neuron, "bad.ndjson")


@pytest.mark.parametrize("name", ["out.ndjson", "out.csv", "out.csv.gz"])
def test_two_copies_append_to_one_file(neuron, name):
    first = in_the_middle(neuron, name, "copy", "many.ndjson", name, "--mode", "append")
    neuron("copy", "-#ndjson", name, "--mode", "append", stdin=rows(7, n=2, text="y"))
    out, err = goes_on(first)
    assert first.returncode == 0, err
    got = neuron("copy", name, "-#ndjson").stdout.splitlines()
    assert [int(json.loads(line)["id"]) for line in got] == [7, 1, 2, *range(300000)]
    assert is_whole(neuron, name)


def test_many_at_once(neuron):
    neuron.write("neuron.yaml", CONFIG)
    runs = [begin(neuron, "etl", "b") for _ in range(8)]
    for number, run in enumerate(runs):
        run.stdin.write(rows(*range(number * 1000, number * 1000 + 1000)))
        run.stdin.close()
    for run in runs:
        assert run.wait(timeout=60) == 0, run.stderr.read()
    got = [row["data"]["id"] for row in lines(neuron, "bad.ndjson")]
    assert sorted(got) == list(range(8000)) and is_whole(neuron, "bad.ndjson")
    assert all(got[at] + 1 == got[at + 1] for at in range(7999) if (at + 1) % 1000), "one's rows stand together"


def test_nothing_of_a_run_that_fails_stays(neuron):
    neuron.write("out.ndjson", '{"id":0}\n')
    error = neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", code=1,
                   stdin=rows(*range(20000), text="x" * 100) + "{bad\n").stderr
    assert "20001" in error
    assert neuron.read("out.ndjson") == '{"id":0}\n'
    assert sorted(os.listdir(neuron.folder)) == ["out.ndjson"]


def leave(neuron, name, text, killed):
    """What comes after the length of the journal: a killed writer's, or another program's."""
    with open(os.path.join(neuron.folder, name), "a", encoding="utf-8") as file:
        file.write(text)
    if killed:
        journal = json.loads(neuron.read(f"{name}.neuron"))
        neuron.write(f"{name}.neuron", json.dumps(journal | {"at_work": True}))


@pytest.mark.parametrize("killed", [True, False])
def test_only_what_a_killed_writer_left_is_cut(neuron, killed):
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":1}\n')
    leave(neuron, "out.ndjson", '{"id":2}\n{"id":4}', killed)
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":3}\n')
    between = "" if killed else '{"id":2}\n{"id":4}\n'
    assert neuron.read("out.ndjson") == '{"id":1}\n' + between + '{"id":3}\n'


def test_a_run_that_writes_nothing_leaves_no_writer_at_work(neuron):
    """Neither one without rows nor one that is fenced off: lines that another program appends then stay."""
    neuron.write("neuron.yaml", "pipelines: { p: { from: '-#ndjson', to: out.csv, mode: append } }")
    neuron("etl", "p", stdin='{"id":1}\n')
    leave(neuron, "out.csv", "2\n3", killed=True)
    neuron("etl", "p", stdin="")
    assert neuron.read("out.csv") == "id\n1\n" and not json.loads(neuron.read("out.csv.neuron"))["at_work"]
    leave(neuron, "out.csv", "9\n", killed=False)
    neuron("etl", "p", stdin="")
    neuron("etl", "p", stdin='{"id":4}\n')
    assert neuron.read("out.csv") == "id\n1\n9\n4\n"


def test_what_an_older_version_was_killed_at_is_cut(neuron):
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":1}\n')
    leave(neuron, "out.ndjson", '{"id"', False)
    neuron.write("out.ndjson.neuron", '{"length":9}')
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":3}\n')
    assert neuron.read("out.ndjson") == '{"id":1}\n{"id":3}\n'


@pytest.mark.parametrize("ending", ["ndjson", "csv"])
def test_lines_of_other_programs_between_the_runs_stay(neuron, ending):
    """Data and rejects, a run that fails in between, and a first run into a file whose last line is not ended."""
    lines = {"ndjson": ['{"id":1}', '{"id":999}', '{"id":2}', '{"id":3}'], "csv": ["1", "999", "2", "3"]}[ending]
    head = "id\n" if ending == "csv" else ""
    neuron.write("out." + ending, head + lines[0])
    for line in lines[2:]:
        with open(os.path.join(neuron.folder, "out." + ending), "a", encoding="utf-8") as file:
            file.write(("" if line == lines[2] else lines[1]))
        neuron("copy", "-#" + ending, "out." + ending, "--mode", "append", stdin=head + line + "\n")
        neuron("copy", "-#ndjson", "out." + ending, "--mode", "append", stdin='{"id":5}\n{bad\n', code=1)
    assert neuron.read("out." + ending) == head + "".join(f"{lines[i]}\n" for i in (0, 2, 1, 3))


def test_a_replaced_file_has_no_journal_of_its_former_self(neuron):
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":1}\n')
    neuron("copy", "-#ndjson", "out.ndjson", stdin=rows(*range(10)))
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin='{"id":11}\n')
    assert [row["id"] for row in lines(neuron, "out.ndjson")] == [*range(10), 11]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("more", [0, 10])
def test_a_replace_that_ends_at_its_rename_leaves_each_file_its_journal(neuron, tmp_path, killed, more):
    library = str(tmp_path / "rename_ends.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
                    os.path.join(ROOT, "tests/flow/rename_ends.c")], check=True)
    neuron.write("neuron.yaml", CONFIG)
    neuron("etl", "p", stdin=rows(1, 2, 3))
    leave(neuron, "out.ndjson", '{"id"', killed=True)
    env = {"LD_PRELOAD": library, "RENAME_TO": "out.ndjson", **({"RENAME_KILLS": "1"} if killed else {}),
           "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    new = rows(*range(10, 11 + more))
    said = neuron("copy", "-#ndjson", "out.ndjson", stdin=new, code=-signal.SIGKILL if killed else 1, env=env).stderr
    assert killed or "can't rename" in said
    assert exists(neuron, "out.ndjson.neuron")
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin=rows(7))
    before = [*range(10, 11 + more)] if killed else [1, 2, 3]
    assert [row["id"] for row in lines(neuron, "out.ndjson")] == before + [7] and is_whole(neuron, "out.ndjson")
    assert ("p" if not killed else None) == json.loads(neuron.read("out.ndjson.neuron")).get("name")
    assert not [name for name in os.listdir(neuron.folder) if name.endswith(".tmp")]


def test_a_damaged_journal_stops_no_replace(neuron):
    neuron.write("out.ndjson", rows(1))
    neuron.write("out.ndjson.neuron", '{"length":')
    assert "damaged" in neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin=rows(2), code=1).stderr
    neuron("copy", "-#ndjson", "out.ndjson", stdin=rows(2))
    neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", stdin=rows(3))
    assert [row["id"] for row in lines(neuron, "out.ndjson")] == [2, 3]


def test_a_lock_is_waited_for_and_the_wait_can_be_ended(neuron):
    neuron.write("neuron.yaml", CONFIG)
    neuron.result("etl", "b", stdin=rows(1))
    with open(os.path.join(neuron.folder, "bad.ndjson"), "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        runs = [begin(neuron, "etl", "b", "--json") for _ in range(2)]
        for number, run in enumerate(runs):
            run.stdin.write(rows(number + 2))
            run.stdin.close()
        for run in runs:
            said = run.stderr.readline()
            assert "waits for the lock" in said and "bad.ndjson" in said
        runs[1].send_signal(signal.SIGINT)
        assert runs[1].wait(timeout=10) != 0
        result = json.loads(runs[1].stdout.read())
        assert result["status"] == "cancelled" and "lock" in result["error"]["what"]
        assert runs[0].poll() is None
    assert runs[0].wait(timeout=30) == 0
    assert [row["data"]["id"] for row in lines(neuron, "bad.ndjson")] == [1, 2]


def test_a_file_system_without_locks_is_an_error(neuron, tmp_path):
    library = str(tmp_path / "no_locks.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, os.path.join(ROOT, "tests/flow/no_locks.c")], check=True)
    error = neuron("copy", "-#ndjson", "out.ndjson", "--mode", "append", code=1, stdin=rows(1),
                   env={"LD_PRELOAD": library, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                        ":verify_asan_link_order=0"}).stderr
    assert "can't be locked" in error and "on another" in error and neuron.read("out.ndjson") == ""


def test_a_second_run_of_the_same_name_is_fenced_off(neuron):
    neuron.write("neuron.yaml", CONFIG)
    first = in_the_middle(neuron, "a.ndjson", "etl", "slow", "--json")
    os.replace(neuron.write("few.ndjson", rows(7)), os.path.join(neuron.folder, "many.ndjson"))
    neuron("etl", "slow")
    out, err = goes_on(first)
    assert first.returncode == 1, err
    error = json.loads(out)["error"]
    assert error["kind"] == "fenced" and "another run of \"slow\"" in error["what"]
    assert [row["id"] for row in lines(neuron, "a.ndjson")] == [7]


def test_rows_and_refused_rows_want_two_files(neuron):
    neuron.write("neuron.yaml", CONFIG.replace("to: b.ndjson", "to: ./bad.ndjson"))
    error = neuron("validate", code=2).stderr
    assert "neuron.yaml:14:14" in error and "the rows themselves go to this file" in error and "another file" in error
    assert "rows themselves" in neuron("copy", "-#ndjson", "x.txt#ndjson", "--rejects", "./x.txt#csv", code=2).stderr


def test_two_that_append_to_one_file_are_no_valid_configuration(neuron):
    two = """
connections: { events: 'kafka://127.0.0.1:1' }
pipelines:
  a: { from: i.csv, to: o.ndjson, mode: append }
  b: { from: i.csv, to: o.ndjson, mode: replace }
  c: { from: i.csv, to: ./o.ndjson, mode: append }
  d: { from: i.csv, to: "-#ndjson", mode: append }
  e: { from: i.csv, to: "-#ndjson", mode: append }
streams:
  s:
    from: { topic: t, group: g }
    processors: { x: [ { select: n } ] }
    to: { file: o.ndjson }
"""
    neuron.write("neuron.yaml", two)
    error = neuron("validate", code=2).stderr
    assert "neuron.yaml:6:25" in error and "neuron.yaml:13:17" in error
    assert error.count('the pipeline "a" appends to this file already') == 2 and "name another file" in error
    neuron.write("neuron.yaml", two.replace("./o", "./c").replace("file: o", "file: s"))
    neuron("validate")


def test_a_link_stays_and_its_file_is_replaced(neuron):
    os.mkdir(os.path.join(neuron.folder, "real"))
    path = neuron.write("real/o.ndjson", "old")
    os.chmod(path, 0o640)
    link = os.path.join(neuron.folder, "o.ndjson")
    os.symlink("real/o.ndjson", link)
    neuron("copy", "-#ndjson", "o.ndjson", stdin=rows(1))
    assert os.readlink(link) == "real/o.ndjson" and [row["id"] for row in lines(neuron, "real/o.ndjson")] == [1]
    assert os.stat(path).st_mode & 0o777 == 0o640 and os.listdir(os.path.join(neuron.folder, "real")) == ["o.ndjson"]


# ---- the same run again ----

@pytest.mark.parametrize("name", ["out.ndjson", "out.csv.gz"])
def test_the_same_run_appends_once(neuron, name):
    neuron.write("neuron.yaml", CONFIG.replace("out.ndjson", name))
    read = lambda: [int(json.loads(line)["id"]) for line in neuron("copy", name, "-#ndjson").stdout.splitlines()]
    assert neuron.result("etl", "p", "--run-id", "r1", stdin=rows(1, 2))["inserted"] == 2
    again = neuron.result("etl", "p", "--run-id", "r1", stdin=rows(1, 2))
    assert (again["message"], again["inserted"]) == ("This run was already published", 2) and read() == [1, 2]
    # A copy in between is not the pipeline's.
    neuron("copy", "-#ndjson", name, "--mode", "append", stdin=rows(3))
    assert "already" in neuron.result("etl", "p", "--run-id", "r1", stdin=rows(1, 2))["message"]
    assert neuron.result("etl", "p", "--run-id", "r2", "--limit", "1", stdin=rows(4, 5))["inserted"] == 1
    assert "already" in neuron.result("etl", "p", "--run-id", "r2", stdin=rows(4, 5))["message"]
    assert read() == [1, 2, 3, 4]


def test_refused_rows_of_a_run_that_is_tried_again(neuron):
    """The rejects are there before the data, whose file can't be put in its place the first time, and leave again."""
    neuron.write("neuron.yaml", CONFIG)
    neuron.result("etl", "b", stdin=rows(1))
    os.mkdir(os.path.join(neuron.folder, "a.ndjson"))
    neuron.write("many.ndjson", rows(2, 3))
    neuron("etl", "a", "--run-id", "r1", code=1)
    assert [row["data"]["id"] for row in lines(neuron, "bad.ndjson")] == [1]
    os.rmdir(os.path.join(neuron.folder, "a.ndjson"))
    neuron.write("many.ndjson", rows(2, 4))
    neuron("etl", "a", "--run-id", "r1")
    assert [row["data"]["id"] for row in lines(neuron, "bad.ndjson")] == [1, 2, 4] and is_whole(neuron, "bad.ndjson")


def test_a_topic_promises_what_holds(neuron):
    """Whether a run is in a topic can't be asked: taken up again, it is sent again."""
    plan = json.loads(neuron("copy", "-#ndjson", "kafka://127.0.0.1:1/t", "--dry-run", "--json", stdin=rows(1)).stdout)
    assert "at least once" in plan["promise"] and "taken up again" in plan["promise"]


# ---- a file that somebody moved away ----

@pytest.mark.parametrize("gone", [os.remove, lambda path: os.replace(path, path + ".1"), lambda path: os.truncate(path, 0)])
def test_rejects_that_were_moved_away_begin_a_new_file(neuron, gone):
    neuron.write("neuron.yaml", CONFIG)
    neuron.result("etl", "b", stdin=rows(1))
    gone(os.path.join(neuron.folder, "bad.ndjson"))
    again = neuron("etl", "b", "--json", stdin=rows(2))
    assert json.loads(again.stdout)["records_rejected"] == 1
    assert "a new one is begun" in again.stderr and "bad.ndjson" in again.stderr
    assert [row["data"]["id"] for row in lines(neuron, "bad.ndjson")] == [2] and is_whole(neuron, "bad.ndjson")
    assert "a new one is begun" not in neuron("etl", "b", stdin=rows(3)).stderr
    # What is shorter, but not empty, was damaged.
    os.truncate(os.path.join(neuron.folder, "bad.ndjson"), 10)
    assert "shorter (10 bytes) than its journal says" in neuron("etl", "b", stdin=rows(4), code=1).stderr


def test_a_target_that_was_moved_away_keeps_its_position(neuron):
    neuron.write("neuron.yaml", """
connections: { source: 'sqlite:///s.db' }
pipelines:
  p: { from: source, from_table: raw, incremental: { cursor: at }, to: out.csv, mode: append }
""")
    with sqlite3.connect(os.path.join(neuron.folder, "s.db")) as source:
        source.execute("CREATE TABLE raw (id INTEGER, at INTEGER)")
        source.execute("INSERT INTO raw VALUES (1, 1)")
        source.commit()
        neuron.result("etl", "p")
        os.replace(os.path.join(neuron.folder, "out.csv"), os.path.join(neuron.folder, "out.csv.1"))
        source.execute("INSERT INTO raw VALUES (2, 2)")
    assert "a new one is begun" in neuron("etl", "p").stderr
    assert neuron.read("out.csv").splitlines()[0] == "id,at" and "2,2" in neuron.read("out.csv")
    assert is_whole(neuron, "out.csv")


# ---- read again ----

def test_a_file_with_a_key_has_the_rows_at_the_watermark_once(neuron):
    neuron.write("neuron.yaml", """
connections: { source: 'sqlite:///s.db' }
pipelines:
  p: { from: source, from_table: raw, incremental: { cursor: at }, to: out.ndjson, mode: append, key: [id] }
""")
    with sqlite3.connect(os.path.join(neuron.folder, "s.db")) as source:
        source.execute("CREATE TABLE raw (id INTEGER, at TEXT)")
        source.executemany("INSERT INTO raw VALUES (?, ?)", [(1, "2024-01-01"), (2, "2024-01-02")])
    assert neuron.result("etl", "p")["inserted"] == 2
    assert neuron.result("etl", "p")["inserted"] == 0
    with sqlite3.connect(os.path.join(neuron.folder, "s.db")) as source:
        source.execute("INSERT INTO raw VALUES (3, '2024-01-03')")
    assert neuron.result("etl", "p")["inserted"] == 1
    assert [row["id"] for row in lines(neuron, "out.ndjson")] == [1, 2, 3]


@pytest.mark.parametrize("to, what, fix", [
    ("to: target, table: t, mode: append", "appended twice", "`key: [id]`"),
    ("to: target, table: t", "appended twice", "`key: [id]`"),
    ("to: out.ndjson, mode: append, key: [id]", "a file would have them twice", "into a database"),
    ("to: bus, table: t, key: [id]", "a topic would have them twice", "into a database"),
    ("to: target, table: t, mode: append, key: [id]", "", ""), ("to: target, table: t, key: [id]", "", "")])
def test_overlap_needs_a_key_and_a_database(neuron, to, what, fix):
    neuron.write("neuron.yaml", f"""connections: {{ source: 'sqlite:///s.db', target: 'sqlite:///t.db', bus: 'kafka://127.0.0.1:1' }}
pipelines:
  p: {{ from: source, from_table: raw, incremental: {{ cursor: at, overlap: 1d }}, {to} }}
""")
    said = neuron("validate", code=2 if what else 0)
    assert what in said.stderr and fix in said.stderr
    assert not what or "neuron.yaml:3:75" in said.stderr, said.stderr


# ---- refused rows of runs that publish nothing ----

REFUSING = """
connections: {{ target: "sqlite:///target.db" }}
pipelines:
  p: {{ from: many.ndjson, csv: {{}}, steps: [ {{ where: "id <> 999" }} ], to: {to}, mode: append, rejects: {place} }}
  q: {{ from: few.ndjson, steps: [ {{ where: "1 / (id % 2) >= 0" }} ], to: q.ndjson, mode: append, rejects: {place} }}
"""


def refusing(neuron, to, place="bad.ndjson"):
    """Pipelines that refuse even numbers: by a division by zero."""
    text = REFUSING.format(to=to, place=place).replace("csv: {}, ", "").replace("id <> 999", "1 / (id % 2) >= 0")
    neuron.write("neuron.yaml", text)


def refused(neuron, place="bad.ndjson"):
    text = neuron("copy", place, "-#ndjson").stdout
    found = [json.loads(line)["data"] for line in text.splitlines()]
    return [(data if isinstance(data, dict) else json.loads(data))["id"] for data in found]


def in_the_way(neuron, to):
    """The target can't be written; what makes it writable again."""
    if to.endswith("ndjson"):
        path = os.path.join(neuron.folder, to)
        before = os.path.exists(path) and neuron.read(to)
        if before:
            os.rename(path, path + ".aside")
        os.mkdir(path)

        def back():
            os.rmdir(path)
            if before:
                os.rename(path + ".aside", path)
        return back
    with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
        db.executescript("CREATE TABLE IF NOT EXISTS t(id INTEGER); CREATE TRIGGER halt BEFORE INSERT ON neuron_loads "
                         "BEGIN SELECT RAISE(ABORT, 'halted'); END")

    def again():
        with sqlite3.connect(os.path.join(neuron.folder, "target.db")) as db:
            db.executescript("DROP TRIGGER halt")
    return again


@pytest.mark.parametrize("to, place", [("out.ndjson", "bad.ndjson"), ("target, table: t", "bad.ndjson"),
                                       ("out.ndjson", "bad.csv"), ("out.ndjson", "bad.ndjson.gz"),
                                       ("out.ndjson", "'sqlite:///bad.db'"), ("r.ndjson", "bad.ndjson")])
def test_a4_a_run_that_fails_at_its_data_leaves_no_rejects(neuron, to, place):
    refusing(neuron, to, place)
    if to == "r.ndjson":
        neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("mode: append", "mode: replace", 1))

    def seen():
        if place.startswith("'"):
            with sqlite3.connect(os.path.join(neuron.folder, "bad.db")) as db:
                return [json.loads(data)["id"] for data, in db.execute("SELECT data FROM neuron_rejects")]
        return refused(neuron, place)
    neuron.write("many.ndjson", rows(1, 2))
    assert neuron.result("etl", "p")["records_rejected"] == 1 and seen() == [2]
    neuron.write("many.ndjson", rows(3, 4, 6))
    back = in_the_way(neuron, to)
    for _ in range(2):
        neuron("etl", "p", code=1)
        assert seen() == [2]
    back()
    assert neuron.result("etl", "p")["records_rejected"] == 2
    assert seen() == [2, 4, 6]


def is_published(neuron, number):
    """What is behind the length that the journal has doesn't count."""
    if not exists(neuron, "out.ndjson.neuron"):
        return False
    whole = neuron.read("out.ndjson")[:json.loads(neuron.read("out.ndjson.neuron"))["length"]]
    return any(json.loads(line)["id"] == number for line in whole.splitlines())


def cut_off(neuron, at, *args):
    """The program killed where its journal of the rejects is renamed for the `at`th time."""
    library = os.path.join(neuron.folder, "killed.so")
    if not os.path.exists(library):
        source = neuron.write("killed.c", KILLED)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    done = subprocess.run([PROGRAM, *args], cwd=neuron.folder, capture_output=True, check=False, timeout=60,
                          env={**os.environ, "LD_PRELOAD": library, "KILL_AT": str(at)})
    return done.returncode


KILLED = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
/* Every rename and ftruncate counts; it is killed before the one that KILL_AT names. */
static void count(void)
{
    static int n;
    if (++n == atoi(getenv("KILL_AT"))) kill(getpid(), SIGKILL);
}
int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
    count();
    return next(from, to);
}
int ftruncate(int fd, off_t len)
{
    int (*next)(int, off_t) = dlsym(RTLD_NEXT, "ftruncate");
    count();
    return next(fd, len);
}
int ftruncate64(int fd, off_t len) { return ftruncate(fd, len); }
"""


@pytest.mark.parametrize("shared", [False, True])
def test_a4_killed_at_any_moment_each_reject_is_there_once(neuron, shared):
    """Killed before each of its renames in turn; between them another pipeline refuses rows into the same file."""
    refusing(neuron, "out.ndjson")
    number, want, others = 1, [], []
    for at in range(1, 40):
        number += 2
        neuron.write("many.ndjson", rows(number, number + 1))
        code = cut_off(neuron, at, "etl", "p", "--run-id", f"r{at}")
        if shared:
            others.append(1000 + 2 * at)
            neuron.write("few.ndjson", rows(others[-1]))
            neuron("etl", "q")
        if code == 0:
            want.append(number + 1)
            break
        if not is_published(neuron, number):
            neuron("etl", "p")
        want.append(number + 1)
    assert code == 0 and at > 3
    neuron.write("many.ndjson", rows(number + 2))
    neuron("etl", "p")
    found = refused(neuron)
    assert sorted(found) == sorted(want + others) and is_whole(neuron, "bad.ndjson")
    assert "begun" not in neuron.read("bad.ndjson.neuron")
