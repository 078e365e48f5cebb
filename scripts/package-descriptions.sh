#!/bin/sh
# Print the descriptions of all packages that this machine knows as JSON lines
# {"text": …, "package": …, "section": …}, one line per distinct description. Reads the lists of
# apt, pacman or rpm as they are, without network; exit 1 where there are fewer than 1,000.
set -eu

# NAME, SECTION and TEXT with tabs between, a package a line
apt() {
    apt-cache dumpavail | LC_ALL=C awk -v OFS='\t' '
        function give() { gsub(/\t/, " ", text); if (text != "") print name, section, text; name = text = section = ""; reading = 0 }
        /^$/ { give(); next }
        /^ / { if (reading) { line = substr($0, 2); if (line != ".") text = text " " line } next }
        { reading = 0 }
        /^Package: / { name = substr($0, 10) }
        /^Section: / { section = substr($0, 10) }
        /^Description(-en)?: / { sub(/^[^:]*: */, ""); text = $0; reading = 1 }
        END { give() }'
}
pacman_lists() {
    LC_ALL=C pacman -Si | awk -v OFS='\t' '
        /^Repository +:/ { sub(/^[^:]*: /, ""); section = $0 }
        /^Name +:/ { sub(/^[^:]*: /, ""); name = $0 }
        /^Description +:/ { sub(/^[^:]*: /, ""); print name, section, $0 }'
}
rpms() {
    rpm -qa --qf '%{NAME}\t%{GROUP}\t%{SUMMARY}\n'
}

if command -v apt-cache > /dev/null; then list=apt
elif command -v pacman > /dev/null; then list=pacman_lists
elif command -v rpm > /dev/null; then list=rpms
else echo "package-descriptions: no apt-cache, pacman or rpm here" >&2; exit 1; fi

$list | LC_ALL=C awk -F '\t' '
    function json(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/[\001-\037]/, " ", s); return s }
    !($3 in seen) { seen[$3] = 1; n++; printf "{\"text\": \"%s\", \"package\": \"%s\", \"section\": \"%s\"}\n", json($3), json($1), json($2) }
    END { exit n < 1000 }'
