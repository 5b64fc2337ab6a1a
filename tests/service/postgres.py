"""A PostgreSQL server of its own, from Debian's packages, that can be stopped and started."""

import os
import pwd
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import free_port


class Postgres:
    """A PostgreSQL server on a folder, which listens on a port of 127.0.0.1."""

    def __init__(self, folder, binaries):
        self.folder, self.binaries, self.port = folder, binaries, free_port()
        # It refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name

    @property
    def url(self):
        return self.url_of(self.user, "postgres")

    def url_of(self, user, database):
        return f"postgresql+asyncpg://{user}@127.0.0.1:{self.port}/{database}"

    def call(self, program, *arguments):
        command = [self.binaries / program, "-D", self.folder, *arguments]
        subprocess.run(command, user=self.user, cwd="/", check=True, timeout=60, stdout=subprocess.DEVNULL)

    def shell(self, command, folder):
        """Execute a command line that calls PostgreSQL's programs, in a folder; return what it printed."""
        own = {"PATH": f"{self.binaries}:/usr/bin:/bin", "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        own["PGUSER"] = self.user
        done = subprocess.run(command, shell=True, cwd=folder, env=own, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.call("pg_ctl", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        self.call("pg_ctl", "-w", "-m", "immediate", "stop")


@contextmanager
def running_postgres(folder):
    """Give a running PostgreSQL server on a folder, which any user can reach; skip the test without the program."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    if not found:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    server = Postgres(folder, Path(found[-1]).parent)
    folder.mkdir()
    shutil.chown(folder, server.user)
    server.call("initdb", "-A", "trust", "-N")
    server.start()
    try:
        yield server
    finally:
        server.stop()
