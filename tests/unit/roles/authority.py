# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An authority made by openssl, for the tests beside this one."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
SETTINGS = """[ca]
default_ca = own
[own]
database = {place}/database
default_md = sha256
"""


def openssl(*words: object, **options) -> str:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Authority:
    """Its files lie in a folder; what it gives is text in PEM."""

    def __init__(self, place: Path, name: str = "authority"):
        self.place = place
        place.mkdir()
        (place / "database").touch()
        (place / "settings").write_text(SETTINGS.format(place=place))
        made = ["-keyout", place / "ca.key", "-out", place / "ca.crt", "-days", 3650]
        openssl("req", "-x509", *KEY, "-subj", f"/CN={name}", *made)

    @property
    def certificate(self) -> str:
        return (self.place / "ca.crt").read_text()

    def sign(self, name: str, days: int, key: Path) -> str:
        """A certificate for a name, with a key of its own."""
        (self.place / "names").write_text(f"subjectAltName=DNS:{name}\n")
        asked = openssl("req", *KEY, "-subj", f"/CN={name}", "-keyout", key)
        signer = ["-CA", self.place / "ca.crt", "-CAkey", self.place / "ca.key", "-CAcreateserial"]
        return openssl("x509", "-req", *signer, "-days", days, "-extfile", self.place / "names", input=asked)

    def revoke(self, certificate: Path) -> None:
        self.with_key("-revoke", certificate)

    def list(self, days: float) -> str:
        """Its revocation list, which ends, or has ended, so many days from now."""
        end = datetime.now(timezone.utc) + timedelta(days=days)
        begin = end - timedelta(days=400)
        span = {"-crl_lastupdate": begin, "-crl_nextupdate": end}
        words = [word for name, at in span.items() for word in (name, f"{at:%Y%m%d%H%M%SZ}")]
        return self.with_key("-gencrl", *words)

    def with_key(self, *words: object) -> str:
        own = ["-config", self.place / "settings", "-keyfile", self.place / "ca.key", "-cert", self.place / "ca.crt"]
        return openssl("ca", *own, *words)
