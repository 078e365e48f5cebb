#!/usr/bin/env python3
"""What evidence and labels cost, as ratios and peaks.

    evidence.py pass    --model MODEL --sae SAE --texts FILE [--rows N] [--pairs N]   a pass with evidence and one without, in turns
    evidence.py memory  [--features F] [--width D] [--rows N,N,…]                    peak of a pass over made embeddings, by rows
    evidence.py labels  RUN [--model MODEL] [--steps N]                              CPU seconds of labels and scores of a run
    evidence.py seed    RUN --model MODEL --python PYTHON [--features N]             keywords of the Python workflow, there and here

Times are seconds of CPU, which hold still where others use the machine too; of pairs the median is taken. `seed` measures the
Python way on N features and scales it; PYTHON has keybert or, without it, sentence-transformers and scikit-learn.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.path.join(ROOT, "build", "release", "saescope")


def cpu_of(words):
    """CPU and wall seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - began


def measure_pass(a):
    times = {"full": [], "none": []}
    with tempfile.TemporaryDirectory() as folder:
        for i in range(a.pairs):
            for kind in ("full", "none") if i % 2 else ("none", "full"):
                times[kind].append(cpu_of([PROGRAM, "analyze", "-q", "-m", a.model, "-s", a.sae, "-d", a.texts, "-n", a.rows, "-o", os.path.join(folder, "run"),
                                           "-f", "--steps", "none", "--evidence", kind])[0])
    ratio = statistics.median(x / y for x, y in zip(times["full"], times["none"]))
    print(json.dumps({"rows": a.rows, "pairs": a.pairs, "cpu_s_with": round(statistics.median(times["full"]), 2),
                      "cpu_s_without": round(statistics.median(times["none"]), 2), "ratio": round(ratio, 4)}))


def write_rows(folder, n, width, n_features):
    """Rows about random centres, each with a text of its own; an SAE that looks for those centres."""
    import numpy.lib.format as npy
    rng = np.random.default_rng(1)
    decoder = rng.standard_normal((n_features, width), dtype=np.float32)
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    path = os.path.join(folder, f"x{n}.npy")
    with open(path, "wb") as file, open(os.path.join(folder, f"t{n}.jsonl"), "w") as texts:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (n, width)})
        for begin in range(0, n, 10000):
            m = min(10000, n - begin)
            x = decoder[rng.integers(0, n_features, (m, 12))].sum(1) + 0.5 * rng.standard_normal((m, width), dtype=np.float32)
            file.write(x.astype("<f4").tobytes())
            texts.writelines('{"text": "row %d of a made corpus, %s"}\n' % (row, "word " * 40) for row in range(begin, begin + m))
    return path, decoder


def peak_of(words):
    """Peak of the memory that belongs to a process alone, in MB: the rows are a mapped file."""
    process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                peak = max(peak, *[int(line.split()[1]) for line in file if line.startswith("RssAnon")], 0)
        except (OSError, TypeError):
            pass
        time.sleep(0.02)
    if process.returncode != 0:
        sys.exit(process.returncode)
    return peak / 1000


