"""Random tables, and Parquet files of them with every mix of type, encoding, codec, page and group
size that pyarrow writes, and of what only older writers wrote (see parquet_rewrite.py)."""

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from make_parquet_files import CODECS, WORDS, texts
from parquet_rewrite import rewrite
from parquet_rows import is_bytes, is_list, is_string

NULL_RATES = [0, 0.02, 0.15, 0.15, 0.5, 0.98, 1]
ROWS = [0, 1, 7, 100, 300, 1000]

TEXT_KINDS = [pa.string(), pa.string(), pa.string(), pa.binary(), pa.binary(5), pa.large_string(),
              pa.large_binary()]
VIEWS = [pa.string_view(), pa.binary_view()]  # pyarrow cannot write them inside lists
NUMBERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(),
           pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null(),
           pa.decimal128(4, 2), pa.decimal128(9, 9), pa.decimal128(18, 3), pa.decimal128(38, 0),
           pa.decimal256(60, 30), pa.decimal256(76, 1),
           pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"),
           pa.time64("ns"), *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns")
                              for zone in (None, "UTC", "Europe/Madrid")),
           *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")), pa.binary(1), pa.binary(16)]
SECONDS = {"s": 1, "ms": 10 ** 3, "us": 10 ** 6, "ns": 10 ** 9}


# ---- values ----

def bits_of(kind):
    return int("".join(c for c in str(kind) if c.isdigit()))


def integer_of(rng, kind):
    low = 0 if pa.types.is_unsigned_integer(kind) else -2 ** (bits_of(kind) - 1)
    high = low + 2 ** bits_of(kind) - 1
    return rng.choice([rng.randint(low, high), low, high, max(low, min(high, rng.randint(-9, 99)))])


def number_of(rng, kind):
    if pa.types.is_integer(kind):
        return integer_of(rng, kind)
    if pa.types.is_floating(kind):
        value = rng.choice([0.0, -0.0, rng.gauss(0, 1), rng.uniform(-60000, 60000), float("inf"),
                            float("nan"), 2.0 ** -24])
        return np.float16(value) if pa.types.is_float16(kind) else value
    if pa.types.is_boolean(kind):
        return rng.random() < 0.5
    if pa.types.is_decimal(kind):
        digits = rng.randrange(1, kind.precision + 1)
        with decimal.localcontext(prec=100):
            return decimal.Decimal(rng.randint(1 - 10 ** digits, 10 ** digits - 1)).scaleb(-kind.scale)
    return time_of(rng, kind)


def time_of(rng, kind):
    """A moment as its integer, within the years that nanoseconds reach."""
    if pa.types.is_date32(kind):
        return rng.randint(-719162, 2932896)
    if pa.types.is_date64(kind):
        return rng.randint(-719162, 2932896) * 86400000
    per_second = SECONDS[kind.unit]
    part = rng.choice([0, rng.randrange(per_second)])
    if pa.types.is_time(kind):
        return rng.randrange(86400) * per_second + part
    return rng.randint(-9_000_000_000, 9_000_000_000) * per_second + part


def bytes_of(rng, kind, text):
    if pa.types.is_fixed_size_binary(kind):
        odd = rng.random() < 0.5
        return bytes(rng.randrange(256) if odd else rng.randrange(32, 127)
                     for _ in range(kind.byte_width))
    return text.encode() + bytes([rng.randrange(256)] * rng.randrange(2))


def value_of(rng, kind, null_rate=0.15):
    if rng.random() < null_rate or pa.types.is_null(kind):
        return None
    if pa.types.is_fixed_size_list(kind):
        return [value_of(rng, kind.value_type, null_rate) for _ in range(kind.list_size)]
    if is_list(kind):
        return [value_of(rng, kind.value_type, null_rate) for _ in range(rng.choice([0, 1, 2, 5]))]
    if pa.types.is_map(kind):
        return [(rng.choice(WORDS), value_of(rng, kind.item_type, null_rate))
                for _ in range(rng.choice([0, 1, 3]))]
    if pa.types.is_struct(kind):
        return {f.name: value_of(rng, f.type, null_rate) for f in kind}
    if pa.types.is_dictionary(kind):
        return value_of(rng, kind.value_type, 0)
    if is_bytes(kind) or is_string(kind):
        text = texts(rng, 1, False)[0] * rng.choice([1, 1, 1, 1, 30])
        return text if is_string(kind) else bytes_of(rng, kind, text)
    return number_of(rng, kind)


