"""`neuron verify` between two PostgreSQL databases: the servers compare, rows come only from where they differ."""

import json
import zlib

import pytest
from postgres import Database

CONFIG = """
connections: {{ a: "{a}", b: "{b}" }}
pipelines:
  p:
    from: a
    {what}
    steps: {steps}
    to: b
    table: t
    {key}
    ignore_for_change: [loaded]
"""

TABLE = """CREATE TABLE raw (id bigint PRIMARY KEY, part text, code text, name varchar(40), amount numeric(18,2),
    rate float4, at timestamptz(3), day date, flag boolean, doc jsonb, tags text[], bytes bytea, place inet, pause interval);
INSERT INTO raw SELECT i, 'k' || i % 7, 'code é' || i, CASE WHEN i % 5 > 0 THEN 'n' || i END, i * 1.25 - 5, i / 3.0,
    '2024-01-01'::timestamptz + i * interval '1.5 s', '2024-01-01'::date + i % 400, i % 3 = 0,
    jsonb_build_object('i', i, 'n', NULL), ARRAY['a', NULL, i::text], decode(to_hex(i + 4096), 'hex'),
    ('10.0.' || i % 250 || '.1')::inet, make_interval(months => i % 14, secs => i)
    FROM generate_series(1, 5000) AS i"""


class Pair:
    def __init__(self, neuron, server, name):
        self.neuron = neuron
        self.a, self.b = Database(server, name + "_a"), Database(server, name + "_b")
        self.a(TABLE)

    def load(self, key="key: [id]", steps="[]", what="from_table: raw"):
        self.neuron.write("neuron.yaml", CONFIG.format(a=self.a.url, b=self.b.url, key=key, steps=steps, what=what))
        return self.neuron.result("etl", "p")

    def verify(self, *args, code=0):
        return json.loads(self.neuron("verify", "p", "--json", *args, code=code).stdout)

    def differing(self, *args):
        found = self.verify(*args, code=1)
        assert found["fingerprints"] == "server", found
        return found, {(tuple(k["key"].values()), k["difference"]) for k in found["keys"]}


@pytest.fixture
def pair(neuron, server, request):
    return Pair(neuron, server, f"v{zlib.crc32(request.node.name.encode()):x}")


def assert_equal_unread(found, rows=5000):
    assert (found["status"], found["source_rows"], found["target_rows"]) == ("equal", rows, rows), found
    assert (found["fingerprints"], found["fingerprints_why"], found["rows_read"]) == ("server", None, 0), found
    assert found["ranges_differing"] == 0 and found["ranges"] > 30


def test_equal_sides_are_compared_without_reading_rows(pair):
    pair.load()
    assert_equal_unread(pair.verify())
    text = pair.neuron("verify", "p").stdout
    assert text.startswith("EQUAL p: 5000 rows") and "0 rows read" in text


@pytest.mark.parametrize("key,select", [("[id]", "id"), ("[part, id]", "id, part"), ("[code]", "code")])
def test_every_difference_is_found_and_mended(pair, key, select):
    pair.load(f"key: {key}")
    pair.b("""UPDATE t SET name = 'other' WHERE id = 77; UPDATE t SET amount = NULL WHERE id = 78;
              UPDATE t SET name = '' WHERE id = 80; DELETE FROM t WHERE id IN (10, 4000)""")
    found, keys = pair.differing()
    assert (found["missing"], found["different"], found["extra"]) == (2, 3, 0)
    rows = pair.a.rows(f"SELECT id AS i, {select} FROM raw WHERE id IN (10, 77, 78, 80, 4000) ORDER BY 1")
    columns = select.split(", ")
    assert keys == {(tuple(row[column] for column in columns), "missing" if row["i"] in (10, 4000) else "different")
                    for row in rows}
    assert 0 < found["rows_read"] < 3 * 5000
    before = pair.b("SELECT count(*) FROM neuron_loads")
    fixed = pair.verify("--repair")
    assert fixed["repaired"] and int(pair.b("SELECT count(*) FROM neuron_loads")) == int(before) + 1
    # Only ranges that differed were loaded, and of those rows only what differed was written.
    assert int(pair.b("SELECT inserted + updated FROM neuron_loads ORDER BY epoch DESC LIMIT 1")) == 5
    assert_equal_unread(pair.verify())


