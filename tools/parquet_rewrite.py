"""Turn a Parquet file of pyarrow into one of a kind that it does not write itself: pages in LZ4 as
Hadoop frames it (codec 5), and decimals in byte arrays of any length.

Thrift's compact protocol is read into lists of [field, type, value] and written from them.
"""

import zlib

import pyarrow as pa

BOOL_TRUE, BOOL_FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)


class Thrift:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def raw(self, n):
        self.at += n
        return bytes(self.data[self.at - n:self.at])

    def value(self, kind):
        if kind in (BOOL_TRUE, BOOL_FALSE):
            return None
        if kind in (I16, I32, I64):
            return self.zigzag()
        if kind == LIST:
            head = self.byte()
            n = head >> 4 if head >> 4 < 15 else self.varint()
            kind = head & 15
            return kind, [self.byte() if kind <= BOOL_FALSE else self.value(kind)
                          for _ in range(n)]
        if kind == STRUCT:
            return self.struct()
        return self.raw({BYTE: 1, DOUBLE: 8}[kind] if kind != BINARY else self.varint())

    def struct(self):
        fields, last = [], 0
        while (head := self.byte()) != 0:
            last = last + (head >> 4) if head >> 4 else self.zigzag()
            fields.append([last, head & 15, self.value(head & 15)])
        return fields


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(kind, value):
    if kind in (BOOL_TRUE, BOOL_FALSE):
        return b""
    if kind in (I16, I32, I64):
        return varint(value << 1 if value >= 0 else ~value << 1 | 1)
    if kind == LIST:
        inner, items = value
        out = bytes([min(len(items), 15) << 4 | inner]) + (varint(len(items)) if len(items) > 14 else b"")
        return out + b"".join(bytes([v]) if inner <= BOOL_FALSE else encode(inner, v) for v in items)
    if kind == STRUCT:
        return encode_struct(value)
    return (varint(len(value)) if kind == BINARY else b"") + value


def encode_struct(fields):
    out, last = b"", 0
    for field, kind, value in sorted(fields, key=lambda entry: entry[0]):
        step = field - last
        out += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + encode(I16, field)
        out += encode(kind, value)
        last = field
    return out + b"\0"


def get(fields, field):
    return next((value for at, _, value in fields if at == field), None)


def put(fields, field, kind, value):
    drop(fields, field)
    fields.append([field, kind, value])


def drop(fields, *gone):
    fields[:] = [entry for entry in fields if entry[0] not in gone]


# ---- pages in Hadoop's LZ4 ----

def framed(rng, body):
    """Blocks: u32 BE bytes after, u32 BE bytes before, raw LZ4."""
    step = rng.choice([max(1, len(body)), 700])
    out = b""
    for at in range(0, len(body), step):
        part = body[at:at + step]
        packed = pa.compress(part, codec="lz4_raw", asbytes=True)
        out += len(part).to_bytes(4, "big") + len(packed).to_bytes(4, "big") + packed
    return out


def rewrite_page(rng, header, body):
    """A page with its body, which is not compressed, in Hadoop's LZ4."""
    v2 = get(header, 8)
    n_levels = 0 if v2 is None else get(v2, 5) + get(v2, 6)
    if v2 is not None:  # a flag's value is its type
        drop(v2, 7)
        v2.append([7, BOOL_TRUE, None])
    stored = body[:n_levels] + framed(rng, body[n_levels:])
    put(header, 3, I32, len(stored))
    if get(header, 4) is not None:
        crc = zlib.crc32(stored)
        put(header, 4, I32, crc - (crc >> 31 << 32))
    return encode_struct(header) + stored


def rewrite_chunk(rng, data, meta, base):
    """The pages of a column chunk, anew, as they will lie at `base`."""
    begin = get(meta, 11) or get(meta, 9)
    at, end, pages, full = begin, begin + get(meta, 7), b"", 0
    first_data = None
    while at < end:
        thrift = Thrift(data, at)
        header = thrift.struct()
        body = thrift.raw(get(header, 3))
        at = thrift.at
        if get(header, 1) != 2 and first_data is None:
            first_data = base + len(pages)
        made = rewrite_page(rng, header, body)
        full += len(made) - get(header, 3) + get(header, 2)
        pages += made
    put(meta, 4, I32, 5)
    put(meta, 6, I64, full)
    put(meta, 7, I64, len(pages))
    if get(meta, 11) is not None:
        put(meta, 11, I64, base)
    put(meta, 9, I64, base if first_data is None else first_data)
    return pages


def rewrite_groups(rng, data, footer):
    out = b"PAR1"
    for group in get(footer, 4)[1]:
        for chunk in get(group, 1)[1]:
            drop(chunk, 4, 5, 6, 7)  # indexes
            meta = get(chunk, 3)
            drop(meta, 14, 15)  # filters
            out += rewrite_chunk(rng, data, meta, len(out))
        drop(group, 5)
        put(group, 6, I64, sum(get(get(c, 3), 7) for c in get(group, 1)[1]))
    return out


# ---- decimals in byte arrays ----

def make_decimals(footer):
    """Declare byte arrays without a type to be decimals; their values are as long as they are."""
    n = 0
    for element in get(footer, 2)[1]:
        if get(element, 1) == 6 and get(element, 6) is None and get(element, 10) is None:
            put(element, 6, I32, 5)
            put(element, 7, I32, 2)
            put(element, 8, I32, 9)
            put(element, 10, STRUCT, [[5, STRUCT, [[1, I32, 2], [2, I32, 9]]]])
            n += 1
    return n


def take_apart(path):
    """What is before the footer of a file, and the footer."""
    data = path.read_bytes()
    n_footer = int.from_bytes(data[-8:-4], "little")
    return data[:-8 - n_footer], Thrift(data, len(data) - 8 - n_footer).struct()


def put_together(path, body, footer):
    made = encode_struct(footer)
    path.write_bytes(body + made + len(made).to_bytes(4, "little") + b"PAR1")


def rewrite_schema(path, edit):
    """Let `edit` change the elements of a file's schema, of which the first is the root."""
    body, footer = take_apart(path)
    drop(footer, 5)  # Arrow's own schema
    edit(get(footer, 2)[1])
    put_together(path, body, footer)


def rewrite(rng, path, is_lz4, has_decimals):
    """Rewrite a file in place; gives what was done to it."""
    body, footer = take_apart(path)
    done = ""
    codecs = {get(get(c, 3), 4) for g in get(footer, 4)[1] for c in get(g, 1)[1]}
    if is_lz4 and codecs == {0}:
        body, done = rewrite_groups(rng, body, footer), "lz4 of hadoop"
    if has_decimals:
        drop(footer, 5)  # Arrow's own schema
        done += f" {make_decimals(footer)} decimals"
    put_together(path, body, footer)
    return done
