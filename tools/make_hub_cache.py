#!/usr/bin/env python3
"""Make tests/data/net/hub_cache.json: caches as the hub's Python client leaves them, with dummy content.

    pip install huggingface_hub; tools/make_hub_cache.py

The client downloads from the scripted hub of tests/net into three caches: as usual, without links (HF_HUB_DISABLE_SYMLINKS), and with
one blob moved into the shared store by the client's own function (two levels of links). Each cache is written down as
{path: {"text": …} | {"link": …}}.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/net"))
from world import World  # noqa: E402

FILES = {"config.json": '{"model_type": "dummy"}\n', "model.safetensors": "dummy weights\n", "1_Pooling/config.json": "{}\n",
         "modules.json": '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},'
                         ' {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]\n',
         "tokenizer.json": "{}\n", "vocab.txt": "a\nb\n"}

# What the client does, in a process of its own: it reads its environment once.
CLIENT = """
import sys
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError
snapshot_download("org/dummy")
snapshot_download("org/dummy", revision="refs/pr/1")
try:
    hf_hub_download("org/dummy", "added_tokens.json")
except EntryNotFoundError:
    pass
"""
SHARE = """
import os, sys
from huggingface_hub.constants import HF_HUB_CACHE
from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store
blobs = os.path.join(HF_HUB_CACHE, "models--org--dummy", "blobs")
name = next(n for n in os.listdir(blobs) if len(n) == 64)
path = os.path.join(blobs, name)
assert publish_blob_to_shared_store(blob_path=path, xet_hash="ab" + name[2:], cache_dir=HF_HUB_CACHE,
                                    expected_size=os.path.getsize(path), replace_existing=False)
"""


def describe(cache):
    entries = {}
    for path in sorted(cache.rglob("*")):
        name = path.relative_to(cache).as_posix()
        if path.is_symlink():
            entries[name] = {"link": os.readlink(path)}
        elif path.is_file():
            entries[name] = {"text": path.read_text()}
    return entries


def make(program, more, root):
    with tempfile.TemporaryDirectory() as folder, World(root, {"repos": {"models/org/dummy": {"refs": ["refs/pr/1"]}}}) as servers:
        environment = {**os.environ, **servers.environment(), "HF_HUB_CACHE": folder, "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": "", **more}
        for text in program:
            subprocess.run([sys.executable, "-c", text], env=environment, check=True)
        return describe(Path(folder))


def main():
    import huggingface_hub
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            path = Path(folder) / "hub/models/org/dummy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        root = Path(folder) / "hub"
        caches = {"links": make([CLIENT], {}, root), "no_links": make([CLIENT], {"HF_HUB_DISABLE_SYMLINKS": "1"}, root),
                  "shared": make([CLIENT, SHARE], {}, root)}
    out = ROOT / "tests/data/net/hub_cache.json"
    out.write_text(json.dumps({"made_by": f"huggingface_hub {huggingface_hub.__version__}, tools/make_hub_cache.py", "files": FILES,
                               "caches": caches}, indent=1) + "\n")


if __name__ == "__main__":
    main()
