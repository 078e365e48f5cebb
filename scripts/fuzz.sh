#!/bin/bash
# Run every fuzz target, in one of two ways: fuzz.sh BUILD seconds N searches for so long each,
# from where it was last left; fuzz.sh BUILD runs N gives the same verdict for the same sources:
# N inputs each (times the target's speed), made from the files of the tree alone and from a fixed
# seed, without a clock. A find is left in BUILD/finds and fails.
#
# Seeds are the files of tests/data, of which tests/data/finds/TARGET holds what was found before,
# and in a search those of ../shared/corpora, where they are.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."
build=$1
way=$2
amount=$3
finds=$build/finds
mkdir -p "$finds"

# The files of some folders of the data, whose names are as given (or any).
files_of() {
    local folders=$1 names=${2:-*} trees=tests/data folder tree
    [ "$way" = runs ] || trees="tests/data ../shared/corpora"
    for folder in $folders; do
        for tree in $trees; do
            [ ! -d "$tree/$folder" ] || find "$tree/$folder" -type f -name "$names" -size -200k
        done
    done
}

# The seed files of a target, by its name.
seeds() {
    case $1 in
    fuzz_safetensors) files_of "weights safetensors" ;;
    fuzz_torch) files_of "weights torch pickle" ;;
    fuzz_npy) files_of "weights npy" ;;
    fuzz_zip) files_of "weights zip" ;;
    fuzz_archive) files_of zip ;;
    fuzz_csv) files_of "dataset csv" ;;
    fuzz_json | fuzz_jsonl | fuzz_json_tree) files_of "dataset json text" ;;
    fuzz_txt) files_of "dataset text" ;;
    fuzz_where) files_of where ;;
    fuzz_stream) files_of "dataset csv" ;;
    fuzz_parquet) files_of "parquet rows" "*.parquet" ;;
    fuzz_arrow)
        files_of "arrow rows" "*.arrow"
        files_of "arrow rows" "*.arrows"
        files_of "arrow/good arrow/bad"
        ;;
    fuzz_tokenizer) files_of tokenizer "*.model" ;;
    fuzz_encoder_config) files_of encoder config.json ;;
    fuzz_run) files_of run ;;
    fuzz_state) files_of state ;;
    fuzz_web_parts) files_of text ;;
    fuzz_artifact | fuzz_hub) files_of net ;;
    esac
    find "tests/data/finds/$1" -type f 2> /dev/null || true
}

# ---- seeds that are made of files ----

# A place for an SAE as fuzz_sae takes it: cfg.json, config.json and weights between 0x1E bytes.
put_sae_seeds() {
    local folder
    for folder in tests/data/sae/formats/* tests/data/sae/good/*; do
        {
            cat "$folder/cfg.json" 2> /dev/null || true
            printf '\036'
            cat "$folder/config.json" 2> /dev/null || true
            printf '\036'
            find "$folder" -maxdepth 1 -name '*.safetensors' -o -maxdepth 1 -name '*.pt' \
                -o -maxdepth 1 -name '*.pth' -o -maxdepth 1 -name '*.npz' | sort | head -n 1 |
                while read -r file; do cat "$file"; done
        } > "$1/$(basename "$folder")"
    done
}

# A tokenizer and a text as fuzz_tokenizer takes them.
put_tokenizer_seeds() {
    local folder
    for folder in tests/data/tokenizer/*/; do
        {
            cat "$folder/tokenizer.json" 2> /dev/null || true
            printf '\036'
            cat "$folder/tokenizer_config.json" 2> /dev/null || true
            printf "\037A naïve Galaxy's 123 stars,\n 光 <s> [MASK]"
        } > "$1/$(basename "$folder")"
    done
}

# Small tars of every format that tar writes, with a name that is too long for a header.
put_tar_seeds() {
    local files=$1/files format long
    long=$files/$(printf '%090d' 0)
    mkdir -p "$long"
    echo '{"text": "a"}' > "$long/a.jsonl"
    printf 'text\nb\n' > "$long/$(printf '%080d' 0).csv"
    ln -s a.jsonl "$long/b.md"
    for format in v7 ustar oldgnu gnu pax; do
        tar -c -b 1 --format "$format" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner \
            --mode=u=rw,go=r --pax-option=exthdr.name=%d/pax/%f,delete=atime,delete=ctime \
            -C "$files" . > "$1/$format.tar" 2> /dev/null || true
    done
    rm -r "$files"
}

