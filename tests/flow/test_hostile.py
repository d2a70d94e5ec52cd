"""Strangers, hostile input, limits of the machine: what they get to see, and what they can cost."""

import json

import pytest
from postgres import Database
from test_run import running, wait_for

VALUES = ["alice@example.com", "078-05-1120"]


@pytest.fixture
def database(server, request):
    return Database(server, request.node.name)


def failing(neuron, database, more=""):
    """A configuration with pipelines that fail because of the rows; what the errors hold are VALUES."""
    database("CREATE TABLE people(email text PRIMARY KEY); INSERT INTO people VALUES ('alice@example.com')")
    neuron.write("people.csv", "email\nalice@example.com\n")
    neuron.write("ssn.csv", "ssn\n078-05-1120\n")
    neuron.write("neuron.yaml", f"""
http: {{ listen: "127.0.0.1:0", token: s3cret-t0ken }}
{more}
connections:
  target: {database.url}
pipelines:
  unique: {{ from: people.csv, to: target, table: people, mode: append }}
  cast: {{ from: ssn.csv, steps: [ {{ select: "ssn::int AS ssn" }} ], to: out.ndjson }}
  judged: {{ from: target, query: "SELECT '078-05-1120'::text::int AS ssn", to: other.ndjson }}
""")


BEARER = {"Authorization": "Bearer s3cret-t0ken"}


def both_failed(run):
    parts = run.get("/health", headers=BEARER)["dependencies"]
    return all(parts[f"pipeline:{name}"].get("error") for name in ["unique", "cast", "judged"])


def test_health_without_the_token_is_status_and_kind(neuron, database):
    failing(neuron, database)
    with running(neuron) as run:
        wait_for(lambda: both_failed(run))
        text = run.ask("/health")[1]
        health = json.loads(text)
        assert set(health) == {"status", "dependencies"} and health["status"] == "degraded"
        for name, part in health["dependencies"].items():
            assert set(part) <= {"status", "kind"}, (name, part)
        assert health["dependencies"]["pipeline:unique"] == {"status": "unhealthy", "kind": "data"}
        assert health["dependencies"]["pipeline:cast"] == {"status": "unhealthy", "kind": "data"}
        known = run.ask("/health", headers=BEARER)[1]
        assert all(value in known for value in VALUES) and json.loads(known)["uptime"] > 0
        foreign = run.ask("/health", headers={"Authorization": "Bearer s3cret"})[1]
        assert set(json.loads(foreign)) == {"status", "dependencies"}
