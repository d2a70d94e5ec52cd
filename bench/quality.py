"""The guide's quality report: nulls, repeated rows, types, e-mails, dates; on a table of PostgreSQL beside the guide's
stack (SQLAlchemy, asyncpg, pandas), and on a CSV file beside pandas and DuckDB."""

import json
import os
import random
import shutil
import sys
import tempfile

from measure import NEURON, ROOT, best, goal, python, run, show

sys.path.insert(0, os.path.join(ROOT, "tests"))
from postgres import Database, Postgres  # noqa: E402

SIZE = int(os.environ.get("BENCH_QUALITY_BYTES", 200_000_000))
COLUMNS = ["id", "customer_id", "name", "email", "date", "last_activity", "amount", "exchange_rate", "status", "country",
           "product_id", "note"]


def generate(path, size):
    """12 columns: 1 % of e-mails missing and 1 % wrong, 0.5 % of dates wrong, quotes, 0.1 % repeated rows."""
    chance = random.Random(2)
    notes = ["", "", "", "", "", "a short note", "ok", '"said ""hi"", left"', "gift wrap", "call before delivery"]
    written = rows = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(COLUMNS) + "\n")
        while written < size:
            lines = []
            for _ in range(20000):
                rows += 1
                roll = chance.random()
                email = "" if roll < .01 else f"user{rows}.example.com" if roll < .02 else f"user{rows}@mail{rows % 97}.example.com"
                month, day = chance.randrange(1, 13), chance.randrange(1, 29)
                date = f"2024-{month + 12:02d}-{day:02d}" if chance.random() < .005 else f"2024-{month:02d}-{day:02d}"
                lines.append(f"{rows},{chance.randrange(10**6)},Customer {chance.randrange(10**5)},{email},{date},"
                             f"2024-{month:02d}-{day:02d} {chance.randrange(24):02d}:{chance.randrange(60):02d}:00,"
                             f"{chance.uniform(1, 20000):.2f},{chance.uniform(.5, 2):.4f},"
                             f"{chance.choice(['pending', 'approved', 'shipped', 'delivered'])},"
                             f"{chance.choice(['DE', 'FR', 'US', 'PL'])},{chance.randrange(50000)},{chance.choice(notes)}\n")
                if chance.random() < .001:
                    lines.append(lines[-1])
            written += file.write("".join(lines))


def neuron(folder):
    return run([NEURON, "check", "in.csv", "--json"], cwd=folder)


# What the guide's monitor and its three rules do, on the whole frame.
REPORT = r"""
cells = len(df) * len(df.columns)
out = {'rows': len(df), 'null_percentage': df.isnull().sum().sum() / cells * 100,
       'duplicate_percentage': df.duplicated().sum() / len(df) * 100, 'mixed': []}
for column in df.columns:
    if df[column].dtype in ('object', 'str'):
        if len({type(x).__name__ for x in df[column].dropna().head(1000)}) > 1:
            out['mixed'].append(column)
out['completeness'] = (cells - df.isnull().sum().sum()) / cells * 100
out['uniqueness'] = (len(df) - df.duplicated().sum()) / len(df) * 100
good = df['email'].str.match(r'^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$', na=False).sum()
mails = good / len(df.dropna(subset=['email'])) * 100
dates = pandas.to_datetime(df['date'], errors='coerce').notna().sum() / len(df) * 100
out['consistency'] = float(min(100, mails, dates))
print(json.dumps({k: float(v) if not isinstance(v, list) else v for k, v in out.items()}))
"""

FETCH = """
import asyncio, json, pandas, sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

async def fetch():
    async with create_async_engine({url!r}).connect() as conn:
        result = await conn.execute(sqlalchemy.text('SELECT * FROM orders'))
        return pandas.DataFrame(result.fetchall(), columns=list(result.keys()))

df = asyncio.run(fetch())
"""


def pandas(folder):
    return python("import json, pandas\ndf = pandas.read_csv('in.csv')\n" + REPORT, cwd=folder)


def duckdb(folder):
    """The same numbers by one statement, in one thread; its row hash has 64 bits."""
    names = [f'"{name}"' for name in COLUMNS]
    nulls = " + ".join(f"count(*) - count({name})" for name in names)
    sql = (f"SELECT count(*), {nulls}, count(*) - count(DISTINCT hash({', '.join(names)})), "
           r"sum(CASE WHEN regexp_full_match(email, '[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}') THEN 1 ELSE 0 END), "
           "count(TRY_CAST(date AS DATE)) FROM read_csv('in.csv', sample_size=-1)")
    return python("import duckdb\nc = duckdb.connect()\nc.execute('SET threads = 1')\n"
                  f"c.execute('SET enable_progress_bar = false')\nprint(c.execute({sql!r}).fetchone())", cwd=folder)


def agree(ours, theirs):
    report, peer = json.loads(ours.output), json.loads(theirs.output)
    for name in ("null_percentage", "duplicate_percentage", "completeness", "uniqueness", "consistency"):
        assert abs(report["metrics"][name] - peer[name]) < 1e-9, (name, report["metrics"][name], peer[name])
    assert report["total_records"] == peer["rows"]


def on_table(folder):
    server = Postgres()
    try:
        url = Database(server, "quality").url
        generate(os.path.join(folder, "in.csv"), SIZE // 4)
        run([NEURON, "copy", "in.csv", url, "--table", "orders"], cwd=folder)
        ours = best(3, lambda: run([NEURON, "check", url, "--table", "orders", "--json"], cwd=folder))
        theirs = best(1, lambda: python(FETCH.format(url=url.replace("://", "+asyncpg://")) + REPORT))
        show("a table: neuron check", ours)
        show("a table: the guide's stack", theirs)
        agree(ours, theirs)
        return goal("CPU time of the guide's stack / ours", theirs.cpu / ours.cpu, 30) & \
            goal("its memory / ours", theirs.rss / ours.rss, 10)
    finally:
        server.close()


def on_file(folder):
    generate(os.path.join(folder, "in.csv"), SIZE)
    ours, theirs = best(3, lambda: neuron(folder)), best(1, lambda: pandas(folder))
    other = best(1, lambda: duckdb(folder))
    show("a file: neuron check", ours)
    show("a file: pandas", theirs)
    show("a file: DuckDB, one statement", other)
    agree(ours, theirs)
    return goal("pandas' CPU time / ours", theirs.cpu / ours.cpu, 10) & \
        goal("DuckDB's CPU time / ours", other.cpu / ours.cpu, 1.5) & \
        goal("pandas' memory / ours", theirs.rss / ours.rss, 5)


def main():
    folder = tempfile.mkdtemp()
    try:
        return on_table(folder) & on_file(folder)
    finally:
        shutil.rmtree(folder)
