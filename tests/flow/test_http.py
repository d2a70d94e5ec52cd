"""The HTTP server among callers that mean no good: nobody keeps the others, or the owner, from their answer."""

import concurrent.futures
import contextlib
import json
import os
import socket
import time
import urllib.parse

import pytest
from conftest import PROGRAM, Neuron
from http_raw import ask, connect, descriptors, read_all, request, resident_mb, status
from test_run import make, running, wait_for

TOKEN = "Authorization: Bearer right"
WRONG = "Authorization: Bearer wrong"
# A long form is a test in the soak alone.
SOAK = (lambda test: test) if os.environ.get("NEURON_SOAK") else (lambda test: None)


def livez(port, source="127.0.0.9"):
    answer, took = ask(port, request("GET", "/livez"), source, timeout=8)
    return status(answer) == 200 and took < 4  # on a busy machine; what hangs takes longer


def strangers(port, start, count=256):
    """Connections from two addresses that each send `start`."""
    found = []
    for number in range(count):
        with contextlib.suppress(OSError):
            one = connect(port, f"127.0.0.{2 + number // 128}", 3)
            found.append(one)
            one.sendall(start)
    return found


def test_one_port_has_one_neuron(neuron, tmp_path_factory):
    make(neuron)
    with running(neuron) as run:
        other = Neuron(str(tmp_path_factory.mktemp("other")))
        make(other)
        for host in ("127.0.0.1", "0.0.0.0"):
            other.write("neuron.yaml", neuron.read("neuron.yaml").replace("127.0.0.1:0", f"{host}:{run.port}"))
            said = other("run", "--for", "20s", code=3).stderr
            assert f"{host}:{run.port} is already in use by process {run.process.pid} (neuron)" in said
            assert sorted(os.listdir(other.folder)) == ["neuron.yaml", "source.db"], "it touched something"
        assert run.ask("/readyz")[0] == 200
        # The port is free again at once, though connections to it were closed by the server just now.
        assert run.end() == 143
        other.write("neuron.yaml", neuron.read("neuron.yaml").replace("127.0.0.1:0", f"127.0.0.1:{run.port}"))
        with running(other) as again:
            assert again.port == run.port and again.end() == 143


