#!/bin/sh
# Install what saescope needs from the distribution: setup.sh [build] [test] [fuzz] [lint] [demo] [bench]
# Without a word it installs what building takes. It names what it installs, installs nothing that
# is there, uses sudo when not root, and on a system without apt it prints the list.
set -eu

build="gcc libc6-dev make cmake ninja-build pkg-config
    libssl-dev libcurl4-openssl-dev libcairo2-dev libfreetype-dev fonts-dejavu-core
    zlib1g-dev libzstd-dev libbz2-dev liblzma-dev libsnappy-dev libbrotli-dev liblz4-dev libyaml-dev libxxhash-dev"
test="libcmocka-dev libjansson-dev g++ git openssl python3 python3-numpy python3-pytest xz-utils bzip2 zstd gzip mandoc"
fuzz="clang libclang-rt-dev"
lint="clang-format git python3 python3-pytest"
demo="curl ca-certificates python3 python3-pip"
bench="python3 python3-numpy python3-matplotlib python3-venv xz-utils
    libopenblas0-pthread libblis4-openmp libdnnl-dev"

wanted=
for group in "${@:-build}"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    lint) wanted="$wanted $lint" ;;
    demo) wanted="$wanted $demo" ;;
    bench) wanted="$wanted $bench" ;;
    *) echo "setup: unknown group '$group' (build, test, fuzz, lint, demo, bench)" >&2; exit 64 ;;
    esac
done

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
    echo "setup: this is not a Debian-family system; please install what these packages hold:"
    for package in $wanted; do echo "    $package"; done
    exit 0
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing > /dev/null
