#!/usr/bin/env python3
"""Expected bytes for the writers of src/run, as numpy.save and json.dump make them.

    make_run_data.py [tests/data/run]

npy_headers.tsv  shape, then the header of numpy.save in hexadecimal
rates.f32 / rates.npy  values and the file that numpy.save makes of them
top.bin / top.json     per feature: u32 count, then per text f32, u32 bytes, the bytes; and what
                       json.dump(lists, file, indent=2, ensure_ascii=False) makes of them
sae-jumprelu/, sae-batchtopk/  random autoencoders of width 16 with 24 features, the last two dead
rows.jsonl             texts of random words, some null, empty, blank or equal, and a long one
Needs numpy. The versions used stand in VERSIONS.txt beside the data.
"""
import io
import json
import os
import platform
import struct
import sys

import numpy as np

OUT = sys.argv[1] if len(sys.argv) > 1 else "tests/data/run"
os.makedirs(OUT, exist_ok=True)

SHAPES = [(0,), (1,), (7,), (10,), (99,), (768,), (1536,), (2304,), (99999,), (1234567,),
          (0, 768), (1, 1), (3, 4), (2000, 384), (15292, 768), (0, 0), (100000, 1024)]


def header(shape):
    """numpy.save's header for a shape, by way of an array that has no memory of its own."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {
        "descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


with open(os.path.join(OUT, "npy_headers.tsv"), "w") as f:
    for shape in SHAPES + [(10 ** 12, 384), (2 ** 63 - 1, 8)]:
        f.write(" ".join(map(str, shape)) + "\t" + header(shape).hex() + "\n")

rates = np.float32([0, 100, 0.1, 33.333332, 1e-7, 50, 99.99999, 12.5])
rates.tofile(os.path.join(OUT, "rates.f32"))
np.save(os.path.join(OUT, "rates.npy"), rates)

TEXTS = [
    [],
    [(7.173341274261475, "plain text"), (0.1, 'quote " and backslash \\ and slash /')],
    [(1.0, ""), (1e-7, "tab\tnewline\nreturn\rbell\x07 nul\x00 unit\x1f delete\x7f")],
    [(123456.0, "é ß 日本語 😀 \u2028\u2029\ufeff\U0010ffff e\u0301")],
    [],
    [(3.4028234663852886e38, "largest"), (1e16, "sixteen"), (1.4e-45, "smallest")],
    [(16777216.0, "d"), (1234.5678, "\b\f</script>"), (0.0001, "b"), (0.00001, "c")],
]
top = [[[float(np.float32(a)), t] for a, t in feature] for feature in TEXTS]
with open(os.path.join(OUT, "top.json"), "w", encoding="utf8") as f:
    json.dump(top, f, indent=2, ensure_ascii=False)
with open(os.path.join(OUT, "top.bin"), "wb") as f:
    for feature in top:
        f.write(struct.pack("<I", len(feature)))
        for a, t in feature:
            b = t.encode("utf8")
            f.write(struct.pack("<fI", a, len(b)) + b)
rng = np.random.default_rng(7)


def save_safetensors(path, tensors):
    head, at, data = {}, 0, b""
    for name, value in tensors.items():
        value = np.ascontiguousarray(value, dtype="<f4")
        head[name] = {"dtype": "F32", "shape": list(value.shape),
                      "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
        data += value.tobytes()
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


D, L = 16, 24
for kind in ("jumprelu", "batchtopk"):
    folder = os.path.join(OUT, "sae-" + kind)
    os.makedirs(folder, exist_ok=True)
    decoder = rng.normal(size=(L, D))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    tensors = {"b_dec": rng.normal(size=D) * 0.01, "b_enc": rng.normal(size=L) * 0.05,
               "W_enc": decoder.T * 1.0, "W_dec": decoder}
    tensors["W_enc"][:, -2:] *= 1e-3
    if kind == "jumprelu":
        tensors["jumprelu.log_threshold"] = np.log(rng.uniform(0.2, 1.2, size=L))
    save_safetensors(os.path.join(folder, "sae.safetensors"), tensors)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"sae_type": kind, "act_size": D, "dict_size": L, "input_unit_norm": True,
                   "dtype": "torch.float32", "top_k": 4, "model_name": "someone/mpnet-mean",
                   "num_examples": 1000}, f, indent=4)

WORDS = ("the of galaxy star dust mass light field measure new line river bird fish house bright "
         "dark cold heat near far old young planet moon sun orbit ring disk core shell map").split()
with open(os.path.join(OUT, "rows.jsonl"), "w", encoding="utf8") as f:
    texts = []
    for i in range(300):
        text = " ".join(rng.choice(WORDS, size=int(rng.integers(1, 30))))
        if i % 50 == 7:
            text = None
        elif i % 50 == 8:
            text = ""
        elif i % 50 == 9:
            text = " \n\t\u3000"
        elif i % 10 == 5:
            text = texts[i - 4]
        elif i == 123:
            text = " ".join(rng.choice(WORDS, size=2000))
        texts.append(text)
        f.write(json.dumps({"id": i, "text": text}, ensure_ascii=False) + "\n")

with open(os.path.join(OUT, "VERSIONS.txt"), "w") as f:
    f.write(f"made by tools/make_run_data.py\npython {platform.python_version()}\n"
            f"numpy {np.__version__}\n")