def test_a_port_of_another_program(neuron):
    make(neuron)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        neuron.write("neuron.yaml", neuron.read("neuron.yaml").replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        said = neuron("run", "--for", "20s", code=3).stderr
        assert f"is already in use by process {os.getpid()} (" in said and "http.listen" in said


def test_strangers_send_no_body(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        for path, head, wanted in (
                ("/api/v1/reload", "Content-Length: 1048577", 401), ("/api/v1/streams/s/messages", "Content-Length: 9", 401),
                ("/api/v1/reload", "Transfer-Encoding: chunked", 401), ("/nothing", "Content-Length: 9", 401),
                ("/api/v1/reload", "Content-Length: 9\r\nExpect: 100-continue", 401), ("/login", "Content-Length: 1048577", 413),
                ("/login", "Transfer-Encoding: chunked", 411)):
            answer, took = ask(run.port, request("POST", path, head))
            assert status(answer) == wanted and took < 5, (path, head, answer)
            assert "Connection: close" in answer and "100 Continue" not in answer
        # The owner's body is asked for.
        answer, _ = ask(run.port, request("POST", "/api/v1/alerts/x/silence", TOKEN, "Content-Length: 2", "Expect: 100-continue"),
                        timeout=1)
        assert answer == "HTTP/1.1 100 Continue\r\n\r\n"
        # Who sends without asking gets the answer all the same, not a reset.
        for size in (1000, 1 << 20, 3 << 20):
            answer, _ = ask(run.port, request("POST", "/api/v1/reload", body="x" * size))
            assert status(answer) == 401 and json.loads(answer.split("\r\n\r\n", 1)[1])["status"] == 401
        assert run.end() == 143


def test_bodies_of_strangers_take_no_memory(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        before = resident_mb(run.process.pid)
        for path in ("/login", "/api/v1/reload", "/api/v1/streams/s/messages"):
            held = strangers(run.port, request("POST", path, "Content-Length: 1048577").encode() + b"x" * 1048570)
            assert len(held) == 256 and livez(run.port)
            for one in held:
                one.close()
        plain = "san" not in os.path.basename(os.path.dirname(PROGRAM))
        assert resident_mb(run.process.pid) - before < (8 if plain else 200)
        assert run.end() == 143


def test_slow_heads_keep_nobody_out(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        held = strangers(run.port, b"GET /livez HTTP/1.1\r\nX")
        for source in ("127.0.0.9", "127.0.0.2", "127.0.0.3"):
            for _ in range(3):
                for one in held:
                    with contextlib.suppress(OSError):
                        one.send(b"a")
                assert livez(run.port, source)
                assert status(ask(run.port, request("GET", "/health"), source)[0]) == 200
                assert status(ask(run.port, request("GET", "/api/v1/status", TOKEN), source)[0]) == 200
        assert descriptors(run.process.pid) < 400
        for one in held:
            one.close()
        assert run.end() == 143


def test_a_head_has_ten_seconds_in_all(neuron):
    make(neuron)
    with running(neuron) as run, connect(run.port) as one, connect(run.port) as mute, connect(run.port) as kept:
        kept.sendall(b"GET /api/v1/pipelines HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /li")
        begin = time.monotonic()
        one.settimeout(0.25)
        closed = False
        while not closed and time.monotonic() - begin < 20:
            try:
                one.send(b"G")
                closed = one.recv(1) == b""
            except TimeoutError:
                pass
            except OSError:
                closed = True
        assert closed and 8 < time.monotonic() - begin < 13
        mute.settimeout(5)
        assert mute.recv(1) == b""
        # The second head of a connection that is kept, as well.
        assert read_all(kept).startswith("HTTP/1.1 200")
        assert time.monotonic() - begin < 18


def test_a_kept_connection_goes_on(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        ways = (request("GET", "/api/v1/status", TOKEN), request("GET", "/livez", TOKEN), request("GET", "/readyz", TOKEN),
                request("GET", "/health", TOKEN), request("GET", "/api/v1/runs", TOKEN))
        keep = "".join(ways).replace("Connection: close\r\n", "") + request("GET", "/livez", TOKEN)
        answer, took = ask(run.port, keep)
        assert answer.count("HTTP/1.1 200 OK") == 6 and took < 5
        # Strangers keep none.
        answer, _ = ask(run.port, request("GET", "/health").replace("Connection: close\r\n", "") + request("GET", "/health"))
        assert answer.count("HTTP/1.1 200") == 1 and "Connection: close" in answer


@pytest.mark.parametrize("text, wanted", [
    (b"GET /livez HTTP/1.0\r\n\r\n", 200), (b"\r\n\r\nGET /livez HTTP/1.1\nHost: x\n\n", 200),
    (b"GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n", 200), (b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n", 200),
    (b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 405), (b"\x16\x03\x01\x02\x00\x01\x00", 400),
    (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 20000, 431), (b"GET /" + b"y" * 20000, 431),
    (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 9000 + b"\r\n", 431),
], ids=lambda value: str(value)[:30])
def test_heads(neuron, text, wanted):
    make(neuron)
    with running(neuron) as run:
        answer, took = ask(run.port, text)
        assert status(answer) == wanted and took < 5
        assert not text.startswith(b"HEAD") or answer.endswith("\r\n\r\n")
        if wanted >= 400:
            assert json.loads(answer.split("\r\n\r\n", 1)[1])["status"] == wanted


def guess(port, way, source):
    if way == "bearer":
        return ask(port, request("GET", "/api/v1/status", WRONG), source)
    return ask(port, request("POST", "/login", body="token=" + urllib.parse.quote(way)), source)


def test_guesses_are_slowed_by_address_never_for_the_owner(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        answers = [guess(run.port, way, "127.0.0.2") for way in ["bearer", "wrong"] * 6]
        assert [status(answer) for answer, _ in answers] == [401] * 10 + [429] * 2
        assert all("Retry-After: 60" in answer and took > 0.2 for answer, took in answers[10:])
        # The owner is served from anywhere, by either way; others have guesses of their own.
        for source in ("127.0.0.2", "127.0.0.1"):
            assert status(ask(run.port, request("GET", "/api/v1/status", TOKEN), source)[0]) == 200
            answer, took = guess(run.port, "right", source)
            assert status(answer) == 303 and took < 2
        assert status(guess(run.port, "bearer", "127.0.0.3")[0]) == 401
        # Many at once: few are looked at, each is held back, and the owner does not notice.
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            tries = [pool.submit(guess, run.port, "bearer", "127.0.0.2") for _ in range(300)]
            for _ in range(10):
                answer, took = ask(run.port, request("GET", "/api/v1/status", TOKEN), "127.0.0.2")
                assert status(answer) == 200 and took < 4
            seen = [status(one.result()[0]) for one in tries]
        judged = seen.count(429)
        assert set(seen) <= {429, 503} and judged <= (time.monotonic() - begin) * 8 / 0.25 + 16
        assert run.log().count("wrong token") == 3, "one line where guesses begin and where they become many"


def test_the_owner_gets_in_when_strangers_have_all_places(neuron):
    make(neuron, token="right")
    with running(neuron) as run:
        # They announce bodies that never come.
        head = request("POST", "/login", "Content-Length: 100").encode()
        held = []
        for number in range(256):
            one = connect(run.port, f"127.0.0.{2 + number // 64}")
            one.sendall(head)
            held.append(one)
        wait_for(lambda: status(ask(run.port, request("GET", "/metrics"), "127.0.1.1")[0]) == 503)
        for source in ("127.0.0.2", "127.0.1.2"):
            assert status(ask(run.port, request("GET", "/api/v1/status", TOKEN), source)[0]) == 200
            assert livez(run.port, source)
        assert status(ask(run.port, request("GET", "/api/v1/status", WRONG), "127.0.1.3")[0]) == 503
        for one in held:
            one.close()
        wait_for(lambda: status(ask(run.port, request("GET", "/metrics"), "127.0.1.1")[0]) == 401)


def test_long_bodies_count_as_memory(neuron):
    make(neuron)
    neuron.write("neuron.yaml", neuron.read("neuron.yaml") + "memory: 10MB\n")
    with running(neuron) as run:
        head = request("POST", "/api/v1/streams/s/messages", "Content-Length: 1000000").encode()
        held = []
        for _ in range(20):  # one after another: an address that sends many heads at once loses its oldest
            held.append(connect(run.port))
            held[-1].sendall(head)
            assert livez(run.port, "127.0.0.1")
        wait_for(lambda: status(ask(run.port, head, timeout=1)[0]) == 503)
        answer, _ = ask(run.port, head)
        assert "no memory" in answer and "Retry-After" in answer
        assert run.get("/api/v1/status")["health"] == "healthy"
        # A reload ends what they had; they are told so when their bodies are there.
        run.get("/api/v1/reload", "POST", 202)
        wait_for(lambda: run.log().count("daemon: ready") == 2)
        held[0].sendall(b"x" * 1000000)
        assert status(read_all(held[0])) in (404, 503)
        for one in held:
            one.close()
        wait_for(lambda: status(ask(run.port, head + b"x" * 1000000)[0]) == 404)
        assert run.end() == 143


@SOAK
def test_a_body_has_thirty_seconds_and_an_answer_too(neuron):
    make(neuron)
    with running(neuron) as run, connect(run.port) as slow, connect(run.port) as endless:
        slow.sendall(request("POST", "/api/v1/alerts/x/silence", "Content-Length: 60000").encode())
        endless.sendall(request("POST", "/api/v1/streams/s/messages", "Transfer-Encoding: chunked").encode())
        begin, open_ones = time.monotonic(), {slow: b"x", endless: b"1\r\nx\r\n"}
        while open_ones and time.monotonic() - begin < 60:
            for one, piece in list(open_ones.items()):
                one.settimeout(0.2)
                try:
                    one.send(piece)
                    if one.recv(1) == b"":
                        del open_ones[one]
                except TimeoutError:
                    pass
                except OSError:
                    del open_ones[one]
        assert not open_ones and 25 < time.monotonic() - begin < 45