# ---- types ----

def kind_of(rng, depth, text_only, leaves=None):
    if depth > 0 and rng.random() < 0.4:
        inner = kind_of(rng, depth - 1, text_only, leaves)
        return [pa.list_(inner), pa.map_(pa.string(), inner),
                pa.struct([(f"f{i}", inner if i == 0 else kind_of(rng, depth - 1, text_only, leaves))
                           for i in range(rng.randrange(1, 4))])][rng.randrange(3)]
    return rng.choice(leaves or TEXT_KINDS[:6] + ([] if text_only else [pa.int64()]))


def column_kind(rng):
    """A column that is carried along."""
    pick = rng.randrange(10)
    inner = rng.choice(TEXT_KINDS + NUMBERS)
    if pick < 5:
        return rng.choice(NUMBERS)
    if pick == 5:
        return pa.list_(rng.choice([pa.string(), pa.int64(), pa.float32(), inner]))
    if pick == 6:
        return pa.large_list(inner)
    if pick == 7 and not pa.types.is_null(inner):
        return pa.list_(inner, rng.randrange(1, 4))
    if pick == 8:
        return pa.dictionary(pa.int32(), rng.choice([pa.string(), pa.binary(), pa.int64()]))
    return kind_of(rng, 3, False, TEXT_KINDS + NUMBERS)


def text_kind(rng):
    """A type for a column with text."""
    inner = rng.choice(TEXT_KINDS)
    pick = rng.randrange(12)
    if pick == 0:
        return pa.dictionary(pa.int32(), rng.choice([pa.string(), pa.large_string()]))
    if pick == 1:
        return pa.struct([("n", pa.int32()), ("text", inner)])
    if pick == 2:
        return pa.struct([("a", pa.struct([("b", pa.struct([("text", inner)]))])),
                          ("text", pa.string())])
    if pick == 3:
        return rng.choice([pa.list_, pa.large_list])(pa.string())
    if pick == 4:
        return pa.struct([("tags", pa.list_(pa.string()))])
    if pick == 5:
        return pa.struct([("x", rng.choice([pa.list_(pa.list_(inner)), pa.map_(pa.string(), inner),
                                            pa.list_(pa.struct([("t", inner)])),
                                            pa.list_(pa.binary())])), ("y", pa.string())])
    return rng.choice(TEXT_KINDS + VIEWS)


# ---- tables ----

def array_of(rng, kind, n):
    rate = rng.choice(NULL_RATES)
    pool = [value_of(rng, kind, rate) for _ in range(rng.choice([1, 3, 40, 400]))]
    values = []
    while len(values) < n:
        values += [rng.choice(pool)] * rng.choice([1, 1, 1, 2, 20, 300])
    if pa.types.is_dictionary(kind):
        return pa.array(values[:n], kind.value_type).dictionary_encode()
    return pa.array(values[:n], kind)


def table_of(rng, rows):
    """A table with a column that has text."""
    n = rng.choice(rows)
    kinds = [column_kind(rng) for _ in range(rng.randrange(1, 6))]
    names = [rng.choice([f"c{i}", f"name {i}", f"größe{i}"]) for i in range(len(kinds))]
    at = rng.randrange(len(kinds) + 1)
    kinds.insert(at, text_kind(rng))
    names.insert(at, "text")
    fields = [pa.field(*pair) for pair in zip(names, kinds)]
    arrays = [array_of(rng, kind, n) for kind in kinds]
    for i, array in enumerate(arrays):
        if array.null_count == 0 and rng.random() < 0.3 and not pa.types.is_null(array.type):
            fields[i] = fields[i].with_nullable(False)
        fields[i] = fields[i].with_type(array.type)
    return pa.table(arrays, schema=pa.schema(fields))


def decimals_of(rng, rows):
    """A table whose byte arrays are decimals with the highest byte first."""
    values = []
    for _ in range(rng.choice(rows)):
        value = rng.randint(-10 ** 9 + 1, 10 ** 9 - 1) // 10 ** rng.randrange(9)
        n_least = value.bit_length() // 8 + 1
        values.append(None if rng.random() < 0.1 else
                      value.to_bytes(rng.randrange(n_least, n_least + 3), "big", signed=True))
    return pa.table({"text": pa.array(texts(rng, len(values), True), pa.string()),
                     "price": pa.array(values, pa.binary())})


