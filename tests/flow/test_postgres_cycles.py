"""Many cycles on one PostgreSQL sink, each a transaction with its position, as streams commit: through kills and cuts."""

import random
import subprocess
import time

import pytest
from conftest import build_driver
from postgres import Database, Postgres

CYCLES, ROWS = 60, 40


@pytest.fixture(scope="module")
def server():
    postgres = Postgres()
    yield postgres
    postgres.close()


@pytest.fixture
def db(server, request):
    database = Database(server, request.node.name)
    database("CREATE TABLE t (id bigint PRIMARY KEY, v bigint CHECK (v >= 0))")
    return database


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    rooms = ("connect", "connect_postgres", "store_db", "engine_column", "engine_expr", "engine_format",
             "foundation_base", "foundation_codec", "foundation_obs")
    return build_driver(tmp_path_factory.mktemp("driver"), "postgres_cycles", rooms, ["pq", "sqlite3"])


def start(driver, db, run_id, cycles=CYCLES):
    return subprocess.Popen([driver, db.url, str(cycles), str(ROWS), run_id], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def check(db, cycles=CYCLES):
    """Each cycle was committed exactly once, its rejects too."""
    wanted = {}
    for number in range(cycles):
        for i in range(1, ROWS):
            wanted[number * ROWS // 2 + i] = number
    rows = dict(map(int, line.split("|")) for line in db("SELECT id, v FROM t").splitlines())
    assert rows == wanted
    assert db("SELECT max(epoch) FROM neuron_loads") == str(cycles)
    assert db("SELECT position::json->'parts'->>'0' FROM neuron_loads ORDER BY epoch DESC LIMIT 1") == str(cycles)
    assert db("SELECT count(*), count(DISTINCT data->>'id') FROM bad") == f"{cycles}|{cycles}"
    assert db(f"SELECT sum(records_extracted) = {cycles * ROWS}, sum(records_loaded) = {cycles * (ROWS - 1)}"
              " FROM neuron_loads") == "t|t"


def test_cycles_take_up_where_they_were(driver, db):
    for number, cycles in enumerate((20, 20, 50, CYCLES)):
        out, err = start(driver, db, f"r{number}", cycles).communicate(timeout=120)
        assert out.strip() == str(cycles), err
    check(db)
    # A run is one row, however many cycles it had.
    assert db("SELECT string_agg(run_id || ':' || cycle, ' ' ORDER BY epoch) FROM neuron_loads") == "r0:19 r2:29 r3:9"


def disturb(db, server, run, how):
    if how == "program":
        run.kill()
    elif how == "backends":
        db("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'neuron'"
           f" AND datname = '{db.name}'")
    else:
        server.crash()


@pytest.mark.parametrize("how", ["program", "backends", "server"])
def test_cycles_through_kills(driver, db, server, how):
    chance = random.Random(3)
    cycles, hits, number = CYCLES * 3, 0, 0
    run = start(driver, db, "r0", cycles)
    end = time.monotonic() + 120
    while run.returncode != 0:
        assert time.monotonic() < end
        try:
            run.wait(chance.uniform(0.05, 0.4) if hits < 6 else 60)
        except subprocess.TimeoutExpired:
            hits += 1
            disturb(db, server, run, how)
            continue
        # It goes on by itself, unless it was killed or the server was away for too long.
        err = run.communicate(timeout=60)[1]
        assert run.returncode in (0, -9) or err.startswith("connect"), err
        if run.returncode:
            number += 1
            run = start(driver, db, f"r{number}", cycles)
    check(db, cycles)
    assert hits >= 2


def test_the_slower_of_two_is_fenced_off(driver, db):
    runs = [start(driver, db, f"r{i}", 150) for i in range(2)]
    ends = [run.communicate(timeout=120) for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 1]
    lost = next(err for (_, err), run in zip(ends, runs) if run.returncode == 1)
    assert lost.startswith("fenced"), lost
    check(db, 150)
