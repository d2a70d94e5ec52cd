"""Files as source and target: what users of other tools reported (K2, K5, K6, K7 of the cases for pipelines)."""

import base64
import json
import os
import sqlite3
import threading

import pytest

from postgres import Database


def lines(neuron, name):
    return [json.loads(line) for line in neuron.read(name).splitlines()]


def read(neuron, source, code=0):
    """The rows of a file; of a refused one what is said."""
    done = neuron("copy", source, "rows.ndjson", code=code)
    return lines(neuron, "rows.ndjson") if code == 0 else done.stderr


def pipeline(neuron, **options):
    neuron.write("neuron.yaml", json.dumps({"pipelines": {"p": options}}))
    return json.loads(neuron.run_any("etl", "p", "--json"))


def bytes_of(data):
    """What a refused row's `data` stands for."""
    return base64.b64decode(data["@base64"]) if isinstance(data, dict) else data.encode()


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


# ---- K5: a bad row costs one row ----

BAD = {"nul": b"2,a\0b", "not utf-8": b"2,caf\xe9", "fields": b"2,x,y", "type": b"zwei,x", "quote": b'2,"a"b',
       "unclosed": b'2,"open'}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("place", ["file", "table", "sqlite"])
def test_k5_a_bad_row_costs_one_row_and_is_kept_byte_for_byte(neuron, db, what, place):
    neuron.write("in.csv", b"id,v\n1,ok\n" + BAD[what] + b"\n3,ok\n")
    target = {"file": {"to": "out.ndjson", "rejects": "bad.ndjson"},
              "table": {"to": db.url, "table": "t", "rejects": "bad"},
              "sqlite": {"to": "sqlite:///t.db", "table": "t", "rejects": "bad"}}[place]
    result = pipeline(neuron, **{"from": "in.csv", "csv": {"types": "id:bigint,v:text"}, "mode": "append"}, **target)
    assert (result["status"], result["records_loaded"], result["records_rejected"]) == ("success", 2, 1)
    if place == "file":
        assert [row["id"] for row in lines(neuron, "out.ndjson")] == [1, 3]
        line, data = [(row["line"], row["data"]) for row in lines(neuron, "bad.ndjson")][0]
    elif place == "table":
        assert db("SELECT array_agg(id ORDER BY id) FROM t") == "{1,3}"
        line, data = json.loads(db("SELECT json_build_array(line, data) FROM bad"))
    else:
        with sqlite3.connect(neuron.folder + "/t.db") as file:
            assert file.execute("SELECT id FROM t ORDER BY id").fetchall() == [(1,), (3,)]
            line, data = file.execute("SELECT line, data FROM bad").fetchone()
            data = json.loads(data)
    assert line == 3 and bytes_of(data) == BAD[what]


def test_k5_json_that_a_table_cannot_hold_is_refused_and_kept(neuron, db):
    db("CREATE TABLE t(id bigint, v text)")
    rows = ['{"id":1,"v":"ok"}', '{"id":2,"v":"a\\u0000b"}', '{"id":3,"v":"ok"}']
    neuron.write("in.ndjson", "\n".join(rows) + "\n")
    result = pipeline(neuron, **{"from": "in.ndjson", "to": db.url, "table": "t", "mode": "append", "rejects": "bad"})
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    assert json.loads(bytes_of(json.loads(db("SELECT data FROM bad")))) == {"id": 2, "v": "a\0b"}


def test_k5_an_unclosed_quote_costs_its_line_and_a_replay_loads_it(neuron):
    neuron.write("in.csv", 'id,v\n1,a\n2,"b\n' + "".join(f"{i},c\n" for i in range(3, 20000)))
    result = pipeline(neuron, **{"from": "in.csv", "to": "sqlite:///t.db", "table": "t", "mode": "upsert", "key": ["id"],
                                 "rejects": "bad.ndjson"})
    assert (result["records_loaded"], result["records_rejected"]) == (19998, 1)
    assert [(row["line"], row["data"]) for row in lines(neuron, "bad.ndjson")] == [(3, '2,"b')]


# ---- K6: errors at the right line, with the fix ----

@pytest.mark.parametrize("before", [4999, 300000], ids=["one block", "many blocks"])
def test_k6a_an_unclosed_quote_is_told_at_its_line(neuron, before):
    neuron.write("uq.csv", "a,b\n" + "".join(f"{i},x\n" for i in range(before)) + '5000,"open\n' + "1,x\n" * 1000)
    assert f"uq.csv:{before + 2}: the quote that opens here isn't closed" in read(neuron, "uq.csv", code=1)
    assert f"line {before + 2} (a quote that isn't closed" in neuron("check", "uq.csv", code=1).stdout


