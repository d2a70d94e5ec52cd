"""A full load of a wide table from one database to another, as it is (rows go through unopened) and with a step that
opens them, beside the raw limit (psql COPY | psql COPY), pg_dump | psql, pgcopydb, pgloader and dlt; then reading alone
and several readers, and memory over the table's size.

BENCH_LOAD_ROWS (3 M) rows of 16 columns. BENCH_LOAD_SLOPE_ROWS (20 M when asked) is a second, larger load for the
memory's slope; without it the slope is taken over a tenth of the rows and all of them."""

import importlib.util
import os
import shutil
import sys
import tempfile

from measure import NEURON, ROOT, goal, python, run, show, typical

sys.path.insert(0, os.path.join(ROOT, "tests"))
from postgres import Database, Postgres, binaries  # noqa: E402

ROWS = int(os.environ.get("BENCH_LOAD_ROWS", 3_000_000))
SLOPE_ROWS = int(os.environ.get("BENCH_LOAD_SLOPE_ROWS", 0))
ROUNDS = int(os.environ.get("BENCH_LOAD_ROUNDS", 3))
DLT_ROWS = ROWS // 10

COLUMNS = """(id bigint NOT NULL, customer int, lines smallint, paid boolean, price numeric(15,2), discount numeric(15,2),
    tax numeric(15,2), weight double precision, code uuid, flag char(1), mode varchar(10), shipped date,
    created timestamptz, changed timestamptz, note text, extra jsonb)"""

FILL = """INSERT INTO wide SELECT i, i * 7919 % 100003, i % 7, i % 2 = 0, (i * 104729 % 1000000000) / 100.0,
    i % 11 / 100.0, i % 9 / 100.0, i / 7.0::float8, md5(i::text)::uuid, chr(65 + (i % 5)::int),
    (ARRAY['AIR', 'RAIL', 'SHIP', 'TRUCK', 'REG AIR'])[1 + i % 5], '2020-01-01'::date + (i % 2000)::int,
    '2024-01-01'::timestamptz + i * interval '1.000001 s', '2024-06-01'::timestamptz + i * interval '3 s',
    CASE WHEN i %% 10 > 0 THEN 'a comment of ordinary length, number ' || i END,
    jsonb_build_object('source', 'web', 'visits', i % 100, 'tags', jsonb_build_array('a', i % 3))
    FROM generate_series(1, {rows}::bigint) AS i;""".replace("%%", "%")

CONFIG = """
connections: {{ source: "{source}", target: "{target}" }}
pipelines:
"""
LOAD = """
  load{name}: {{ from: source, {what}, to: target, table: wide, mode: append, parallel: {parallel} }}
"""
READ = """
  read{parallel}:
    from: source
    from_table: wide
    parallel: {parallel}
    steps: [where: id < 0]
    to: {folder}/none.ndjson
"""

PGLOADER = """LOAD DATABASE FROM pgsql://postgres@127.0.0.1:{port}/source INTO pgsql://postgres@127.0.0.1:{port}/target
    WITH data only, truncate, workers = 2, concurrency = 1, prefetch rows = 5000;
"""

# dlt's fastest ways: rows as Arrow tables from ConnectorX, CSV by COPY into the target.
DLT = """
import os, dlt
from dlt.sources.sql_database import sql_table
os.environ['RUNTIME__DLTHUB_TELEMETRY'] = 'false'
os.environ['RUNTIME__LOG_LEVEL'] = 'ERROR'
pipeline = dlt.pipeline('bench', pipelines_dir={folder!r}, dataset_name='public',
                        destination=dlt.destinations.postgres({target!r}))
source = sql_table({source!r}.replace('://', '+psycopg2://'), table='tenth', backend='connectorx', backend_kwargs={{'conn': {source!r}}})
pipeline.run(source, table_name='wide_dlt', write_disposition='append', loader_file_format='csv')
print(pipeline.last_trace.last_normalize_info.row_counts)
"""

FINGERPRINT = "SELECT count(*) || ' ' || sum(hash_record_extended(w, 0)::numeric) FROM {table} AS w"


