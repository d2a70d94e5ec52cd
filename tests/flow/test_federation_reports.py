"""Reports: every run and check reaches the core once, in order and soon; every part has its numbers there."""

import json
import time

import pytest

from federation_double import Core
from federation_neuron import Running, wait_for

STREAM = """
streams:
  s:
    from: { file: in.ndjson }
    route_by: type
    processors:
      a: [ { select: "n, n + 1 AS m" } ]
    to: { file: out.ndjson }
    dead_letter: { file: dead.ndjson }
"""


@pytest.fixture
def core():
    one = Core()
    yield one
    one.close()


def letters(run, count, first=0, size=0):
    """Reports that wait, as an earlier life left them."""
    now = time.time_ns() // 1000
    body = {"status": "success", "records_extracted": 3, "duration_seconds": 0.5, "error": None, "pad": "x" * size}
    for i in range(first, first + count):
        run.state("INSERT INTO outbox(kind, body, at_us) VALUES('pipeline_run', ?, ?)",
                  json.dumps({**body, "pipeline": f"r{i:04}"}), now)


def begun(neuron, core, **options):
    """A member that has ended again, so that its state store can be prepared."""
    with Running(neuron, core.url, **options) as run:
        wait_for(lambda: core.heartbeats, "heartbeat")
        wait_for(lambda: "p" in names(core), "first report")
        run.end()
    return run


def names(core):
    """Of the runs that the core was told of, in order, repeats included."""
    lists = [body["customMetrics"]["reports"] for body in core.analytics]
    seen, found = set(), []
    for report in core.reports() + [r for reports in lists for r in reports]:
        if core.takes_analytics and report["report_id"] in seen:
            continue  # the list of a day holds the last hundred
        seen.add(report["report_id"])
        found.append(report.get("pipeline_name"))
    return found


@pytest.mark.parametrize("analytics", [False, True])
def test_a_backlog_is_drained_at_once_in_order_each_report_once(neuron, core, analytics):
    core.takes_analytics = analytics
    run = begun(neuron, core)
    letters(run, 330)
    began = time.monotonic()
    with Running(neuron, core.url, heartbeat="60s") as run:
        wait_for(lambda: run.metric("neuron_outbox_records") == 0, "empty outbox", 20)
        assert time.monotonic() - began < 20  # one heartbeat a minute would take long
        told = [name for name in names(core) if name.startswith("r")]
        assert told == [f"r{i:04}" for i in range(330)]
        row = max(core.rows.values(), key=lambda r: r["id"])["requestCount"] if analytics else \
            core.heartbeats[-1]["applicationMetrics"]["analytics"]["count"]
        assert row >= 331
    assert core.errors == []


def test_a_heartbeat_lists_only_what_is_new_in_it(neuron, core):
    with Running(neuron, core.url, pipeline=", schedule: every 1s"):
        wait_for(lambda: len(core.reports()) >= 6, "reports")
        ids = [r["report_id"] for r in core.reports()]
        assert len(ids) == len(set(ids))
        last = core.heartbeats[-1]["applicationMetrics"]["analytics"]
        assert last["count"] >= 5 and last["good"] == last["count"]


def test_analytics_hold_the_whole_list_and_heartbeats_none(neuron, core):
    core.takes_analytics = True
    with Running(neuron, core.url, pipeline=", schedule: every 1s"):
        wait_for(lambda: core.analytics and len(core.analytics[-1]["customMetrics"]["reports"]) >= 5, "reports")
        assert core.reports() == []


def test_the_outbox_is_bounded_and_what_is_dropped_is_told(neuron, core):
    run = begun(neuron, core)
    letters(run, 250)
    core.down = True
    with Running(neuron, core.url, federation=", outbox: 40") as run:
        wait_for(lambda: run.metric("neuron_outbox_dropped_total") and (run.metric("neuron_outbox_records") or 99) <= 41, "limit")
        assert run.metric("neuron_outbox_dropped_total") >= 210
        assert run.lines("Z warn", "outbox is full", "limit=40")
        core.down = False
        wait_for(lambda: "r0249" in names(core), "what is left")
        assert "r0000" not in names(core) and names(core).count("r0249") == 1
        last = core.heartbeats[-1]["applicationMetrics"]["analytics"]
        assert last["count"] >= 251 and last["reports_dropped"] >= 210  # all count, listed or not


def test_a_core_that_takes_only_small_bodies(neuron, core):
    run = begun(neuron, core)
    letters(run, 120)
    core.fault = lambda method, path, body: (413, {"message": "request entity too large"}) if len(body) > 9000 else None
    with Running(neuron, core.url, heartbeat="60s") as run:
        wait_for(lambda: run.metric("neuron_outbox_records") == 0, "empty outbox", 30)
        assert [name for name in names(core) if name.startswith("r")] == [f"r{i:04}" for i in range(120)]


