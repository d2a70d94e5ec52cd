"""Tables whose rows go from one PostgreSQL to another as they are on the wire: when that is done, and that it is exact."""

import json

import pytest
from postgres import Database

# What no column of ours holds: only rows that nobody opens bring it over.
WIDE = "123456789012345678901234567890123456789012345678901234567890.5"


@pytest.fixture
def pair(server, request):
    name = f"w{hash(request.node.name) % 10**12}"
    return Database(server, name + "_a"), Database(server, name + "_b")


def load(neuron, pair, rest="", mode="append", code=0):
    neuron.write("neuron.yaml", f"""
connections: {{ a: "{pair[0].url}", b: "{pair[1].url}" }}
pipelines:
  p: {{ from: a, from_table: t, to: b, table: t, mode: {mode}{rest} }}
""")
    return neuron("etl", "p", "--json", code=code)


def same(pair, rows):
    sums = [db("SELECT count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM t") for db in pair]
    assert sums[0] == sums[1] and sums[0].split()[0] == str(rows)


TYPES = """CREATE TABLE t (a boolean, b smallint, c int, d bigint, e real, f double precision, g numeric, h numeric(12,3), i text,
    j varchar(20), k char(3), l bytea, m date, n time, o time(3), p timestamp, q timestamptz(0), r interval, s uuid, u json,
    v jsonb, w bigint GENERATED ALWAYS AS IDENTITY)"""
VALUES = f"""INSERT INTO t OVERRIDING SYSTEM VALUE VALUES
    (true, -32768, -2147483648, -9223372036854775808, '-0', 'NaN', {WIDE}, -1.5, '', 'ä', 'x', '\\x00ff', '-infinity',
     '24:00', '1:2:3.456', 'infinity', '2024-02-29', '-1 mon 3 days 00:00:00.000001', gen_random_uuid(), '{{"a" :  1}}',
     '{{"b": [1.50, null]}}', 7),
    (NULL, NULL, NULL, NULL, 'Infinity', NULL, 'NaN', NULL, NULL, NULL, NULL, NULL, '5874897-12-31', NULL, NULL,
     '294276-12-31 23:59:59.999999', NULL, NULL, NULL, NULL, NULL, 8),
    (false, 1, 2, 3, 0.1, 1e-307, '-Infinity', 0, repeat('long ', 100000), 'y', 'abc', '', '4713-01-01 BC', '0:0', '0:0',
     '4713-01-01 BC', '1970-01-01', '0', '00000000-0000-0000-0000-000000000000', 'null', '"text"', 9)"""


@pytest.mark.parametrize("parallel", [1, 3])
def test_rows_of_all_types_arrive_as_they_are(neuron, pair, parallel):
    for db in pair:
        db(TYPES)
    pair[0](VALUES)
    pair[0]("INSERT INTO t (b, g, i) SELECT i % 30000, i / 7.0, 'row ' || i FROM generate_series(1, 30000) AS i")
    result = json.loads(load(neuron, pair, f", parallel: {parallel}").stdout)
    assert (result["records_extracted"], result["records_loaded"], result["inserted"]) == (30003,) * 3
    same(pair, 30003)
    load(neuron, pair)
    assert pair[1]("SELECT count(*) FROM t") == "60006"
    assert pair[1]("SELECT string_agg(records_loaded::text, ' ' ORDER BY epoch) FROM neuron_loads") == "30003 30003"
    load(neuron, pair, mode="replace")
    same(pair, 30003)


def test_an_empty_table(neuron, pair):
    for db in pair:
        db("CREATE TABLE t (id bigint)")
    assert json.loads(load(neuron, pair).stdout)["records_loaded"] == 0


@pytest.mark.parametrize("there", ["id bigint PRIMARY KEY", "id bigint CHECK (id > 0)", "id bigint DEFAULT 7 NOT NULL UNIQUE"])
def test_what_the_target_may_refuse_is_looked_at(neuron, pair, there):
    """Constraints: the row that is refused is named, as with any source."""
    pair[0]("CREATE TABLE t (id bigint, v text); INSERT INTO t VALUES (1, 'a'), (-1, 'b'), (-1, 'c')")
    pair[1](f"CREATE TABLE t ({there}, v text)")
    assert "row" in load(neuron, pair, code=1).stderr
    assert pair[1]("SELECT count(*) FROM t") == "0"
    result = json.loads(load(neuron, pair, ", rejects: bad").stdout)
    assert (result["records_loaded"], result["records_rejected"]) == ((1, 2) if "CHECK" in there else (2, 1))


@pytest.mark.parametrize("ours, theirs", [
    ("text", "varchar(4)"), ("varchar(40)", "varchar(4)"), ("bigint", "int"), ("numeric(9,3)", "numeric(9,2)"),
    ("timestamptz", "timestamptz(0)"), ("text", "short")])
def test_types_that_differ_are_converted_or_refused(neuron, pair, ours, theirs):
    pair[1]("CREATE DOMAIN short AS text CHECK (length(value) < 5)")
    good, bad = {"big": ("7", "3000000000"), "num": ("1.5", "1.234"), "tim": ("2024-01-01", "2024-01-01 00:00:00.5")}.get(
        ours[:3], ("abcd", "abcdefgh"))
    pair[0](f"CREATE TABLE t (v {ours}); INSERT INTO t VALUES ('{good}')")
    pair[1](f"CREATE TABLE t (v {theirs})")
    load(neuron, pair)
    assert pair[1]("SELECT count(*) FROM t") == "1"
    pair[0](f"INSERT INTO t VALUES ('{bad}')")
    assert load(neuron, pair, code=1).stderr
    assert pair[1]("SELECT count(*) FROM t") == "1"


def test_null_where_there_must_be_none(neuron, pair):
    pair[0]("CREATE TABLE t (id bigint, v text); INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'c')")
    pair[1]("CREATE TABLE t (id bigint, v text NOT NULL)")
    err = load(neuron, pair, code=1).stderr
    assert 'load: row 2: postgresql: null value in column "v"' in err and "`rejects:`" in err
    assert pair[1]("SELECT count(*) FROM t") == "0"
    result = json.loads(load(neuron, pair, ", rejects: bad").stdout)
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    assert pair[1]("SELECT data->>'id', \"column\" FROM bad") == "2|v"


def test_columns_by_name_not_by_place(neuron, pair):
    pair[0]("CREATE TABLE t (a int, b int, c int); ALTER TABLE t DROP COLUMN b; INSERT INTO t VALUES (1, 3)")
    pair[1]("CREATE TABLE t (c int, x int DEFAULT 5, a int)")
    load(neuron, pair)
    assert pair[1]("SELECT a, c, x FROM t") == "1|3|5"


def test_steps_and_limits_open_the_rows(neuron, pair):
    for db in pair:
        db("CREATE TABLE t (id bigint, v text)")
    pair[0]("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) AS i")
    load(neuron, pair, ", steps: [ where: id % 2 = 0, select: '*, upper(v) AS w' ]")
    assert pair[1]("SELECT count(*), min(w) FROM t") == "50|V10"
    pair[1]("TRUNCATE t")
    neuron("etl", "p", "--limit", "7")
    assert int(pair[1]("SELECT count(*) FROM t")) <= 7
