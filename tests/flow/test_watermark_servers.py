"""The stable watermark where servers change: standbys as sources, failovers, crashes, clocks that are set back."""

import os
import random
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from conftest import ROOT  # noqa: E402
from postgres import Database, Postgres, Session, Standby  # noqa: E402
from watermark import MIXED, RAW, SETTINGS, Pair, wait_for, write_and_run  # noqa: E402

# ---- standbys ----

@pytest.fixture(scope="module")
def server():
    postgres = Postgres(*SETTINGS)
    yield postgres
    postgres.close()


@pytest.fixture(scope="module")
def standby(server):
    """One that stays a standby."""
    made = Standby(server)
    yield made
    made.close()


@pytest.fixture
def db(server, request):
    return Database(server, request.node.name)


def at_standby(db, standby):
    return db.url.replace(f":{db.server.port}/", f":{standby.port}/")


def test_a_standby_alone_is_refused(neuron, db, standby):
    db(RAW % "now()")
    standby.catch_up()
    Pair(neuron, db, url=at_standby(db, standby))
    for args in ("etl", "append"), ("etl", "upsert"), ("etl", "append", "--dry-run"), ("validate", "--connect"):
        done = neuron(*args, code=2)
        said = done.stderr
        assert "the source is a standby" in said and "`primary:`" in said and "lag: 5m" in said, said


@pytest.mark.parametrize("cursor", ["at", "id"])
def test_a_standby_asks_its_primary(neuron, db, standby, cursor):
    db(RAW % "now()")
    pair = Pair(neuron, db, cursor, more=f", primary: \"{db.url}\"", url=at_standby(db, standby))
    late = Session(db.server, db.name)
    db("INSERT INTO raw(who) VALUES ('first')")
    standby.catch_up()
    assert all(not r["warnings"] for r in pair.good())
    late("BEGIN; INSERT INTO raw(who) VALUES ('late');")
    db("INSERT INTO raw(who) VALUES ('other')")
    pair.good()
    late("COMMIT;")
    pair.good()
    pair.check()
    late.close()
    plan = neuron("etl", "append", "--dry-run").stdout
    assert f"asked of its primary, {db.url}" in plan


def test_a_standby_that_replays_later_holds_the_watermark(neuron, db, standby):
    """What is stable on the primary counts when the standby has it."""
    db(RAW % "now()")
    pair = Pair(neuron, db, more=f", primary: \"{db.url}\"", url=at_standby(db, standby))
    late = Session(db.server, db.name)
    late("BEGIN; INSERT INTO raw(who) VALUES ('late');")
    db("INSERT INTO raw(who) VALUES ('other')")
    standby.catch_up()
    standby.psql("SELECT pg_wal_replay_pause()")
    wait_for(lambda: standby.psql("SELECT pg_get_wal_replay_pause_state()")[0].strip() == "paused")
    late("COMMIT;")
    results = pair.good()
    assert results[0]["inserted"] == 0
    assert all("bytes of log behind its primary" in r["warnings"][0] for r in results), results
    standby.psql("SELECT pg_wal_replay_resume()")
    standby.catch_up()
    pair.good()
    pair.check()
    late.close()


def test_a_primary_that_is_none(neuron, db, standby, tmp_path):
    db(RAW % "now()")
    standby.catch_up()
    url = at_standby(db, standby)
    for primary, says in ((url, "is a standby too"), (db.url.replace(f"/{db.name}", "/postgres"), "another database"),
                          ("sqlite:///x.db", "another kind")):
        Pair(neuron, db, more=f", primary: \"{primary}\"", url=url)
        said = neuron("etl", "append", code=2).stderr
        assert "primary: " in said and says in said, said
    other = Postgres()
    Pair(neuron, db, more=f", primary: \"postgresql://postgres@127.0.0.1:{other.port}/postgres\"", url=url)
    assert "another cluster" in neuron("etl", "append", code=2).stderr
    other.close()


def test_a_standby_with_lag(neuron, db, standby):
    db(RAW % "now()")
    pair = Pair(neuron, db, incremental=", lag: 3s", url=at_standby(db, standby))
    late = Session(db.server, db.name)
    late("BEGIN; INSERT INTO raw(who) VALUES ('late');")
    db("INSERT INTO raw(who) VALUES ('other')")
    standby.catch_up()
    pair.good()
    late("COMMIT;")
    late.close()
    standby.catch_up()
    wait_for(lambda: db("SELECT max(at) < clock_timestamp() - interval '3 s' FROM raw") == "t")
    assert all(not r["warnings"] for r in pair.good())
    pair.check()


# ---- the server has another past ----

@pytest.fixture
def family(request):
    """A primary of the test's own, with a standby."""
    primary = Postgres(*SETTINGS)
    other = Standby(primary)
    yield primary, other
    other.close()
    primary.close()


def own_database(server, *others):
    made = Database(server, "own")
    made(RAW % "now()")
    for other in others:
        other.catch_up()
    return made


@pytest.mark.parametrize("cursor", ["at", "id"])
def test_a_failover_that_loses_nothing_goes_on(neuron, family, cursor):
    primary, other = family
    db = own_database(primary, other)
    url = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{other.port}/own?target_session_attrs=primary"
    pair = Pair(neuron, db, cursor, url=url)
    late = Session(primary, "own")
    late("BEGIN; INSERT INTO raw(who) VALUES ('never');")
    db("INSERT INTO raw(who) VALUES ('one')")
    pair.good()
    other.catch_up()
    primary.crash_only()
    other.promote()
    db.server = other
    db("INSERT INTO raw(who) VALUES ('two')")
    results = pair.good()
    assert all(not r["warnings"] for r in results), results
    pair.good()
    pair.check()


