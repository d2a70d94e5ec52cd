"""Expressions as their users meet them: semantics, lanes, mistakes."""

import json

import pytest

CASES = [
    # precedence and three-valued logic
    ("1 + 2 * 3", "7"), ("-2 ^ 2", "4"), ("2 + 3 || 'x'", '"5x"'), ("not true or true", "true"),
    ("null and false", "false"), ("null or true", "true"), ("null = null", "null"),
    ("1 is distinct from null", "true"), ("null in (1, null)", "null"), ("1 in (2, 1)", "true"),
    ("3 not in (1, 2)", "true"), ("2 between 1 and 3", "true"), ("2 not between symmetric 3 and 1", "false"),
    ("case when false then 1 end", "null"), ("case 2 when 1 then 'a' when 2 then 'b' end", '"b"'),
    # errors count only where they are reached
    ("false and 1/0 = 1", "false"), ("1/0 = 1 and false", "false"), ("true or 1/0 = 1", "true"),
    ("1/0 = 1 or true", "true"), ("coalesce(1, 1/0)", "1"), ("case when true then 1 else 1/0 end", "1"),
    ("try(1/0)", "null"), ("1/0 catch -1", "-1"), ("'x'::text::int catch 0", "0"),
    ("try(try('a'::text::int) + 1)", "null"),
    # numbers
    ("7 / 2", "3"), ("-7 / 2", "-3"), ("7.0 / 2", "3.5000000000000000"), ("0.1 + 0.2", "0.3"),
    ("9223372036854775807 + 0.0", "9223372036854775807.0"), ("99999999999999999999 + 1", "100000000000000000000"),
    ("1e2", "100"), ("1.50", "1.50"), ("round(2.5)", "3"), ("round(-2.5)", "-3"), ("5 % -3", "2"),
    ("'NaN'::double = 'NaN'::double", "true"), ("'NaN'::double > 1e300::double", "true"),
    ("1::double / 3", "0.3333333333333333"), ("1e20::double", "1e+20"), ("2147483647 + 1", "2147483648"),
    ("12345678901234567890123456789012345678 * 1", "12345678901234567890123456789012345678"),
    # casts
    ("'  12 '::int", "12"), ("2.5::int", "3"), ("2.5::double::int", "2"), ("'t'::boolean", "true"),
    ("true::int", "1"), ("1.005::numeric(5,2)", "1.01"), ("date '2024-02-29'::text", '"2024-02-29"'),
    ("timestamptz '2024-01-01 00:00:00+02'", '"2023-12-31T22:00:00Z"'), ("'abcdef'::varchar(3)", '"abc"'),
    ("'{\"a\": [1]}'::json", '{"a": [1]}'), ("'\\x00ff'::bytea", '"AP8="'),
    ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'),
    # text
    ("'it''s'", '"it\'s"'), ("E'a\\nb'", '"a\\nb"'), ("'a%c' like 'a\\%c'", "true"),
    ("'Straße' ilike 'STRASSE'", "false"), ("'é' like '_'", "true"), ("'' is null", "false"),
    ("length('日本語')", "3"), ("upper('straße')", '"STRASSE"'.replace("STRASSE", "STRAßE")),
    # dates
    ("date '2024-01-31' + interval '1 month'", '"2024-02-29T00:00:00"'), ("date '2024-03-01' - 1", '"2024-02-29"'),
    ("interval '1 day' * 1.5", '"1 day 12:00:00"'), ("extract(epoch from timestamptz '1970-01-02Z')", "86400.000000"),
    ("timestamp '2024-03-31 02:30' at time zone 'Europe/Berlin'", '"2024-03-31T01:30:00Z"'),
    ("timestamp '2024-10-27 02:30' at time zone 'Europe/Berlin'", '"2024-10-27T01:30:00Z"'),
    ("timestamptz '2050-07-01 00:00Z' at time zone 'America/New_York'", '"2050-06-30T20:00:00"'),
]


def test_values(neuron):
    wrong = []
    for expression, wanted in CASES:
        got = neuron("eval", f"({expression}) AS x", stdin="{}\n").stdout.strip()
        if got != '{"x":' + wanted + "}":
            wrong.append((expression, wanted, got))
    assert wrong == []


