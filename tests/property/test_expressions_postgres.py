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
