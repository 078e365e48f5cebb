#!/bin/sh
# Time the kernels and the whole program on this machine: bench/run.sh [MODEL] [TEXTS.jsonl]
# With PEER_PYTHON naming a Python that has sentence-transformers, that is timed in turn.
set -eu
cd "$(dirname "$0")/.."
model=${1:-$(scripts/fetch-encoder.sh)}
texts=${2:-}
if [ -z "$texts" ]; then
    if [ -e ../shared/data/arxiv-astro.jsonl.xz ]; then
        texts=../shared/data/arxiv-astro.jsonl.xz
    else
        mkdir -p build/demo
        texts=build/demo/descriptions.jsonl
        scripts/package-descriptions.sh > "$texts"
    fi
fi
cmake --build --preset release --target bench_tensor -- --quiet
build/release/bench_tensor
exec "${PEER_PYTHON:-/usr/bin/python3}" bench/embed_against_peer.py build/release/saescope "$model" "$texts"
