"""Being a member: what the core lost, forgot or refused, the neuron finds out, and people see it."""

import json
import sqlite3
import time

import pytest

from federation_double import SECRET, Core
from federation_neuron import Running, wait_for


@pytest.fixture
def core():
    one = Core()
    yield one
    one.close()


def answered(core, end, status):
    return sum(path.endswith(end) and code == status for _, _, path, code in list(core.requests))


def federation(run):
    return run.health()["dependencies"]["federation"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_core_that_lost_its_rows_gets_the_neuron_again(neuron, core, restarted):
    run = Running(neuron, core.url)
    with run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        if restarted:
            run.end()
        core.lose_rows()
        seen = len(core.heartbeats)
        with Running(neuron, core.url) if restarted else run as again:
            wait_for(lambda: core.registrations == 2, "second registration", 10)
            wait_for(lambda: len(core.heartbeats) > seen + 1, "heartbeats after it")
            assert 1 <= answered(core, "/heartbeat", 500) <= 3
            assert core.asked("GET", "/api/neuron/config")
            assert again.lines("Z warn", "lost the record"), again.logged()
            wait_for(lambda: federation(again) == {"status": "healthy", "membership": "member"}, "health")
            assert len(core.issued) == 2 and not any(token in again.logged() for token in core.issued)


def test_a_lost_token_row_and_a_core_that_refuses_to_register(neuron, core):
    """The old rows come back (a restore): the old token is good again."""
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        rows = dict(core.neurons)
        core.fault = lambda method, path, body: (
            (500, {"success": False, "error": "Failed to register API neuron"}) if path.endswith("/register") else None)
        core.lose_rows()
        wait_for(lambda: federation(run)["membership"] == "row lost", "loss")
        wait_for(lambda: answered(core, "/register", 500) >= 2, "second try")
        seen = len(core.heartbeats)
        core.neurons.update(rows)
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat with the old token")
        wait_for(lambda: federation(run)["membership"] == "member", "membership")
        assert core.registrations == 1


def test_a_database_that_is_away_is_seen_everywhere(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats and run.metric("neuron_federation_up") == 1, "heartbeat")
        wait_for(lambda: run.health()["status"] == "healthy", "health")
        core.database_down = True
        wait_for(lambda: run.metric("neuron_federation_up") == 0, "metric")
        health = run.health()
        assert health["status"] == "degraded" and health["dependencies"]["federation"]["status"] == "degraded"
        assert "Failed to record heartbeat" in health["dependencies"]["federation"]["error"]
        assert health["dependencies"]["federation"]["since"]
        since = time.monotonic()
        wait_for(lambda: len(core.asked("POST", "/heartbeat", since)) >= 2, "more heartbeats")
        assert run.metric("neuron_federation_up") == 0  # whatever else is answered
        assert len(run.lines("Z warn", "heartbeat", "Failed to record heartbeat")) == 1
        core.database_down = False
        wait_for(lambda: run.metric("neuron_federation_up") == 1, "metric again")
        assert run.health()["status"] == "healthy" and len(run.lines("heartbeats are taken again")) == 1
        assert core.registrations == 1 and core.errors == []
        assert all(beat["status"] == "active" for beat in core.heartbeats)


def test_an_id_that_is_taken_is_told_as_what_it_may_be(neuron, core):
    core.neurons["n-1"] = {"neuronId": "n-1"}
    with Running(neuron, core.url) as run:
        wait_for(lambda: run.lines("Z warn", "not registered", "may be taken", "database is away",
                                   "Failed to register API neuron"), "warning")
        assert not run.lines("Z error")
        wait_for(lambda: federation(run)["status"] == "degraded", "health")
        assert "may be taken" in federation(run)["error"] and federation(run)["membership"] == "unregistered"
        assert run.metric("neuron_federation_up") == 0
        wait_for(lambda: run.lines("Z error", "not registered"), "error after some tries", 30)
        assert core.registrations == 3  # with pauses of 5 and 10 s
        assert not core.asked("GET", "/api/status")


@pytest.mark.parametrize("fault, words", [
    ("drop", "does not answer"),
    ((200, None), "check federation.url"),
    ((400, {"success": False, "error": "Validation error", "details": [{"path": ["name"], "message": "Too odd"}]}),
     "name: Too odd"),
    ((400, {"message": "Unexpected token"}), "Unexpected token")])
def test_what_is_wrong_with_a_registration_is_not_the_id(neuron, core, fault, words):
    faults = [fault]
    core.fault = lambda method, path, body: faults.pop() if path.endswith("/register") and faults else None
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat after all")
        assert "taken" not in run.logged().replace("are taken again", "") and run.lines("not registered", words)
        assert core.registrations == 1


@pytest.mark.parametrize("spelling", ["{url}/", "{url}///", "HTTP://{host}", " {url} "])
def test_a_token_is_found_by_any_spelling_of_the_address(neuron, core, spelling):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        run.end()
    seen = len(core.heartbeats)
    url = spelling.format(url=core.url, host=core.url.removeprefix("http://"))
    with Running(neuron, url) as run:
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat")
        assert core.registrations == 1


def test_a_token_that_an_older_neuron_kept_by_another_spelling(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        run.end()
        run.state("UPDATE tokens SET url = ?", core.url.replace("http", "HTTP") + "/")
    seen = len(core.heartbeats)
    with Running(neuron, core.url + "/") as run:
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat")
        assert core.registrations == 1 and run.state("SELECT url FROM tokens") == [(core.url,)]


def test_a_token_under_another_address_is_named_and_can_be_used(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        run.end()
    other = core.url.replace("127.0.0.1", "localhost")
    with Running(neuron, other) as run:
        wait_for(lambda: run.lines("not registered", "former_url", core.url), "hint")
        assert "former_url" in federation(run)["error"]
        run.end()
    seen, registered = len(core.heartbeats), core.registrations
    with Running(neuron, other, federation=f', former_url: "{core.url}/"') as run:
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat")
        assert core.registrations == registered


def test_a_token_that_any_call_finds_refused(neuron, core):
    with Running(neuron, core.url, heartbeat="30s") as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        core.secret = b"another"
        wait_for(lambda: core.refused == 1, "refused poll")
        # One registration, one heartbeat with the old token, then pauses.
        wait_for(lambda: core.refused == 2, "refused heartbeat")
        assert core.registrations == 2 and federation(run)["membership"] == "token refused"
        seen = len(core.heartbeats)
        core.secret = SECRET
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat with the old token")
        assert core.refused <= 4


def test_the_cores_configuration_is_asked_for_and_applied(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats and core.heartbeats[-1].get("configVersion") == "0.1.0", "first version")
        core.configure("n-1", {"heartbeat_interval": 2, "log_level": "debug"}, "1.0.1")
        wait_for(lambda: core.heartbeats[-1].get("configVersion") == "1.0.1", "new version", 20)
        assert len(run.lines("configuration applied", "1.0.1")) == 1
        wait_for(lambda: run.lines("Z debug"), "debug line")
        core.configure("n-1", {"heartbeat_interval": 1, "etl": {"batch": 5}}, "x" * 60)
        wait_for(lambda: run.lines("Z warn", "not applied", "etl", "heartbeat_interval, log_level"), "refusal", 30)
        seen = len(core.heartbeats)
        wait_for(lambda: len(core.heartbeats) > seen, "heartbeat")
        assert core.heartbeats[-1]["configVersion"] == "1.0.1"
        core.configure("n-1", {"heartbeat_interval": 1}, "y" * 60)
        wait_for(lambda: core.heartbeats[-1]["configVersion"] == "y" * 50, "cut version", 30)
        assert len(run.lines("not applied")) == 1 and core.errors == []
        run.end()
    asked = len(core.asked("GET", "/api/neuron/config"))
    with Running(neuron, core.url) as run:
        wait_for(lambda: len(core.asked("GET", "/api/neuron/config")) > asked + 1, "questions after a restart", 20)
        assert not run.lines("configuration applied") and not run.lines("not applied")


def test_a_configuration_that_would_look_like_an_outage(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        core.configure("n-1", {"heartbeat_interval": 600}, "2")
        wait_for(lambda: run.lines("not applied", "600 s is too long"), "refusal", 20)


def test_a_federation_that_is_away_is_an_alert(neuron, core):
    core.down = True
    alerts = "alerts: { interval: 200ms, thresholds: { federation: 1s } }\n"
    with Running(neuron, core.url, alerts) as run:
        def fires():
            found = json.loads(run.get("/api/v1/alerts"))["alerts"]
            return [a for a in found if a["name"] == "FederationAway" and a["state"] == "firing"]
        wait_for(fires, "alert")
        assert federation(run)["status"] == "degraded" and "does not answer" in federation(run)["error"]
        core.down = False
        wait_for(lambda: not fires(), "end of the alert", 30)


def test_without_a_federation_nothing_speaks_of_one(neuron):
    with Running(neuron, "") as run:
        health = run.health()
        assert "federation" not in health["dependencies"]
        assert "neuron_federation_up" not in [line.split(" ")[0] for line in run.get("/metrics").splitlines()]


def test_the_token_is_kept_before_it_is_used(neuron, core):
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        assert run.state("SELECT url, id, token FROM tokens") == [(core.url, "n-1", core.issued[0])]


@pytest.mark.parametrize("url, ok", [("http://core:5000/", True), ("", True), ("core:5000", False), ("ftp://core", False),
                                     ("http://core:port", False)])
def test_an_address_that_is_none_is_a_mistake_of_the_configuration(neuron, url, ok):
    neuron.write("neuron.yaml", f'neuron: {{ id: n-1 }}\nfederation: {{ url: "{url}" }}\n')
    done = neuron("validate", code=0 if ok else 2)
    assert ok or "neuron.yaml:2:" in done.stdout + done.stderr