def test_few_differences_in_a_big_table_are_read_alone(pair):
    pair.a("INSERT INTO raw (id, name) SELECT i, 'more' FROM generate_series(5001, 100000) AS i")
    pair.load()
    pair.b("UPDATE t SET name = 'x' WHERE id = 66666; DELETE FROM t WHERE id = 99999; INSERT INTO t (id) VALUES (-1)")
    found, keys = pair.differing()
    assert keys == {((66666,), "different"), ((99999,), "missing"), ((-1,), "extra")}
    assert found["rows_read"] < 12000  # three passes over 3 of 64 * 64 ranges
    extracted = pair.verify("--repair", code=1)
    assert extracted["extra"] == 1 and extracted["missing"] == extracted["different"] == 0
    assert int(pair.b("SELECT inserted + updated + unchanged FROM neuron_loads ORDER BY epoch DESC LIMIT 1")) < 5000


def test_rows_that_only_the_target_has(pair):
    pair.load()
    pair.b("INSERT INTO t (id, name) VALUES (9000000000000000000, 'ghost')")
    _, keys = pair.differing()
    assert keys == {((9000000000000000000,), "extra")}


def test_values_that_changed_places_are_seen(pair):
    pair.load()
    pair.b("UPDATE t SET name = CASE id WHEN 21 THEN 'n22' ELSE 'n21' END WHERE id IN (21, 22)")
    assert pair.differing()[0]["different"] == 2


@pytest.mark.parametrize("change", [
    "name = NULL WHERE id = 1", "name = '' WHERE id = 5", "amount = amount + 0.01 WHERE id = 3",
    "rate = rate + 0.001 WHERE id = 3", "at = at + interval '1 ms' WHERE id = 3", "day = NULL WHERE id = 3",
    "flag = NOT flag WHERE id = 3", "doc = doc - 'n' WHERE id = 3", "tags = ARRAY['a', 'NULL', '3'] WHERE id = 3",
    "tags = ARRAY['a,', NULL, '3'] WHERE id = 3", "bytes = bytes || '\\x00' WHERE id = 3",
    "place = '10.0.3.1/24' WHERE id = 3", "pause = pause + interval '30 days' - interval '1 month' WHERE id = 14"])
def test_each_type_is_compared_by_value(pair, change):
    pair.load()
    pair.b("UPDATE t SET " + change)
    found, keys = pair.differing()
    assert (found["different"], len(keys), found["missing"], found["extra"]) == (1, 1, 0, 0)


def test_types_that_hold_the_same_values(pair):
    pair.b("""CREATE TABLE t (id int PRIMARY KEY, part varchar(9), code varchar(20), name text, amount numeric, rate float8,
              at timestamptz, day date, flag boolean, doc jsonb, tags text[], bytes bytea, place inet, pause interval)""")
    pair.load()
    assert pair.b("SELECT count(*) FROM t WHERE scale(amount) > 0 AND trim_scale(amount)::text <> amount::text") != "0"
    assert_equal_unread(pair.verify())
    pair.b("ALTER TABLE t ALTER id TYPE numeric(20,4), ALTER amount TYPE numeric(30,6)")
    assert_equal_unread(pair.verify())


def test_equal_values_with_other_texts_are_equal(pair):
    """-0 and 0: the servers' texts differ, the rows that are read don't."""
    pair.a("UPDATE raw SET rate = 0 WHERE id < 4")
    pair.load()
    pair.b("UPDATE t SET rate = '-0' WHERE id < 4")
    found = pair.verify()
    assert (found["status"], found["fingerprints"], found["ranges_differing"] > 0) == ("equal", "server", True)


