"""kill -9 at random moments: after the next run the target is what the undisturbed run made."""

import os
import random
import sqlite3
import subprocess
import time

import pytest

from conftest import PROGRAM

KILLS = 200 if os.environ.get("NEURON_SOAK") else 30

CONFIG = """
connections: { source: sqlite:///source.db, target: sqlite:///target.db }
pipelines:
  p:
    from: source
    query: SELECT id, v, at FROM raw
    incremental: { cursor: at }
    steps: [ { drop_duplicates: all }, { select: "*, v * 2 AS w, row_hash(*) AS h" } ]
    to: target
    table: t
    mode: %s
    key: [id]
"""


def content(folder):
    with sqlite3.connect(os.path.join(folder, "target.db")) as target:
        assert target.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return target.execute("SELECT * FROM t ORDER BY id").fetchall()


def grow(folder, first, count):
    """New rows and changed ones, the same in every folder."""
    with sqlite3.connect(os.path.join(folder, "source.db")) as source:
        source.execute("CREATE TABLE IF NOT EXISTS raw (id INTEGER PRIMARY KEY, v INTEGER, at INTEGER)")
        source.executemany("INSERT INTO raw VALUES (?, ?, ?)", [(i, i % 97, i) for i in range(first, first + count)])
        source.execute("UPDATE raw SET v = v + 1, at = ? WHERE id % 50 = 0", (first + count,))


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_killed_pipeline_loses_and_doubles_nothing(neuron, tmp_path_factory, mode):
    calm = tmp_path_factory.mktemp("calm")
    neuron.write("neuron.yaml", CONFIG % mode)
    (calm / "neuron.yaml").write_text(CONFIG % mode)
    chance = random.Random(7)
    first, killed = 0, 0
    for turn in range(KILLS // 5):
        for folder in (neuron.folder, str(calm)):
            grow(folder, first, 8000)
        first += 8001
        start = time.monotonic()
        subprocess.run([PROGRAM, "etl", "p"], cwd=calm, check=True, capture_output=True)
        took = time.monotonic() - start
        for _ in range(5):
            run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
            try:
                run.wait(chance.uniform(0, took * 1.1))
            except subprocess.TimeoutExpired:
                run.kill()
                killed += 1
            run.wait()
        neuron("etl", "p")
        assert content(neuron.folder) == content(calm), f"turn {turn}"
        assert neuron.result("etl", "p")["inserted"] == 0
    assert killed > KILLS // 4, f"only {killed} kills hit a running program"


def test_a_killed_copy_leaves_the_old_file_or_the_new_one(neuron):
    neuron.write("in.csv", "a,b\n" + "".join(f"{i},{i * 7}\n" for i in range(200000)))
    neuron("copy", "in.csv", "want.ndjson")
    want, chance = neuron.read("want.ndjson"), random.Random(3)
    neuron.write("out.ndjson", "old\n")
    seen = set()
    for _ in range(KILLS):
        run = subprocess.Popen([PROGRAM, "copy", "in.csv", "out.ndjson"], cwd=neuron.folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            run.wait(chance.uniform(0, 0.25))
        except subprocess.TimeoutExpired:
            run.kill()
        run.wait()
        text = neuron.read("out.ndjson")
        assert text in ("old\n", want)
        seen.add(text)
        neuron.write("out.ndjson", "old\n")
    assert "old\n" in seen


def test_an_appended_file_survives_kills(neuron):
    """What a killed run left behind its last commit is cut off by the next."""
    neuron.write("neuron.yaml", """
pipelines:
  p: { from: in.csv, to: out.ndjson, mode: append }
""")
    neuron.write("in.csv", "a\n" + "".join(f"{i}\n" for i in range(300000)))
    chance, done = random.Random(5), 0
    for _ in range(KILLS):
        run = subprocess.Popen([PROGRAM, "etl", "p"], cwd=neuron.folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
        try:
            done += run.wait(chance.uniform(0, 0.3)) == 0
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            # It may have been committed just before the kill.
    neuron("etl", "p")
    lines = neuron.read("out.ndjson").splitlines()
    assert len(lines) % 300000 == 0 and len(lines) >= (done + 1) * 300000
    assert lines[-1] == '{"a":299999}'
