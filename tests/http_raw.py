"""Bytes to and from an HTTP server, from any address of loopback: for requests that no client library sends."""

import contextlib
import os
import socket
import time


def connect(port, source="127.0.0.1", timeout=10):
    return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))


def read_all(connection):
    """What comes until the other side closes, or until the connection's timeout."""
    answer = b""
    with contextlib.suppress(OSError):
        while more := connection.recv(65536):
            answer += more
    return answer.decode("utf-8", "replace")


def ask(port, request, source="127.0.0.1", timeout=10):
    """The whole answer to these bytes, and how long it took in seconds."""
    begin = time.monotonic()
    with connect(port, source, timeout) as connection:
        connection.sendall(request if isinstance(request, bytes) else request.encode())
        answer = read_all(connection)
    return answer, time.monotonic() - begin


def status(answer):
    return int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/1.") else 0


def request(method, path, *headers, body=""):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def resident_mb(pid, field="VmHWM"):
    """Resident memory of a process, its peak by default."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return int(next(line for line in file if line.startswith(field)).split()[1]) / 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
