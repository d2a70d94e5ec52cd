"""Every function, operator and cast that PostgreSQL has for the types that expressions have: how many are refused, and
whether those that are taken give the same over edge values. `-s` prints the share and the list."""

import itertools
import json
import os
import random
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import PROGRAM

# PostgreSQL's type: edge values. Other widths of a type (int2, int4, real, varchar) are the same form here.
EDGES = {
    "bool": ["true", "false"],
    "int4": ["2", "0", "-1", "7", "1"],
    "int8": ["2::bigint", "0::bigint", "-7::bigint", "9000000000::bigint"],
    "numeric": ["1.5", "0.0", "-2.25", "100.00", "7.0", "0.001"],
    "float8": ["0.5::float8", "0::float8", "-1.5::float8", "1e10::float8"],
    "text": ["'a'", "''", "'Abc'", "'héllo wörld'", "'a,b,,c'", "'42'"],
    "bytea": [r"'\x6162'::bytea", r"''::bytea", r"'\x00ff80'::bytea"],
    "date": ["date '2024-02-29'", "date '1999-12-31'", "date '0044-03-15 BC'"],
    "time": ["time '13:45:06.789'", "time '00:00'", "time '23:59:59.999999'"],
    "timestamp": ["timestamp '2024-02-29 13:45:06.789'", "timestamp '1999-12-31 23:59:59'"],
    "timestamptz": ["timestamptz '2024-02-29 13:45:06+00'", "timestamptz '1969-12-31 23:59:59.5+00'"],
    "interval": ["interval '1 day 02:03:04.5'", "interval '-3 hours'", "interval '1 hour'", "interval '1 mon'"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "'00000000-0000-0000-0000-000000000000'::uuid"],
    "json": ["""'{"a":{"b":[1,2]},"c":null}'::json""", "'[1,\"x\",null]'::json"],
    "jsonb": ["""'{"a":{"b":[1,2]},"c":null}'::jsonb""", "'[1,\"x\",null]'::jsonb", "'{}'::jsonb"],
    "_int4": ["ARRAY[2]"], "_text": ["ARRAY['a','b']", "ARRAY['b',NULL]"],
    "anyarray": ["ARRAY[1,2]", "ARRAY[2,NULL,2]"],
    "anyelement": ["2", "7"],
    "any": ["'a'::text", "2", "NULL::text"],
    "jsonpath": ["'$.a'", "'$.a.b[1]'", "'$'"],
}
SAME = {"anycompatiblearray": "anyarray", "anycompatible": "anyelement", "anynonarray": "anyelement"}
# Texts that mean something to the function: (function, argument's number) -> values.
WORDS = {
    ("date_trunc", 0): ["'day'", "'month'", "'hour'"], ("date_part", 0): ["'year'", "'epoch'", "'dow'"],
    ("extract", 0): ["'hour'"], ("encode", 1): ["'hex'", "'escape'"], ("decode", 1): ["'escape'"], ("timezone", 0): ["'UTC'", "'Europe/Berlin'"],
    ("date_trunc", 2): ["'Europe/Berlin'", "'UTC'"], ("to_char", 1): ["'9999.99'", "'YYYY-MM-DD HH24:MI'"],
    ("to_date", 0): ["'2024-02-29'"], ("to_date", 1): ["'YYYY-MM-DD'"], ("to_timestamp", 0): ["'2024-02-29'"],
    ("to_timestamp", 1): ["'YYYY-MM-DD'"], ("to_number", 0): ["'42'"], ("to_number", 1): ["'99'"],
    ("normalize", 1): ["NFC"], ("is_normalized", 1): ["'NFC'"], ("convert_to", 1): ["'UTF8'"], ("convert_from", 1): ["'UTF8'"],
    ("regexp_replace", 5): ["'i'"], ("regexp_count", 3): ["'i'"], ("regexp_instr", 5): ["'i'"], ("regexp_substr", 4): ["'i'"],
    ("regexp_like", 2): ["'i'"], ("regexp_match", 2): ["'i'"], ("regexp_split_to_array", 2): ["'i'"], ("regexp_replace", 3): ["'g'", "2"],
    ("make_timestamptz", 6): ["'UTC'"], ("make_date", 0): ["2024"], ("make_timestamp", 0): ["2024"], ("make_timestamptz", 0): ["2024"],
    ("like_escape", 1): ["'!'"], ("similar_to_escape", 1): ["'!'"], ("set_byte", 1): ["0"], ("get_byte", 1): ["0"], ("get_bit", 1): ["0"],
    ("set_bit", 1): ["0"], ("set_bit", 2): ["1"], ("width_bucket", 3): ["5"], ("chr", 0): ["65", "8364"], ("unistr", 0): ["'\\0061'"],
    ("log", 0): ["2.0", "100.0"], ("log", 1): ["8.0"], ("ln", 0): ["1.0"], ("acosh", 0): ["2::float8"], ("trim_array", 1): ["1"],
    ("split_part", 2): ["2", "-1"], ("jsonb_set", 1): ["'{a}'"], ("jsonb_insert", 1): ["'{z}'"], ("parse_ident", 0): ["'a.b'"],
    ("make_date", 1): ["2"], ("make_timestamp", 1): ["2"], ("make_timestamptz", 1): ["2"], ("make_time", 1): ["7"],
}
# What makes no sense for an expression on one row (docs/expressions.md says why), by how the names begin …
FAMILIES = re.compile(
    r"pg_(?!typeof)|has_|txid_|binary_upgrade|lo_|inet|current_|col_|obj_|shobj_|format_type|set_config|setseed|nextval|currval|setval|lastval"
    r"|to_reg|regclass|row_security|version|getdatabaseencoding|getpgusername|session_user|query_to|table_to|schema_to|database_to|cursor_to|xml|text2?xml"
    r"|ts_|to_ts|tsvector|plainto|phraseto|websearch|numnode|querytree|setweight|get_current_ts|array_to_tsvector|in_range|point|gin_|gist_|brin_"
    r"|spg_|[a-z0-9]*range|[a-z0-9]+_subdiff|multirange|elem_|suppress_|unique_key_|satisfies_|amvalidate|record|icu_|database_|generate_|percentile|mode_|macaddr"
    r"|timeofday|clock_timestamp|mxid_age|oid|array_fill_with|json_populate|jsonb_populate|name|cash|varbit|timetz|to_ascii|money|RI_")
