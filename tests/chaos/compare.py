"""Every target against the truth, row by row: {name: (lost, more)}, both empty where it is as it must be."""

import collections
import json
import os
import sqlite3


def count(rows):
    return collections.Counter(rows)


def differences(truth, found):
    return truth - found, found - truth


def values(rows):
    """Rows of one column as its values."""
    rows = list(rows)
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


def table(server, sql, name):
    """Rows of a table that may not be there yet."""
    return count(values(server.rows(sql)) if server.rows(f"SELECT to_regclass('{name}')")[0][0] else ())


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def pipelines(world):
    source, target = world.source, world.target
    appended = count(source.rows("SELECT id, payload FROM raw_ap WHERE n <> 'bad'"))
    refused = count(values(source.rows("SELECT id FROM raw_ap WHERE n = 'bad'")))
    yield "up", differences(
        count(source.rows("SELECT id, v, amount::numeric::text, updated_at FROM raw_up WHERE v <> 'skip' AND amount <> 'bad'")),
        table(target, "SELECT id, v, amount::text, updated_at FROM up", "up"))
    yield "ap", differences(appended, table(target, "SELECT id, payload FROM ap", "ap"))
    yield "ap rejects", differences(refused, table(target, "SELECT (data->>'id')::int FROM ap_rejects", "ap_rejects"))
    yield "aw", differences(count(source.rows("SELECT id, payload, at FROM raw_aw")),
                            table(target, "SELECT id, payload, at FROM aw", "aw"))
    yield "rp", differences(count(source.rows("SELECT id, v FROM raw_rp")), table(target, "SELECT id, v FROM rp", "rp"))
    yield "mi", differences(count(source.rows("SELECT id, v, x FROM raw_mi")),
                            table(target, "SELECT id, v, x FROM mi", "mi"))
    yield "fi", differences(count(row[0] for row in appended.elements()),
                            count(row["id"] for row in lines(f"{world.disk}/fi.ndjson")))
    yield "fi rejects", differences(refused, count(row["data"]["id"] for row in lines(f"{world.disk}/fi_rejects.ndjson")))
    yield "li", differences(appended, sqlite_rows(world, "SELECT id, payload FROM li", "li"))
    # An upsert reads what is not settled yet again, and then refuses it again.
    rejects = sqlite_rows(world, "SELECT DISTINCT json_extract(data, '$.id') FROM li_rejects", "li_rejects")
    yield "li rejects", differences(refused, rejects)


def sqlite_rows(world, sql, name):
    path = f"{world.disk}/li.db"
    if not os.path.exists(path):
        return count(())
    connection = sqlite3.connect(path, timeout=20)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone():
            return count(())
        rows = connection.execute(sql).fetchall()
    finally:
        connection.close()
    return count(values(rows))


def parsed(message):
    try:
        return json.loads(message.value())
    except ValueError:
        return None


def event_outcome(body):
    """What the stream `ev` makes of a message: out, dead or none."""
    if body is None or body["type"] not in ("a", "b") or not isinstance(body["num"], int):
        return "dead"
    if body["type"] == "a" or body["num"] > 50:
        return "out"
    if body["num"] > 25:
        return "dead" if body["num"] == 30 else "out"
    return "none"


def table_outcome(body):
    """What the streams into tables and files make of it; an unknown type is dropped."""
    if body is None:
        return "dead"
    if body["type"] not in ("a", "b"):
        return "none"
    if not isinstance(body["num"], int):
        return "dead"
    return "none" if body["type"] == "b" and body["num"] <= 50 else "out"


def wanted(messages, outcome):
    """(ids of outputs, places of dead letters)."""
    outputs, dead = count(()), count(())
    for message in messages:
        body = parsed(message)
        kind = outcome(body)
        if kind == "out":
            outputs[body["id"]] += 1
        elif kind == "dead":
            dead[(message.partition(), message.offset())] += 1
    return outputs, dead


def streams(world):
    target, broker = world.target, world.broker
    outputs, dead = wanted(broker.consume("in1"), event_outcome)
    yield "ev", differences(outputs, count(parsed(message)["id"] for message in broker.consume("out1")))
    letters = [parsed(message) for message in broker.consume("dl1")]
    yield "ev dead", differences(dead, count((letter["partition"], letter["offset"]) for letter in letters))
    outputs, dead = wanted(broker.consume("in2"), table_outcome)
    for name in ("sh", "tb"):
        yield name, differences(outputs, table(target, f"SELECT id FROM {name}", name))
        yield f"{name} dead", differences(dead, table(target, f'SELECT part, "row" FROM {name}_dead', f"{name}_dead"))
    yield "fl", differences(outputs, count(row["id"] for row in lines(f"{world.disk}/fl.ndjson")))
    yield "fl dead", differences(dead, count((row["partition"], row["offset"])
                                             for row in lines(f"{world.disk}/fl_dead.ndjson")))


def written(world, writers):
    """All that the writers were told is written is in the sources, as they wrote it."""
    for name, rows in writers.rows.items():
        columns = {"raw_ap": "id, payload, n", "raw_aw": "id, payload, at"}[name]
        yield f"written {name}", (rows - count(world.source.rows(f"SELECT {columns} FROM {name}")), count(()))
    for name, places in writers.messages.items():
        found = count((message.partition(), message.offset()) for message in world.broker.consume(name))
        yield f"written {name}", (places - found, count(()))


def ticks(world):
    """No scheduled tick ran twice, no run was published twice."""
    twice = world.target.rows("SELECT pipeline, scheduled_us FROM neuron_state.runs WHERE scheduled_us > 0"
                              " GROUP BY 1, 2 HAVING count(*) > 1", "state")
    yield "ticks", (count(()), count(twice))
    twice = world.target.rows("SELECT pipeline, epoch FROM neuron_loads GROUP BY 1, 2 HAVING count(*) > 1")
    yield "epochs", (count(()), count(twice))


def everything(world, writers):
    found = {}
    for part in (pipelines, streams, ticks):
        found |= dict(part(world))
    return found | dict(written(world, writers))


def summary(found):
    """What differs, as text; empty where nothing does."""
    return "; ".join(f"{name}: lost {sum(lost.values())} {list(lost)[:3]}, more {sum(more.values())} {list(more)[:3]}"
                     for name, (lost, more) in found.items() if lost or more)
