#!/bin/sh
# Count the cases inside the tests of the last CTest run: count-cases.sh BUILD. CTest counts files;
# this says how many cases passed, failed and were skipped, and why.
set -eu
awk '
/^\[  PASSED  \] [0-9]+ test\(s\)/ { passed += $4 }
/^\[  FAILED  \] [0-9]+ test\(s\)/ { failed += $4 }
/^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped += $4; reason["unit tests whose data is not here"] += $4 }
/^SKIPPED \[[0-9]+\]/ {
    n = $2; gsub(/[^0-9]/, "", n)
    line = $0; sub(/^SKIPPED \[[0-9]+\] [^ ]* /, "", line)
    reason[line] += n
}
/^[0-9].* in [0-9.]+s/ {
    for (i = 1; i < NF; i++) {
        if ($(i + 1) ~ /^passed/) passed += $i
        if ($(i + 1) ~ /^failed|^error/) failed += $i
        if ($(i + 1) ~ /^skipped/) skipped += $i
    }
}
END {
    for (r in reason) printf "skipped %d: %s\n", reason[r], r
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
}' "$1/Testing/Temporary/LastTest.log"
