"""Generated expressions over edge values give what a real PostgreSQL gives."""

import json
import os
import random
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from conftest import PROGRAM  # noqa: E402
from postgres import Postgres  # noqa: E402

VALUES = {
    "bigint": ["0", "1", "-1", "7", "42", "-13", "100000", "9223372036854775807", "NULL::bigint"],
    "numeric": ["0.0", "1.5", "-2.25", "0.001", "123456.789", "-99999.99999", "1e10", "NULL::numeric", "100.00"],
    "double precision": ["0::float8", "1.5::float8", "-2.25::float8", "1e10::float8", "'NaN'::float8", "NULL::float8"],
    "text": ["''", "'a'", "'Abc'", "'héllo wörld'", "'  pad '", "'a,b,,c'", "'100'", "NULL::text", "'日本語'"],
    "boolean": ["true", "false", "NULL::boolean"],
    "date": ["date '2024-02-29'", "date '1999-12-31'", "date '2000-01-01'", "NULL::date", "date '1600-03-01'"],
    "timestamp": ["timestamp '2024-02-29 13:45:06.789'", "timestamp '1999-12-31 23:59:59'", "NULL::timestamp"],
    "interval": ["interval '1 month'", "interval '1 day 02:03:04.5'", "interval '-3 hours'", "NULL::interval"],
}
# result type -> templates; {type} is an expression of that type
SHAPES = {
    "bigint": ["{bigint} + {bigint}", "{bigint} - {bigint}", "{bigint} * {bigint}", "{bigint} / {bigint}",
               "{bigint} % {bigint}", "-({bigint})", "abs({bigint})", "length({text})", "position({text} in {text})",
               "ascii({text})", "case when {boolean} then {bigint} else {bigint} end", "coalesce({bigint}, {bigint})",
               "greatest({bigint}, {bigint})", "nullif({bigint}, {bigint})", "({numeric})::bigint", "sign({bigint})::bigint",
               "({date} - {date})::bigint", "octet_length({text})", "strpos({text}, {text})", "mod({bigint}, {bigint})"],
    "numeric": ["{numeric} + {numeric}", "{numeric} - {numeric}", "{numeric} * {numeric}", "{numeric} / {numeric}",
                "{numeric} % {numeric}", "round({numeric})", "round({numeric}, 2)", "trunc({numeric}, 1)", "floor({numeric})",
                "ceil({numeric})", "abs({numeric})", "{bigint} + {numeric}", "{numeric} / {bigint}", "({bigint})::numeric",
                "extract(year from {date})", "extract(epoch from {timestamp})", "extract(dow from {timestamp})",
                "extract(second from {timestamp})", "extract(week from {date})", "extract(doy from {date})", "sign({numeric})",
                "extract(hour from {interval})", "least({numeric}, {numeric})", "({numeric})::numeric(10,2)"],
    "double precision": ["{double precision} + {double precision}", "{double precision} * {double precision}",
                         "{double precision} / {double precision}", "abs({double precision})", "floor({double precision})",
                         "({bigint})::float8", "({numeric})::float8"],
    "text": ["{text} || {text}", "upper({text})", "lower({text})", "substring({text} from 2)", "left({text}, 2)",
             "substring({text} from 2 for 2)", "right({text}, 2)", "trim({text})", "lpad({text}, 5, '*')", "rpad({text}, 4)",
             "replace({text}, 'a', 'xy')", "reverse({text})", "split_part({text}, ',', 2)", "repeat({text}, 2)",
             "initcap({text})", "translate({text}, 'ab', 'X')", "({bigint})::text", "({numeric})::text", "({date})::text",
             "({timestamp})::text", "({boolean})::text", "({interval})::text", "concat({text}, {bigint})", "md5({text})",
             "concat_ws('-', {text}, {text})", "coalesce({text}, {text})", "regexp_replace({text}, '[a-c]', '#')",
             "case when {boolean} then {text} end", "ltrim({text})", "overlay({text} placing 'Z' from 2)",
             "left({text}, -1)", "chr(65)", "btrim({text}, 'a ')"],
    "boolean": ["{bigint} = {bigint}", "{bigint} < {bigint}", "{numeric} <= {numeric}", "{text} = {text}", "{text} < {text}",
                "{boolean} and {boolean}", "{boolean} or {boolean}", "not {boolean}", "{bigint} is null",
                "{text} is not null", "{bigint} between {bigint} and {bigint}", "{bigint} in ({bigint}, {bigint})",
                "{text} like '%a%'", "{text} ilike 'A_c'", "{text} ~ '^[a-z]'", "{bigint} is distinct from {bigint}",
                "{date} < {date}", "{timestamp} >= {timestamp}", "{boolean} is true", "{bigint} = {numeric}",
                "{double precision} = {double precision}", "{double precision} > {double precision}",
                "{interval} < {interval}", "starts_with({text}, {text})", "{text} not like '_'"],
    "date": ["{date} + 1", "{date} - 30", "({timestamp})::date", "coalesce({date}, {date})"],
    "timestamp": ["{timestamp} + {interval}", "{timestamp} - {interval}", "date_trunc('month', {timestamp})",
                  "date_trunc('week', {timestamp})", "{date} + {interval}", "({date})::timestamp", "date_trunc('hour', {timestamp})"],
    "interval": ["{timestamp} - {timestamp}", "{interval} + {interval}", "{interval} * 2", "age({timestamp}, {timestamp})",
                 "-{interval}"],
}
# Deliberate differences (docs/expressions.md) and what PostgreSQL's own planner makes of constants.
IGNORED = re.compile(r"out of range|overflow")


