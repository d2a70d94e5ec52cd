"""The faults. Each is a function of the world and a random.Random that is its own; `script` puts them in an order
that the seed alone decides."""

import os
import random
import signal
import time

import psycopg

FAULTS = {}


def fault(weight=1, needs=None):
    def put(function):
        FAULTS[function.__name__] = (function, weight, needs)
        return function
    return put


def script(seed, count, world, only=()):
    """`count` faults as (name, function, seed of its own)."""
    able = {name: entry for name, entry in FAULTS.items()
            if (not only or name in only) and (entry[2] is None or getattr(world, entry[2]))}
    chance = random.Random(seed)
    names = chance.choices(list(able), [entry[1] for entry in able.values()], k=count)
    return [(name, able[name][0], chance.randrange(1 << 30)) for name in names]


def some_server(world, chance):
    return chance.choice((world.source, world.target))


def some_proxy(world, chance):
    return chance.choice((world.source.proxy, world.target.proxy, world.target.proxy, world.broker.proxy))


@fault(weight=3)
def kill(world, chance):
    node = chance.choice(world.nodes)
    node.kill()
    time.sleep(chance.uniform(0, 2))
    node.start()


@fault()
def kill_all(world, chance):
    for node in world.nodes:
        node.kill()
    time.sleep(chance.uniform(0, 2))
    for node in world.nodes:
        node.start()


@fault(weight=2)
def stop_past_leases(world, chance):
    """Longer than the session of its consumers and the leases of its runs."""
    node = chance.choice(world.nodes)
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(8, 16))
    node.process.send_signal(signal.SIGCONT)


@fault()
def stop_a_moment(world, chance):
    node = chance.choice(world.nodes)
    node.process.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 4))
    node.process.send_signal(signal.SIGCONT)


@fault()
def terminate(world, chance):
    node = chance.choice(world.nodes)
    assert node.stop() in (0, 143), f"SIGTERM of {node.name}: see {node.log}"
    node.start()


@fault()
def reload(world, chance):
    chance.choice(world.nodes).process.send_signal(signal.SIGHUP)


@fault()
def postgres_crash(world, chance):
    some_server(world, chance).crash()


@fault()
def backend_killed(world, chance):
    """kill -9 of one backend: the server ends all others and recovers."""
    server = some_server(world, chance)
    pids = server.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
                       " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1")
    if pids:
        os.kill(pids[0][0], signal.SIGKILL)
        time.sleep(1)
    server.wait()


@fault(weight=2)
def backends_terminated(world, chance):
    server = some_server(world, chance)
    for _ in range(3):
        try:
            server.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                        " AND backend_type = 'client backend' AND random() < 0.6")
        except psycopg.Error:
            pass
        time.sleep(chance.uniform(0, 0.7))


@fault()
def broker_killed(world, chance):
    world.broker.stop(signal.SIGKILL)
    time.sleep(chance.uniform(0, 3))
    world.broker.start()


@fault()
def broker_stopped(world, chance):
    world.broker.server.send_signal(signal.SIGSTOP)
    time.sleep(chance.uniform(2, 12))
    world.broker.server.send_signal(signal.SIGCONT)


@fault(weight=2)
def cut(world, chance):
    proxy = some_proxy(world, chance)
    for _ in range(chance.choice((1, 4))):
        proxy.cut()
        time.sleep(chance.uniform(0, 0.6))


@fault()
def silence(world, chance):
    """Bytes are kept back, and then come or never do."""
    proxy = some_proxy(world, chance)
    proxy.silent.set()
    time.sleep(chance.uniform(3, 14))
    if chance.random() < 0.7:
        proxy.cut()
    proxy.silent.clear()


@fault()
def delay(world, chance):
    proxy = some_proxy(world, chance)
    proxy.delay = chance.choice((0.05, 0.3, 1))
    time.sleep(chance.uniform(4, 8))
    proxy.delay = 0


@fault()
def half_close(world, chance):
    some_proxy(world, chance).half_close()
    time.sleep(1)


@fault(weight=2, needs="small_disk")
def disk_full(world, chance):
    """The single neuron's disk: its state, its file and SQLite targets, its rejects."""
    path = os.path.join(world.disk, "fill")
    free = os.statvfs(world.disk)
    left = free.f_bavail * free.f_frsize - chance.choice((0, 4096, 40000))
    try:
        with open(path, "wb") as file:
            file.write(b"x" * max(0, left))
    except OSError:
        pass
    time.sleep(chance.uniform(2, 6))
    os.unlink(path)


@fault(weight=2)
def alter_target(world, chance):
    """A column gets another type, which can take the values, or the table another column or index."""
    what = chance.choice(("ALTER TABLE {0} ALTER {1} TYPE numeric", "ALTER TABLE {0} ALTER {1} TYPE bigint",
                          "ALTER TABLE {0} ADD COLUMN IF NOT EXISTS note text DEFAULT 'none'",
                          "ALTER TABLE {0} DROP COLUMN IF EXISTS note", "CREATE INDEX ON {0}({1})"))
    name, column = chance.choice((("tb", "num"), ("sh", "num"), ("ap", "n"), ("mi", "x")))
    alter(world.target, name, what.format(name, column))


@fault()
def alter_source(world, chance):
    name = chance.choice(("raw_up", "raw_ap", "raw_aw", "raw_rp", "raw_mi"))
    alter(world.source, name, f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS extra{chance.randrange(2)} text")


def alter(server, name, sql):
    if not server.rows(f"SELECT to_regclass('{name}')")[0][0]:
        return
    try:
        server.rows(f"SET lock_timeout = '5s'; {sql}")
    except psycopg.Error:
        pass  # somebody held the table longer


@fault(weight=2, needs="faketime")
def clock_stepped(world, chance):
    node = chance.choice(world.nodes)
    node.step_clock(chance.choice((3 * 3600, 30 * 86400, -3600, 90)))
    time.sleep(chance.uniform(2, 8))
    node.step_clock(0)
