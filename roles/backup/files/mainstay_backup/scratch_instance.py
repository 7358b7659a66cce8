# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A PostgreSQL of its own beside the live cluster: restored, reached by a socket only, and removed."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from .common import Problem, as_postgres, run
from .database import Session, conninfo

# It must never archive, listen, or take anything from the live cluster's configuration.
CONFIGURATION = """# Made by mainstay-backup for one restore drill.
data_directory = '{data}'
hba_file = '{home}/pg_hba.conf'
listen_addresses = ''
port = {port}
unix_socket_directories = '{home}'
unix_socket_permissions = 0700
archive_mode = off
hot_standby = off
autovacuum = off
max_connections = 20
shared_buffers = 128MB
logging_collector = off
"""
HBA = "local all postgres peer\n"


class Instance:
    def __init__(self, settings):
        self.settings = settings
        self.home = Path(settings.drill.dir)
        self.data = self.home / "data"
        self.log = self.home / "log"

    def command(self, *words):
        """Run as its owner, and end when this program ends, however that is."""
        return run(as_postgres(["setpriv", "--pdeathsig", "TERM", "--", *words]), cwd="/")

    def program(self, name):
        return f"{self.settings.postgres.bin_dir}/{name}"

    def exists(self):
        return (self.data / "PG_VERSION").exists()

    def remove(self):
        """Stop it and remove it, whatever is left of it."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        for path in self.home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def restore(self, label, lsn):
        """Copy a backup and have it replay to a place in the WAL, not a record further."""
        run(as_postgres(["mkdir", "-m", "0700", str(self.data)]), cwd="/")
        self.write(
            "postgresql.conf", CONFIGURATION.format(data=self.data, home=self.home, port=self.settings.postgres.port)
        )
        self.write("pg_hba.conf", HBA)
        options = [f"--set={label}", "--type=lsn", f"--target={lsn}", "--target-exclusive", "--target-action=promote"]
        words = ["setpriv", "--pdeathsig", "TERM", "--", "pgbackrest", f"--config={self.settings.drill.config}"]
        words += [f"--stanza={self.settings.stanza}", f"--repo={self.settings.repository_key}"]
        run(as_postgres([*words, *options, "--archive-mode=off", "restore"]), cwd="/")

    def write(self, name, text):
        path = self.home / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)

    def start(self, seconds):
        """Start it, and wait until it has replayed and takes connections."""
        deadline = time.monotonic() + seconds
        options = f"-c config_file={self.home}/postgresql.conf"
        words = [self.program("pg_ctl"), "start", "--wait", f"--timeout={seconds}", f"--pgdata={self.data}"]
        try:
            # Not self.command: the server is to outlive pg_ctl.
            run(as_postgres([*words, f"--log={self.log}", f"--options={options}", "--silent"]), cwd="/")
            # pg_ctl is content with a server that replays.
            while not self.ready():
                if not (self.data / "postmaster.pid").exists() or time.monotonic() > deadline:
                    raise Problem(f"it ended, or took more than {seconds} s")
                time.sleep(0.2)
        except Problem as error:
            raise Problem(
                f"scratch instance: found it not starting ({self.complaints() or error}); expected it at the marker"
            ) from None

    def ready(self):
        try:
            with self.session() as session:
                return session.value("select pg_is_in_recovery()") == "f"
        except Problem:
            return False

    def complaints(self):
        """What the server's log says of its failure."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        words = ("ERROR", "FATAL:  recovery", "FATAL:  could not", "PANIC")
        return "; ".join(line for line in lines[-30:] if any(word in line for word in words))

    def stop(self, how="fast"):
        words = [self.program("pg_ctl"), "stop", "--wait", f"--mode={how}", f"--pgdata={self.data}", "--silent"]
        try:
            run(as_postgres(words), cwd="/")
        except Problem:
            # A pid file of a server that was killed is no server.
            if how != "immediate":
                raise

    def session(self, database="postgres"):
        parts = {"host": self.home, "port": self.settings.postgres.port, "user": "postgres", "dbname": database}
        return Session(conninfo(**parts), local=True)
