"""The guide's sales job from PostgreSQL to PostgreSQL: extract, drop nulls, drop duplicates, hash, upsert; beside the
guide's own stack (pandas, SQLAlchemy, asyncpg) and the same COPY and merge by psql through a pipe."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from measure import NEURON, ROOT, goal, python, run, show, typical

sys.path.insert(0, os.path.join(ROOT, "tests"))
from postgres import Database, Postgres, binaries  # noqa: E402

ROWS = int(os.environ.get("BENCH_ETL_ROWS", 1_000_000))
ROUNDS = int(os.environ.get("BENCH_ETL_ROUNDS", 3))
GUIDE_ROWS = min(ROWS, 1_000_000)  # it holds all of them in memory

CONFIG = """
connections: {{ source: "{source}", target: "{target}" }}
pipelines:
  sales:
    from: source
    query: SELECT transaction_id AS id, customer_id, amount, product_id, transaction_date FROM raw_transactions
    steps:
      - drop_nulls: all
      - drop_duplicates: all
      - select: "*, row_hash(*) AS record_hash, now() AS processed_at, amount AS amount_usd"
    to: target
    table: processed_sales
    mode: upsert
    key: [id]
    ignore_for_change: [processed_at]
"""

TARGET = """CREATE TABLE processed_sales (id bigint PRIMARY KEY, customer_id bigint, amount numeric(18,2), product_id text,
    transaction_date timestamptz, record_hash {hash}, processed_at timestamptz, amount_usd numeric(18,4))"""

# The guide's ETLProcessor with what it needs to run: the amount is a float (a Decimal times 1.0 is a TypeError), the
# time has its zone, NaT and NaN don't occur behind dropna.
GUIDE = """
import asyncio, datetime
import pandas as pd, sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

async def run(source, target, table, query):
    async with create_async_engine(source).connect() as conn:
        result = await conn.execute(sa.text(query))
        df = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    df['processed_at'] = datetime.datetime.now(datetime.timezone.utc)
    df['record_hash'] = df.apply(lambda row: hash(str(row.values)), axis=1)
    df = df.dropna().drop_duplicates()
    df['amount_usd'] = df['amount'] * df.get('exchange_rate', 1.0)
    names = list(df.columns)
    sql = (f"INSERT INTO {{table}} ({{', '.join(names)}}) VALUES ({{', '.join(':' + n for n in names)}}) "
           "ON CONFLICT (id) DO UPDATE SET " + ', '.join(f'{{n}} = EXCLUDED.{{n}}' for n in names if n != 'id'))
    async with create_async_engine(target).begin() as conn:
        await conn.execute(sa.text(sql), df.to_dict('records'))
    print(len(df))

asyncio.run(run({source!r}, {target!r}, 'processed_sales',
    'SELECT transaction_id AS id, customer_id, amount::float8 AS amount, product_id, transaction_date '
    'FROM raw_transactions WHERE transaction_id <= {rows}'))
"""

LIMIT_FROM = """COPY (SELECT transaction_id, customer_id, amount, product_id, transaction_date, 'x'::text, now(), amount
    FROM raw_transactions WHERE transaction_id IS NOT NULL AND customer_id IS NOT NULL AND amount IS NOT NULL
    AND product_id IS NOT NULL AND transaction_date IS NOT NULL) TO STDOUT (FORMAT binary)"""
LIMIT_TO = """BEGIN; SET LOCAL work_mem = '64MB';
CREATE TEMP TABLE stage (LIKE processed_sales) ON COMMIT DROP;
COPY stage FROM STDIN (FORMAT binary)
"""
LIMIT_MERGE = """ANALYZE stage (id);
DELETE FROM stage WHERE ctid IN (SELECT c FROM (SELECT ctid AS c, row_number() OVER (PARTITION BY id) AS n FROM stage
    WHERE id IN (SELECT id FROM stage GROUP BY id HAVING count(*) > 1)) AS d WHERE n > 1);
