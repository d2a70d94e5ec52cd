"""Generated regular expressions match what they match in a real PostgreSQL."""

import json
import os
import random
import re
import subprocess

import pytest

from conftest import PROGRAM

CLASSES = [r"\w", r"\d", r"\s", r"\W", r"\D", "[a-c]", "[^a]", "[[:alpha:]]", "[[:punct:]]", ".", "[ab1]", r"[^\d]", r"[\w-]"]
CONSTRAINTS = [r"\m", r"\M", r"\y", r"\Y", "^", "$"]
QUANTIFIERS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{1,2}?"]
CALLS = ["to_json(regexp_match({t}, {p}))", r"regexp_replace({t}, {p}, '[\&]', 'g')", "{t} ~ {p}", "{t} ~* {p}", "regexp_count({t}, {p})",
         "to_json(regexp_split_to_array({t}, {p}))", "regexp_substr({t}, {p})", "substring({t} from {p})", "regexp_instr({t}, {p}, 2)"]


def piece(chance, depth):
    kind = chance.random()
    if kind < 0.45:
        atom = chance.choice("abcé1 _-")
    elif kind < 0.6:
        atom = chance.choice(CLASSES)
    elif kind < 0.7:
        return chance.choice(CONSTRAINTS)
    elif depth == 0:
        atom = "a"
    else:
        begin = chance.choice(["(", "(?:", "(", "(?=", "(?!"])
        atom = begin + pattern(chance, depth - 1) + ")"
        if begin in ("(?=", "(?!"):
            return atom
    quantifier = chance.choice(QUANTIFIERS)
    # Which repetition's text a repeated group has is not the same in all patterns: docs/expressions.md.
    return (re.sub(r"\((?!\?)", "(?:", atom) if quantifier else atom) + quantifier


def pattern(chance, depth):
    branches = chance.choice([1, 1, 1, 2, 3])
    return "|".join("".join(piece(chance, depth) for _ in range(chance.randint(1, 4))) for _ in range(branches))


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def shown(call, value):
    """A group that may take part or not, with an empty text, is '' or NULL: docs/expressions.md admits it."""
    if call.startswith("substring"):
        return value.replace("<NULL>", "")
    return value.replace("null", '""') if "regexp_match" in call else value


@pytest.mark.parametrize("seed", range(40 if os.environ.get("NEURON_SOAK") else int(os.environ.get("NEURON_SEEDS", "1"))))
def test_patterns_agree(server, seed):
    chance, calls = random.Random(seed), []
    for _ in range(400):
        text = "".join(chance.choice("aabbcéB1 _-") for _ in range(chance.randint(0, 9)))
        calls.append(chance.choice(CALLS).format(t=quoted(text), p=quoted(pattern(chance, 2))))
    script = "\\set ON_ERROR_STOP off\nSET statement_timeout = 1000;\n"
    out, _ = server.psql(script + "".join(f"SELECT coalesce(({call})::text, '<NULL>');\n\\echo ==\n" for call in calls))
    wrong = []
    for call, theirs in zip(calls, out.split("==\n")):
        done = subprocess.run([PROGRAM, "eval", f"coalesce(({call})::text, '<NULL>') AS x"], input=b"{}\n", capture_output=True,
                              timeout=60, check=False)
        ours = json.loads(done.stdout)["x"] + "\n" if done.returncode == 0 else ""
        if shown(call, theirs) != shown(call, ours):
            wrong.append(f"{call}\n    PostgreSQL {theirs}    neuron     {ours}{done.stderr.decode()}")
    assert not wrong, f"{len(wrong)} of {len(calls)} differ:\n" + "\n".join(wrong[:20])
