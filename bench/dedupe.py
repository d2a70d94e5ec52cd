"""drop_duplicates of many rows within 256 MB, exact; beside DuckDB with the same limit."""

import os
import shutil
import subprocess
import tempfile

from measure import NEURON, goal, run, show, ROOT

ROWS = int(os.environ.get("BENCH_DEDUPE_ROWS", 50_000_000))
CONFIG = """
memory: 256MB
pipelines:
  unique: { from: "in.csv#types=id:bigint,name:text", to: out.csv, steps: [ { drop_duplicates: all } ] }
"""
# Every id of 0 … ROWS * 4/5 once, and a fifth of the rows again somewhere later.
GENERATE = ("import sys\nn = {rows}\nu = n * 4 // 5\nw = sys.stdout.write\nw('id,name\\n')\n"
            "for a in range(0, u, 10000):\n"
            "    w(''.join(f'{{i}},name of {{i}}\\n' for i in range(a, min(a + 10000, u))))\n"
            "    b = a // 4\n"
            "    w(''.join(f'{{i}},name of {{i}}\\n' for i in range(b, min(b + 2500, u))))\n")


def duckdb(folder):
    code = ("import duckdb\nc = duckdb.connect()\nc.execute(\"SET memory_limit = '256MB'\")\nc.execute('SET threads = 1')\n"
            "c.execute('SET preserve_insertion_order = false')\n"
            "c.execute(\"COPY (SELECT DISTINCT * FROM read_csv('in.csv', header = true, columns = {'id': 'BIGINT',"
            " 'name': 'VARCHAR'})) TO 'duckdb.csv'\")")
    done = subprocess.run([os.path.join(ROOT, ".venv/bin/python"), "-c", code], cwd=folder, capture_output=True,
                          text=True, check=False)
    return "done" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["killed"])[-1][:120]


def main():
    folder = tempfile.mkdtemp(prefix="neuron-bench-")
    try:
        with open(os.path.join(folder, "in.csv"), "wb") as file:
            subprocess.run(["python3", "-c", GENERATE.format(rows=ROWS)], stdout=file, check=True)
        with open(os.path.join(folder, "neuron.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        rows = int(subprocess.run(["wc", "-l", "in.csv"], cwd=folder, capture_output=True, check=True).stdout.split()[0]) - 1
        ours = run([NEURON, "etl", "unique"], cwd=folder)
        show(f"neuron, {rows} rows", ours)
        kept = int(subprocess.run(["wc", "-l", "out.csv"], cwd=folder, capture_output=True, check=True).stdout.split()[0]) - 1
        print(f"  DuckDB SELECT DISTINCT with memory_limit 256MB: {duckdb(folder)}")
        exact = kept == ROWS * 4 // 5
        print(f"  {'exact' if exact else 'WRONG'}: {kept} of {ROWS * 4 // 5} distinct rows kept")
        return all([exact, goal("peak memory", ours.rss, 256, " MB", at_least=False)])
    finally:
        shutil.rmtree(folder)
