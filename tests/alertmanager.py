"""A real Alertmanager (Debian's prometheus-alertmanager) of a test's own: free port, temporary folder, ended by its pid."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

CONFIG = """
route: { receiver: nobody, group_wait: 1s, group_interval: 1s }
receivers: [ { name: nobody } ]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Alertmanager:
    program = shutil.which("prometheus-alertmanager")

    def __init__(self, folder, port=None):
        self.folder = os.path.join(folder, "alertmanager")
        os.makedirs(self.folder, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        config = os.path.join(self.folder, "alertmanager.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(CONFIG)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.program, f"--config.file={config}", f"--storage.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self.process.poll() is None, "the Alertmanager ended"
            assert time.monotonic() < deadline, "the Alertmanager does not answer"
            time.sleep(0.05)

    def answers(self):
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def alerts(self):
        """Active alerts by name."""
        with urllib.request.urlopen(self.url + "/api/v2/alerts", timeout=5) as answer:
            return {alert["labels"]["alertname"]: alert for alert in json.load(answer)}

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
