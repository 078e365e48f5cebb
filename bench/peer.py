#!/usr/bin/env python3
"""One peer in a process of its own, that embeds whenever it is told to.

    peer.py KIND --model DIR --cache DIR --threads N [--calibration TEXTS.json]

It loads once, says {"ready": …} with its versions, and then reads one JSON command a line:

    {"texts": FILE, "batch": 8, "warm": true, "save": OUT.npy}

answering {"seconds": …, "tokens": …}. FILE is a JSON array of texts; tokenizing counts, and tokens are real ones,
no padding. Kinds are the rows of KINDS below. Rows go to every peer sorted by length, the best case for engines that pad.
"""
import argparse
import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
ap = argparse.ArgumentParser()
ap.add_argument("kind")
ap.add_argument("--model", required=True)
ap.add_argument("--cache", required=True, help="where exported ONNX files are kept")
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--calibration", help="texts for static int8, none of them timed later")
a = ap.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(a.threads)
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what libraries print goes to the error stream

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

torch.set_num_threads(a.threads)
ONNX = os.path.join(a.cache, os.path.basename(os.path.abspath(a.model)) + ".onnx")


def answer(**row):
    print(json.dumps(row), file=answers, flush=True)


def blas():
    text = torch.__config__.show()
    return next((line.strip(" -") for line in text.splitlines() if "Math Kernel" in line or "BLAS" in line), "")


class Sentence:
    """sentence-transformers as a user calls it; in double it is the reference of the accuracies."""

    def __init__(self, dtype):
        self.st = SentenceTransformer(a.model, device="cpu", model_kwargs={"dtype": dtype})
        self.tokenizer, self.limit = self.st.tokenizer, self.st.max_seq_length
        self.dtype = dtype
        self.about = f"PyTorch {torch.__version__}, {blas()}"

    def embed(self, texts, batch):
        if self.dtype == torch.float64:
            out = self.st.encode(texts, batch_size=batch, convert_to_tensor=True)
            return out.numpy()
        return self.st.encode(texts, batch_size=batch, convert_to_tensor=True).float().numpy()


def export():
    if os.path.exists(ONNX):
        return
    st = SentenceTransformer(a.model, device="cpu")
    inner = getattr(st[0], "auto_model", None) or st[0].model

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask)[0]

    one = torch.randint(5, 1000, (2, 16))
    axes = {0: "batch", 1: "length"}
    os.makedirs(a.cache, exist_ok=True)
    torch.onnx.export(Hidden(), (one, torch.ones_like(one)), ONNX + ".part", input_names=["input_ids", "attention_mask"],
                      output_names=["hidden"], dynamo=False, opset_version=17,
                      dynamic_axes={"input_ids": axes, "attention_mask": axes, "hidden": axes})
    os.rename(ONNX + ".part", ONNX)


class Graph:
    """An engine that runs an ONNX graph: tokenizing, padding and mean pooling are done here, in numpy."""

    def __init__(self):
        export()
        st = SentenceTransformer(a.model, device="cpu")
        self.tokenizer, self.limit = st.tokenizer, st.max_seq_length
        self.normalizes = any(type(m).__name__ == "Normalize" for m in st)

    def ids(self, texts):
        return self.tokenizer(texts, truncation=True, max_length=self.limit)["input_ids"]

    def embed(self, texts, batch):
        ids = self.ids(texts)
        order = sorted(range(len(texts)), key=lambda i: -len(ids[i]))
        out = None
        for first in range(0, len(order), batch):
            rows = order[first:first + batch]
            length = max(len(ids[r]) for r in rows)
            x = np.full((len(rows), length), self.tokenizer.pad_token_id, dtype=np.int64)
            mask = np.zeros((len(rows), length), dtype=np.int64)
            for i, r in enumerate(rows):
                x[i, :len(ids[r])], mask[i, :len(ids[r])] = ids[r], 1
            hidden = self.run(x, mask)
            m = mask[..., None].astype(np.float32)
            out = np.zeros((len(texts), hidden.shape[2]), np.float32) if out is None else out
            out[rows] = (hidden * m).sum(1) / np.maximum(m.sum(1), 1e-9)
        return out / np.linalg.norm(out, axis=1, keepdims=True) if self.normalizes else out


class OnnxRuntime(Graph):
    def __init__(self, is_int8):
        super().__init__()
        import onnxruntime

        path = ONNX
        if is_int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic

            path = ONNX.replace(".onnx", "-int8.onnx")
            if not os.path.exists(path):
                quantize_dynamic(ONNX, path, weight_type=QuantType.QInt8, per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = a.threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.about = f"ONNX Runtime {onnxruntime.__version__}, its own kernels (MLAS)"

    def run(self, x, mask):
        return self.session.run(None, {"input_ids": x, "attention_mask": mask})[0]


class OpenVino(Graph):
    def __init__(self, hint, is_int8=False):
        super().__init__()
        import openvino

        core = openvino.Core()
        path = ONNX.replace(".onnx", "-static-int8.xml") if is_int8 else ONNX
        if is_int8 and not os.path.exists(path):
            self.quantize(core, path)
        self.compiled = core.compile_model(core.read_model(path), "CPU", {
            "INFERENCE_NUM_THREADS": a.threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": hint})
        self.about = f"OpenVINO {openvino.__version__.split('-')[0]}, its own kernels (oneDNN)"

    def quantize(self, core, path):
        import nncf
        import openvino

        texts = json.load(open(a.calibration, encoding="utf8"))

        def feed(text):
            e = self.tokenizer([text], truncation=True, max_length=self.limit)
            return {k: np.array(e[k], dtype=np.int64) for k in ("input_ids", "attention_mask")}

        quantized = nncf.quantize(core.read_model(ONNX), nncf.Dataset(texts, feed), subset_size=len(texts),
                                  model_type=nncf.ModelType.TRANSFORMER)
        openvino.save_model(quantized, path, compress_to_fp16=False)

    def run(self, x, mask):
        return self.compiled({"input_ids": x, "attention_mask": mask})[0]


KINDS = {
    "st-double": lambda: Sentence(torch.float64),
    "st-fp32": lambda: Sentence(torch.float32),
    "st-bf16": lambda: Sentence(torch.bfloat16),
    "ort-fp32": lambda: OnnxRuntime(False),
    "ort-int8": lambda: OnnxRuntime(True),
    "ov-fp32": lambda: OpenVino("f32"),
    "ov-bf16": lambda: OpenVino("bf16"),
    "ov-int8": lambda: OpenVino("f32", True),
}


def main():
    peer = KINDS[a.kind]()
    answer(ready=True, about=peer.about)
    known = {}
    for line in sys.stdin:
        command = json.loads(line)
        texts = json.load(open(command["texts"], encoding="utf8"))
        if command["texts"] not in known:
            ids = peer.tokenizer(texts, truncation=True, max_length=peer.limit)["input_ids"]
            known[command["texts"]] = sum(map(len, ids))
        with torch.inference_mode():
            start = time.perf_counter()
            out = peer.embed(texts, command["batch"])
            seconds = time.perf_counter() - start
        if command.get("save"):
            np.save(command["save"], out)
        answer(seconds=seconds, tokens=known[command["texts"]])


main()