WITH d AS (SELECT s.*, t.id IS NULL AS fresh FROM stage AS s LEFT JOIN processed_sales AS t ON t.id = s.id
        WHERE t.id IS NULL OR (t.customer_id, t.amount, t.product_id, t.transaction_date, t.record_hash, t.amount_usd)
            IS DISTINCT FROM (s.customer_id, s.amount, s.product_id, s.transaction_date, s.record_hash, s.amount_usd)),
    u AS (UPDATE processed_sales AS t SET customer_id = s.customer_id, amount = s.amount, product_id = s.product_id,
        transaction_date = s.transaction_date, record_hash = s.record_hash, processed_at = s.processed_at,
        amount_usd = s.amount_usd FROM d AS s WHERE t.id = s.id AND NOT s.fresh RETURNING 1),
    i AS (INSERT INTO processed_sales SELECT id, customer_id, amount, product_id, transaction_date, record_hash,
        processed_at, amount_usd FROM d WHERE fresh RETURNING 1)
    SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM i);
COMMIT;"""


class Shop:
    """A server with the source filled, and the ways to do the job."""

    def __init__(self):
        self.server = Postgres("shared_buffers=512MB", "max_wal_size=8GB", "autovacuum=off")
        self.source, self.target = Database(self.server, "source"), Database(self.server, "target")
        self.source(f"""CREATE TABLE raw_transactions (transaction_id bigint, customer_id bigint, amount numeric(18,2),
                product_id text, transaction_date timestamptz);
            INSERT INTO raw_transactions SELECT i, i * 7919 % 100003, (i * 104729 % 10000000) / 100.0,
                CASE WHEN i % 50 > 0 THEN 'product-' || i % 977 END, '2024-01-01'::timestamptz + i * interval '3 s'
                FROM generate_series(1, {ROWS}::bigint) AS i;
            INSERT INTO raw_transactions SELECT * FROM raw_transactions WHERE transaction_id % 100 = 1;
            VACUUM ANALYZE raw_transactions""")
        self.folder = tempfile.mkdtemp(prefix="neuron-bench-")
        with open(os.path.join(self.folder, "neuron.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG.format(source=self.source.url, target=self.target.url))

    def empty(self, hash_type="text"):
        self.target("DROP TABLE IF EXISTS processed_sales, neuron_loads; " + TARGET.format(hash=hash_type))
        self.target("CHECKPOINT")

    def change(self):
        self.target("VACUUM ANALYZE processed_sales; UPDATE processed_sales SET record_hash = 'old';"
                    " VACUUM processed_sales; CHECKPOINT")

    def settle(self):
        self.target("VACUUM ANALYZE processed_sales; CHECKPOINT")

    def neuron(self):
        return run([NEURON, "etl", "sales", "--json"], cwd=self.folder)

    def guide(self):
        urls = [db.url.replace("://", "+asyncpg://") for db in (self.source, self.target)]
        return python(GUIDE.format(source=urls[0], target=urls[1], rows=GUIDE_ROWS))

    def limit(self):
        """psql COPY | psql COPY, then the merge, as one command."""
        psql = os.path.join(binaries(), "psql")
        script = os.path.join(self.folder, "limit.sh")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"""set -e
({psql} -Xq -c "{LIMIT_FROM}" {self.source.url}) | {psql} -Xq -v ON_ERROR_STOP=1 {self.target.url} \\
    -c "BEGIN" -c "CREATE TEMP TABLE stage (LIKE processed_sales) ON COMMIT DROP" -c "SET LOCAL work_mem = '64MB'" \\
    -c "COPY stage FROM STDIN (FORMAT binary)" -c "{LIMIT_MERGE}"