class Yard:
    """A server with the wide table in one database, an empty one in the other, and the ways to move it."""

    def __init__(self):
        self.server = Postgres("fsync=off", "shared_buffers=512MB", "max_wal_size=16GB", "autovacuum=off")
        self.source, self.target = Database(self.server, "source"), Database(self.server, "target")
        self.urls = [self.socket_url(name) for name in ("source", "target")]
        self.folder = tempfile.mkdtemp(prefix="neuron-bench-")
        self.source(f"CREATE TABLE wide {COLUMNS}")
        for part in range(0, ROWS, 500_000):
            last = min(part + 500_000, ROWS)
            self.source(FILL.format(rows=last).replace("generate_series(1,", f"generate_series({part + 1},"))
        self.source("VACUUM ANALYZE wide")
        self.print = self.source(FINGERPRINT.format(table="wide"))
        self.write_config()

    def socket_url(self, name):
        """By Unix socket, as it is between neighbours; pgloader and dlt don't take it and go over loopback."""
        return f"postgresql:///{name}?host={self.server.folder}&port={self.server.port}&user=postgres"

    def write_config(self):
        text = CONFIG.format(source=self.urls[0], target=self.urls[1])
        for parallel in (1, 2, 8):
            text += LOAD.format(name=parallel, what="from_table: wide", parallel=parallel)
            text += READ.format(parallel=parallel, folder=self.folder)
        text += LOAD.format(name="_opened", what='from_table: wide, steps: [where: id IS NOT NULL]', parallel=1)
        text += LOAD.format(name="_few", what=f'query: "SELECT * FROM wide LIMIT {ROWS // 10}"', parallel=1)
        if SLOPE_ROWS:
            many = f'query: "SELECT w.* FROM generate_series(1, {-(-SLOPE_ROWS // ROWS)}), wide AS w LIMIT {SLOPE_ROWS}"'
            text += LOAD.format(name="_many", what=many, parallel=1)
        with open(os.path.join(self.folder, "neuron.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def empty(self):
        self.target(f"DROP TABLE IF EXISTS wide; CREATE TABLE wide {COLUMNS}")
        self.target("CHECKPOINT")

    def check(self, who):
        """What arrived is what was there, to the last bit; not timed."""
        found = self.target(FINGERPRINT.format(table="wide"))
        if found != self.print:
            sys.exit(f"{who}: the target is not the source: {found}, not {self.print}")

    def pipeline(self, name):
        return run([NEURON, "etl", name, "--json"], cwd=self.folder)

    def shell(self, text):
        return run(["bash", "-c", "set -e -o pipefail; " + text])

    def psql(self):
        psql = f"{binaries()}/psql -Xq -v ON_ERROR_STOP=1"
        return self.shell(f"""{psql} '{self.urls[0]}' -c 'COPY wide TO STDOUT (FORMAT binary)' |
            {psql} '{self.urls[1]}' -c 'COPY wide FROM STDIN (FORMAT binary)'""")

    def dump(self):
        return self.shell(f"""{binaries()}/pg_dump --data-only -t wide '{self.urls[0]}' |
            {binaries()}/psql -Xq -v ON_ERROR_STOP=1 '{self.urls[1]}' >/dev/null""")

    def pgcopydb(self):
        """Its COPY phase alone."""
        work = os.path.join(self.folder, "pgcopydb")
        shutil.rmtree(work, ignore_errors=True)
        return run(["pgcopydb", "copy", "table-data", "--source", self.urls[0], "--target", self.urls[1],
                    "--dir", work, "--table-jobs", "1", "--index-jobs", "1"])

    def pgloader(self):
        script = os.path.join(self.folder, "wide.load")
        with open(script, "w", encoding="utf-8") as file:
            file.write(PGLOADER.format(port=self.server.port))
        return run(["pgloader", script])

    def dlt(self):
        self.source(f"CREATE TABLE tenth AS SELECT * FROM wide WHERE id <= {DLT_ROWS}")
        urls = [db.url.replace("postgres@", "postgres:none@") for db in (self.source, self.target)]
        one = python(DLT.format(source=urls[0], target=urls[1], folder=self.folder))
        found = int(self.target("SELECT count(*) FROM wide_dlt"))
        if found != DLT_ROWS:
            sys.exit(f"dlt: {found} rows arrived\n{one.output}")
        self.source("DROP TABLE tenth")
        return one


def alternate(ways, rounds, before=lambda: None, after=lambda who: None):
    """Each way in turn, so that what disturbs the machine disturbs all of them."""
    runs = {who: [] for who in ways}
    for _ in range(rounds):
        for who, work in ways.items():
            before()
            runs[who].append(work())
            after(who)
    found = {who: typical(runs[who]) for who in ways}
    for who, one in found.items():
        show(who, one)
        print(f"      {ROWS / one.wall:12,.0f} rows/s, {one.cpu / ROWS * 1e6:.2f} CPU s per million rows", flush=True)
    return found


def once(yard, wanted):
    """The slow peers, a single time; the walls, by million rows."""
    walls = {}
    if "pgloader" in wanted:
        yard.empty()
        one = yard.pgloader()
        yard.check("pgloader")
        show("pgloader", one)
        walls["pgloader"] = one.wall / ROWS
    if "dlt" in wanted:
        one = yard.dlt()
        show(f"dlt, {DLT_ROWS} rows", one)
        walls["dlt"] = one.wall / DLT_ROWS
    return walls


def peers():
    """Those of the peers that are installed (tools/install-deps --bench)."""
    there = {name for name in ("pgcopydb", "pgloader") if shutil.which(name)}
    there |= {"dlt"} if importlib.util.find_spec("dlt") else set()
    for name in sorted({"pgcopydb", "pgloader", "dlt"} - there):
        print(f"  {name} is not installed: not compared")
    return there


def loads(yard, there):
    ways = {"psql COPY | psql COPY": yard.psql, "pg_dump | psql": yard.dump,
            "neuron": lambda: yard.pipeline("load1"), "neuron, with a step": lambda: yard.pipeline("load_opened"),
            "neuron, parallel: 2": lambda: yard.pipeline("load2")}
    if "pgcopydb" in there:
        ways["pgcopydb, COPY phase"] = yard.pgcopydb
    found = alternate(ways, ROUNDS, yard.empty, yard.check)
    ours = found["neuron"]
    reached = [goal("speed of pg_dump | psql", found["pg_dump | psql"].wall / ours.wall, 1.5)]
    if "pgcopydb" in there:
        reached.append(goal("speed of pgcopydb's COPY", found["pgcopydb, COPY phase"].wall / ours.wall, 1.45))
    limit = found["psql COPY | psql COPY"].wall
    print(f"  speed of the raw limit: {limit / ours.wall:.2f}x; where a step opens the rows and makes them anew: "
          f"{limit / found['neuron, with a step'].wall:.2f}x")
    reached += [
        goal("client CPU per million rows", ours.cpu / ROWS * 1e6, 0.30, " s", at_least=False),
        goal("memory, one reader", ours.rss, 32, " MB", at_least=False),
        goal("speed with two readers of that with one", ours.wall / found["neuron, parallel: 2"].wall, 0.97),
    ]
    for name, wall in once(yard, there).items():
        print(f"  speed of {name}: {wall * ROWS / ours.wall:.1f}x")
    return all(reached)


def readers(yard):
    found = alternate({"reading alone": lambda: yard.pipeline("read1"),
                       "reading alone, parallel: 2": lambda: yard.pipeline("read2")}, ROUNDS)
    yard.empty()
    eight = yard.pipeline("load8")
    yard.check("parallel: 8")
    show("neuron, parallel: 8", eight)
    return all([goal("speed of two readers", found["reading alone"].wall / found["reading alone, parallel: 2"].wall, 1.3),
                goal("memory, eight readers", eight.rss, 64, " MB", at_least=False)])


def slope(yard):
    """Twice the noise of a process's size is no slope."""
    yard.empty()
    few = yard.pipeline("load_few")
    yard.empty()
    many = yard.pipeline("load_many" if SLOPE_ROWS else "load1")
    print(f"  memory: {few.rss:.1f} MB for {ROWS // 10} rows, {many.rss:.1f} MB for {SLOPE_ROWS or ROWS}")
    return goal("memory that grows with the rows", many.rss - few.rss, 2, " MB", at_least=False)


def main():
    there = peers()
    yard = Yard()
    try:
        return all([loads(yard, there), readers(yard), slope(yard)])
    finally:
        yard.server.close()
        shutil.rmtree(yard.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
