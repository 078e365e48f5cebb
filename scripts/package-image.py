#!/usr/bin/env python3
"""Pack the program as an image for container engines, without an engine: package-image.py PROGRAM OUT.tar.gz

One layer: the program, the libraries that it is linked to, the certificates and one font. The layout is the one that
`docker save` writes, which docker, podman and Apptainer (docker-archive:) read. Times, owners and order are fixed:
equal files give an equal image.
"""
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

CERTIFICATES = [Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt")]
FONTS = [Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"), Path("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"),
         Path("/usr/share/fonts/TTF/DejaVuSans.ttf")]
FILES = {  # of a system without users but one
    "etc/passwd": "root:x:0:0:root:/root:/bin/false\nsaescope:x:1000:1000::/home/saescope:/bin/false\n",
    "etc/group": "root:x:0:\nsaescope:x:1000:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
FOLDERS = {"tmp": 0o1777, "home/saescope": 0o777, "data": 0o777}


def first_there(paths, what):
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        sys.exit(f"package-image: no {what} here; looked for {', '.join(map(str, paths))}")
    return found


def libraries(program):
    """What the loader would load, and the loader: {name in the image: file}."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True)
    if listed.returncode != 0 or "not found" in listed.stdout:
        sys.exit(f"package-image: the libraries of {program} are not all here:\n{listed.stdout}{listed.stderr}")
    return {match: Path(match).resolve() for match in re.findall(r"(/\S+) \(0x", listed.stdout)}


def content(program):
    """{name without the first slash: (bytes, mode)}"""
    files = {"usr/bin/saescope": (Path(program).read_bytes(), 0o755)}
    for name, path in libraries(program).items():
        files[os.path.normpath(name).lstrip("/")] = (path.read_bytes(), 0o755)
    files["etc/ssl/certs/ca-certificates.crt"] = (first_there(CERTIFICATES, "certificates").read_bytes(), 0o644)
    files["usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"] = (first_there(FONTS, "font").read_bytes(), 0o644)
    for name, text in FILES.items():
        files[name] = (text.encode(), 0o644)
    return files


def add(tar, name, data=None, mode=0o755):
    """A file, or a folder where there is no data."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    if data is None:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    else:
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def layer(program):
    files, raw = content(program), io.BytesIO()
    folders = {str(parent) for name in (*files, *(f"{folder}/x" for folder in FOLDERS)) for parent in Path(name).parents} - {"."}
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in sorted(folders):
            add(tar, folder, mode=FOLDERS.get(folder, 0o755))
        for name in sorted(files):
            add(tar, name, *files[name])
    return raw.getvalue()


def main(program, out):
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    data = layer(program)
    digest = hashlib.sha256(data).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:00Z",
        "config": {"Entrypoint": ["/usr/bin/saescope"], "Cmd": ["--help"], "WorkingDir": "/data", "User": "1000",
                   "Env": ["PATH=/usr/bin", "HOME=/home/saescope"],
                   "Labels": {"org.opencontainers.image.title": "saescope", "org.opencontainers.image.version": version,
                              "org.opencontainers.image.licenses": "MIT"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "saescope"}]}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [f"saescope:{version}"], "Layers": [f"{digest}/layer.tar"]}]).encode()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with open(f"{out}.part", "wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed, \
                tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            add(tar, digest)
            add(tar, f"{digest}/layer.tar", data, 0o644)
            add(tar, name, config, 0o644)
            add(tar, "manifest.json", manifest, 0o644)
    os.replace(f"{out}.part", out)
    print(f"{out}: saescope:{version}, {len(data) / 1e6:.0f} MB, packed {os.path.getsize(out) / 1e6:.0f} MB; docker load -i {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
