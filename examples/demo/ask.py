#!/usr/bin/env python3
"""Asks the demo's running neuron: sends messages to its stream, waits for the outputs, shows its state."""

import json
import re
import sys
import time
import urllib.request


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    sys.exit("the neuron didn't get so far; its log:\n" + open(sys.argv[1], encoding="utf-8").read())


def port():
    with open(sys.argv[1], encoding="utf-8") as log:
        found = re.search(r" port=(\d+)", log.read())
    return found and found.group(1)


URL = f"http://127.0.0.1:{wait_for(port)}"


def ask(path, data=None):
    with urllib.request.urlopen(urllib.request.Request(URL + path, data=data), timeout=10) as answer:
        return answer.read().decode()


def stream(name):
    return json.loads(ask(f"/api/v1/streams/{name}"))


def main():
    with open(sys.argv[2], "rb") as messages:
        ask("/api/v1/streams/data-events/messages", messages.read())
    wait_for(lambda: stream("data-events")["consumed"] == 6 and stream("archive")["consumed"] == 3)
    health = json.loads(ask("/health"))
    print(f"{URL}/ is {health['status']}")
    made = stream("data-events")
    print("stream data-events:", {key: made[key] for key in ("consumed", "emitted", "filtered", "dead_lettered",
                                                             "messages_processed", "messages_failed", "lag_messages")})
    print("from /metrics:")
    shown = ("neuron_stream_messages_total", "neuron_quality_score", "neuron_pipeline_rows_total{pipeline=\"strikes\"")
    for line in ask("/metrics").splitlines():
        if line.startswith(shown) and not line.endswith(" 0"):
            print("  " + line)


if __name__ == "__main__":
    main()
