"""Whatever a role or database sets for its sessions, the same types and values arrive."""

import json

import pytest
from postgres import Database

TYPES = """CREATE TABLE t (id bigint PRIMARY KEY, a boolean, b smallint, c int, e real, f double precision, g numeric, h numeric(12,3),
    i text, j varchar(20), k char(3), l bytea, m date, n time, o timetz, p timestamp, q timestamptz, r interval, s uuid, u json,
    v jsonb, w text[], x int[][], y inet, z cidr, aa macaddr, ab xml, ac int4range, ad tstzrange, ae daterange, af point, ag bit(3),
    ah varbit, ai tsvector, aj bytea[], ak timestamptz[], al interval[], am float8[], an numrange, "Odd ""Name" text, ao path,
    ap "char", aq name, ar oid, at mood, au email, av date[])"""
ROW = r"""(1, true, -1, 2, 0.1, 1e-307, 123456789012345678901234567890.5, -1.5, E'a\\b''c\n', 'ä', 'x', '\x00ff27', '2024-02-03', '1:2:3.4',
    '1:2:3+05', '2024-02-03 04:05:06.7', '2024-02-03 04:05:06.7+09', '-1 mon 3 days 00:00:01.5', '00000000-0000-0000-0000-000000000001',
    '{"a" :  "x\\y"}', '{"b": [1.50, null]}', E'{a,NULL,"NULL","q\\"u,o"}', '{{1,2},{3,NULL}}', '10.0.0.1/8', '10.0.0.0/8',
    '08:00:2b:01:02:03', 'a <b>c</b>', '[1,5)', '["2024-01-01 00:00:00+00",)', '[2024-01-01,2024-02-01)', '(1.5,-2)', '101', '11',
    'a:1A b', ARRAY['\x00ff'::bytea], ARRAY['2024-07-01 12:00+02'::timestamptz], ARRAY['1 year 2 mons'::interval],
    '{0.1,NaN,1e300}', '[0.1,2.5]', E'it\\''s', '((0,0),(1,1.5))', 'c', 'nam', 4000000000, 'so so', 'a@b.c', '{2024-12-31,infinity}')"""

SETTINGS = ["quote_all_identifiers = on", "standard_conforming_strings = off", "DateStyle = 'SQL, DMY'", "DateStyle = 'German'",
            "DateStyle = 'Postgres, MDY'", "IntervalStyle = 'iso_8601'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'",
            "extra_float_digits = -10", "xmloption = 'document'", "xmlbinary = 'hex'", "array_nulls = off",
            "transform_null_equals = on", "backslash_quote = off", "escape_string_warning = on", "client_encoding = 'LATIN1'",
            "client_min_messages = 'debug1'", "default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on",
            "search_path = 'pg_temp'", "search_path = '\"$user\", public, pg_catalog'", "row_security = off", "exit_on_error = on",
            "idle_in_transaction_session_timeout = '1ms'", "check_function_bodies = off", "gin_fuzzy_search_limit = 1",
            "synchronous_commit = off", "TimeZone = 'Asia/Tokyo'", "enable_seqscan = off", "max_parallel_workers_per_gather = 8",
            "timezone_abbreviations = 'India'", "lc_numeric = 'C'", "session_replication_role = replica",
            "plan_cache_mode = force_generic_plan", "default_toast_compression = 'pglz'", "cursor_tuple_fraction = 0.001",
            "password_encryption = md5", "lc_messages = 'C'"]


@pytest.fixture(scope="module")
def pair(server):
    server.psql("CREATE ROLE guest LOGIN SUPERUSER")
    made = Database(server, "settings_a"), Database(server, "settings_b")
    for db in made:
        db("CREATE TYPE mood AS ENUM ('so so', 'good'); CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')")
    made[0](TYPES)
    made[0](f"INSERT INTO t VALUES {ROW}; INSERT INTO t (id) VALUES (2)")
    return made


def picture(neuron, pair, setting):
    """The types and values of a table that is made, one that is there, and a file, with that setting."""
    a, b = pair
    name = setting.split("=")[0].strip()
    b("DROP TABLE IF EXISTS made, there, neuron_loads; " + TYPES.replace("TABLE t", "TABLE there"))
    a(f"ALTER ROLE guest RESET ALL; {'ALTER ROLE guest SET ' + setting if setting else ''}")
    source, target = (db.url.replace("postgres@", "guest@") for db in pair)
    table = "public.t" if name == "search_path" else "t"
    neuron("copy", source, target, "--from-table", table, "--table", "public.made", "--key", "id", "--mode", "upsert")
    neuron("copy", source, target, "--from-table", table, "--table", "public.there")
    neuron("copy", source, target, "--query", f"SELECT * FROM {table}", "--table", "public.there", "--key", "id", "--mode", "upsert")
    columns = b.rows("SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attnum > 0"
                     " AND attrelid = 'made'::regclass ORDER BY attnum")
    return (columns, b("SELECT * FROM made ORDER BY id"), b("SELECT * FROM there ORDER BY id"))


def test_settings_of_a_role_change_nothing(neuron, pair):
    plain = picture(neuron, pair, "")
    assert plain[2] == pair[0]("SELECT * FROM t ORDER BY id")
    for setting in SETTINGS:
        assert picture(neuron, pair, setting) == plain, setting


def test_naive_times_of_a_query_are_in_the_zone_of_the_session(neuron, pair):
    query = "SELECT timestamp '2024-01-01 09:00' AS naive, (timestamp '2024-01-01 09:00')::timestamptz AS at"
    url = pair[0].url.replace("postgres@", "guest@")

    def at(place):
        return json.loads(neuron("copy", "--query", query, place, "-#ndjson").stdout)

    pair[0]("ALTER ROLE guest RESET ALL")
    assert at(url) == {"naive": "2024-01-01T09:00:00", "at": "2024-01-01T09:00:00Z"}
    assert at(url + "?options=-c%20TimeZone%3DAmerica/New_York")["at"] == "2024-01-01T14:00:00Z"
    pair[0]("ALTER ROLE guest SET TimeZone = 'Asia/Tokyo'")
    assert at(url) == {"naive": "2024-01-01T09:00:00", "at": "2024-01-01T00:00:00Z"}
    neuron.write("neuron.yaml", f"""
connections: {{ source: "{url}", target: "{pair[1].url}" }}
pipelines:
  p: {{ from: source, query: "{query}", to: target, table: zone, mode: append }}
""")
    plan = neuron("etl", "p", "--dry-run").stdout
    assert "Asia/Tokyo" in plan
