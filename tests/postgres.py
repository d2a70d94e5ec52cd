"""A PostgreSQL server of the tests' own: a free port on loopback, a temporary folder, stopped by pid."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    assert found, "PostgreSQL is not installed; run tools/install-deps"
    return found[-1]


class Postgres:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="neuron-pg-")
        self.user = "nobody" if os.getuid() == 0 else None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if self.user:
            shutil.chown(self.folder, self.user)
        self.data = os.path.join(self.folder, "data")
        self.call("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.server = subprocess.Popen(
            self.command("postgres", "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
                         "-c", f"unix_socket_directories={self.folder}", "-c", "timezone=UTC", "-c", "fsync=off"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
        self.wait()

    def command(self, name, *args):
        command = [os.path.join(binaries(), name), *args]
        return ["setpriv", "--reuid", "nobody", "--clear-groups", "--", *command] if self.user else command

    def call(self, name, *args):
        subprocess.run(self.command(name, *args), check=True, capture_output=True, cwd=self.folder, timeout=120)

    def wait(self):
        deadline = time.monotonic() + 60
        while subprocess.run([os.path.join(binaries(), "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                              str(self.port)], check=False).returncode != 0:
            assert time.monotonic() < deadline and self.server.poll() is None, "PostgreSQL doesn't start"

    def psql(self, sql, *args):
        done = subprocess.run([os.path.join(binaries(), "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U",
                               "postgres", "-XAtq", *args], input=sql, capture_output=True, text=True, check=False,
                              timeout=300)
        return done.stdout, done.stderr

    def close(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)
