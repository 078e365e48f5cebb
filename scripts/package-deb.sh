#!/bin/sh
# Build the Debian packages from what is committed, in build/deb: package-deb.sh
# (dpkg-buildpackage writes beside the folder that it builds in, so that folder is a copy.)
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^#define SS_VERSION "\(.*\)"$/\1/p' include/saescope.h)
tree=build/deb/saescope-$version
rm -rf build/deb
mkdir -p "$tree"
git archive HEAD | tar -x -C "$tree"
cd "$tree"
dpkg-buildpackage -b -us -uc > ../build.log 2>&1 || {
    tail -n 30 ../build.log >&2
    echo "package-deb: dpkg-buildpackage failed; all of what it said is in build/deb/build.log" >&2
    exit 1
}
cd ..
rm -rf "saescope-$version"
ls -1 ./*.deb