""")
        return run(["bash", "-o", "pipefail", script])


def wal_position(shop):
    return shop.target("SELECT pg_current_wal_insert_lsn()")


class Wal:
    """What was written to the log between two moments: bytes in all, and records of the target and its indexes."""

    def __init__(self, shop, since):
        until = wal_position(shop)
        self.bytes = int(shop.target(f"SELECT '{until}'::pg_lsn - '{since}'::pg_lsn"))
        files = shop.target("""SELECT pg_relation_filepath(c.oid) FROM pg_class AS c WHERE c.oid = 'processed_sales'::regclass
            OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'processed_sales'::regclass)""").split()
        dump = subprocess.run(
            shop.server.command("pg_waldump", "-p", os.path.join(shop.server.data, "pg_wal"), "-s", since, "-e", until),
            capture_output=True, text=True, check=True)
        relations = {file.removeprefix("base/") for file in files}
        found = re.findall(r"rel \d+/(\d+/\d+)", dump.stdout)
        assert len(files) == 2 and found, dump.stderr
        self.records = sum(relation in relations for relation in found)


def rounds(shop):
    """neuron and psql in turn, each of the three jobs in turn; the typical run of each, and the log of an unchanged one."""
    jobs = {"empty target": shop.empty, "all changed": shop.change, "none changed": shop.settle}
    ways = {"neuron": shop.neuron, "psql | psql": shop.limit}
    found = {(who, job): [] for job in jobs for who in ways}
    log = None
    for _ in range(ROUNDS):
        for who, work in ways.items():
            for job, prepare in jobs.items():
                prepare()
                before = wal_position(shop)
                found[who, job].append(work())
                if (who, job) == ("neuron", "none changed"):
                    log = Wal(shop, before)
    return {name: typical(runs) for name, runs in found.items()}, log


def unchanged(log, one):
    """The run that changes nothing: its counts, how long it published, what it wrote to the log."""
    result = json.loads(one.output)
    assert (result["inserted"], result["updated"], result["unchanged"]) == (0, 0, ROWS - ROWS // 50), one.output
    print(f"  unchanged run: {result['unchanged']} rows, {log.bytes} bytes of WAL")
    return [
        goal("publish of an unchanged million rows", result["phases"]["publish"] / max(ROWS / 1e6, 1), 2, " s", at_least=False),
        goal("WAL records of target and index, unchanged", log.records, 0, "", at_least=False),
        goal("WAL of an unchanged run", log.bytes / 1e6, 1, " MB", at_least=False),
    ]


def main():
    shop = Shop()
    try:
        runs, log = rounds(shop)
        shop.empty("bigint")
        runs["guide's stack", "empty target"] = shop.guide()
        shop.settle()
        runs["guide's stack", "full target"] = shop.guide()
        speed = {}
        for (who, name), one in runs.items():
            rows = GUIDE_ROWS if who == "guide's stack" else ROWS
            speed[who, name] = rows / one.wall
            show(f"{who}, {name}", one)
            print(f"      {rows / one.wall:12,.0f} rows/s")
        guide, full = speed["guide's stack", "empty target"], speed["guide's stack", "full target"]
        peak = max(one.rss for (who, _), one in runs.items() if who == "neuron")
        # The guide's stack holds every row; drop_duplicates keeps some 30 bytes of each, up to `memory`.
        theirs = runs["guide's stack", "empty target"].rss
        return all([
            *([goal("memory of the guide's stack", theirs / peak, 10)] if ROWS == GUIDE_ROWS else []),
            goal("peak memory", peak, 64 + 40 * ROWS / 1e6, " MB", at_least=False),
            goal("rows/s of the guide's stack, empty target", speed["neuron", "empty target"] / guide, 12),
            goal("rows/s of the guide's stack, all changed", speed["neuron", "all changed"] / full, 6),
            goal("rows/s of the guide's stack, none changed", speed["neuron", "none changed"] / full, 14),
            *(goal(f"speed of psql | psql, {name}", speed["neuron", name] / speed["psql | psql", name], 0.95)
              for name in ("empty target", "all changed", "none changed")),
            *unchanged(log, runs["neuron", "none changed"]),
        ])
    finally:
        shop.server.close()
        shutil.rmtree(shop.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