# A dataset in a zip, stored and deflated.
put_zip_seeds() {
    /usr/bin/python3 - "$1" << 'END'
import pathlib
import sys
import zipfile

for name, kind in ("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(pathlib.Path(sys.argv[1], f"{name}.zip"), "w", kind) as made:
        for member, content in ("a/a.jsonl", '{"text": "a"}\n' * 9), ("a/b.csv", "text\nb\n"):
            made.writestr(zipfile.ZipInfo(member), content, kind)
END
}

# Cards and listings as fuzz_repo takes them.
put_repo_seeds() {
    /usr/bin/python3 - tests/data/dataset_repos/layouts.json "$1" << 'END'
import json
import pathlib
import sys

for case in json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["cases"]:
    ask = case["asks"][0] if case["asks"] else {}
    wish = [ask.get(part) or "-" for part in ("config", "split")]
    text = case["readme"] + "\0" + "\n".join(wish + case["paths"])
    pathlib.Path(sys.argv[2], case["name"]).write_bytes(text.encode())
END
}

# What a run keeps of its texts, each file behind the byte that fuzz_evidence knows it by; or the
# labels made of them; or its families and its map, as fuzz_graph takes them. None where there is
# no program.
put_run_seeds() {
    local run=$1/run program=build/release/saescope file number=0
    [ -x "$program" ] && "$program" analyze -q -m tests/data/encoder/mpnet-mean \
        -s tests/data/run/sae-jumprelu -d tests/data/evidence/texts.jsonl --sample-rows 40 \
        -o "$run" 2> /dev/null || return 0
    if [ "$2" = fuzz_descriptions ]; then
        mv "$run/descriptions.json" "$1/labels"
    elif [ "$2" = fuzz_graph ]; then
        { printf '\000' && cat "$run/families.json"; } > "$1/families"
        { printf '\001' && cat "$run/coactivation.npz"; } > "$1/coactivation"
        { printf '\002' && cat "$run/map.csv" && printf '\036' && cat "$run/clusters.json"; } > "$1/map"
    else
        for file in evidence/texts.arrow evidence/samples.arrow evidence/embeddings.npy histograms.npz; do
            { printf '%b' "\\000$number" && cat "$run/$file"; } > "$1/$number"
            number=$((number + 1))
        done
    fi
    rm -r "$run"
}

# What the steps of an analysis write, each file behind the byte that fuzz_web_pages knows it by.
put_page_seeds() {
    local run=$1/run program=build/release/saescope file number=0
    [ -x "$program" ] && "$program" analyze -q -m tests/data/encoder/mpnet-mean \
        -s tests/data/run/sae-jumprelu -d tests/data/evidence/texts.jsonl --sample-rows 40 \
        -o "$run" 2> /dev/null || return 0
    for file in map.csv clusters.json pairs.arrow neighbours.arrow families.json \
        descriptions.json histograms.npz run.json; do
        [ ! -e "$run/$file" ] ||
            { printf '%b' "\\000$number" && cat "$run/$file"; } > "$1/$number"
        number=$((number + 1))
    done
    rm -r "$run"
}

# ---- one target ----

# How many times the inputs of the slowest targets others get through in the same time.
speed_of() {
    case $1 in
    fuzz_tokenizer) echo 1 ;;
    fuzz_hub | fuzz_repo | fuzz_sae | fuzz_web_pages) echo 4 ;;
    *) echo 10 ;;
    esac
}

run_one() {
    local name work=$build/corpus made=$build/made list log bounds
    name=$(basename "$1")
    work=$work/$name
    made=$made/$name
    list=$made.list
    log=$build/$name.log
    rm -rf "$made"
    if [ "$way" = runs ]; then
        # No comparisons are traced, as addresses are among them and differ from run to run. A
        # paused machine is no find: a wait this long is one, however many share the cores.
        bounds="-runs=$((amount * $(speed_of "$name"))) -seed=1 -reload=0 -use_cmp=0 -timeout=60"
        work=$build/runs/$name
        rm -rf "$work"
    else
        bounds="-max_total_time=$amount -timeout=10"
    fi
    mkdir -p "$work" "$made" "$SS_FUZZ_FOLDER/$name"
    case $name in
    fuzz_sae) put_sae_seeds "$made" ;;
    fuzz_tar) put_tar_seeds "$made" ;;
    fuzz_archive)
        put_tar_seeds "$made"
        put_zip_seeds "$made"
        ;;
    fuzz_repo) put_repo_seeds "$made" ;;
    fuzz_tokenizer) put_tokenizer_seeds "$made" ;;
    fuzz_evidence | fuzz_descriptions | fuzz_graph) put_run_seeds "$made" "$name" ;;
    fuzz_web_pages) put_page_seeds "$made" ;;
    esac
    { find "$made" -type f && seeds "$name"; } | sort | paste -s -d , > "$list"
    # shellcheck disable=SC2086
    if SS_FUZZ_FOLDER=$SS_FUZZ_FOLDER/$name "$1" $bounds -rss_limit_mb=6144 -max_len=200000 \
        -seed_inputs="@$list" -artifact_prefix="$finds/$name-" -print_final_stats=1 "$work" \
        > "$log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: *//p' "$log" | {
            read -r runs
            # The names of new inputs are the hashes of their bytes.
            echo "$name: $runs runs, no find$([ "$way" != runs ] ||
                echo "; $(find "$work" -type f | wc -l) new inputs, $(find "$work" -type f \
                    -printf '%f\n' | sort | sha1sum | head -c 12)")"
        }
    else
        tail -n 40 "$log"
        echo "$name: FAILED, see $finds"
        return 1
    fi
}

if [ "${4:-}" != "" ]; then
    run_one "$4"
    exit
fi
SS_FUZZ_FOLDER=$(mktemp -d /tmp/saescope-fuzz-XXXXXX)
export SS_FUZZ_FOLDER
trap 'rm -rf "$SS_FUZZ_FOLDER"' EXIT
find "$build/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | sort |
    xargs -P "$(nproc)" -I '{}' "$0" "$build" "$way" "$amount" '{}'
