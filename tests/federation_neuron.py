"""A neuron that runs as a member of a federation, for the tests of its client."""

import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.request

from conftest import PROGRAM

CONFIG = """
neuron: {{ id: n-1 }}
http: {{ listen: "127.0.0.1:0" }}
federation: {{ url: "{url}", heartbeat: {heartbeat}{federation} }}
pipelines:
  p: {{ from: in.csv, to: "sqlite:///target.db", table: t, key: [id]{pipeline} }}
"""


def wait_for(condition, what, seconds=40):
    """Polls until it is true; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.05)
    return value


class Running:
    """Ends with the `with` that it began with."""

    def __init__(self, neuron, url, more="", heartbeat="1s", federation="", pipeline=""):
        self.folder = neuron.folder
        neuron.write("in.csv", "id\n1\n2\n")
        neuron.write("neuron.yaml", CONFIG.format(url=url, heartbeat=heartbeat, federation=federation,
                                                  pipeline=pipeline) + more)
        self.log = os.path.join(neuron.folder, "log")
        self.before = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "run"], cwd=neuron.folder, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(40)

    def logged(self):
        """What this process wrote."""
        with open(self.log, "rb") as log:
            log.seek(self.before)
            return log.read().decode()

    def lines(self, *parts):
        return [line for line in self.logged().splitlines() if all(part in line for part in parts)]

    def get(self, path):
        ready = wait_for(lambda: self.lines("ready", "port="), "ready neuron")[0]
        port = ready.split("port=")[1].split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def health(self):
        return json.loads(self.get("/health"))

    def metric(self, name):
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        return None

    def state(self, query, *values):
        with sqlite3.connect(os.path.join(self.folder, "neuron-state.db"), timeout=20) as db:
            return db.execute(query, values).fetchall()
