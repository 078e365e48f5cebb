"""Tables as Arrow C streams, built by hand with ctypes, for machines without pyarrow."""
import ctypes as c

import numpy as np


class Schema(c.Structure):
    pass


class Array(c.Structure):
    pass


class Stream(c.Structure):
    pass


RELEASE_SCHEMA, RELEASE_ARRAY = c.CFUNCTYPE(None, c.POINTER(Schema)), c.CFUNCTYPE(None, c.POINTER(Array))
GET_SCHEMA = c.CFUNCTYPE(c.c_int, c.POINTER(Stream), c.POINTER(Schema))
GET_NEXT = c.CFUNCTYPE(c.c_int, c.POINTER(Stream), c.POINTER(Array))
LAST_ERROR, RELEASE_STREAM = c.CFUNCTYPE(c.c_void_p, c.POINTER(Stream)), c.CFUNCTYPE(None, c.POINTER(Stream))
Schema._fields_ = [("format", c.c_char_p), ("name", c.c_char_p), ("metadata", c.c_char_p), ("flags", c.c_int64), ("n_children", c.c_int64),
                   ("children", c.POINTER(c.POINTER(Schema))), ("dictionary", c.POINTER(Schema)), ("release", RELEASE_SCHEMA), ("private", c.c_void_p)]
Array._fields_ = [("length", c.c_int64), ("null_count", c.c_int64), ("offset", c.c_int64), ("n_buffers", c.c_int64), ("n_children", c.c_int64),
                  ("buffers", c.POINTER(c.c_void_p)), ("children", c.POINTER(c.POINTER(Array))), ("dictionary", c.POINTER(Array)),
                  ("release", RELEASE_ARRAY), ("private", c.c_void_p)]
Stream._fields_ = [("get_schema", GET_SCHEMA), ("get_next", GET_NEXT), ("get_last_error", LAST_ERROR), ("release", RELEASE_STREAM), ("private", c.c_void_p)]

NUMBERS = {"c": np.int8, "C": np.uint8, "s": np.int16, "S": np.uint16, "i": np.int32, "I": np.uint32, "l": np.int64, "L": np.uint64,
           "f": np.float32, "g": np.float64}


def bits(flags):
    return np.packbits(np.asarray(flags, np.uint8), bitorder="little").tobytes() + b"\0"


def view_buffers(texts):
    """Views: 12 bytes beside the length, or 4 of them, a buffer and an offset in it."""
    views, data = b"", b""
    for text in texts:
        if len(text) <= 12:
            views += np.int32(len(text)).tobytes() + text.ljust(12, b"\0")
        else:
            views += np.int32(len(text)).tobytes() + text[:4] + np.array([0, len(data)], np.int32).tobytes()
            data += text
    return [views, data + b"\0", np.array([len(data)], np.int64).tobytes()]


def buffers_of(format, values):
    """Buffers of a column; None is null."""
    valid = bits([value is not None for value in values])
    if format in ("u", "U", "vu"):
        texts = [(value or "").encode("utf8", "surrogateescape") for value in values]
        if format == "vu":
            return [valid, *view_buffers(texts)]
        offsets = np.cumsum([0] + [len(text) for text in texts]).astype(np.int32 if format == "u" else np.int64)
        return [valid, offsets.tobytes(), b"".join(texts) + b"\0"]
    if format == "b":
        return [valid, bits([bool(value) for value in values])]
    return [valid, np.array([value or 0 for value in values], NUMBERS[format]).tobytes()]


class Table:
    """columns: {name: (format, values)}, or (format, values, indices) of a dictionary; batches of `rows` rows, whose first
    `skip` rows lie before the offset of the columns."""

    def __init__(self, columns, rows=None, skip=0, fail_at=None):
        self.columns, self.skip, self.fail_at, self.alive, self.n_released = columns, skip, fail_at, [], 0
        n = len(next(iter(columns.values()))[-1])
        rows = rows or n
        self.batches = [slice(at, min(at + rows, n)) for at in range(0, n, rows)]

    def _keep(self, thing):
        self.alive.append(thing)
        return thing

    def _pointers(self, kind, things):
        return self._keep((c.POINTER(kind) * max(1, len(things)))(*[c.pointer(self._keep(thing)) for thing in things]))

    def _schema_of(self, name, column):
        schema = Schema(format=column[0].encode(), name=name.encode(), release=self._keep(RELEASE_SCHEMA()))
        if len(column) == 3:
            schema.format = b"i"
            schema.dictionary = c.pointer(self._keep(Schema(format=column[0].encode())))
        return schema

    def _array(self, format, values, offset=0):
        stored = [None] * offset + list(values)
        raw = [self._keep(c.create_string_buffer(data, max(1, len(data)))) for data in buffers_of(format, stored)]
        array = Array(length=len(values), null_count=-1, offset=offset, n_buffers=len(raw))
        array.buffers = self._keep((c.c_void_p * len(raw))(*[c.addressof(one) for one in raw]))
        return array

    def _column(self, column, part):
        if len(column) == 3:
            array = self._array("i", column[2][part], self.skip)
            array.dictionary = c.pointer(self._keep(self._array(column[0], column[1])))
            return array
        return self._array(column[0], column[1][part], self.skip)

    def __arrow_c_stream__(self, requested_schema=None):
        def get_schema(stream, out):
            children = self._pointers(Schema, [self._schema_of(*item) for item in self.columns.items()])
            out[0] = Schema(format=b"+s", name=b"", n_children=len(self.columns), children=children, release=release_schema)
            return 0

        def get_next(stream, out):
            at = next(self.turns)
            if at == self.fail_at:
                return 5
            if at >= len(self.batches):
                out[0] = Array()
                return 0
            part = self.batches[at]
            children = self._pointers(Array, [self._column(column, part) for column in self.columns.values()])
            nothing = self._keep((c.c_void_p * 1)(None))
            out[0] = Array(length=part.stop - part.start, n_children=len(self.columns), n_buffers=1, buffers=nothing, children=children,
                           release=release_array)
            return 0

        def release(kind):
            def call(thing):
                self.n_released += 1
                thing[0].release = kind()
            return kind(call)

        message = self._keep(c.create_string_buffer(b"the cable is out"))
        self.turns = iter(range(1 << 30))
        release_schema, release_array = self._keep(release(RELEASE_SCHEMA)), self._keep(release(RELEASE_ARRAY))
        stream = self._keep(Stream(self._keep(GET_SCHEMA(get_schema)), self._keep(GET_NEXT(get_next)),
                                   self._keep(LAST_ERROR(lambda stream: c.addressof(message))), self._keep(release(RELEASE_STREAM))))
        new = c.pythonapi.PyCapsule_New
        new.restype, new.argtypes = c.py_object, [c.c_void_p, c.c_char_p, c.c_void_p]
        return new(c.addressof(stream), b"arrow_array_stream", None)
