#!/bin/sh
# Install what saescope needs from the distribution: setup.sh [build] [test] [fuzz] [lint] [demo] [web] [deb] [wheel] [image] [bench]
# Without a word it installs what building takes. It names what is missing, asks before it installs
# (in a terminal; elsewhere it installs as root, else it says the command), and knows the names of
# Debian and Ubuntu, Fedora, and Arch. SAESCOPE_SETUP=yes answers the question.
set -eu

# group, then the names on Debian, Fedora and Arch; "-": nothing is needed there, or it has none
packages='
build gcc gcc gcc
build libc6-dev glibc-devel glibc
build make make make
build cmake cmake cmake
build ninja-build ninja-build ninja
build pkg-config pkgconf-pkg-config pkgconf
build libssl-dev openssl-devel openssl
build libcurl4-openssl-dev libcurl-devel curl
build libcairo2-dev cairo-devel cairo
build libfreetype-dev freetype-devel freetype2
build fonts-dejavu-core dejavu-sans-fonts ttf-dejavu
build zlib1g-dev zlib-devel zlib
build libzstd-dev libzstd-devel zstd
build libbz2-dev bzip2-devel bzip2
build liblzma-dev xz-devel xz
build libsnappy-dev snappy-devel snappy
build libbrotli-dev brotli-devel brotli
build liblz4-dev lz4-devel lz4
build libyaml-dev libyaml-devel libyaml
build libxxhash-dev xxhash-devel xxhash
test libcmocka-dev libcmocka-devel cmocka
test libjansson-dev jansson-devel jansson
test g++ gcc-c++ gcc
test git git git
test openssl openssl openssl
test python3 python3 python
test python3-dev python3-devel python
test python3-numpy python3-numpy python-numpy
test python3-pytest python3-pytest python-pytest
test python3-pandas python3-pandas python-pandas
test xz-utils xz xz
test bzip2 bzip2 bzip2
test zstd zstd zstd
test gzip gzip gzip
test mandoc mandoc mandoc
fuzz clang clang clang
fuzz libclang-rt-dev compiler-rt compiler-rt
lint clang-format clang-tools-extra clang
lint clang-tidy clang-tools-extra clang
lint git git git
lint python3 python3 python
lint python3-pytest python3-pytest python-pytest
demo curl curl curl
demo ca-certificates ca-certificates ca-certificates
demo python3 python3 python
demo python3-pip python3-pip python-pip
web chromium chromium chromium
web chromium-driver chromedriver -
web firefox-esr firefox firefox
deb debhelper - -
deb dh-python - -
deb dpkg-dev - -
deb python3-dev - -
wheel python3-dev python3-devel python
wheel python3-venv - -
wheel libpixman-1-dev pixman-devel pixman
wheel libfontconfig-dev fontconfig-devel fontconfig
wheel libpng-dev libpng-devel libpng
image python3 python3 python
image ca-certificates ca-certificates ca-certificates
bench python3 python3 python
bench python3-numpy python3-numpy python-numpy
bench python3-matplotlib python3-matplotlib python-matplotlib
bench python3-venv - -
bench xz-utils xz xz
bench libopenblas0-pthread openblas-threads openblas
bench libblis4-openmp blis-openmp blis
bench libdnnl-dev onednn-devel onednn
'

if command -v dpkg-query > /dev/null && command -v apt-get > /dev/null; then
    column=2 install="apt-get install -y -qq --no-install-recommends"
    is_there() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null || true)" = installed ]; }
elif command -v rpm > /dev/null && command -v dnf > /dev/null; then
    column=3 install="dnf install -y"
    is_there() { rpm -q "$1" > /dev/null 2>&1; }
elif command -v pacman > /dev/null; then
    column=4 install="pacman -S --needed --noconfirm"
    is_there() { pacman -Qi "$1" > /dev/null 2>&1; }
else
    column=0
fi

# The names of the groups that were asked for, in a column of the table.
names() { # COLUMN GROUP…
    of=$1
    shift
    for group in "$@"; do
        echo "$packages" | awk -v group="$group" -v of="$of" '
            $1 == group { found = 1; if ($of != "-") print $of }
            END { exit !found }' || { echo "setup: unknown group '$group' (build, test, fuzz, lint, demo, web, deb, wheel, image, bench)" >&2; exit 64; }
    done
}

[ $# -gt 0 ] || set -- build
if [ "$column" = 0 ]; then
    wanted=$(names 2 "$@")
    echo "setup: this system has neither apt, dnf nor pacman; please install what these Debian packages hold:"
    echo "$wanted" | sed 's/^/    /'
    exit 0
fi
missing=
wanted=$(names "$column" "$@")
for package in $wanted; do
    is_there "$package" || case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo="sudo "
if [ "${SAESCOPE_SETUP:-}" != yes ]; then
    if [ -t 0 ] && [ -t 1 ]; then
        printf 'setup: these packages are missing:\n   %s\nInstall them now (%s%s)? [Y/n] ' "$missing" "$sudo" "$install"
        read -r answer
        case $answer in '' | y* | Y*) ;; *) echo "setup: not installed; without them the build stops at what is missing"; exit 0 ;; esac
    elif [ -n "$sudo" ]; then
        printf 'setup: missing; install them by:\n    %s%s%s\n' "$sudo" "$install" "$missing" >&2
        exit 69
    fi
fi
echo "setup: installing$missing"
[ "$column" != 2 ] || ${sudo}apt-get update -qq
DEBIAN_FRONTEND=noninteractive ${sudo}$install $missing > /dev/null