def test_selected_and_dropped_columns_and_nulls(pair):
    pair.load(steps='[ { drop_nulls: [name, day] }, { select: "* EXCEPT (rate, name), name AS label, now() AS loaded" },'
                    ' { drop_nulls: [label] } ]')
    assert_equal_unread(pair.verify(), 4000)
    pair.b("DELETE FROM t WHERE id = 8; UPDATE t SET label = 'n10' WHERE id = 9")
    assert pair.differing()[1] == {((8,), "missing"), ((9,), "different")}


@pytest.mark.parametrize("steps,why", [
    ("[ { where: amount > 0 } ]", "step 1 (where)"), ("[ { drop_duplicates: all } ]", "step 1 (drop_duplicates)"),
    ('[ { select: "*, upper(name) AS up" } ]', "\"up\" is computed"),
    ('[ { select: "*, upper(name) AS up" }, { drop_nulls: [up] } ]', "drops by a computed column")])
def test_what_the_servers_cannot_compute_is_compared_here(pair, steps, why):
    pair.load(steps=steps)
    found = pair.verify()
    assert (found["status"], found["fingerprints"]) == ("equal", "client") and why in found["fingerprints_why"]
    assert found["rows_read"] == found["source_rows"] + found["target_rows"] > 7000
    assert why in pair.neuron("verify", "p").stdout


@pytest.mark.parametrize("column", ["amount float8", "day text", "doc text", "doc json", "place text", "rate numeric"])
def test_types_of_other_kinds_are_compared_here(pair, column):
    name = column.split()[0]
    pair.b(f"CREATE TABLE t (id bigint PRIMARY KEY, {column})")
    pair.load(steps=f'[ {{ select: "id, {name}" }} ]')
    assert f"\"{name}\"" in pair.verify()["fingerprints_why"]


def test_a_query_with_parameters_and_a_cursor(pair):
    pair.load(what="query: \"SELECT * FROM raw WHERE id > :low AND part <> ':low'\"\n    params: { low: 2000 }\n"
                   "    incremental: { cursor: id }")
    assert_equal_unread(pair.verify(), 3000)
    pair.b("DELETE FROM t WHERE id = 2001")
    assert pair.differing()[1] == {((2001,), "missing")}
    watermark = pair.b("SELECT watermark FROM neuron_loads ORDER BY epoch DESC LIMIT 1")
    pair.verify("--repair")
    assert pair.b("SELECT watermark FROM neuron_loads ORDER BY epoch DESC LIMIT 1") == watermark == "5000"


def test_without_a_key_rows_are_counted(pair):
    pair.load(key="mode: append")
    assert_equal_unread(pair.verify())
    pair.b("INSERT INTO t SELECT * FROM t WHERE id = 50; DELETE FROM t WHERE id = 51")
    found = pair.verify(code=1)
    assert (found["missing"], found["extra"], found["different"], found["fingerprints"]) == (1, 1, 0, "server")
    assert sorted((k["key"]["id"], k["difference"]) for k in found["keys"]) == [(50, "extra"), (51, "missing")]


def test_a_key_that_comes_twice_is_what_the_load_makes_of_it(pair):
    pair.load(what='query: "SELECT * FROM raw UNION ALL SELECT * FROM raw WHERE id < 4"')
    found = pair.verify()
    assert (found["status"], found["source_rows"], found["target_rows"]) == ("equal", 5003, 5000)
    assert (found["fingerprints"], found["superseded"]) == ("server", 3)


def test_empty_sides_and_null_keys(pair):
    pair.a("TRUNCATE raw")
    pair.load()
    assert pair.verify()["status"] == "equal"
    pair.b("INSERT INTO t (id, name) VALUES (1, 'x')")
    assert pair.differing()[1] == {((1,), "extra")}
    pair.b("ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER id DROP NOT NULL; INSERT INTO t (name) VALUES ('nobody')")
    assert pair.differing()[1] == {((1,), "extra"), ((None,), "extra")}