def test_a_standby_that_was_the_source_takes_over(neuron, family):
    primary, other = family
    db = own_database(primary, other)
    pair = Pair(neuron, db, more=f", primary: \"{db.url}\"", url=at_standby(db, other))
    late = Session(primary, "own")
    late("BEGIN; INSERT INTO raw(who) VALUES ('never');")
    db("INSERT INTO raw(who) VALUES ('one')")
    pair.good()
    other.catch_up()
    primary.crash_only()
    other.promote()
    db.server = other
    db("INSERT INTO raw(who) VALUES ('two')")
    results = pair.good()
    assert all(not r["warnings"] for r in results), results
    pair.check()


@pytest.mark.parametrize("cursor", ["at", "id"])
def test_a_failover_that_loses_transactions_is_noticed(neuron, family, cursor):
    primary, other = family
    db = own_database(primary, other)
    url = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{other.port}/own?target_session_attrs=primary"
    pair = Pair(neuron, db, cursor, url=url)
    db("INSERT INTO raw(who) VALUES ('one')")
    other.catch_up()
    other.psql("ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()")
    wait_for(lambda: other.psql("SELECT count(*) FROM pg_stat_wal_receiver")[0].strip() == "0")
    db("INSERT INTO raw(who) SELECT 'lost ' || i FROM generate_series(1, 100) i")
    pair.good()
    primary.crash_only()
    other.promote()
    db.server = other
    db("INSERT INTO raw(who) VALUES ('two')")
    append, upsert = pair.run()
    assert append["status"] == "failed" and "transactions that were read may be gone" in append["error"]["what"]
    assert "`neuron state set`" in append["error"]["hint"] and not append["warnings"]
    assert upsert["status"] == "success" and "all rows are read again" in upsert["warnings"][0]
    assert {"one", "two"} <= set(pair.rows("upsert"))
    # The operator says from where rows count.
    neuron("state", "set", "append", "0" if cursor == "id" else "2020-01-01")
    assert [r["status"] for r in pair.run()] == ["success"] * 2
    assert not any("read again" in said for r in pair.run() for said in r["warnings"])


def test_a_crash_and_a_restart_are_no_failover(neuron):
    server = Postgres(*SETTINGS)
    db = own_database(server)
    pair = Pair(neuron, db, "id")
    late = Session(server, "own")
    late("BEGIN; INSERT INTO raw(who) VALUES ('never');")
    db("INSERT INTO raw(who) VALUES ('one')")
    pair.good()
    db("SELECT pg_switch_wal()")
    for again in (server.crash, server.restart):
        again()
        db("INSERT INTO raw(who) VALUES ('after')")
        results = pair.good()
        assert all(not r["warnings"] for r in results), results
    pair.check()
    server.close()


def test_another_database_is_not_the_last_one(neuron, db, server):
    other = Database(server, "another_one")
    for one, who in (db, "a"), (other, "b"):
        one(RAW % "now()" + f"INSERT INTO raw(id, who) VALUES (ascii('{who}'), '{who}')")
    pair = Pair(neuron, db)
    pair.good()
    pair = Pair(neuron, other)
    for result in pair.run():
        assert result["status"] == "failed" and 'not of "another_one"' in result["error"]["what"]
        assert "--full-refresh" in result["error"]["hint"]


# ---- the clock steps back ----

@pytest.fixture
def clock(tmp_path):
    """A server whose clock the test sets."""
    library, offset = str(tmp_path / "clock_offset.so"), f"/tmp/neuron-clock-{os.getpid()}-{random.random()}"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, os.path.join(ROOT, "tests/flow/clock_offset.c")],
                   check=True)
    os.chmod(library, 0o755)

    def set_to(seconds):
        with open(offset + ".new", "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.rename(offset + ".new", offset)

    set_to(3600)
    reachable = offset + ".so"
    os.rename(library, reachable)
    server = Postgres(*SETTINGS, env={"LD_PRELOAD": reachable, "CLOCK_OFFSET_FILE": offset})
    server.set_clock = set_to
    yield server
    server.close()
    for path in (offset, reachable):
        os.unlink(path)


def test_a_clock_that_is_set_back_loses_nothing(neuron, clock):
    db = own_database(clock)
    pair = Pair(neuron, db)
    db("INSERT INTO raw(who) VALUES ('one')")
    pair.good()
    clock.set_clock(0)
    db("INSERT INTO raw(who) VALUES ('two')")
    append, upsert = pair.run()
    assert append["status"] == "failed" and "clock was set back" in append["error"]["what"], append
    assert upsert["status"] == "success" and any("rows since then are read again" in s for s in upsert["warnings"])
    assert pair.rows("upsert") == ["one", "two"]
    # The watermark went back with the clock: what follows is read as ever.
    db("INSERT INTO raw(who) VALUES ('three')")
    assert pair.run()[1]["status"] == "success"
    assert pair.rows("upsert") == ["one", "three", "two"]


def test_writers_of_all_kinds_lose_and_double_nothing_at_a_standby(neuron, db, standby):
    db(RAW % "now()" + MIXED)
    standby.catch_up()
    pair = Pair(neuron, db, more=f", primary: \"{db.url}\"", url=at_standby(db, standby))
    write_and_run(pair, "at", standby.catch_up)