def test_what_would_be_too_much_for_the_core_is_made_fit(neuron, core):
    run = begun(neuron, core)
    now = time.time_ns() // 1000
    odd = ({"pipeline": "nul\0\0" + "é" * 3000, "status": "failed", "error": {"what": "a\0b" + "\U0001F600" * 900}},
           {"pipeline": "many", "records_extracted": 10**15, "duration_seconds": 1e300, "status": "success"},
           {"pipeline": ["deep"] * 5, "records_loaded": {"x": "\0"}})
    for body in odd:
        run.state("INSERT INTO outbox(kind, body, at_us) VALUES('pipeline_run', ?, ?)", json.dumps(body), now)
    core.takes_analytics = True
    with Running(neuron, core.url) as run:
        wait_for(lambda: run.metric("neuron_outbox_records") == 0 and core.analytics, "empty outbox", 20)
        wait_for(lambda: len(core.heartbeats) > 3, "heartbeats")
        assert "many" in names(core)
        row = core.analytics[-1]
        assert row["totalDataProcessed"] == 2147483647 and row["failedRequests"] >= 1
        assert core.errors == []


def test_what_a_registration_says(neuron, core):
    with Running(neuron, core.url, STREAM + "quality: { d: { from: in.csv } }\n"):
        wait_for(lambda: core.heartbeats, "heartbeat")
    row = core.neurons["n-1"]
    assert row["deploymentInfo"]["hostname"] and row["deploymentInfo"]["platform"] == "Linux"
    assert row["metadata"]["pipelines"] == ["p"] and row["metadata"]["streams"] == ["s"]
    assert row["metadata"]["datasets"] == ["d"]
    assert {"state", "pipeline:p", "stream:s"} <= set(row["dependencies"])
    assert row["resourceRequirements"]["memory_bytes"] > 1e8
    assert row["alertThresholds"] == {"memory_usage": 90, "disk_usage": 85, "error_rate": 5}
    assert row["baseUrl"].startswith("http://127.0.0.1:") and not row["baseUrl"].endswith(":0")


def score(beat):
    def points(value, *steps):
        return next((p for limit, p in steps if value > limit), 0)
    system, errors = beat["systemMetrics"], beat["performanceMetrics"]["error_rate"]
    return max(1, 100 - points(system["cpu_usage"], (80, 20), (60, 10)) - points(system["memory_usage"], (85, 20), (70, 10))
               - points(system["disk_usage"], (90, 15), (80, 5)) - points(errors, (5, 25), (2, 10)))


def test_what_heartbeats_and_analytics_say(neuron, core):
    core.takes_analytics = True
    more = '  dead: { from: in.csv, to: "sqlite:////no/such/folder/t.db", table: t, key: [id] }\n'
    with Running(neuron, core.url, more):
        wait_for(lambda: core.heartbeats and core.heartbeats[-1]["status"] == "degraded", "degraded heartbeat")
        wait_for(lambda: core.analytics and core.analytics[-1]["requestCount"] == 2, "analytics")
        seen = len(core.heartbeats)
        wait_for(lambda: len(core.heartbeats) > seen + 1, "heartbeat after it")
        beat, row = core.heartbeats[-1], core.analytics[-1]
    assert beat["hostInfo"]["hostname"] and beat["hostInfo"]["pid"] == int(beat["processId"])
    assert set(beat["dependencyStatus"].values()) == {"healthy", "unhealthy"}
    assert beat["dependencyStatus"]["pipeline:dead"] == "unhealthy" and beat["dependencyStatus"]["state"] == "healthy"
    assert beat["performanceMetrics"]["requests_total"] == 2 and beat["performanceMetrics"]["error_rate"] == 50
    assert all(beat["healthScore"] == score(beat) for beat in core.heartbeats)
    assert beat["healthScore"] <= 75 and beat["configVersion"] == "0.1.0"
    assert row["failedRequests"] == 1 and row["errorRate"] == 50
    assert all(0 <= row[key] <= 100 for key in ("cpuUsageAvg", "memoryUsageAvg", "diskUsageAvg"))
    assert 0 < row["p95ResponseTime"] <= row["p99ResponseTime"] and row["alerts"] == []
    assert {"started", "registered"} <= {event["type"] for event in row["events"]}
    assert all(len(json.dumps(beat)) < 4000 for beat in core.heartbeats)


def test_streams_have_their_numbers_at_the_core(neuron, core):
    core.takes_analytics = True
    neuron.write("in.ndjson", "".join(json.dumps({"type": "a", "n": i if i % 10 else "x"}) + "\n" for i in range(2000)))
    with Running(neuron, core.url, STREAM):
        wait_for(lambda: core.heartbeats and core.heartbeats[-1]["performanceMetrics"]["messages_failed"] == 200,
                 "messages")
        beat = core.heartbeats[-1]["performanceMetrics"]
        assert beat["messages_processed"] == 1800 and beat["average_processing_time"] > 0
        assert set(beat) >= {"messages_processed", "messages_failed", "average_processing_time", "throughput_per_second"}
        assert beat["streams"]["s"]["messages_failed"] == 200
        wait_for(lambda: core.analytics and core.analytics[-1]["requestCount"] == 2001, "analytics", 20)
        row = core.analytics[-1]
        assert row["failedRequests"] == 200 and row["errorRate"] == 10
        assert core.heartbeats[-1]["healthScore"] <= 75


def test_uptime_is_of_the_day_over_restarts(neuron, core):
    core.takes_analytics = True
    with Running(neuron, core.url) as run:
        wait_for(lambda: core.analytics and core.analytics[-1]["uptime"] >= 2, "analytics", 20)
        run.end()
    before = core.analytics[-1]["uptime"]
    with Running(neuron, core.url):
        seen = len(core.analytics)
        wait_for(lambda: len(core.analytics) > seen, "analytics without a report that is new", 20)
    assert core.analytics[seen]["uptime"] >= before