def write_sae(folder, decoder):
    header, data, at = {}, b"", 0
    n_features, width = decoder.shape
    for name, array in {"W_enc": decoder.T, "W_dec": decoder, "b_enc": np.full(n_features, -0.4), "b_dec": np.zeros(width)}.items():
        raw = np.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + len(raw)]}
        data, at = data + raw, at + len(raw)
    head = json.dumps(header).encode()
    with open(os.path.join(folder, "sae_weights.safetensors"), "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head + data)
    with open(os.path.join(folder, "cfg.json"), "w") as file:
        json.dump({"architecture": "standard", "d_in": width, "d_sae": n_features, "dtype": "float32", "apply_b_dec_to_input": False, "normalize_activations": "none",
                   "model_name": "made", "hook_name": "made", "hook_layer": 0, "hook_head_index": None, "activation_fn_str": "relu"}, file)


def measure_memory(a):
    for rows in (int(n) for n in a.rows.split(",")):
        with tempfile.TemporaryDirectory(dir=a.folder) as folder:
            x, decoder = write_rows(folder, rows, a.width, a.features)
            write_sae(folder, decoder)
            words = [PROGRAM, "analyze", "-q", "--embeddings", x, "-d", os.path.join(folder, f"t{rows}.jsonl"), "-s", folder, "-o", os.path.join(folder, "run"), "--steps",
                     "none"]
            with_, without = peak_of(words), peak_of([*words, "-f", "--evidence", "none"])
            print(json.dumps({"rows": rows, "features": a.features, "peak_mb_with": round(with_, 1), "peak_mb_without": round(without, 1)}), flush=True)


def measure_labels(a):
    words = [PROGRAM, "describe", a.run, "-q", *(["-m", a.model] if a.model else [])]
    for name, more in (("labels", ["--no-score"]), ("labels, scores", ["--no-sentence-test"]), ("labels, scores, sentences", [])):
        cpu, wall = cpu_of([*words, *more])
        print(json.dumps({"what": name, "cpu_s": round(cpu, 1), "wall_s": round(wall, 1)}), flush=True)


PYTHON_WAY = r"""
import json, sys, time
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sentence_transformers import SentenceTransformer, util
import torch
torch.set_num_threads(int(sys.argv[3]))
tops = json.load(open(sys.argv[1]))
model = SentenceTransformer(sys.argv[2], device="cpu")
encode = lambda texts: model.encode(texts, show_progress_bar=False)
began = time.process_time()
for texts in tops:
    scores = {}
    for text in texts:
        try:
            words = CountVectorizer(stop_words="english").fit([text]).get_feature_names_out()
        except ValueError:
            continue
        document, vectors = encode([text]), encode(list(words))
        cosines = util.cos_sim(document, vectors)[0].numpy()
        best = [words[i] for i in np.argsort(cosines)[-5:][::-1]]
        near = util.cos_sim(encode(best), encode(best)).numpy()
        merged = [w for i, w in enumerate(best) if not any(near[j, i] >= 0.9 for j in range(i))]
        for w in merged:
            scores.setdefault(w, []).append(float(cosines[list(words).index(w)]))
        for i in range(len(merged)):
            for j in range(i + 1, len(merged)):
                pair = merged[i] + " " + merged[j]
                cosine = float(util.cos_sim(encode([pair]), document)[0, 0])
                if cosine >= 0.4:
                    scores.setdefault(pair, []).append(cosine)
    if scores:
        util.cos_sim(encode(list(scores)), encode(list(scores)))
print(time.process_time() - began)
"""


def measure_seed(a):
    with open(os.path.join(a.run, "top_activations.json"), encoding="utf8") as file:
        tops = [[text for _, text in feature] for feature in json.load(file)]
    live = [feature for feature in tops if feature]
    sample = [live[i * len(live) // a.features] for i in range(a.features)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(sample, file)
        file.flush()
        done = subprocess.run([a.python, "-c", PYTHON_WAY, file.name, a.model, "2"], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
    python = float(done.stdout.split()[-1]) * len(live) / a.features
    cpu, wall = cpu_of([PROGRAM, "describe", a.run, "-q", "-m", a.model, "--method", "seed", "--no-score"])
    print(json.dumps({"features": len(live), "python_features_measured": a.features, "python_cpu_s_scaled": round(python, 1), "cpu_s": round(cpu, 1),
                      "wall_s": round(wall, 1), "ratio": round(python / cpu, 1)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(required=True)
    part = parts.add_parser("pass")
    for name in ("model", "sae", "texts"):
        part.add_argument("--" + name, required=True)
    part.add_argument("--rows", type=int, default=2000)
    part.add_argument("--pairs", type=int, default=5)
    part.set_defaults(do=measure_pass)
    part = parts.add_parser("memory")
    part.add_argument("--features", type=int, default=1536)
    part.add_argument("--width", type=int, default=384)
    part.add_argument("--rows", default="15000,1000000")
    part.add_argument("--folder")
    part.set_defaults(do=measure_memory)
    part = parts.add_parser("labels")
    part.add_argument("run")
    part.add_argument("--model")
    part.set_defaults(do=measure_labels)
    part = parts.add_parser("seed")
    part.add_argument("run")
    part.add_argument("--model", required=True)
    part.add_argument("--python", required=True)
    part.add_argument("--features", type=int, default=10)
    part.set_defaults(do=measure_seed)
    a = parser.parse_args()
    a.do(a)


if __name__ == "__main__":
    main()
