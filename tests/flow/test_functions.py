"""Every function's own example holds; the documentation comes from the same table."""

import json
import os

import pytest

from conftest import PROGRAM, ROOT
import subprocess


def functions():
    out = subprocess.run([PROGRAM, "eval", "--functions", "--json"], capture_output=True, check=True)
    return json.loads(out.stdout)


def test_there_are_at_least_90_functions():
    assert len({f["name"] for f in functions() if not f["alias_of"]}) >= 90


@pytest.mark.parametrize("family", sorted({f["family"] for f in functions()}))
def test_examples(neuron, family):
    wrong = []
    for function in functions():
        if function["family"] != family:
            continue
        expression, _, wanted = function["example"].rpartition(" = ")
        got = neuron("eval", f"({expression}) AS x", stdin="{}\n").stdout.strip()
        if got != '{"x":' + wanted + "}":
            wrong.append((function["name"], expression, wanted, got))
    assert wrong == []


def test_the_documentation_is_made_from_the_table(neuron):
    made = neuron("eval", "--functions", "--format", "markdown").stdout
    with open(os.path.join(ROOT, "docs/expressions.md"), encoding="utf-8") as file:
        assert made.strip() in file.read()
