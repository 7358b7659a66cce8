#!/usr/bin/env python3
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put layers together as an image archive that `docker load` reads. The same input gives the same image id."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import platform
import shutil
import tarfile
from pathlib import Path

PORTS = {"8000/tcp": {}, "8001/tcp": {}}
ENV = ["PATH=/usr/bin:/bin", "PYTHONPATH=/opt/app/lib", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"]
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def config(layers: list[str], env: list[str]) -> bytes:
    """The image's configuration; its digest is the image id."""
    return json.dumps(
        {
            "architecture": MACHINES[platform.machine()],
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": "10001:10001",
                "WorkingDir": "/opt/app",
                "Env": ENV + env,
                "ExposedPorts": PORTS,
                "Entrypoint": ["python3", "manage.py"],
                "Cmd": ["serve"],
                "StopSignal": "SIGTERM",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}" for layer in layers]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests/app/build.sh"} for _layer in layers],
        },
        sort_keys=True,
    ).encode()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write(output: Path, image: str, env: list[str], layers: list[Path]) -> str:
    """Write the archive, its description first so that a reader need not unpack the rest."""
    digests = [digest(layer) for layer in layers]
    settings = config(digests, env)
    identity = hashlib.sha256(settings).hexdigest()
    names = [f"{layer}/layer.tar" for layer in digests]
    manifest = [{"Config": f"{identity}.json", "RepoTags": [image], "Layers": names}]
    partial = output.with_suffix(".new")
    with (
        gzip.GzipFile(partial, "wb", compresslevel=1, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|") as archive,
    ):
        add(archive, "manifest.json", json.dumps(manifest).encode())
        add(archive, f"{identity}.json", settings)
        for name, layer in zip(names, layers, strict=True):
            member = tarfile.TarInfo(name)
            member.size = layer.stat().st_size
            with layer.open("rb") as content:
                archive.addfile(member, content)
    shutil.move(partial, output)
    return identity


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", required=True)
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("layers", type=Path, nargs="+")
    given = parser.parse_args()
    print(f"app/archive: {given.image} is sha256:{write(given.output, given.image, given.env, given.layers)}")


if __name__ == "__main__":
    main()
