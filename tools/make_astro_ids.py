#!/usr/bin/env python3
"""What the reference tokenizer says about all abstracts, as one hash per thousand rows.

    make_astro_ids.py MODEL_DIR TEXTS.jsonl.xz OUT.json

MODEL_DIR is all-MiniLM-L6-v2. Each hash is the sha256 of the JSON arrays of ids, one a line, special tokens included,
cut at the model's limit of 256, for a thousand rows. The versions of the libraries are kept beside them.
"""
import hashlib
import json
import lzma
import sys

import tokenizers
import transformers
from sentence_transformers import SentenceTransformer

model, texts, out = sys.argv[1:]
st = SentenceTransformer(model, device="cpu")
rows = [json.loads(line)["text"] for line in lzma.open(texts, "rt", encoding="utf8")]
ids = st.tokenizer(rows, truncation=True, max_length=st.max_seq_length)["input_ids"]
hashes = [hashlib.sha256("".join(json.dumps(r) + "\n" for r in ids[i:i + 1000]).encode()).hexdigest() for i in range(0, len(ids), 1000)]
with open(out, "w") as f:
    json.dump({"rows": len(rows), "tokens": sum(map(len, ids)), "tokenizers": tokenizers.__version__,
               "transformers": transformers.__version__, "sha256_per_thousand_rows": hashes}, f, indent=1)
    f.write("\n")
