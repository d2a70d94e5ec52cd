"""Columns to and from pyarrow by the Arrow C data interface."""

import ctypes
import datetime
import decimal
import glob
import os
import struct
import subprocess
import uuid

import pytest

pa = pytest.importorskip("pyarrow")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
D = decimal.Decimal
UTC = datetime.timezone.utc


@pytest.fixture(scope="module")
def bridge(tmp_path_factory):
    """Our side as a shared library."""
    library = str(tmp_path_factory.mktemp("bridge") / "bridge.so")
    sources = [os.path.join(ROOT, "tests/flow/arrow_bridge.c")]
    for room in ("foundation/base", "engine/column"):
        sources += glob.glob(os.path.join(ROOT, "src", room, "*.c"))
    sources.append(os.path.join(ROOT, "src/foundation/codec/uuid.c"))
    subprocess.run(["cc", "-std=gnu17", "-O1", "-g", "-shared", "-fPIC", "-D_GNU_SOURCE",
                    "-I" + os.path.join(ROOT, "src"), "-I" + os.path.join(ROOT, "tests"),
                    "-o", library, *sources, "-lcrypto", "-lxxhash", "-lm", "-lpthread"],
                   check=True)
    lib = ctypes.CDLL(library)
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    lib.bridge_import.restype = pointer
    lib.bridge_import.argtypes = [pointer, pointer, ctypes.c_char_p, size]
    lib.bridge_export.restype = ctypes.c_bool
    lib.bridge_export.argtypes = [pointer, pointer, pointer]
    lib.bridge_sample.restype = pointer
    lib.bridge_sample.argtypes = [size, size, size]
    lib.bridge_types.argtypes = [pointer, ctypes.c_char_p, size]
    lib.bridge_free.argtypes = [pointer]
    return lib


class Structures:
    """Room for one ArrowSchema and one ArrowArray."""

    def __init__(self):
        self.room = [ctypes.create_string_buffer(size) for size in (72, 80)]
        self.schema, self.array = map(ctypes.addressof, self.room)

    def release(self):
        """Both, where they were not taken over."""
        for room, address, offset in ((self.room[0], self.schema, 56), (self.room[1], self.array, 64)):
            release = struct.unpack_from("P", room, offset)[0]
            if release:
                ctypes.CFUNCTYPE(None, ctypes.c_void_p)(release)(address)

    def array_is_released(self):
        return struct.unpack_from("P", self.room[1], 64)[0] == 0


def take_in(bridge, exportable):
    """Our batch (a pointer), or the message why not."""
    c = Structures()
    exportable._export_to_c(c.array, c.schema)
    message = ctypes.create_string_buffer(1000)
    batch = bridge.bridge_import(c.schema, c.array, message, 1000)
    assert c.array_is_released() or not batch
    c.release()
    return batch, None if batch else message.value.decode()


def give_out(bridge, batch):
    """Our batch as one of pyarrow's; ours is let go at once."""
    c = Structures()
    assert bridge.bridge_export(batch, c.schema, c.array)
    bridge.bridge_free(batch)
    out = pa.RecordBatch._import_from_c(c.array, c.schema)
    out.validate(full=True)
    return out


def through(bridge, exportable):
    """(types, batch): in and out again."""
    batch, message = take_in(bridge, exportable)
    assert batch, message
    types = ctypes.create_string_buffer(1000)
    bridge.bridge_types(batch, types, 1000)
    return types.value.decode().split(","), give_out(bridge, batch)


def ints(kind, low, high):
    return pa.array([None, low, high, 0, None, 1, 7] * 30, kind)


def stamps(unit, zone=None):
    values = [datetime.datetime(2024, 2, 29, 23, 59, 58), None, datetime.datetime(1901, 1, 1)]
    return pa.array(values * 40, pa.timestamp(unit, zone))


