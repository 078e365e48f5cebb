#!/bin/sh
# Make the SAE that is built in again: src/sae/embedded/all-MiniLM-L6-v2.{json,safetensors}.
#
#     tools/train_embedded_sae.sh [FOLDER]      (FOLDER keeps texts, embeddings and metrics; default build/embedded-sae)
#
# It is trained by this program on the descriptions of all packages that Debian 12 (bookworm, main, amd64) has, a line
# each: text that every Debian machine holds. The same descriptions give the same bytes on any machine with AVX2 and
# FMA; their hash is printed first, and stands in the config as training.rows_sha256 of their embeddings.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/embedded-sae}
program=build/release/saescope
mkdir -p "$folder"
[ -f "$folder/descriptions.jsonl" ] || scripts/package-descriptions.sh > "$folder/descriptions.jsonl"
sha256sum "$folder/descriptions.jsonl"
model=$(scripts/fetch-encoder.sh)
ln -sfn "$model" "$folder/all-MiniLM-L6-v2"
$program train --model "$folder/all-MiniLM-L6-v2" --dataset "$folder/descriptions.jsonl" --out "$folder/sae" \
    --top-k 32 --dict-size 1536 --max-steps 6000 --dtype float16 --force
cp "$folder/sae/config.json" src/sae/embedded/all-MiniLM-L6-v2.json
cp "$folder/sae/sae.safetensors" src/sae/embedded/all-MiniLM-L6-v2.safetensors
ls -l src/sae/embedded
