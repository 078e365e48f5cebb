#!/usr/bin/env python3
"""Write the small weights files of tests/data/weights: good ones by the reference libraries (numpy, safetensors,
torch), with their values in expected.json, and broken ones made from these by the rule in their name.

Usage: make_weight_files.py [FOLDER]     needs numpy, safetensors and torch
"""
import io
import json
import os
import shutil
import struct
import sys
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
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    write("good/state.safetensors", save(plain, {"kind": "test"}))
    write("good/state.pt", torch_bytes({"model": state, "epoch": 3}))
    write("good/stream.pt", torch_bytes(state, _use_new_zipfile_serialization=False))
    write("good/array.npy", numpy_bytes(array))
    write("good/arrays.npz", packed.getvalue())
    expected = {
        "state.safetensors": {name: describe(tensor) for name, tensor in state.items()},
        "state.pt": {f"model/{name}": describe(tensor) for name, tensor in state.items()},
        "stream.pt": {name: describe(tensor) for name, tensor in state.items()},
        "array.npy": {"array": describe(array.astype("<f8"))},
        "arrays.npz": {name: describe(value) for name, value in named.items()},
    }
    write("expected.json", json.dumps(expected, indent=1).encode() + b"\n")


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

    array = numpy_bytes(numbers(2, 3).numpy())
    write("broken/object.npy", array.replace(b"'<f4'", b"'|O' "))
    write("broken/expression.npy", array.replace(b"(2, 3), ", b"(2*1,3),"))
    write("broken/bytes-behind.npy", array + b"\0")
    write("broken/empty.npy", b"")


shutil.rmtree(OUT, ignore_errors=True)
make_good()
make_shards()
make_broken()
