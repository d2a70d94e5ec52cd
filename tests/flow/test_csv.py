"""CSV as real files have it: quotes, line ends, types of the whole file, mistakes with their place."""

import csv
import gzip
import io
import json
import random

import pytest


def rows(neuron, name, *args, **options):
    neuron("copy", name, "out.ndjson", *args, **options)
    return [json.loads(line) for line in neuron.read("out.ndjson").splitlines()]


@pytest.mark.parametrize("values, wanted", [
    (["true", "false"], [True, False]), (["1", "-20"], [1, -20]), (["1", "2.50"], "1 2.50"),
    (["12345678901234567890", "1"], "12345678901234567890 1"), (["2024-02-29"], ["2024-02-29"]),
    (["2024-02-29T10:00:00Z"], ["2024-02-29T10:00:00Z"]), (["2024-02-29 10:00:00.5"], ["2024-02-29T10:00:00.5"]),
    # text stays letter for letter
    (["007", "1"], ["007", "1"]), (["+1"], ["+1"]), (["1e5"], ["1e5"]), (["1,000"], ["1,000"]), ([" 1"], [" 1"]),
    (["-0"], ["-0"]), ([".5"], [".5"]), (["5."], ["5."]), (["TRUE"], ["TRUE"]), (["2024-02-30"], ["2024-02-30"]),
    (["2024-02-29", "2024-02-29 10:00"], ["2024-02-29", "2024-02-29 10:00"]), (["1", "x"], ["1", "x"]),
    (["true", "1"], ["true", "1"]), (["1", ""], [1, ""]), (["NaN"], ["NaN"]),
])
def test_the_whole_file_decides_the_type(neuron, values, wanted):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if "1,000" in values else csv.QUOTE_MINIMAL).writerows(
        [["k", "v"]] + [[i, value] for i, value in enumerate(values)])
    neuron.write("in.csv", text.getvalue())
    got = rows(neuron, "in.csv")
    if isinstance(wanted, str):
        lines = neuron.read("out.ndjson").splitlines()
        assert [line.split('"v":')[1].rstrip("}") for line in lines] == wanted.split()
    else:
        assert [row["v"] if row["v"] is not None else "" for row in got] == wanted


def test_a_late_value_changes_the_type_of_the_whole_column(neuron):
    neuron.write("in.csv", "a\n" + "1\n" * 300000 + "x\n")
    got = rows(neuron, "in.csv")
    assert got[0] == {"a": "1"} and got[-1] == {"a": "x"} and len(got) == 300001


def test_null_is_not_the_empty_text(neuron):
    neuron.write("in.csv", 'a,b\n,""\n')
    assert rows(neuron, "in.csv") == [{"a": None, "b": ""}]
    neuron("copy", "in.csv", "out.csv")
    assert neuron.read("out.csv") == 'a,b\n,""\n'


@pytest.mark.parametrize("text", [
    'a,b\r\n1,x\r\n2,y\r\n', '\ufeffa,b\n1,x\n2,y', 'a,b\n\n1,x\n\n2,y\n\n', 'a,b\r1,x\r2,y\r', '"a","b"\n"1","x"\n2,y\n',
])
def test_line_ends_marks_and_empty_lines(neuron, text):
    neuron.write("in.csv", text)
    assert rows(neuron, "in.csv") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


def test_quotes(neuron):
    neuron.write("in.csv", 'a,b\n"x\ny","say ""hi"", ok"\nit\'s "fine",z\n')
    assert rows(neuron, "in.csv") == [{"a": "x\ny", "b": 'say "hi", ok'}, {"a": 'it\'s "fine"', "b": "z"}]


@pytest.mark.parametrize("text, place, what", [
    ("a,b\n1,2\n3\n", "in.csv:3", "1 fields, the header has 2"), ('a,b\n1,"x\n2,3\n', "in.csv", "isn't closed"),
    ('a,b\n1,"x"y\n', "in.csv:2", "after a closing quote"), ("a,a\n1,2\n", "in.csv:1", "both named \"a\""),
    (b"a\nx\n\xff\n", "in.csv:3", "UTF-8"), (b"a,b\nx,\0\n", "in.csv:2", "NUL"), ("", "in.csv", "empty"),
])
def test_mistakes_have_their_place(neuron, text, place, what):
    neuron.write("in.csv", text)
    error = neuron("copy", "in.csv", "out.ndjson", code=1).stderr
    assert place in error and what in error


def test_bad_rows_may_go_elsewhere(neuron):
    neuron.write("in.csv", 'a,b\n1,2\n3\n4,5\n6,7,8\n9,10\n')
    result = neuron.result("copy", "in.csv", "out.ndjson", "--rejects", "bad.ndjson")
    assert (result["records_extracted"], result["records_rejected"], result["records_loaded"]) == (5, 2, 3)
    bad = [json.loads(line) for line in neuron.read("bad.ndjson").splitlines()]
    assert [(row["line"], row["data"]) for row in bad] == [(3, "3"), (5, "6,7,8")]


