#!/usr/bin/env python3
"""Write the small weights files of tests/data/weights: good ones by the reference libraries (numpy, safetensors,
torch), with their values in expected.json, and broken ones made from these by the rule in their name.

Usage: make_weight_files.py [FOLDER]     needs numpy, safetensors and torch
"""
import argparse
import collections
import datetime
import decimal
import fractions
import io
import json
import os
import pathlib
import shutil
import struct
import sys
import types
import uuid
import zipfile

import numpy as np
import torch
from safetensors.torch import save

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "data", "weights")


def numbers(*shape, dtype=torch.float32):
    count = int(np.prod(shape))
    return (torch.arange(count, dtype=torch.float64) * 7 % 11 - 5).div(4).to(dtype).reshape(shape)


def write(name, content):
    path = os.path.join(OUT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def torch_bytes(value, **options):
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def numpy_bytes(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def describe(tensor):
    tensor = torch.as_tensor(tensor)
    return {"shape": list(tensor.shape), "values": tensor.to(torch.float64).flatten().tolist()}


def make_good():
    state = {
        "weight": numbers(3, 2),
        "bias": numbers(3, dtype=torch.float16),
        "scale": numbers(2, 2, dtype=torch.bfloat16),
        "turned": numbers(2, 3, dtype=torch.float64).t(),
        "steps": torch.tensor(12345),
        "mask": torch.tensor([True, False]),
    }
    array = np.asfortranarray(numbers(2, 3).numpy().astype(">f8"))
    named = {"first": numbers(2, 2).numpy(), "second": np.arange(100, dtype=np.int16)}
    packed = io.BytesIO()
    np.savez_compressed(packed, **named)
    beside = io.BytesIO()
    np.savez_compressed(beside, embeddings=numbers(3, 2).numpy(), ids=np.array(["a", "bc", "d"]),
                        meta=np.array([{"a": 1}, None], dtype=object), when=np.array(["2024-01-01"], dtype="M8[D]"),
                        records=np.zeros(2, dtype=[("a", "f4"), ("b", "i8")]), waves=np.array([1j]), none=np.zeros((0, 4)),
                        big=numbers(2, 2).numpy().astype(">f4"))
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    write("good/state.safetensors", save(plain, {"kind": "test"}))
    write("good/state.pt", torch_bytes({"model": state, "epoch": 3}))
    write("good/stream.pt", torch_bytes(state, _use_new_zipfile_serialization=False))
    write("good/array.npy", numpy_bytes(array))
    write("good/arrays.npz", packed.getvalue())
    write("good/beside.npz", beside.getvalue())
    expected = {
        "state.safetensors": {name: describe(tensor) for name, tensor in state.items()},
        "state.pt": {f"model/{name}": describe(tensor) for name, tensor in state.items()},
        "stream.pt": {name: describe(tensor) for name, tensor in state.items()},
        "array.npy": {"array": describe(array.astype("<f8"))},
        "beside.npz": {"embeddings": describe(numbers(3, 2)), "none": describe(np.zeros((0, 4))), "big": describe(numbers(2, 2))},
        "arrays.npz": {name: describe(value) for name, value in named.items()},
    }
    write("expected.json", json.dumps(expected, indent=1).encode() + b"\n")


def named_values():
    """(values by name, what each reads as by Python's own arithmetic; NOTHING: must be noted as unreadable)."""
    values, right = {}, {}

    def add(name, value, reads_as):
        values[name], right[name] = value, reads_as
    for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
                 "longdouble"):
        for order in "<>":
            scalar = np.array([-3 if kind[0] == "i" else 3 if kind[0] == "u" else 2.5]).astype(np.dtype(kind).newbyteorder(order))
            name = f"{kind}{'le' if order == '<' else 'be'}"
            if kind != "longdouble":
                add("array0d_" + name, scalar.reshape(()), scalar[0].item())
                add("array1_" + name, scalar, scalar[0].item())
            if order == "<":
                add("scalar_" + name, scalar[0], float(scalar[0]) if kind == "longdouble" else scalar[0].item())
    for kind in ("int8", "int16", "int32", "int64", "uint8", "float16", "bfloat16", "float32", "float64"):
        add("tensor0d_" + kind, torch.tensor(3).to(getattr(torch, kind)), 3 if "int" in kind else 3.0)
        add("tensor1_" + kind, torch.tensor([3]).to(getattr(torch, kind)), 3 if "int" in kind else 3.0)
    add("tensor_bool", torch.tensor(True), True)
    add("tensor_false", torch.tensor([[False]]), False)
    add("np_true", np.bool_(True), True)
    add("np_false", np.bool_(False), False)
    add("np_str", np.str_("ReLU – é"), "ReLU – é")
    add("np_bytes", np.bytes_(b"TopK"), "TopK")
    add("big_negative", -2 ** 63, -2 ** 63)
    add("true", True, True)
    add("text", "TopK", "TopK")
    add("decimal", decimal.Decimal("2.5"), 2.5)
    add("dtype", torch.float32, "torch.float32")
    add("version", torch.__version__, str(torch.__version__))
    add("numpy_type", np.float32, "numpy.float32")
    for name, value in {"big": 2 ** 70, "fraction": fractions.Fraction(5, 2), "set": {1, 2}, "frozenset": frozenset([1]),
                        "complex": 1j, "np_complex": np.complex64(1j), "np_datetime": np.datetime64("2024-01-01"), "bytes": b"ab",
                        "empty_bytes": b"", "slice": slice(1, 2), "range": range(3), "path": pathlib.Path("a/b"),
                        "pure": pathlib.PurePosixPath("a"), "datetime": datetime.datetime(2024, 1, 2), "date": datetime.date(2024, 1, 2),
                        "delta": datetime.timedelta(3), "uuid": uuid.UUID(int=5), "deque": collections.deque([1]),
                        "list": [3], "tuple": (3, 4), "dict": {"a": 1}, "size": torch.Size([3]), "long": "x" * 2000,
                        "objects": np.array([None, 1], dtype=object), "records": np.zeros(1, dtype=[("a", "f4")])}.items():
        add("unreadable_" + name, value, None)
    add("none", None, "absent")
    return values, right


def make_values():
    """Plain values and their kin beside a tensor, in every container of Python's that a config may be."""
    values, right = named_values()
    default = collections.defaultdict(list)
    default.update(values)
    saved = {"weight": numbers(2, 2), "plain": values, "ordered": collections.OrderedDict(values), "default": default,
             "namespace": argparse.Namespace(**values), "simple": types.SimpleNamespace(**values),
             "nested": {"config": argparse.Namespace(inner=types.SimpleNamespace(k=np.int64(3)))},
             "array": np.arange(6, dtype=">i2").reshape(2, 3), "fortran": np.asfortranarray(numbers(2, 3).numpy()),
             "losses": [0.5] * 100, np.str_("named by numpy"): np.int32(7)}
    kinds = ("plain", "ordered", "default", "namespace", "simple")
    expected = {f"{kind}/{name}": value for kind in kinds for name, value in right.items()}
    expected.update({"nested/config/inner/k": 3, "named by numpy": 7, "losses/0": "absent"})
    write("values/zip.pt", torch_bytes(saved))
    write("values/stream.pt", torch_bytes(saved, _use_new_zipfile_serialization=False))
    write("values/protocol4.pt", torch_bytes(saved, pickle_protocol=4))
    write("values/protocol5.pt", torch_bytes(saved, pickle_protocol=5))
    # What numpy 1 and Python 3.13 write: the same under other names of modules.
    parts = [(i.filename, zipfile.ZipFile(io.BytesIO(torch_bytes(saved))).read(i)) for i in
             zipfile.ZipFile(io.BytesIO(torch_bytes(saved))).infolist()]
    older = [(name, content.replace(b"cnumpy._core.", b"cnumpy.core.").replace(b"cpathlib\n", b"cpathlib._local\n")
              if name.endswith("data.pkl") else content) for name, content in parts]
    write("values/other-names.pt", archive_bytes(older))
    write("values/expected.json", json.dumps(expected, indent=0).encode() + b"\n")


def make_shards():
    shards = {"model-1-of-2.safetensors": {"a": numbers(2)}, "model-2-of-2.safetensors": {"b": numbers(3)}}
    where = {name: file for file, tensors in shards.items() for name in tensors}
    for file, tensors in shards.items():
        write(f"sharded/{file}", save(tensors))
    write("sharded/model.safetensors.index.json", json.dumps({"weight_map": where}).encode())
    outside = {"a": "../sharded/model-1-of-2.safetensors"}
    write("sharded-outside/model.safetensors.index.json", json.dumps({"weight_map": outside}).encode())
    write("sharded-missing/model.safetensors.index.json", json.dumps({"weight_map": {"c": "none.safetensors"}}).encode())


def safetensors_bytes(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def archive_bytes(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def same_bytes(n_arrays, n_bytes):
    """A pickle whose arrays are all made of one text of Latin-1: memory must not follow their number."""
    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value

    def array(i):
        return (text(b"%04d" % i) + b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01J" +
                struct.pack("<i", n_bytes) + b"\x85h\x03\x89h\x02tb")
    head = text(b"bytes") + b"c_codecs\nencode\n" + text(b"a" * n_bytes) + text(b"latin1") + b"\x86Rq\x02"
    dtype = text(b"dtype") + b"cnumpy\ndtype\n" + text(b"u1") + b"K\0K\x01\x87Rq\x03"
    return b"\x80\x02}(" + head + dtype + b"".join(array(i) for i in range(n_arrays)) + b"u."


def make_broken():
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    twice = json.dumps({"a": entry})[:-1] + ", " + json.dumps({"a": entry})[1:]
    headers = {
        "key-twice": (twice.encode(), bytes(8)),
        "nested-10000": (b'{"a":' * 10000, b""),
        "hole": ({"a": {**entry, "data_offsets": [4, 12]}}, bytes(12)),
        "bytes-behind": ({"a": entry}, bytes(9)),
        "shape-wraps": ({"a": {**entry, "shape": [1 << 32, 1 << 32]}}, bytes(8)),
        "dtype-unknown": ({"a": {**entry, "dtype": "F128"}}, bytes(8)),
    }
    for rule, (header, data) in headers.items():
        write(f"broken/{rule}.safetensors", safetensors_bytes(header, data))
    write("broken/header-too-long.safetensors", struct.pack("<Q", 1 << 62) + b"{}")

    good = torch_bytes({"weight": numbers(4)})
    parts = [(info.filename, zipfile.ZipFile(io.BytesIO(good)).read(info)) for info in zipfile.ZipFile(io.BytesIO(good)).infolist()]
    write("broken/data-changed.pt", good.replace(numbers(4).numpy().tobytes(), bytes(16)))
    write("broken/bytes-before.pt", b"#!" + good)
    write("broken/no-storage.pt", archive_bytes([part for part in parts if "/data/" not in part[0]]))
    write("broken/short-storage.pt", archive_bytes([(n, c[:12] if "/data/" in n else c) for n, c in parts]))
    call = b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R."
    write("broken/calls.pt", archive_bytes([(n, call if n.endswith("data.pkl") else c) for n, c in parts]))
    write("broken/lone.pkl", call)
    write("broken/negated.pt", torch_bytes({"weight": torch._neg_view(numbers(4))}))
    hole = b"\x80\x02}q\x05h\x02s."  # memo 2 was never set, 5 was
    write("broken/memo-hole.pt", archive_bytes([(n, hole if n.endswith("data.pkl") else c) for n, c in parts]))

    write("broken/arrays-of-the-same-bytes.pt",
          archive_bytes([(n, same_bytes(600, 1 << 16) if n.endswith("data.pkl") else c) for n, c in parts], zipfile.ZIP_STORED))

    array = numpy_bytes(numbers(2, 3).numpy())
    write("broken/object.npy", array.replace(b"'<f4'", b"'|O' "))
    write("broken/expression.npy", array.replace(b"(2, 3), ", b"(2*1,3),"))
    write("broken/bytes-behind.npy", array + b"\0")
    write("broken/empty.npy", b"")
    write("broken/complex.npy", numpy_bytes(np.array([1j, 2])))
    write("broken/records.npy", numpy_bytes(np.zeros(2, dtype=[("a", "f4"), ("b", "i8")])))
    write("broken/texts.npy", numpy_bytes(np.array(["a", "b"])))
    write("broken/texts-only.npz", archive_bytes([("ids.npy", numpy_bytes(np.array(["a", "b"])))]))
    write("broken/name-with-nul.npz", archive_bytes([("idsX.npy", numpy_bytes(np.arange(3)))]).replace(b"idsX", b"ids\0"))
    write("broken/name-with-nul.zip", archive_bytes([("notesX", b"words")]).replace(b"notesX", b"notes\0"))
    for version in ("x", "", "-3", "0", "99", "3x"):
        write(f"broken/version-{version or 'empty'}.pt",
              archive_bytes([(n, version.encode() if n.endswith("/version") else c) for n, c in parts]))
    count = b"\x80\x02}X\x01\x00\x00\x00acdecimal\nContext\n)Rs."
    write("broken/other-class.pt", archive_bytes([(n, count if n.endswith("data.pkl") else c) for n, c in parts]))


shutil.rmtree(OUT, ignore_errors=True)
make_good()
make_values()
make_shards()
make_broken()
