"""Certificates that no authority of the platform has signed."""

from __future__ import annotations

import subprocess
from pathlib import Path

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


def self_signed(place: Path, name: str, *words: str) -> None:
    """NAME.crt and NAME.key in a directory, good for longer than any gate asks."""
    command = ["openssl", "req", "-x509", *CURVE, "-nodes", "-days", "90", *words]
    command += ["-keyout", f"{place}/{name}.key", "-out", f"{place}/{name}.crt"]
    subprocess.run(command, check=True, capture_output=True)