# … and what is an operator, a cast, an aggregate or a part of an index under another name.
LEFT_OUT = re.compile(
    r"(hash|bt).*|.*_(larger|smaller|accum|combine|inv|sum|support|sortsupport|transition|final|serialize|deserialize|hash|cmp|eq|ne|lt|le|gt|ge|send|recv"
    r"|in|out|skip|pl|mi|mul|div|um|up|abs|transfn|finalfn)|.*typmod.*|.*_pl_(interval|timestamp.*)|(not|n|ic|icn)?like|(text|bpchar).*(like|regexeq|regexne)"
    r"|(string|array|json|jsonb)_(object_)?agg.*|row_to_json|convert|text|bool|date|time|timestamp|timestamptz|interval|numeric|int[248]|float[48]|json|jsonb"
    r"|varchar|bpchar|(int|float)[248]+.*|numeric_.*|(date|time|timestamp|timestamptz|interval|bool|bytea|text)_(?!trunc|part|bin).*|.*sel|dpow|dsqrt|dcbrt|dexp|dlog1|dlog10|dround|dtrunc"
    r"|text(cat|anycat)|anytextcat|array(contains|contained|overlap)|jsonb?_(exists.*|contains|contained|concat|delete.*|extract_path_op|object_field.*|array_element.*)"
    r"|.*_tz|.*subscript.*|quote|like_escape|similar_escape|similar_to_escape|boolean.*|booland.*|boolor.*|bit")