def generate(chance, kind, depth):
    if depth == 0 or chance.random() < 0.25:
        value = chance.choice(VALUES[kind])
        # Integers are bigint here, int4 there.
        return f"({value}::bigint)" if kind == "bigint" else f"({value})"
    shape = chance.choice(SHAPES[kind])
    return "(" + re.sub(r"\{([a-z ]+)\}", lambda hole: generate(chance, hole[1], depth - 1), shape) + ")"


def of_postgres(server, expressions):
    """(value as text or None, error) of each."""
    answers = []
    script = "\n".join(f"SELECT coalesce(({e})::text, '<NULL>');\n\\echo =" for e in expressions)
    out, err = server.psql("\\set ON_ERROR_STOP off\n" + script)
    parts = out.split("=\n")
    for part in parts[:len(expressions)]:
        text = part[:-1] if part.endswith("\n") else part
        answers.append(("error", None) if text == "" and part == "" else ("value", text))
    return answers, err


def of_neuron(expressions):
    answers = []
    for expression in expressions:
        done = subprocess.run([PROGRAM, "eval", f"coalesce(({expression})::text, '<NULL>') AS x"], input=b"{}\n",
                              capture_output=True, timeout=60, check=False)
        if done.returncode == 0:
            answers.append(("value", json.loads(done.stdout)["x"]))
        elif done.returncode == 1:
            answers.append(("error", json.loads(done.stderr)["error"]))
        else:
            answers.append(("mistake", done.stderr.decode()))
    return answers


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    yield postgres
    postgres.close()


@pytest.mark.parametrize("seed", range(int(os.environ.get("NEURON_SEEDS", "4"))))
def test_expressions_agree(server, seed):
    chance = random.Random(seed)
    expressions = [generate(chance, chance.choice(list(SHAPES)), 3) for _ in range(400)]
    theirs, _ = of_postgres(server, expressions)
    ours = of_neuron(expressions)
    assert len(theirs) == len(ours)
    wrong = []
    for expression, their, our in zip(expressions, theirs, ours):
        if their == our or (their[0] == "error" and our[0] in ("error", "mistake")):
            continue
        if our[0] == "error" and IGNORED.search(our[1] or ""):
            continue
        # `false AND error` is false here, in either order.
        if their[0] == "error" and re.search(r" and | or | in ", expression):
            continue
        wrong.append(f"{expression}\n    PostgreSQL {their}\n    neuron     {our}")
    assert not wrong, f"{len(wrong)} of {len(expressions)} differ:\n" + "\n".join(wrong[:25])


