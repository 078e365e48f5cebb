#!/bin/sh
# Run every fuzz target for some seconds: fuzz.sh BUILD SECONDS. Seeds are the small files of
# tests/data and, where they are, of ../shared/corpora. A find is left in BUILD/finds and fails.
set -eu
cd "$(dirname "$0")/.."
build=$1
seconds=$2
jobs=$(nproc)
finds=$build/finds
mkdir -p "$finds"

# The seed folders of a target, by its name.
seeds() {
    case $1 in
    fuzz_safetensors) names="weights safetensors" ;;
    fuzz_torch) names="weights torch pickle" ;;
    fuzz_npy) names="weights npy" ;;
    fuzz_zip | fuzz_archive) names="weights zip" ;;
    fuzz_csv) names="dataset csv" ;;
    fuzz_json | fuzz_jsonl) names="dataset json text" ;;
    fuzz_stream) names="dataset csv" ;;
    fuzz_parquet) names="parquet rows" ;;
    fuzz_arrow) names="arrow arrow/good arrow/bad rows" ;;
    fuzz_tokenizer) names="tokenizer" ;;
    fuzz_encoder_config) names="encoder" ;;
    fuzz_repo) names=dataset_repos ;;
    fuzz_run) names="run" ;;
    fuzz_artifact | fuzz_hub) names="net" ;;
    *) names= ;;
    esac
    for name in $names; do
        for folder in tests/data/$name ../shared/corpora/$name; do
            [ ! -d "$folder" ] || echo "$folder"
        done
    done
}

# A place for an SAE as fuzz_sae takes it: cfg.json, config.json and weights between 0x1E bytes.
put_sae_seeds() {
    for folder in tests/data/sae/formats/* tests/data/sae/good/*; do
        {
            cat "$folder/cfg.json" 2> /dev/null || true
            printf '\036'
            cat "$folder/config.json" 2> /dev/null || true
            printf '\036'
            find "$folder" -maxdepth 1 -name '*.safetensors' -o -maxdepth 1 -name '*.pt' \
                -o -maxdepth 1 -name '*.pth' -o -maxdepth 1 -name '*.npz' | sort | head -n 1 |
                while read -r file; do cat "$file"; done
        } > "$1/seed-$(basename "$folder")"
    done
}

# Small tars of every format that tar writes, with a name that is too long for a header.
put_tar_seeds() {
    files=$1/files/$(printf '%090d' 0)
    mkdir -p "$files"
    echo '{"text": "a"}' > "$files/a.jsonl"
    printf 'text\nb\n' > "$files/$(printf '%080d' 0).csv"
    ln -s a.jsonl "$files/b.md"
    for format in v7 ustar oldgnu gnu pax; do
        tar -c -b 1 --format "$format" -C "$1/files" . > "$1/seed-$format.tar" 2> /dev/null || true
    done
    rm -r "$1/files"
}

run_one() {
    name=$(basename "$1")
    work=$build/corpus/$name
    mkdir -p "$work"
    [ "$name" != fuzz_sae ] || put_sae_seeds "$work"
    case $name in fuzz_tar | fuzz_archive) put_tar_seeds "$work" ;; esac
    # shellcheck disable=SC2046
    if "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=200000 \
        -artifact_prefix="$finds/$name-" -print_final_stats=1 "$work" $(seeds "$name") \
        > "$build/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
        echo "$name: $runs runs, no find"
    else
        tail -n 40 "$build/$name.log"
        echo "$name: FAILED, see $finds"
        return 1
    fi
}

if [ "${3:-}" != "" ]; then
    run_one "$3"
    exit
fi
# libFuzzer leaves without running exit handlers, so the folders of its targets are removed here.
trap 'rm -rf /tmp/saescope-fuzz-??????' EXIT
find "$build/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort |
    xargs -P "$jobs" -I '{}' "$0" "$build" "$seconds" '{}'