OPERATORS_LEFT_OUT = {"@@", "<->", "~<~", "~<=~", "~>~", "~>=~", "*=", "*<>", "*<", "*>", "*<=", "*>="}
TYPES = set(EDGES) | set(SAME)


def functions(server):
    out, _ = server.psql("""
        SELECT p.proname, array_to_string(ARRAY(SELECT t.typname FROM unnest(p.proargtypes) WITH ORDINALITY AS a(oid, n)
               JOIN pg_type t ON t.oid = a.oid ORDER BY n), ' '), p.provariadic <> 0
        FROM pg_proc p WHERE prokind = 'f' AND NOT proretset AND pronamespace = 'pg_catalog'::regnamespace
          AND EXISTS (SELECT 1 FROM pg_description d WHERE d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
                      AND d.description !~ '^(implementation of|I/O|internal|less-equal|hash|sort support|planner support|aggregate|window)')
        ORDER BY 1, 2""")
    for line in out.splitlines():
        name, types, variadic = line.split("|")
        if not FAMILIES.match(name) and not LEFT_OUT.fullmatch(name):
            yield name, types.split(), variadic == "t"


def operators(server):
    out, _ = server.psql("""SELECT oprname, coalesce(l.typname, ''), r.typname FROM pg_operator o LEFT JOIN pg_type l ON l.oid = oprleft
        JOIN pg_type r ON r.oid = oprright ORDER BY 1, 2, 3""")
    for line in out.splitlines():
        name, left, right = line.rsplit("|", 2)
        if name not in OPERATORS_LEFT_OUT:
            yield name, [left, right] if left else [right]


def casts(server):
    out, _ = server.psql("SELECT s.typname, t.typname FROM pg_cast JOIN pg_type s ON s.oid = castsource JOIN pg_type t ON t.oid = casttarget")
    plain = [type for type in EDGES if type[0] != "_" and not type.startswith("any") and type != "jsonpath"]
    pairs = {tuple(line.split("|")) for line in out.splitlines()} | {(type, "text") for type in plain} | {("text", type) for type in plain}
    return sorted((a, b) for a, b in pairs if a in plain and b in plain)


def values(name, number, type):
    return WORDS.get((name, number)) or EDGES[SAME.get(type, type)]


def arguments(name, types, most, chance):
    """Rows of argument texts: the first values of all, then others by chance."""
    lists = [values(name, number, type) for number, type in enumerate(types)]
    yield [list[0] for list in lists]
    combinations = list(itertools.islice(itertools.product(*lists), 400))
    yield from map(list, chance.sample(combinations, min(most, len(combinations))))


def written(name, args):
    if name == "normalize" and len(args) == 2:
        return f"normalize({args[0]}, {args[1].strip(chr(39))})"
    if name == "extract":
        return f"extract({args[0].strip(chr(39))} from {args[1]})"
    if name == "overlaps":
        return f"({args[0]}, {args[1]}) OVERLAPS ({args[2]}, {args[3]})"
    if name == "position":
        return f"position({args[1]} in {args[0]})"
    if name == "overlay":
        return f"overlay({args[0]} placing {args[1]} from {args[2]}" + (f" for {args[3]})" if len(args) > 3 else ")")
    return f"{name}({', '.join(args)})"


def forms(server, most, chance):
    """(form, [expressions])"""
    made = {}
    for name, types, variadic in functions(server):
        if variadic:
            types = types[:-1] + [{"_text": "text"}.get(types[-1], types[-1]) if types[-1] != "any" else "any"] * 2
        if set(types) <= TYPES:
            form = f"{name}({', '.join(types)})"
            made[form] = [written(name, args) for args in arguments(name, types, most, chance)]
    for name, types in operators(server):
        if set(types) <= TYPES:
            made[" ".join([*types[:-1], name, types[-1]])] = [
                f"{args[0]} {name} {args[1]}" if len(args) == 2 else f"{name} {args[0]}" for args in arguments(name, types, most, chance)]
    for source, target in casts(server):
        made[f"{source}::{target}"] = [f"({value})::{target}" for value in EDGES[source]]
    return made


