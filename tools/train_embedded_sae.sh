#!/bin/sh
# Make the SAE that is built in again: src/sae/embedded/all-MiniLM-L6-v2.{json,safetensors}.
#
#     tools/train_embedded_sae.sh [FOLDER]      (FOLDER keeps texts and the SAE; default build/embedded-sae)
#
# It is trained by this program on texts that Debian 12 has (tools/make_embedded_texts.py says which). The same texts give
# the same bytes, with any number of threads on any machine with AVX2 and FMA or better. What the texts of the one that
# is there were stands in tools/embedded_sae_inputs.txt: on a machine with another point release, other lists or fewer
# manual pages they differ, which is said, and so do the bytes; the rows' hash is training.rows_sha256 of the config.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/embedded-sae}
program=$(realpath "${SAESCOPE:-build/release/saescope}")
mkdir -p "$folder"
tools/make_embedded_texts.py > "$folder/texts.jsonl" 2> "$folder/inputs.txt"
cat "$folder/inputs.txt"
if cmp -s "$folder/inputs.txt" tools/embedded_sae_inputs.txt; then echo "the texts are those of the SAE that is there"
else echo "the texts are others than those of the SAE that is there, and so its bytes will be:"
    diff tools/embedded_sae_inputs.txt "$folder/inputs.txt" || true; fi
model=$(scripts/fetch-encoder.sh)
ln -sfn "$model" "$folder/all-MiniLM-L6-v2"
(cd "$folder" && "$program" train --model all-MiniLM-L6-v2 --dataset texts.jsonl --out sae \
    --top-k 32 --dict-size 1536 --max-steps 6000 --dtype float16 --force)
cp "$folder/sae/config.json" src/sae/embedded/all-MiniLM-L6-v2.json
cp "$folder/sae/sae.safetensors" src/sae/embedded/all-MiniLM-L6-v2.safetensors
cp "$folder/inputs.txt" tools/embedded_sae_inputs.txt
sha256sum src/sae/embedded/*
