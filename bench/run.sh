#!/bin/sh
# Everything that `make bench` does after building the program: bench/run.sh [OPTION…], options of bench/bench.py.
# The peers go into a virtual environment under build/bench, once; where the package index cannot be reached, the
# report is made without them. BENCH_PYTHON names a Python that has the packages already.
#
# BENCH_TEXTS=FILE.jsonl  texts to embed; else ../shared/data, else the demo's
# BENCH_THREADS=N         threads of everybody (2)
# QUICK=1                 a few minutes instead of a quarter of an hour
set -eu
cd "$(dirname "$0")/.."
folder=build/bench
venv=$folder/venv
mkdir -p "$folder"

say() { echo "bench: $*" >&2; }

# Print the Python of the peers; nothing where they cannot be had.
peers_python() {
    wanted=$(sha256sum bench/requirements.txt | cut -d ' ' -f 1)
    if [ "$(cat "$venv/complete" 2> /dev/null)" != "$wanted" ]; then
        say "installing the peers under $venv: 7 GB on disk, once"
        rm -rf "$venv"
        if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
            -r bench/requirements.txt; } >&2; then
            say "the peers of bench/requirements.txt could not be installed; only saescope is timed"
            return
        fi
        echo "$wanted" > "$venv/complete"
    fi
    echo "$venv/bin/python"
}

cmake --build --preset release --target bench_programs -- --quiet
python=${BENCH_PYTHON:-$(peers_python)}
set -- "$@" --threads "${BENCH_THREADS:-2}"
[ -z "$python" ] || set -- "$@" --python "$python"
[ -z "${BENCH_TEXTS:-}" ] || set -- "$@" --texts "$BENCH_TEXTS"
[ -z "${QUICK:-}" ] || set -- "$@" --quick
exec /usr/bin/python3 bench/bench.py "$@"
