#!/usr/bin/env python3
"""Make the tools image of Debian's packages, without a registry and without a container engine.

    make_image.py --root FOLDER             lay out the image's files, for the Dockerfile beside this file
    make_image.py --archive FILE --tag TAG  write a docker-archive (`podman load`, `ctr images import`); `-` is standard output

The packages come by `apt-get download`, which checks their signatures; a busybox of this machine is never taken.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = {"busybox-static": ("bin/busybox", "busybox"), "tini": ("usr/bin/tini-static", "tini")}
"""Package -> the file that is taken of it, and its name in the image's /bin."""
SCRIPTS = ("run", "collect")
USER = "65532:65532"


def lay_out(root: Path) -> None:
    """Put the image's files below `root`."""
    programs = root / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for package, (inside, name) in PACKAGES.items():
            shutil.copyfile(unpacked(package, Path(scratch)) / inside, programs / name)
    for script in SCRIPTS:
        shutil.copyfile(HERE / script, programs / script)
    for file in programs.iterdir():
        file.chmod(0o755)


def unpacked(package: str, scratch: Path) -> Path:
    """Fetch a Debian package and unpack it; return the folder of its files."""
    subprocess.run(["apt-get", "download", "-q", package], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    target = scratch / package
    subprocess.run(["dpkg-deb", "-x", next(scratch.glob(f"{package}_*.deb")), target], check=True)
    return target


def archive(root: Path, tag: str) -> bytes:
    """Write the files below `root` as an image of one layer. The same files give the same bytes."""
    layer = packed(
        {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}
    )
    config = json.dumps(configuration(layer), sort_keys=True).encode()
    name = hashlib.sha256(config).hexdigest()
    manifest = json.dumps([{"Config": f"{name}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]).encode()
    return packed({f"{name}.json": config, "layer.tar": layer, "manifest.json": manifest})


def configuration(layer: bytes) -> dict[str, object]:
    """Say what the image runs, and as whom: what the Dockerfile says."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}
    return {
        "architecture": machine.get(subprocess.check_output(["uname", "-m"], text=True).strip(), "amd64"),
        "os": "linux",
        "config": {"Entrypoint": ["/bin/busybox", "sh", "/bin/collect"], "User": USER},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }


def packed(files: dict[str, bytes]) -> bytes:
    """Make a tar archive of files, without times and owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for folder in sorted({str(Path(name).parent) for name in files} - {"."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            made.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            made.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def main() -> None:
    """Do what the arguments ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path)
    parser.add_argument("--archive")
    parser.add_argument("--tag", default="localhost/conductor/tools:1")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = asked.root or Path(scratch)
        lay_out(root)
        if asked.archive == "-":
            sys.stdout.buffer.write(archive(root, asked.tag))
        elif asked.archive:
            Path(asked.archive).write_bytes(archive(root, asked.tag))


if __name__ == "__main__":
    main()
