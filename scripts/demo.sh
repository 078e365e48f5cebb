#!/bin/sh
# The main job on real text: what do the features of a small SAE mean in the descriptions of all
# packages that this machine knows? Results go to demo-run/.
set -eu
cd "$(dirname "$0")/.."
program=build/release/saescope
out=demo-run

encoder=$(scripts/fetch-encoder.sh)
if [ "$(apt-cache dumpavail 2> /dev/null | grep -c '^Package:')" -lt 1000 ]; then
    echo "demo: reading the package lists"
    if [ "$(id -u)" = 0 ]; then apt-get update -qq; else sudo apt-get update -qq; fi
fi
mkdir -p build/demo
scripts/package-descriptions.sh > build/demo/descriptions.jsonl

echo "\$ saescope analyze --model all-MiniLM-L6-v2 --sae demo/sae --dataset descriptions.jsonl --out $out"
$program analyze --model "$encoder" --sae demo/sae --dataset build/demo/descriptions.jsonl --out $out --force

echo
echo "A few features and the descriptions that activate them most:"
build/release/examples/read_run $out 70 350 560 700 490
echo
echo "Look at $out/density.png, or ask on: saescope inspect $out"