def templates(chance):
    """Calls of to_char, to_date and to_timestamp over many patterns."""
    date_parts = ["YYYY", "YY", "Y", "IYYY", "MM", "Month", "MON", "mon", "FMMonth", "Day", "DY", "fmday", "DD", "DDD", "D",
                  "ID", "IDDD", "HH24", "HH12", "HH", "MI", "SS", "MS", "US", "FF2", "SSSSS", "AM", "p.m.", "Q", "WW", "W",
                  "IW", "CC", "J", "BC", "RM", "rm", "DDth", "FMDDTH", "Y,YYY", "TZ", '"Year YYYY"', "FMMM", "FMHH12"]
    for _ in range(150):
        at = f"{chance.randint(1, 2999):04d}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d} " \
             f"{chance.randint(0, 23):02d}:{chance.randint(0, 59):02d}:{chance.choice(['00', '07.25', '59.999999'])}"
        form = chance.choice(["-", " ", "/", ", "]).join(chance.sample(date_parts, chance.randint(1, 5)))
        yield f"to_char(timestamp '{at}', '{form}')"
    numbers = ["9", "99", "999", "0", "000", "9990", "09", "9,999", "99,999,999", "9.9", "99.99", "0.99", "999.90", "FM999.99",
               "FM9,990.009", "FM0", "S999", "999S", "MI99.9", "99MI", "FM99MI", "PL99", "SG99", "99PR", "FM999.9PR", "999th",
               "FM99TH", "990D99", "9G999", '"x"99', "99 99", "999D9"]
    for _ in range(200):
        value = chance.choice(["0", "0.1", "-0.1", "0.005", "1", "-1", "12", "-485", "485.75", "1234.5", "-99999", "123456789.987",
                               "21", "112", "3", "0.999", "-0.004", "99.995"])
        yield f"to_char({value}::numeric, '{chance.choice(numbers)}')"
    reads = [("29.02.2024", "DD.MM.YYYY"), ("2023-02-29", "YYYY-MM-DD"), ("20240229", "YYYYMMDD"), ("29 Feb 2024", "DD Mon YYYY"),
             ("february 5, 99", "Month DD, YY"), ("05/07/69", "MM/DD/YY"), ("05/07/70", "MM/DD/YY"), ("2024 60", "YYYY DDD"),
             ("2024-13-01", "YYYY-MM-DD"), ("x", "YYYY"), ("  2024 - 1 - 2", "YYYY-MM-DD"), ("240229", "YYMMDD"),
             ("5th Jan 2024", "DDth Mon YYYY"), ("2024/1/2", "YYYY-MM-DD"), ("2024-01-02T00", "YYYY-MM-DD"), ("44 BC", "YYYY BC")]
    for text, form in reads:
        yield f"to_date('{text}', '{form}')"
    for text, form in [("2024-02-29 13:45:07.25", "YYYY-MM-DD HH24:MI:SS.US"), ("01:45 PM 2024-02-29", "HH12:MI AM YYYY-MM-DD"),
                       ("12:00 am 2024-02-29", "HH:MI am YYYY-MM-DD"), ("13:00 2024-02-29", "HH12:MI YYYY-MM-DD"),
                       ("2024-02-29 24:00:01", "YYYY-MM-DD HH24:MI:SS"), ("2024-02-29 10:61", "YYYY-MM-DD HH24:MI"),
                       ("2024-02-29 01:02:03.5", "YYYY-MM-DD HH24:MI:SS.MS"), ("20240229134507", "YYYYMMDDHH24MISS")]:
        yield f"to_timestamp('{text}', '{form}') AT TIME ZONE 'UTC'"


def test_templates_agree(server):
    expressions = list(templates(random.Random(11)))
    theirs, _ = of_postgres(server, expressions)
    wrong = [f"{expression}\n    PostgreSQL {their}\n    neuron     {our}"
             for expression, their, our in zip(expressions, theirs, of_neuron(expressions))
             if their != our and not (their[0] == "error" and our[0] in ("error", "mistake"))]
    assert not wrong, f"{len(wrong)} of {len(expressions)} differ:\n" + "\n".join(wrong[:40])
