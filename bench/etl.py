"""The guide's sales job from PostgreSQL to PostgreSQL: extract, drop nulls, drop duplicates, hash, upsert; beside the
guide's own stack (pandas, SQLAlchemy, asyncpg) and the same COPY and merge by psql through a pipe."""

import os
import subprocess
import sys
import tempfile
import time

from measure import NEURON, Measured, ROOT, goal, python, show

sys.path.insert(0, os.path.join(ROOT, "tests"))
from postgres import Database, Postgres, binaries  # noqa: E402

ROWS = int(os.environ.get("BENCH_ETL_ROWS", 1_000_000))

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
    'FROM raw_transactions'))
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
UPDATE processed_sales AS t SET customer_id = s.customer_id, amount = s.amount, product_id = s.product_id,
    transaction_date = s.transaction_date, record_hash = s.record_hash, processed_at = s.processed_at,
    amount_usd = s.amount_usd FROM stage AS s WHERE t.id = s.id AND (t.customer_id, t.amount, t.product_id,
    t.transaction_date, t.record_hash, t.amount_usd) IS DISTINCT FROM (s.customer_id, s.amount, s.product_id,
    s.transaction_date, s.record_hash, s.amount_usd);
INSERT INTO processed_sales SELECT * FROM stage AS s WHERE NOT EXISTS (SELECT FROM processed_sales AS t WHERE t.id = s.id);
COMMIT;"""


def measured(command, **options):
    """As measure.run, without an end of the benchmark on failure being hidden in a pipe."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    output = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[:3]}: {output}")
    return Measured(usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024, output)


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
        return measured([NEURON, "etl", "sales", "--json"], cwd=self.folder)

    def guide(self):
        urls = [db.url.replace("://", "+asyncpg://") for db in (self.source, self.target)]
        return python(GUIDE.format(source=urls[0], target=urls[1]))

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
        return measured(["bash", script])


def wal(shop):
    return int(shop.target("SELECT pg_current_wal_insert_lsn() - '0/0'"))


def main():
    shop = Shop()
    try:
        loaded = ROWS - ROWS // 50
        runs = {}
        for name, prepare in (("empty target", shop.empty), ("all changed", shop.change), ("none changed", shop.settle)):
            prepare()
            before = wal(shop)
            runs["neuron", name] = shop.neuron()
            written = wal(shop) - before
        show_all = [(who, name) for who, name in runs]
        for name, prepare in (("empty target", shop.empty), ("all changed", shop.change), ("none changed", shop.settle)):
            prepare()
            runs["psql | psql", name] = shop.limit()
        shop.empty("bigint")
        runs["guide's stack", "empty target"] = shop.guide()
        shop.settle()
        runs["guide's stack", "full target"] = shop.guide()
        for (who, name), one in runs.items():
            show(f"{who}, {name}", one)
            print(f"      {ROWS / one.wall:12,.0f} rows/s")
        del show_all
        guide, full = runs["guide's stack", "empty target"], runs["guide's stack", "full target"]
        ours = {name: runs["neuron", name] for name in ("empty target", "all changed", "none changed")}
        print(f"  {loaded} rows loaded; unchanged run: {written} bytes of WAL")
        return all([
            goal("rows/s of the guide's stack, empty target", guide.wall / ours["empty target"].wall, 10),
            goal("rows/s of the guide's stack, all changed", full.wall / ours["all changed"].wall, 6),
            goal("rows/s of the guide's stack, none changed", full.wall / ours["none changed"].wall, 14),
            goal("memory of the guide's stack", guide.rss / max(one.rss for one in ours.values()), 10),
            goal("peak memory", max(one.rss for one in ours.values()), 160, " MB", at_least=False),
            goal("speed of psql | psql, empty target",
                 runs["psql | psql", "empty target"].wall / ours["empty target"].wall, 0.95),
            goal("WAL of an unchanged run", written / 1e6, 1, " MB", at_least=False),
        ])
    finally:
        shop.server.close()


if __name__ == "__main__":
    main()
