"""What several test files need: files written by the rules of their formats, and what a refusal looks like."""
import json
import math

import numpy as np


def read_safetensors(path):
    """Header (without its metadata) and the data that its offsets count in."""
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return header, raw[8 + n:]


def store_safetensors(path, header, data):
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, value in tensors.items():
        raw = value.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    store_safetensors(path, header, data)


def poison(path, name, *places):
    """Puts NaN at flat indices of a float32 tensor."""
    header, data = read_safetensors(path)
    start, end = header[name]["data_offsets"]
    values = np.frombuffer(data[start:end], "<f4").copy()
    values[list(places)] = math.nan
    store_safetensors(path, header, data[:start] + values.tobytes() + data[end:])


def edit_json(path, **changes):
    """Sets keys of a JSON object; a key set to None is taken out."""
    value = json.loads(path.read_text("utf8"))
    value.update(changes)
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not None}), "utf8")


def assert_refused(done, code, *words):
    """One sentence on stderr that holds the words, nothing on stdout, and the exit code."""
    assert done.code == code, f"exit code {done.code}: {done.err}"
    assert done.out == ""
    assert done.err.startswith("saescope: ") and done.err.count("\n") == 1 and done.err.endswith("\n"), done.err
    left = done.err
    for word in map(str, words):
        assert word in left, f"{word!r} is not in {done.err!r}"
        if word.startswith("/"):  # so that a number is not found in the name of a folder
            left = left.replace(word, "")


def write_torch(path, value):
    """What torch.save writes for dictionaries of float32 arrays and plain values, without torch."""
    import io
    import pickle
    import sys
    import types
    import zipfile
    from collections import OrderedDict

    storages = []

    class FloatStorage:
        pass

    class Kept:  # an array on its way into a record of its own
        def __init__(self, array):
            self.array = array

    def _rebuild_tensor_v2(*arguments):
        raise NotImplementedError

    FloatStorage.__module__, _rebuild_tensor_v2.__module__ = "torch", "torch._utils"
    FloatStorage.__qualname__, _rebuild_tensor_v2.__qualname__ = "FloatStorage", "_rebuild_tensor_v2"
    modules = {"torch": types.ModuleType("torch"), "torch._utils": types.ModuleType("torch._utils")}
    modules["torch"].FloatStorage, modules["torch._utils"]._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Kept):
                return None
            storages.append(obj.array)
            return ("storage", FloatStorage, str(len(storages) - 1), "cpu", obj.array.size)

        def reducer_override(self, obj):
            if not isinstance(obj, np.ndarray):
                return NotImplemented
            strides = tuple(int(np.prod(obj.shape[i + 1:])) for i in range(obj.ndim))
            return _rebuild_tensor_v2, (Kept(obj.astype("<f4")), 0, obj.shape, strides, False, OrderedDict())

    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        buffer = io.BytesIO()
        Pickler(buffer, protocol=2).dump(value)
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x/data.pkl", buffer.getvalue())
        for i, array in enumerate(storages):
            archive.writestr(f"x/data/{i}", array.tobytes())
        archive.writestr("x/version", "3\n")