# ---- files ----

ENCODINGS = {
    "BOOLEAN": ["PLAIN", "RLE"],
    "INT32": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "INT64": ["PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
    "INT96": ["PLAIN"],
    "FLOAT": ["PLAIN", "BYTE_STREAM_SPLIT"],
    "DOUBLE": ["PLAIN", "BYTE_STREAM_SPLIT"],
    "BYTE_ARRAY": ["PLAIN", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"],
    "FIXED_LEN_BYTE_ARRAY": ["PLAIN", "BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY"],
}


def fixed_options(rng, table, damaged):
    """What decides of the schema that is written. Old versions have no nanoseconds."""
    has_nanos = "[ns" in str(table.schema)
    return {"version": "2.6" if has_nanos else rng.choice(["1.0", "2.4", "2.6"]),
            "use_deprecated_int96_timestamps": rng.random() < 0.2,
            "store_decimal_as_integer": rng.random() < 0.5,
            "use_compliant_nested_type": rng.random() < 0.8,
            "store_schema": not damaged and rng.random() < 0.7}


def page_options(rng, table):
    """What decides of pages. pyarrow cannot cut a column of views into parts."""
    options = {"data_page_version": rng.choice(["1.0", "2.0"]),
               "data_page_size": rng.choice([50, 1000, 1 << 20]),
               "max_rows_per_page": rng.choice([3, 100, 20000]),
               "write_batch_size": rng.choice([1, 10, 1024]),
               "dictionary_pagesize_limit": rng.choice([100, 1 << 20]),
               "write_page_checksum": rng.random() < 0.5,
               "write_page_index": rng.random() < 0.4,
               "write_statistics": rng.random() < 0.7,
               "use_content_defined_chunking": rng.random() < 0.1}
    if "_view" in str(table.schema):
        options |= {"data_page_size": 1 << 20, "max_rows_per_page": 1 << 20,
                    "write_batch_size": 1 << 20, "use_content_defined_chunking": False}
    return options


def leaves_of(table, fixed):
    """The leaves of the file, as path and physical type."""
    sink = pa.BufferOutputStream()
    pq.write_table(table.slice(0, 0), sink, **fixed)
    schema = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [(schema.column(i).path, schema.column(i).physical_type) for i in range(len(schema))]


def leaf_options(rng, table, fixed):
    """Dictionary, encoding and codec of each leaf, or the same of all."""
    leaves = leaves_of(table, fixed)
    rate = rng.choice([0, 0.5, 0.5, 1])
    in_dictionary = [path for path, _ in leaves if rng.random() < rate]
    encodings = {path: rng.choice(ENCODINGS[kind]) for path, kind in leaves
                 if path not in in_dictionary}
    if "dictionary<" in str(table.schema) and fixed["store_schema"]:
        encodings = {path: "PLAIN" for path in encodings}  # pyarrow reads no other ones as such
    codec = rng.choice(CODECS)
    if rng.random() < 0.3:
        codec = {path: rng.choice(CODECS) for path, _ in leaves}
    return {"use_dictionary": in_dictionary, "column_encoding": encodings or None,
            "compression": codec}


def write_random(rng, path, damaged=False, rows=ROWS):
    """Write a random file. Gives the options that made it. It has a column with text."""
    has_decimals = rng.random() < 0.05
    table = decimals_of(rng, rows) if has_decimals else table_of(rng, rows)
    options = fixed_options(rng, table, damaged)
    options |= leaf_options(rng, table, options) | page_options(rng, table)
    group = rng.choice([13, 200, 5000])
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        if rng.random() < 0.2:
            writer.write_table(table.slice(0, 0))  # a group without rows
        for at in range(0, len(table), group):
            writer.write_table(table.slice(at, group), row_group_size=group)
            if rng.random() < 0.05:
                writer.write_table(table.slice(0, 0))
    if has_decimals or options["compression"] == "none":
        options["rewritten"] = rewrite(rng, path, rng.random() < 0.5, has_decimals)
    return options


def damage(rng, path):
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 3])):
        at = rng.choice([rng.randrange(len(data)), max(0, len(data) - rng.randrange(1, 400))])
        data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
