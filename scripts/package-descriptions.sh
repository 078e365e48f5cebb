#!/bin/sh
# Print the descriptions of all packages that this Debian-family machine knows as JSON lines
# {"text": …, "package": …, "section": …}, one line per distinct description, ordered by package.
# Needs the package lists (apt-get update), no network of its own.
set -eu
command -v apt-cache > /dev/null || { echo "package-descriptions: needs apt-cache (a Debian or Ubuntu machine)" >&2; exit 1; }

apt-cache dumpavail | LC_ALL=C awk '
function json(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/[\001-\037]/, " ", s); return s }
function give() {
    if (text != "" && !(text in seen)) {
        seen[text] = 1
        printf "{\"text\": \"%s\", \"package\": \"%s\", \"section\": \"%s\"}\n", json(text), json(name), json(section)
    }
    name = text = section = ""; reading = 0
}
/^$/ { give(); next }
/^ / { if (reading) { line = substr($0, 2); if (line != ".") text = text " " line } next }
{ reading = 0 }
/^Package: / { name = substr($0, 10) }
/^Section: / { section = substr($0, 10) }
/^Description(-en)?: / { sub(/^[^:]*: */, ""); text = $0; reading = 1 }
END { give() }'
