"""What the black-box tests share: the program, a folder of their own, how to run it."""

import json
import os
import signal
import subprocess
import threading

import pytest
from kafka import Kafka
from postgres import Postgres

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = os.environ.get("NEURON_PROGRAM", os.path.join(ROOT, "build/neuron"))


class Neuron:
    """The program, run in a folder of the test's own."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *args, stdin="", code=0, env=None, binary=False):
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run([PROGRAM, *map(str, args)], cwd=self.folder, input=data,
                              capture_output=True, timeout=120, env={**os.environ, **(env or {})})
        if not binary:
            done.stdout = done.stdout.decode()
        done.stderr = done.stderr.decode("utf-8", "replace")
        assert done.returncode == code, f"exit {done.returncode}, wanted {code}: {done.stderr}"
        return done

    def run_any(self, *args):
        """Standard output, whatever the exit code."""
        return subprocess.run([PROGRAM, *map(str, args)], cwd=self.folder, capture_output=True, timeout=120,
                              check=False).stdout.decode()

    def result(self, *args, **options):
        """The result object of a run."""
        return json.loads(self(*args, "--json", **options).stdout)

    def eval(self, select, rows, code=0):
        """Rows out of `neuron eval`; rows are objects."""
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        return [json.loads(line) for line in self("eval", select, stdin=lines, code=code).stdout.splitlines()]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()


def build_driver(folder, name, rooms, flags):
    """Builds tests/flow/NAME.c with the rooms of the program's own build; the path of the program."""
    built, program = os.path.dirname(PROGRAM), os.path.join(str(folder), name)
    libraries = [path for room in rooms for path in (f"{built}/lib{room}.a", f"{built}/lib{room}_hot.a")
                 if os.path.exists(path)]
    sanitizer = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"]}.get(built[-4:], [])
    subprocess.run(["gcc", "-std=gnu17", "-O1", "-g", "-fno-lto", "-D_GNU_SOURCE", *sanitizer,
                    "-I" + os.path.join(ROOT, "src"), "-I/usr/include/postgresql", "-o", program,
                    os.path.join(ROOT, f"tests/flow/{name}.c"), "-Wl,--start-group", *libraries, "-Wl,--end-group",
                    *("-l" + flag for flag in [*flags, "crypto", "xxhash", "utf8proc", "pcre2-8", "yaml", "z", "zstd",
                                               "pthread", "m"])], check=True)
    return program


@pytest.fixture(autouse=True)
def nothing_stays():
    """A test that fails leaves no program running behind it."""
    yield
    with open(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children", encoding="utf-8") as children:
        pids = children.read().split()
    for pid in pids:
        try:
            if os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(PROGRAM):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            pass  # it has ended meanwhile


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL for the tests of one file."""
    postgres = Postgres()
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def kafka():
    """An Apache Kafka for the tests of one file."""
    broker = Kafka()
    assert broker.brokers.startswith("127.0.0.1:")
    yield broker
    broker.close()


@pytest.fixture
def neuron(tmp_path):
    return Neuron(str(tmp_path))