@pytest.mark.parametrize("expression, message", [
    ("1/0", "division by zero"), ("9223372036854775807 + 1", "out of range"),
    ("'abc'::text::int", 'invalid input syntax for type bigint: "abc"'), ("300000::smallint", "out of range"),
    ("date '2024-01-01' + 99999999999", "out of range"), ("sqrt(-1)", "negative"), ("a::date", "invalid input"),
    ("a > 1", "this is text, not numeric"), ("null and 1/0 = 1", "division by zero"),
])
def test_a_failing_row_goes_to_standard_error(neuron, expression, message):
    done = neuron("eval", f"{expression} AS x", stdin='{"a": "zz"}\n', code=1)
    report = json.loads(done.stderr)
    assert done.stdout == "" and message in report["error"]
    assert report["row"] == {"a": "zz"} and report["at"] >= 1


@pytest.mark.parametrize("select, place, text", [
    ("a +", "a value expected", "    a +\n       ^"), ("fooo(a)", "no function fooo", "^"),
    ("lengthh(a)", "no function lengthh", "did you mean length?"), ("a b c", "expected", "    a b c\n        ^"),
    ("'x", "isn't closed", "^"), ("1 + 'x'", "invalid input syntax", "^"), ("a::inty", "no type", "^"),
    ("upper(1)", "no function upper(bigint)", "there is upper(text -> text)"), ("a, b AS a", "two columns", "AS"),
    ("a ~ '['", "invalid regular expression", "^"), ("1 + true", "no operator +", "cast one side"),
    ("(" * 300 + "1" + ")" * 300, "nested too deeply", "^"), ("1;", "no meaning here", "semicolon"),
])
def test_mistakes_are_shown_with_their_place(neuron, select, place, text):
    done = neuron("eval", select, stdin="", code=2)
    assert place in done.stderr and text in done.stderr


def test_paths_stars_and_nulls(neuron):
    rows = neuron.eval('*, a.b[1] AS x, a."odd key" AS y, missing AS z', [{"a": {"b": [1, "q"], "odd key": True}}])
    assert rows == [{"a": {"b": [1, "q"], "odd key": True}, "x": "q", "y": True, "z": None}]
    assert neuron.eval("* EXCEPT (b)", [{"a": 1, "b": 2}]) == [{"a": 1}]
    assert neuron.eval("* REPLACE (a + 1 AS a)", [{"b": 2, "a": 1}]) == [{"b": 2, "a": 2}]
    assert neuron.eval("timestamp AS t, type, date", [{"timestamp": 5, "type": "x", "date": None}]) == [
        {"t": 5, "type": "x", "date": None}]


def test_numbers_pass_with_all_their_digits(neuron):
    lines = '{"a": 12345678901234567890.123456789012345678, "b": 1.50, "c": 1e400}\n'
    assert neuron("eval", "a, b, b + 1 AS d", stdin=lines).stdout == (
        '{"a":12345678901234567890.123456789012345678,"b":1.50,"d":2.50}\n')
    assert neuron("eval", "*", stdin=lines).stdout.strip() == lines.strip()


def test_invalid_json_is_named_and_costs_one_row(neuron):
    done = neuron("eval", "a", stdin='{"a": 1}\n{"a": 01}\n[1]\n{"a": 2}\n', code=1)
    assert done.stdout == '{"a":1}\n{"a":2}\n'
    reports = [json.loads(line) for line in done.stderr.splitlines()]
    assert [r["row"] for r in reports] == ['{"a": 01}', "[1]"] and "line 2" in reports[0]["error"]


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 2047, 2048, 2049, 5000])
def test_a_row_counts_for_itself(neuron, size):
    """The same rows in one run and one by one give the same bytes."""
    kinds = [1, 2.5, "x", None, True, 12345678901234567890, {"k": 1}, "12"]
    lines = [json.dumps({"a": kinds[i % 8], "b": i}) for i in range(size)]
    select = "try(a + 1) AS s, a::text AS t, coalesce(try(a::numeric), b) AS c, row_hash(a) AS h, b % 7 = 3 AS m"
    whole = neuron("eval", select, stdin="\n".join(lines) + "\n").stdout.splitlines()
    assert len(whole) == size
    for i in range(0, size, max(1, size // 8)):
        assert neuron("eval", select, stdin=lines[i] + "\n").stdout.strip() == whole[i]


def test_where_and_explain(neuron):
    done = neuron("eval", "a", "--where", "a > 1", stdin='{"a":1}\n{"a":2}\n{"a":null}\n')
    assert done.stdout == '{"a":2}\n'
    shown = neuron("eval", "a.b + 1 AS x, c", "--explain").stdout
    assert "x: numeric, can fail" in shown and "a.b" in shown and "c" in shown