TEXTS = ["", "short", "exactly12byt", "thirteen byte", None, "naïve — ünïcödé text, longer", "x" * 5000]
BLOBS = [b"", b"\xff\x00", None, bytes(range(256)), b"twelve bytes"]
PLAIN = {
    "bool": (pa.array([True, None, False, False, True] * 50), "boolean"),
    "int8": (ints(pa.int8(), -128, 127), "bigint"),
    "uint8": (ints(pa.uint8(), 0, 255), "bigint"),
    "int16": (ints(pa.int16(), -32768, 32767), "bigint"),
    "uint16": (ints(pa.uint16(), 0, 65535), "bigint"),
    "int32": (ints(pa.int32(), -2**31, 2**31 - 1), "bigint"),
    "uint32": (ints(pa.uint32(), 0, 2**32 - 1), "bigint"),
    "int64": (ints(pa.int64(), -2**63, 2**63 - 1), "bigint"),
    "uint64": (ints(pa.uint64(), 0, 2**63 - 1), "bigint"),
    "float": (pa.array([1.5, None, -0.0, float("inf")] * 30, pa.float32()), "double precision"),
    "double": (pa.array([1 / 3, None, 1e308, 5e-324] * 30), "double precision"),
    "utf8": (pa.array(TEXTS * 30), "text"),
    "large_utf8": (pa.array(TEXTS * 30, pa.large_string()), "text"),
    "utf8_view": (pa.array(TEXTS * 30, pa.string_view()), "text"),
    "binary": (pa.array(BLOBS * 30), "bytea"),
    "large_binary": (pa.array(BLOBS * 30, pa.large_binary()), "bytea"),
    "binary_view": (pa.array(BLOBS * 30, pa.binary_view()), "bytea"),
    "null": (pa.nulls(100), "text"),
    "decimal": (pa.array([D("1.50"), None, D("-99999.99")] * 40, pa.decimal128(7, 2)), "numeric"),
    "decimal_widest": (pa.array([D(10**38 - 1), None, D(1 - 10**38)] * 30, pa.decimal128(38, 0)),
                       "numeric"),
    "date32": (pa.array([datetime.date(2024, 2, 29), None, datetime.date(1, 1, 1)] * 40), "date"),
    "date64": (pa.array([datetime.date(1969, 12, 31), None] * 60, pa.date64()), "date"),
    "time32_s": (pa.array([datetime.time(23, 59, 59), None] * 60, pa.time32("s")), "time"),
    "time32_ms": (pa.array([datetime.time(1, 2, 3, 4000), None] * 60, pa.time32("ms")), "time"),
    "time64_us": (pa.array([datetime.time(1, 2, 3, 4), None] * 60, pa.time64("us")), "time"),
    "time64_ns": (pa.array([datetime.time(1, 2, 3, 4), None] * 60, pa.time64("ns")), "time"),
    "timestamp_s": (stamps("s"), "timestamp"),
    "timestamp_ms": (stamps("ms"), "timestamp"),
    "timestamp_us": (stamps("us"), "timestamp"),
    "timestamp_ns": (stamps("ns"), "timestamp"),
    "timestamp_utc": (stamps("us", "UTC"), "timestamptz"),
    "interval": (pa.array([pa.MonthDayNano([1, -2, 3000]), None] * 50), "interval"),
    "dictionary": (pa.array(TEXTS * 30).dictionary_encode(), "text"),
    "dictionary_of_dates": (pa.array([datetime.date(2024, 1, 1), None] * 50).dictionary_encode(),
                            "date"),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("cut", [(0, None), (0, 0), (1, None), (67, 20), (64, 5), (3, 1)],
                         ids=["whole", "empty", "from1", "from67", "from64", "one"])
def test_pyarrow_types(bridge, name, cut):
    values, wanted = PLAIN[name]
    values = values.slice(*cut)
    types, out = through(bridge, pa.record_batch([values], ["c"]))
    assert types == [wanted]
    assert out.column(0).to_pylist() == values.to_pylist()
    assert out.schema.names == ["c"]


def test_zone_is_kept_as_an_instant(bridge):
    values = stamps("us", "Europe/Berlin")
    _, out = through(bridge, pa.record_batch([values], ["c"]))
    assert out.schema.field(0).type == pa.timestamp("us", "UTC")
    assert [v and v.astimezone(UTC) for v in values.to_pylist()] == out.column(0).to_pylist()


def test_many_columns_of_a_sliced_struct(bridge):
    """A struct array's own offset comes on top of those of its children."""
    rows = pa.StructArray.from_arrays([pa.array(range(200)), pa.array([str(i) * 9 for i in range(200)])],
                                      ["n", "t"]).slice(70, 50)
    types, out = through(bridge, rows)
    assert types == ["bigint", "text"]
    assert out.to_pylist() == rows.to_pylist()


def test_uuid(bridge):
    ids = [uuid.UUID(int=i * 2**100 + i) for i in range(70)] + [None]
    storage = pa.array([i and i.bytes for i in ids], pa.binary(16))
    types, out = through(bridge, pa.record_batch([pa.ExtensionArray.from_storage(pa.uuid(), storage)], ["c"]))
    assert types == ["uuid"] and out.column(0).to_pylist() == ids
    types, out = through(bridge, pa.record_batch([storage], ["c"]))
    assert types == ["uuid"] and out.column(0).to_pylist() == ids


@pytest.mark.parametrize("name", ["arrow.json", "neuron.json"])
def test_json_by_its_extension(bridge, name):
    field = pa.field("c", pa.string(), metadata={"ARROW:extension:name": name})
    batch = pa.record_batch([pa.array(['{"a":1}', None, "[1,2,3,4,5,6,7,8]"])], pa.schema([field]))
    types, out = through(bridge, batch)
    assert types == ["json"]
    assert out.column(0).to_pylist() == batch.column(0).to_pylist()
    assert out.schema.field(0).metadata[b"ARROW:extension:name"] == b"neuron.json"


def test_dense_union(bridge):
    children = [pa.array([1, None, 3]), pa.array(["a", "a text that is not short"]), pa.nulls(1),
                pa.array([2**40], pa.int64()), pa.array([True])]
    ids = pa.array([5, 9, 5, 5, 9, 0, 7, 1], pa.int8())
    offsets = pa.array([0, 0, 1, 2, 1, 0, 0, 0], pa.int32())
    union = pa.UnionArray.from_dense(ids, offsets, children, ["i", "s", "n", "j", "b"], [5, 9, 0, 7, 1])
    types, out = through(bridge, pa.record_batch([union], ["c"]))
    assert types == ["dynamic"]
    wanted = [1, "a", None, 3, "a text that is not short", None, 2**40, True]
    assert out.column(0).to_pylist() == wanted == union.to_pylist()
    _, out = through(bridge, pa.record_batch([union.slice(2, 4)], ["c"]))
    assert out.column(0).to_pylist() == wanted[2:6]
    types, again = through(bridge, out)
    assert types == ["dynamic"] and again.column(0).to_pylist() == wanted[2:6]


def test_numeric_with_scales_of_its_own(bridge):
    out = give_out(bridge, bridge.bridge_sample(300, 0, 300))
    types, again = through(bridge, out)
    assert types[3] == "numeric" and types[-1] == "numeric"
    assert again.column("numeric").to_pylist() == out.column("numeric").to_pylist()
    assert out.schema.field("numeric").metadata[b"ARROW:extension:name"] == b"neuron.numeric"
    assert out.schema.field("fixed").type == pa.decimal128(38, 3)


def sample_texts(rows, column):
    """As tests/unit/engine/column/sample_batch.h makes them."""
    for row in range(rows):
        seed = row * 15 + column
        null = (row * 7 + column) % 5 == 0 and row > 70
        yield None if null else "".join(chr(97 + (seed + i) % 26) for i in range(seed * 31 % 41))


@pytest.mark.parametrize("cut", [(0, 1000), (64, 500), (960, 40), (128, 0)])
def test_our_types(bridge, cut):
    start, count = cut
    out = give_out(bridge, bridge.bridge_sample(1000, start, count))
    assert out.num_rows == count and out.num_columns == 15
    rows = range(start, start + count)
    null = lambda row, column: (row * 7 + column) % 5 == 0 and row > 70
    wanted = [None if null(r, 1) else (r * 15 + 1) * 1000003 - 500 for r in rows]
    assert out.column("bigint").to_pylist() == wanted
    assert out.column("text").to_pylist() == list(sample_texts(1000, 4))[start:start + count]
    assert out.column("bytea").to_pylist() == [
        t and t.encode() if t else (None if t is None else b"")
        for t in list(sample_texts(1000, 5))[start:start + count]]
    wanted = [None if null(r, 0) else r * 15 % 3 == 0 for r in rows]
    assert out.column("boolean").to_pylist() == wanted
    day = datetime.date(1970, 1, 1)
    wanted = [None if null(r, 7) else day + datetime.timedelta(r * 15 + 7 - 100) for r in rows]
    assert out.column("date").to_pylist() == wanted
    seeds = [None if null(r, 14) else r * 15 + 14 for r in rows]
    wanted = [s and D(s * s * (-1 if s % 2 else 1)).scaleb(-3) for s in seeds]
    assert out.column("fixed").to_pylist() == wanted
    wanted = [None if null(r, 11) else ((r * 15 + 11), -3, (r * 15 + 11) * 77000) for r in rows]
    assert [v and tuple(v) for v in out.column("interval").to_pylist()] == wanted
    _, again = through(bridge, out)
    assert again.equals(out)


REFUSED = {
    "list": (pa.array([[1]]), "schema: column c: the Arrow format \"+l\""),
    "float16": (pa.nulls(1, pa.float16()), "schema: column c: the Arrow format \"e\""),
    "duration": (pa.array([1], pa.duration("s")), "schema: column c: the Arrow format \"tDs\""),
    "decimal256": (pa.array([D(1)], pa.decimal256(50, 1)), "schema: column c: the Arrow format"),
    "sparse_union": (pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
                     "schema: column c: the Arrow format \"+us:0\""),
    "union_of_dates": (pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()),
                                                [pa.array([datetime.date(2024, 1, 1)])]),
                       "schema: column c: the Arrow format \"+ud:0\""),
    "large": (pa.array([1, 2**63], pa.uint64()), "data: column c: row 1: an unsigned number"),
    "nanoseconds": (pa.array([1001], pa.timestamp("ns")), "data: column c: row 0: a time with parts"),
    "out_of_range": (pa.array([2**62], pa.timestamp("s")), "data: column c: row 0: a timestamp that"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(bridge, name):
    values, wanted = REFUSED[name]
    batch, message = take_in(bridge, pa.record_batch([values], ["c"]))
    assert batch is None and wanted in message
