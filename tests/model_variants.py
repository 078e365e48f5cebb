"""Folders of tests/data/encoder with one thing changed, for the tool that asks the reference and for the test that asks saescope.

A variant is {"base": folder, "set": {file: {key: value}}, "drop": {file: [key, …]}, "remove": [file, …], "tensors": {name: shape},
"adapter": {…}, "copy": {file: file of another folder}, "rename": {…}, "write": {file: text}}; `set` on a file that is not there makes it, and "a/b" sets the key b of the object a; a number
is an element of a list. Numbers of new tensors come from their name and shape alone.
"""
import json
import shutil
import zlib

import numpy as np

from helpers import read_safetensors, store_safetensors, write_safetensors

TEXTS = ["The galaxy is bright and the Sun is near.", "UPPER stars",
         "We measured the mass of dust in a distant galaxy, using observations of lines and bands of a bright star field at night " * 2]


def numbers(name, shape):
    """Multiples of 1/256 between -1/4 and 1/4, the same on every machine."""
    n = int(np.prod(shape))
    state, out = zlib.crc32(name.encode()) | 1, np.empty(n)
    for i in range(n):
        state = (1103515245 * state + 12345) % 2**31
        out[i] = ((state >> 16) % 129 - 64) / 256
    return out.reshape(shape)


def set_key(value, path, new):
    *before, last = path.split("/")
    for step in before:
        value = value[int(step)] if isinstance(value, list) else value.setdefault(step, {})
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new


def edit(path, changes, dropped):
    value = json.loads(path.read_text("utf8")) if path.exists() else {}
    for key in dropped:
        del value[key]
    for key, new in changes.items():
        set_key(value, key, new)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value), "utf8")


def add_tensors(path, tensors):
    header, data = read_safetensors(path)
    for name, shape in tensors.items():
        raw = numbers(name, shape).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    store_safetensors(path, header, data)


def make(variant, data, out):
    """Put the folder of a variant at `out`."""
    shutil.copytree(data / variant["base"], out)
    for name, other in variant.get("copy", {}).items():
        shutil.copy(data / other, out / name)
    for name in variant.get("remove", []):
        (out / name).unlink()
    for name, new in variant.get("rename", {}).items():
        (out / name).rename(out / new)
    for name, text in variant.get("write", {}).items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text(text, "utf8")
    files = {*variant.get("set", {}), *variant.get("drop", {})}
    for name in sorted(files):
        edit(out / name, variant.get("set", {}).get(name, {}), variant.get("drop", {}).get(name, []))
    if "tensors" in variant:
        add_tensors(out / "model.safetensors", variant["tensors"])
    if "adapter" in variant:
        write_safetensors(out / "adapter_model.safetensors", {name: numbers(name, shape) for name, shape in variant["adapter"].items()})
    return out
