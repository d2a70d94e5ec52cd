"""A PostgreSQL server of the tests' own: a free port on loopback, a temporary folder, stopped by pid."""

import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import struct
import tempfile
import threading
import time


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    assert found, "PostgreSQL is not installed; run tools/install-deps"
    return found[-1]


class Postgres:
    def __init__(self, *settings, env=None):
        self.settings, self.env = settings or ("fsync=off",), env or {}
        self.folder = tempfile.mkdtemp(prefix="neuron-pg-")
        self.user = "nobody" if os.getuid() == 0 else None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        if self.user:
            shutil.chown(self.folder, self.user)
        self.data = os.path.join(self.folder, "data")
        self.make()
        self.start()

    def make(self):
        self.call("initdb", "--no-sync", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")

    def start(self):
        options = ["listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "timezone=UTC",
                   *self.settings]
        self.server = subprocess.Popen(
            self.command("postgres", "-D", self.data, "-p", str(self.port),
                         *(part for option in options for part in ("-c", option))),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder, env={**os.environ, **self.env})
        self.wait()

    def crash_only(self):
        """Stop at once, without a checkpoint."""
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait(timeout=60)

    def crash(self):
        """Stop at once and start again: the server recovers from its log."""
        self.crash_only()
        self.start()

    def restart(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(timeout=60)
        self.start()

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
        if self.server.poll() is None:
            self.crash_only()
        shutil.rmtree(self.folder, ignore_errors=True)


class Standby(Postgres):
    """A hot standby of such a server, made by pg_basebackup; `promote` makes it a primary."""

    def __init__(self, primary, *settings):
        self.primary = primary
        super().__init__(*(settings or primary.settings))

    def make(self):
        self.call("pg_basebackup", "--no-sync", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-p",
                  str(self.primary.port), "-U", "postgres")

    def promote(self):
        assert self.psql("SELECT pg_promote()")[0].strip() == "t"

    def catch_up(self):
        """Wait until everything that the primary has is here."""
        end = self.primary.psql("SELECT pg_current_wal_insert_lsn()")[0].strip()
        deadline = time.monotonic() + 60
        while self.psql(f"SELECT pg_last_wal_replay_lsn() >= '{end}'")[0].strip() != "t":
            assert time.monotonic() < deadline, "the standby doesn't catch up"
            time.sleep(0.02)


class Session:
    """A psql that stays: for transactions that are open for a while."""

    def __init__(self, server, database="postgres", user="postgres"):
        self.process = subprocess.Popen(
            [os.path.join(binaries(), "psql"), "-h", "127.0.0.1", "-p", str(server.port), "-U", user, "-d", database,
             "-XAtq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, sql):
        """Send it, as one message per statement, or as one message where they are joined by `\\;`."""
        self.process.stdin.write(sql + "\n\\echo done\n")
        self.process.stdin.flush()

    def finish(self):
        lines = []
        while (line := self.process.stdout.readline()).strip() != "done":
            assert line, "psql ended"
            lines.append(line.strip())
        return lines

    def __call__(self, sql):
        self.start(sql)
        return self.finish()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


class Database:
    """A database of a test's own on such a server, named after the test."""

    def __init__(self, server, name):
        self.server, self.name = server, re.sub(r"\W+", "_", name.lower()).strip("_")[-50:].strip("_")
        out, err = server.psql(f"CREATE DATABASE {self.name}")
        assert not err, err
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/{self.name}"

    def __call__(self, sql):
        out, err = self.server.psql(sql, "-d", self.name)
        assert not err.strip() or "NOTICE" in err, err
        return out.strip()

    def rows(self, sql):
        return json.loads(self(f"SELECT coalesce(json_agg(r), '[]') FROM ({sql}) AS r"))


class CutProxy:
    """Stands between the program and a server, on a port of its own; `cut` ends all connections as a dead network
    does: at once, in the middle of whatever is under way."""

    def __init__(self, port):
        self.port, self.pairs, self.mutex = port, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            with self.mutex:
                self.pairs.append((client, server))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self.forward, args=(source, target), daemon=True).start()

    @staticmethod
    def forward(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        with self.mutex:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    def close(self):
        self.listener.close()
        self.cut()
