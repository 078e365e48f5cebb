"""A reader of Arrow IPC files with numpy alone, by the format's documents: flat columns and lists of numbers."""
import struct

import numpy as np


def u32(raw, at):
    return struct.unpack_from("<I", raw, at)[0]


def i64(raw, at):
    return struct.unpack_from("<q", raw, at)[0]


class Table:
    """A table of a flatbuffer."""

    def __init__(self, raw, at):
        self.raw, self.at = raw, at
        self.vtable = at - struct.unpack_from("<i", raw, at)[0]
        self.n = (struct.unpack_from("<H", raw, self.vtable)[0] - 4) // 2

    def slot(self, i):
        offset = struct.unpack_from("<H", self.raw, self.vtable + 4 + 2 * i)[0] if i < self.n else 0
        return self.at + offset if offset else None

    def number(self, i, form, default=0):
        at = self.slot(i)
        return default if at is None else struct.unpack_from(form, self.raw, at)[0]

    def table(self, i):
        at = self.slot(i)
        return None if at is None else Table(self.raw, at + u32(self.raw, at))

    def vector(self, i):
        """Where its elements begin, and how many they are."""
        at = self.slot(i)
        if at is None:
            return 0, 0
        at += u32(self.raw, at)
        return at + 4, u32(self.raw, at)

    def tables(self, i):
        at, n = self.vector(i)
        return [Table(self.raw, at + 4 * j + u32(self.raw, at + 4 * j)) for j in range(n)]

    def text(self, i):
        at, n = self.vector(i)
        return self.raw[at:at + n].decode("utf8")


def type_of(field):
    kind, table = field.number(2, "<B"), field.table(3)
    if kind == 2:
        return np.dtype(f"<{'iu'[not table.number(1, '<B')]}{table.number(0, '<i') // 8}")
    return {3: lambda: np.dtype(["<f2", "<f4", "<f8"][table.number(0, "<h")]), 5: lambda: str, 6: lambda: bool,
            12: lambda: [type_of(field.tables(5)[0])]}[kind]()


class Buffers:
    def __init__(self, raw, batch, body):
        nodes, self.n_nodes = batch.vector(1)
        places, self.n_places = batch.vector(2)
        self.raw, self.body = raw, body
        self.nodes = iter([(i64(raw, nodes + 16 * i), i64(raw, nodes + 16 * i + 8)) for i in range(self.n_nodes)])
        self.places = iter([(i64(raw, places + 16 * i), i64(raw, places + 16 * i + 8)) for i in range(self.n_places)])

    def take(self):
        at, n = next(self.places)
        return self.raw[self.body + at:self.body + at + n]


def column(buffers, kind):
    n, nulls = next(buffers.nodes)
    bitmap = np.frombuffer(buffers.take(), "u1")
    valid = np.unpackbits(bitmap, bitorder="little")[:n].astype(bool) if len(bitmap) else np.ones(n, bool)
    assert (~valid).sum() == nulls
    if isinstance(kind, list) or kind is str:
        offsets = np.frombuffer(buffers.take(), "<i4")
        if kind is str:
            data = buffers.take()
            values = [data[offsets[i]:offsets[i + 1]].decode("utf8") for i in range(n)]
        else:
            data = column(buffers, kind[0])
            values = [data[offsets[i]:offsets[i + 1]] for i in range(n)]
    elif kind is bool:
        values = np.unpackbits(np.frombuffer(buffers.take(), "u1"), bitorder="little")[:n].astype(bool)
    else:
        values = np.frombuffer(buffers.take(), kind)[:n]
    return values if not nulls else [v if there else None for v, there in zip(values, valid)]


def read_arrow(path):
    """{name: values}, and the file's metadata."""
    raw = path.read_bytes()
    assert raw[:8] == b"ARROW1\0\0" and raw[-6:] == b"ARROW1"
    end = len(raw) - 10
    foot = end - u32(raw, end)
    footer = Table(raw, foot + u32(raw, foot))
    schema = footer.table(1)
    fields = [(f.text(0), type_of(f)) for f in schema.tables(1)]
    notes = {note.text(0): note.text(1) for note in schema.tables(2)}
    columns = {name: [] for name, _ in fields}
    blocks, n_blocks = footer.vector(3)
    for i in range(n_blocks):
        at = i64(raw, blocks + 24 * i)
        message = Table(raw, at + 8 + u32(raw, at + 8))
        buffers = Buffers(raw, message.table(2), at + struct.unpack_from("<i", raw, blocks + 24 * i + 8)[0])
        for name, kind in fields:
            columns[name].append(column(buffers, kind))
    def join(parts):
        if all(isinstance(part, np.ndarray) for part in parts) and parts:
            return np.concatenate(parts)
        return [value for part in parts for value in part]
    return {name: join(parts) for name, parts in columns.items()}, notes