def test_k6a_the_line_is_the_quotes_not_the_rows(neuron):
    neuron.write("uq.csv", 'a,b,c\n1,"x\ny","open\n2,x,y\n')
    assert "uq.csv:3: the quote that opens here" in read(neuron, "uq.csv", code=1)


@pytest.mark.parametrize("delimiter, said", [(";", ";"), ("\t", "tab"), ("|", "|")])
def test_k6b_a_header_with_another_delimiter_is_refused(neuron, delimiter, said):
    neuron.write("semi.csv", f"id{delimiter}name\n1{delimiter}Anna\n")
    for command in (["copy", "semi.csv", "o.ndjson"], ["check", "semi.csv"]):
        assert f"#delimiter={said}'" in neuron(*command, code=2).stderr
    assert read(neuron, f"semi.csv#delimiter={said}") == [{"id": 1, "name": "Anna"}]


def test_k6b_one_column_that_is_meant(neuron):
    neuron.write("one.csv", "id;name\n1;Anna\n")
    assert read(neuron, "one.csv#delimiter=,") == [{"id;name": "1;Anna"}]
    neuron.write("quoted.csv", '"id;name"\n1;Anna\n')
    assert read(neuron, "quoted.csv") == [{"id;name": "1;Anna"}]
    neuron.write("tabs.tsv", "id,name\n1,Anna\n")
    assert "#delimiter=,'" in read(neuron, "tabs.tsv", code=2)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_k6d_a_locked_sqlite_target_is_waited_for(neuron, mode):
    db = sqlite3.connect(neuron.folder + "/lk.db", isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA journal_mode={mode}")
    db.execute("CREATE TABLE t(a, b)")
    db.execute("BEGIN IMMEDIATE")
    end = threading.Timer(1, db.execute, ["COMMIT"])
    end.start()
    neuron.write("i.csv", "a,b\n1,2\n")
    neuron("copy", "i.csv", "sqlite:///lk.db", "--table", "t", "--mode", "append")
    end.join()
    assert db.execute("SELECT a, b FROM t").fetchall() == [(1, 2)]
    db.close()


def test_k6e_spellings_of_booleans_that_the_target_takes(neuron, db):
    words = ["True", "False", "t", "f", "YES", "no", "on", "off", "1", "0", "y", "n"]
    db("CREATE TABLE b(id int, v boolean)")
    neuron.write("b.csv", "id,v\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words)))
    neuron("copy", "b.csv", db.url, "--table", "b")
    assert db("SELECT string_agg(v::text, ' ' ORDER BY id) FROM b") == " ".join(["true", "false"] * 6)
    neuron.write("b.csv", "id,v\n1,perhaps\n2,\n")
    assert "neither true nor false" in neuron("copy", "b.csv", db.url, "--table", "b", code=1).stderr


@pytest.mark.parametrize("name", ["[Avalon]_d.csv", "what?.csv", "a*b.csv", "back\\slash.csv"])
def test_k6f_a_file_of_that_very_name_comes_before_the_pattern(neuron, name):
    neuron.write(name, "a\n1\n")
    neuron.write("A_d.csv", "a\n2\n")
    assert read(neuron, name) == [{"a": 1}]


def test_k6g_another_encoding_is_named_with_its_column(neuron):
    neuron.write("in.csv", b"id,name\n1,caf\xe9\n")
    said = read(neuron, "in.csv", code=1)
    assert 'in.csv:2: column "name": not UTF-8' in said and "in.csv#encoding=latin1" in said
    assert read(neuron, "in.csv#encoding=latin1") == [{"id": 1, "name": "café"}]


# ---- K2: writing to a file leaves it whole ----

@pytest.mark.parametrize("before, after", [
    ("b,a\n9,8", "b,a\n9,8\n2,1\n"), ("a,b\n1,2\n", "a,b\n1,2\n1,2\n"), ("a,b\r\n1,2\r\n", "a,b\r\n1,2\r\n1,2\n"),
    ("\ufeffb,a\n9,8\n", "\ufeffb,a\n9,8\n2,1\n"), ("a,x,b\n1,2,3\n", "a,x,b\n1,2,3\n1,,2\n"),
    ('"a","b"\n1,2\n', '"a","b"\n1,2\n1,2\n'), ("", "b,a\n2,1\n"), ("a,b", "a,b\n1,2\n"),
])
def test_k2_rows_are_appended_by_the_header_that_is_there(neuron, before, after):
    neuron.write("out.csv", before)
    neuron.write("in.csv", "b,a\n2,1\n")
    neuron("copy", "in.csv", "out.csv", "--mode", "append")
    with open(neuron.folder + "/out.csv", encoding="utf-8", newline="") as file:
        assert file.read() == after


@pytest.mark.parametrize("before, said", [
    ("a,c\n1,2\n", 'its header has no column "b"'), ("a,a,b\n1,2,3\n", 'its header has two columns "a"'),
    ("a;b\n1;2\n", 'its header has no column "b"'), ('a,"b\n', "its first row can't be read"),
    ("7,7\n", 'its header has no column "b"'),
])
def test_k2_other_columns_are_refused_and_the_file_stays(neuron, before, said):
    neuron.write("out.csv", before)
    neuron.write("in.csv", "b,a\n2,1\n")
    error = neuron("copy", "in.csv", "out.csv", "--mode", "append", code=1).stderr
    assert said in error and "out.csv" in error
    assert neuron.read("out.csv") == before


def test_k2_without_a_header_columns_go_by_place(neuron):
    neuron.write("out.csv", "7,7\n")
    neuron.write("in.csv", "b,a\n2,1\n")
    neuron("copy", "in.csv", "out.csv#header=false", "--mode", "append")
    assert neuron.read("out.csv") == "7,7\n2,1\n"
    neuron.write("in.csv", "c,b,a\n3,2,1\n")
    said = neuron("copy", "in.csv", "out.csv#header=false", "--mode", "append", code=1).stderr
    assert "its rows have 2 columns, the new ones 3" in said


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_k2_compressed_files_too(neuron, ending):
    for text in ("a,b\n1,2\n", "b,a\n4,3\n"):
        neuron.write("in.csv", text)
        neuron("copy", "in.csv", f"out.csv.{ending}", "--mode", "append")
    assert read(neuron, f"out.csv.{ending}") == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    neuron.write("in.csv", "c,a\n4,3\n")
    assert 'no column "c"' in neuron("copy", "in.csv", f"out.csv.{ending}", "--mode", "append", code=1).stderr


def test_k2c_rows_of_others_stay(neuron):
    neuron.write("in.csv", "b,a\n2,1\n")
    neuron("copy", "in.csv", "rot.csv", "--mode", "append")
    with open(neuron.folder + "/rot.csv", "a", encoding="utf-8") as file:
        file.write("7,7")
    neuron("copy", "in.csv", "rot.csv", "--mode", "append")
    assert neuron.read("rot.csv") == "b,a\n2,1\n7,7\n2,1\n"


@pytest.mark.parametrize("name", ["secret.csv", "secret.ndjson", "secret.csv.gz"])
def test_k2d_a_replaced_file_keeps_its_mode_and_its_link(neuron, name):
    path = neuron.write("real-" + name, "x\n1\n")
    os.chmod(path, 0o600)
    os.symlink("real-" + name, neuron.folder + "/" + name)
    neuron.write("in.csv", "b,a\n2,1\n")
    neuron("copy", "in.csv", name)
    assert os.stat(path).st_mode & 0o777 == 0o600 and os.path.islink(neuron.folder + "/" + name)
    assert read(neuron, name) == [{"b": 2, "a": 1}]


def test_k2e_the_word_for_null_is_written_and_reads_back(neuron):
    rows = [{"a": "é", "b": None}, {"a": "NULL", "b": "x"}, {"a": "", "b": "NULL "}]
    neuron.write("o.ndjson", "".join(json.dumps(row) + "\n" for row in rows))
    neuron("copy", "o.ndjson", "o.csv#null=NULL")
    assert neuron.read("o.csv") == 'a,b\né,NULL\n"NULL",x\n"","NULL "\n'
    assert read(neuron, "o.csv#null=NULL") == rows
    neuron.write("n.csv", "a,b\n0,1\n,2\n")
    neuron("copy", "n.csv", "m.csv#null=0")
    assert neuron.read("m.csv") == 'a,b\n"0",1\n0,2\n'


@pytest.mark.parametrize("target, said", [
    ("o.csv#types=a:text", '"types" says how to read'), ("o.ndjson#types=a:text", '"types" says how to read'),
    ("o.csv#quote='", '"quote" says how to read'), ("o.csv#delimiter=||", "a target's delimiter is one character"),
    ("o.csv#encoding=latin1", "CSV is written as UTF-8"), ("o.csv#null=a,b", "the word for NULL would need quotes"),
    ("o.csv#nul=x", "did you mean 'null'"), ("o.csv.gz#header=perhaps", "header must be true or false"),
])
def test_k2e_what_a_target_cannot_obey_is_refused(neuron, target, said):
    neuron.write("in.csv", "a\n1\n")
    assert said in neuron("copy", "in.csv", target, code=2).stderr
    assert os.listdir(neuron.folder) == ["in.csv"]


# ---- K7: encodings and dialects ----

ENCODED = [("latin1", "é"), ("windows-1252", "€"), ("cp1251", "я"), ("shift_jis", "日本ソ"), ("gb18030", "中"),
           ("utf-16", "é日"), ("utf-16le", "é日"), ("utf-32", "é日"), ("utf-8-sig", "é")]


@pytest.mark.parametrize("encoding, text", ENCODED)
def test_k7_any_encoding_that_iconv_knows(neuron, encoding, text):
    rows = "".join(f'{i},"{text} ""\n{i}"\r\n' for i in range(5000))
    neuron.write("in.csv", ("id,näme\r\n" if encoding in ("latin1", "utf-16") else "id,name\r\n").encode(encoding)
                 + rows.encode(encoding.replace("utf-16", "utf-16le").replace("lele", "le")
                               .replace("utf-32", "utf-32le").replace("-sig", "")))
    name = "in.csv" if encoding == "utf-8-sig" else f"in.csv#encoding={encoding}"
    got = read(neuron, name)
    assert [list(row.values()) for row in got] == [[i, f'{text} "\n{i}'] for i in range(5000)]


def test_k7_a_mark_says_the_encoding(neuron):
    for encoding in ("utf-16", "utf-32"):
        neuron.write("in.csv", "id,v\n1,é\n".encode(encoding))
        assert read(neuron, "in.csv") == [{"id": 1, "v": "é"}]


def test_k7_an_unknown_encoding_is_refused_with_the_nearest(neuron):
    neuron.write("in.csv", "a\n1\n")
    assert 'did you mean "windows-1252"' in read(neuron, "in.csv#encoding=windows1252x", code=2)
    assert "unknown encoding" in read(neuron, "in.csv#encoding=utf-8//IGNORE", code=2)


def test_k7_a_row_that_cannot_be_decoded_is_kept_byte_for_byte(neuron):
    neuron.write("in.csv", b"id,v\n1,\xe9\n2,\x81\n3,\xe8\n")
    result = pipeline(neuron, **{"from": "in.csv#encoding=windows-1252", "to": "out.ndjson", "rejects": "bad.ndjson"})
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    bad = lines(neuron, "bad.ndjson")[0]
    assert (bad["line"], bad["reason"], bytes_of(bad["data"])) == (3, "not windows-1252", b"2,\x81")


@pytest.mark.parametrize("text, options, rows", [
    ("junk\nmore\nid,v\n1,x\nsum,9\n", "skip_first=2&skip_last=1", [{"id": 1, "v": "x"}]),
    ("%c\nid,v\n1,x\n%1,y\n2,%z\n", "comment=%25", [{"id": 1, "v": "x"}, {"id": 2, "v": "%z"}]),
    ("id,v\n1,'a,''b'\n", "quote='", [{"id": 1, "v": "a,'b"}]), ('id,v\n1,"a\n', "quote=none", [{"id": 1, "v": '"a'}]),
    ('id,v\n1,"a\\"b"\n2,c\\,d\n', "escape=%5C", [{"id": 1, "v": 'a"b'}, {"id": 2, "v": "c,d"}]),
    ("id,v\n1,NA\n2,-\n3,x\n4,\"NA\"\n", "null=NA&null=-",
     [{"id": 1, "v": None}, {"id": 2, "v": None}, {"id": 3, "v": "x"}, {"id": 4, "v": "NA"}]),
    ("id||v\n1||a|b\n2||\"x||y\"\n", "delimiter=||", [{"id": 1, "v": "a|b"}, {"id": 2, "v": "x||y"}]),
    ("id,v,w\n1\n2,x\n3,x,y\n", "short_rows=true", [{"id": 1, "v": None, "w": None}, {"id": 2, "v": "x", "w": None},
                                                    {"id": 3, "v": "x", "w": "y"}]),
    ("id,v\n1,x,\n2,,\n", "trailing_delimiter=true", [{"id": 1, "v": "x"}, {"id": 2, "v": None}]),
    ("id,v,\n1,x,\n", "trailing_delimiter=true", [{"id": 1, "v": "x"}]),
], ids=["skip", "comment", "quote", "no quote", "escape", "nulls", "delimiter", "short", "trailing", "trailing header"])
def test_k7_dialects(neuron, text, options, rows):
    neuron.write("in.csv", text)
    assert read(neuron, "in.csv#" + options) == rows


def test_k7_refused_rows_of_a_dialect_have_their_own_line_and_bytes(neuron):
    neuron.write("in.csv", "junk\nid;v\n1;'a\nb'\n%c\nzwei;'x\ny';\n3;z\n")
    result = pipeline(neuron, **{"from": "in.csv#delimiter=;&quote='&comment=%25&skip_first=1", "to": "out.ndjson",
                                 "rejects": "bad.ndjson"})
    assert (result["records_loaded"], result["records_rejected"]) == (2, 1)
    bad = lines(neuron, "bad.ndjson")[0]
    assert (bad["line"], bad["data"]) == (6, "zwei;'x\ny';")
