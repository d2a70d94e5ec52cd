"""Many cycles on one PostgreSQL sink, each a transaction with its position, as streams commit: through kills and cuts."""

import os
import random
import subprocess
import time

import pytest
from conftest import ROOT, build_driver
from postgres import Database

CYCLES, ROWS = 60, 40


@pytest.fixture
def db(server, request):
    database = Database(server, request.node.name)
    database("CREATE TABLE t (id bigint PRIMARY KEY, v bigint CHECK (v >= 0))")
    return database


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    rooms = ("connect", "connect_table", "connect_postgres", "store_db", "engine_column", "engine_expr",
             "engine_format", "engine_sql", "foundation_base", "foundation_codec", "foundation_obs", "foundation_net", "foundation_config")
    return build_driver(tmp_path_factory.mktemp("driver"), "postgres_cycles", rooms, ["pq", "sqlite3"])


def start(driver, db, run_id, cycles=CYCLES, **env):
    return subprocess.Popen([driver, db.url, str(cycles), str(ROWS), run_id], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, **env})


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


def test_a_piece_that_is_not_sent_is_not_lost(driver, db, tmp_path):
    """libpq finds no memory for one piece of a COPY, and for the next again: the rest isn't taken for the whole."""
    shim = str(tmp_path / "put_fails.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-I/usr/include/postgresql", "-o", shim,
                    os.path.join(ROOT, "tests/flow/put_fails.c")], check=True)
    failed = 0
    for number in range(24):
        run = start(driver, db, f"r{number}", 20 * number + 20, LD_PRELOAD=shim, PUT_FAILS=str(1 + number),
                    ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        err = run.communicate(timeout=120)[1]
        failed += "no memory for this piece" in err
        assert run.returncode in (0, 1), err
    assert failed > 10
    check(db, 480)


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