def test_options_and_types(neuron):
    neuron.write("in.csv", "1;x;-\n2;;y\n")
    assert rows(neuron, "in.csv#delimiter=;&header=false&null=-") == [
        {"column1": 1, "column2": "x", "column3": None}, {"column1": 2, "column2": None, "column3": "y"}]
    neuron.write("t.csv", "id,price,at\n1,2,2024-01-01\n")
    assert rows(neuron, "t.csv#types=id:text,price:numeric(10,2),at:timestamp") == [
        {"id": "1", "price": 2, "at": "2024-01-01T00:00:00"}]
    assert "did you mean \"price\"" in neuron("copy", "t.csv#types=prise:text", "o.csv", code=2).stderr
    neuron.write("l.csv", "a\ncaf\xe9\n".encode("latin1"))
    assert rows(neuron, "l.csv#encoding=latin1") == [{"a": "café"}]


def test_compression_globs_and_standard_streams(neuron):
    neuron.write("p1.csv.gz", gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n"))
    assert rows(neuron, "p1.csv.gz") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    neuron.write("q1.csv", "a\n1\n")
    neuron.write("q2.csv", "a\n2\n")
    assert rows(neuron, "q*.csv") == [{"a": 1}, {"a": 2}]
    neuron.write("q3.csv", "b\n2\n")
    assert "header differs" in neuron("copy", "q*.csv", "o.csv", code=1).stderr
    assert neuron("copy", "-#csv", "-#ndjson", stdin="a\n1\n2\n").stdout == '{"a":1}\n{"a":2}\n'
    neuron("copy", "p1.csv.gz", "z.csv.zst")
    assert rows(neuron, "z.csv.zst") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    neuron.write("cut.csv.gz", gzip.compress(b"a\n" + b"1\n" * 10000)[:-20])
    assert "cut off" in neuron("copy", "cut.csv.gz", "o.csv", code=1).stderr


def test_a_failed_run_leaves_the_old_file(neuron):
    neuron.write("out.ndjson", "old\n")
    neuron.write("in.csv", "a\n0\n1\n")
    neuron("copy", "in.csv", "out.ndjson", "--select", "1/a AS x", code=1)
    assert neuron.read("out.ndjson") == "old\n"


@pytest.mark.parametrize("seed", range(8))
def test_random_files_read_like_python_reads_them(neuron, seed):
    chance = random.Random(seed)
    letters = ["a", "é", ",", '"', "\n", " ", ";", "'", "\t", "x" * 20]
    table = [["".join(chance.choices(letters, k=chance.randint(1, 6))) for _ in range(4)] for _ in range(3000)]
    for row in table:
        row[3] = "k" + row[3]  # a text column, so that values stay as they are
    text = io.StringIO()
    csv.writer(text, lineterminator=chance.choice(["\n", "\r\n"])).writerows([["a", "b", "c", "d"]] + table)
    neuron.write("in.csv", text.getvalue())
    neuron("copy", "in.csv", "out.csv")
    with open(neuron.folder + "/out.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["a", "b", "c", "d"]] + table


def test_texts_equal_a_constant_whatever_their_length(neuron):
    alphabet = "abcdefghijklmnopqrstuvwx"
    wanted = [alphabet[:n] for n in (1, 3, 4, 11, 12, 13, 16, 17, 24)] + ["", 'say "a" and more of it']
    texts = [t + end for t in wanted for end in ("", "z", "\u00e9")] + [t[:-1] + "z" for t in wanted if t] + [None]
    texts = [random.Random(i).choice(texts) for i in range(5000)]
    lines = ["" if t is None else '"' + t.replace('"', '""') + '"' for t in texts]
    neuron.write("in.csv", "k,t\n" + "".join(f"{i},{line}\n" for i, line in enumerate(lines)))
    select = ", ".join(f"t = '{w}' AS e{i}, t <> '{w}' AS n{i}" for i, w in enumerate(wanted))
    for row, text in zip(rows(neuron, "in.csv", "--select", select), texts, strict=True):
        for i, one in enumerate(wanted):
            same = None if text is None else text == one
            assert row[f"e{i}"] == same and row[f"n{i}"] == (None if same is None else not same), (text, one)


def test_products_and_choices_of_whole_numbers(neuron):
    numbers = [0, 1, -1, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 3037000499, 2**62, -2**63]
    chance = random.Random(2)
    pairs = [(chance.choice(numbers), chance.choice(numbers + [None])) for _ in range(5000)]
    small = [(a, b if b is None else b % 1000) for a, b in pairs[:2100] if abs(a) < 2**31]
    neuron.write("in.csv", "a,b\n" + "".join(f"{a},{'' if b is None else b}\n" for a, b in small + pairs))
    select = "try(a * b) AS p, CASE WHEN a > b THEN a ELSE b END AS c, CASE WHEN a > b THEN a ELSE 5 END AS d"
    for row, (a, b) in zip(rows(neuron, "in.csv", "--select", select), small + pairs, strict=True):
        product = None if b is None or not -2**63 <= a * b < 2**63 else a * b
        larger = b is not None and a > b
        assert row == {"p": product, "c": a if larger else b, "d": a if larger else 5}
