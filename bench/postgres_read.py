"""Reading a PostgreSQL table of 16 columns, beside psql that only takes the bytes: rows/s and the client's CPU."""

import os
import sys

from measure import NEURON, ROOT, best, goal, run, show

sys.path.insert(0, os.path.join(ROOT, "tests"))
from postgres import Postgres, binaries  # noqa: E402

ROWS = int(os.environ.get("BENCH_POSTGRES_ROWS", 1_000_000))
TABLE = """
CREATE TABLE wide AS SELECT i::bigint AS id, (i %% 1000)::int AS a, (i %% 7)::smallint AS b, i %% 2 = 0 AS c,
  (i * 1.01)::numeric(12,2) AS d, (i / 3.0)::numeric AS e, i / 7.0::float8 AS f, (i / 7.0)::float4 AS g,
  'name ' || i AS h, 'a longer text of the row with number ' || i AS j, md5(i::text) AS k,
  '2024-01-01'::date + i %% 1000 AS l, '2024-01-01'::timestamp + i * interval '1 s' AS m,
  '2024-01-01'::timestamptz + i * interval '1.001 s' AS n, CASE WHEN i %% 10 > 0 THEN 'x' || i %% 100 END AS o,
  md5(i::text)::uuid AS p FROM generate_series(1, %d) i;
VACUUM ANALYZE wide;
"""


def neuron(url, folder, rows):
    """Every row is read and decoded, none is written."""
    done = run([NEURON, "copy", url, "out.ndjson", "--from-table", "wide", "--where", "id < 0"], cwd=folder)
    assert f'"records_extracted":{rows},' in done.output, done.output
    return done


def main():
    server = Postgres()
    try:
        server.psql(TABLE % ROWS)
        url = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
        psql = [os.path.join(binaries(), "psql"), url, "-XAtqc", "COPY wide TO STDOUT (FORMAT binary)", "-o",
                "/dev/null"]
        limit = best(3, lambda: run(psql))
        ours = best(3, lambda: neuron(url, server.folder, ROWS))
        show("psql COPY binary, bytes only", limit)
        show("neuron, typed columns", ours)
        millions = ROWS / 1e6
        print(f"  {ROWS / ours.wall / 1000:.0f} k rows/s, psql {ROWS / limit.wall / 1000:.0f} k rows/s")
        reached = goal("wall of psql by ours", limit.wall / ours.wall, 0.9)
        reached &= goal("client CPU per million rows", ours.cpu / millions, 0.3, " s", at_least=False)
        return reached & goal("memory", ours.rss, 32, " MB", at_least=False)
    finally:
        server.close()