def of_postgres(server, expressions):
    """The value as text, or None for an error, of each."""
    script = "\\set ON_ERROR_STOP off\nSET statement_timeout = 500;\n" + "".join(f"SELECT coalesce(({e})::text, '<NULL>');\n\\echo ==\n" for e in expressions)
    parts = server.psql(script)[0].split("==\n")
    return {e: part[:-1] if part.endswith("\n") else None for e, part in zip(expressions, parts)}


def of_neuron(expression):
    """(exit code, value or message)"""
    done = subprocess.run([PROGRAM, "eval", f"coalesce(({expression})::text, '<NULL>') AS x"], input=b"{}\n",
                          capture_output=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)["x"] if done.returncode == 0 else done.stderr.decode()


@pytest.fixture(scope="module")
def asked(server):
    """Form -> [(expression, PostgreSQL's value, the program's answer)] of those that PostgreSQL gives a value for."""
    seed = int(os.environ.get("NEURON_SEEDS", "1"))
    made = forms(server, 40 if os.environ.get("NEURON_SOAK") else 6, random.Random(seed))
    theirs = of_postgres(server, sorted({e for list in made.values() for e in list}))
    wanted = [e for e, value in theirs.items() if value is not None]
    with ThreadPoolExecutor(4) as pool:
        ours = dict(zip(wanted, pool.map(of_neuron, wanted)))
    return {form: [(e, theirs[e], ours[e]) for e in list if theirs[e] is not None] for form, list in made.items()}


def test_at_most_one_form_in_twenty_is_refused(asked):
    counted = {form: answers for form, answers in asked.items() if answers}
    refused = {form: answers[0] for form, answers in counted.items() if all(ours[0] == 2 for _, _, ours in answers)}
    share = len(refused) / len(counted)
    print(f"\n{len(refused)} of {len(counted)} forms are refused ({share:.1%}); PostgreSQL gives no value for"
          f" {len(asked) - len(counted)} more with the values tried")
    for form, (expression, _, ours) in sorted(refused.items()):
        print(f"  {form}: {expression}: {ours[1].splitlines()[0]}")
    assert share <= 0.05
    assert not [form for form, (_, _, ours) in refused.items() if "hint" not in ours[1] and "^" not in ours[1]]


# Differences that docs/expressions.md admits, by the form that has them.
ADMITTED = re.compile(
    r"now\(\)|.*_timestamp\(\)|random|gen_random_uuid|pg_typeof|to_hex|jsonb [<>]=? jsonb|jsonb? -> |int4 (<<|>>) int4|pow|power|\^|log|ln|exp|sqrt")


def shown(text):
    """JSON by its value, arrays of SQL as JSON arrays, numbers to nine digits."""
    if re.fullmatch(r"\{.*\}", text) and not text.startswith(('{"a":', '{"a" :', '{"c":')) and ":" not in text:
        items = re.findall(r'"([^"]*)"|([^,{}]+)', text)
        text = json.dumps([quoted or (None if plain == "NULL" else plain) for quoted, plain in items])
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) or (isinstance(value, int) and "." in text):
        return f"{value:.9g}"
    if isinstance(value, list):
        return json.dumps([None if item is None else str(item) for item in value])
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else text


def test_forms_give_the_same(asked):
    wrong = [f"{form}: {e}\n    PostgreSQL {theirs}\n    neuron     {ours[1]}" for form, answers in asked.items()
             if not ADMITTED.search(form) for e, theirs, ours in answers
             if ours[0] == 0 and shown(ours[1]) != shown(theirs)]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:25])
