"""Generated histories of incremental pipelines: after each run the target is what a model says.

A history has a source (a table of PostgreSQL or SQLite), a target (a table of either, or a file), a mode, a cursor of
some type with few values, so that many rows share one, and rows without one. Between two runs rows are added, changed
and deleted, transactions stay open over a run, a column comes, the target loses its rows. The model in Python knows the
watermark, the rows that were taken at it, and what a run must load, leave or refuse.

NEURON_HISTORIES says how many (default 300); NEURON_SOAK 10,000. A failing one is named by its seed."""

import collections
import json
import os
import random
import sqlite3
import sys

import psycopg
import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from postgres import Postgres  # noqa: E402

WORKERS = 10
COUNT = int(os.environ.get("NEURON_HISTORIES", 10000 if os.environ.get("NEURON_SOAK") else 300))

# Values of a cursor by its type: ascending, as the database takes them.
CURSORS = {
    "int": list(range(1, 40)),
    "date": [f"2024-01-{day:02}" for day in range(1, 29)],
    "timestamp": [f"2024-01-{day:02} 10:00:00" for day in range(1, 29)],
    "timestamptz": [f"2024-01-{day:02} 10:00:00.5+00" for day in range(1, 29)],
    "numeric": [f"{n}.50" for n in range(10, 40)],
    "float8": [n + 0.25 for n in range(10, 40)],
    "text": [f"k{n:03}" for n in range(40)],
}
SQLITE_TYPES = {"int": "integer", "float8": "real", "numeric": "real", "date": "date", "timestamp": "datetime",
                "timestamptz": "text", "text": "text"}


class PostgresTable:
    """The source as a table of PostgreSQL; `held` is a transaction that stays open over a run."""

    def __init__(self, server, name, kind):
        self.server, self.name, self.held = server, name, None
        self.url = f"postgresql://postgres@127.0.0.1:{server.port}/{server.name}"
        self.connection = server.connection
        self.execute(f"CREATE TABLE {name}(id int, v text, c {kind})")

    def execute(self, sql, values=()):
        self.connection.execute(sql.replace("?", "%s"), values)

    def done(self):
        self.execute(f"DROP TABLE {self.name}")


class SqliteTable:
    def __init__(self, folder, name, kind):
        path = os.path.join(folder, f"{name}.db")
        self.name, self.url = name, f"sqlite:///{path}"
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.execute(f"CREATE TABLE {name}(id int, v text, c {SQLITE_TYPES[kind]})")

    def execute(self, sql, values=()):
        self.connection.execute(sql, values)

    def done(self):
        self.connection.close()


class Model:
    """What is in the source, what the watermark is, what the target must hold."""

    def __init__(self, order, keyed, nulls):
        self.order, self.keyed, self.nulls = order, keyed, nulls
        self.rows = []  # [id, v, c]: c an index into the cursor's values, or None
        self.watermark, self.taken = None, collections.Counter()
        self.unknown = False  # which rows with the watermark's value were taken
        self.target = {} if keyed else collections.Counter()

    def read(self, full):
        below = None if full else self.watermark
        after = self.unknown and not self.keyed
        return [tuple(row) for row in self.rows
                if row[2] is None or below is None or row[2] > below or (row[2] == below and not after)]

    def refuses(self):
        return not self.nulls and any(row[2] is None for row in self.rows)

    def run(self, full=False):
        """The rows that a run takes."""
        read = self.read(full)
        left = collections.Counter() if full else self.taken.copy()
        new = []
        for row in read:
            if left[row] > 0:
                left[row] -= 1
            else:
                new.append(row)
        cursors = [row[2] for row in read if row[2] is not None]
        kept = [] if full or self.watermark is None else [self.watermark]
        self.watermark = max(cursors + kept, default=None)
        self.unknown = self.unknown and not full and not cursors
        self.taken = collections.Counter(row for row in read if row[2] is None or row[2] == self.watermark)
        if self.keyed:
            # Of several rows of one key in a run the last by cursor wins; the model makes no two.
            self.target.update({row[0]: row for row in new})
        else:
            self.target.update(new)
        return new


class History:
    def __init__(self, seed, neuron, server):
        self.random = random.Random(seed)
        self.neuron, self.server, self.name = neuron, server, f"h{seed}"
        pick = self.random.choice
        self.kind = pick(list(CURSORS))
        self.values = CURSORS[self.kind]
        self.keyed = pick([True, False])
        self.nulls = pick([True, False])
        source = pick(["postgres", "sqlite"])
        self.to = pick(["postgres", "sqlite", "sqlite", "ndjson"])
        self.keyed = self.keyed and self.to != "ndjson"
        self.source = PostgresTable(server, self.name, self.kind) if source == "postgres" else \
            SqliteTable(neuron.folder, self.name, self.kind)
        self.model = Model(self.values, self.keyed, self.nulls)
        self.next_id, self.top, self.log = 1, 0, [f"{source} {self.kind} to {self.to} keyed={self.keyed} "
                                                  f"nulls={self.nulls}"]
        self.columns = 0
        self.configure()

    def configure(self):
        mode = self.random.choice(["append, key: [id]", "upsert, key: [id]"]) if self.keyed else "append"
        to = {"postgres": f'"postgresql://postgres@127.0.0.1:{self.server.port}/{self.server.name}", table: t_{self.name}',
              "sqlite": f'"sqlite:///t_{self.name}.db", table: t', "ndjson": f"t_{self.name}.ndjson"}[self.to]
        if mode.startswith("append") and self.keyed:
            mode = "upsert, key: [id]" if self.random.random() < 0.7 else mode
        self.appends = mode.startswith("append") and self.keyed
        nulls = ", nulls: read" if self.nulls else ""
        self.neuron.write(f"{self.name}.yaml", f"""
pipelines:
  {self.name}: {{ from: "{self.source.url}", from_table: {self.name}, incremental: {{ cursor: c{nulls} }}, to: {to},
    mode: {mode}, create: true }}
""")

    # ---- what happens between two runs ----

    def cursor(self):
        """At the highest so far, or above."""
        if self.nulls and self.random.random() < 0.15:
            return None
        self.top = min(self.top + self.random.choice([0, 0, 0, 1, 2]), len(self.values) - 1)
        return self.top

    def insert(self):
        row = [self.next_id, self.random.choice("abc"), self.cursor()]
        if not self.keyed and self.random.random() < 0.3 and self.model.rows:
            row[0] = self.random.choice(self.model.rows)[0]  # an equal row, perhaps
        self.next_id += 1
        self.model.rows.append(row)
        self.log.append(f"insert {row}")
        value = None if row[2] is None else self.values[row[2]]
        self.source.execute(f"INSERT INTO {self.name}(id, v, c) VALUES (?, ?, ?)", (row[0], row[1], value))

    def change(self):
        ids = [row[0] for row in self.model.rows]
        alone = [row for row in self.model.rows if ids.count(row[0]) == 1]
        if not alone:
            return
        row = self.random.choice(alone)
        row[1], row[2] = self.random.choice("xyz"), self.cursor()
        self.log.append(f"change to {row}")
        value = None if row[2] is None else self.values[row[2]]
        self.source.execute(f"UPDATE {self.name} SET v = ?, c = ? WHERE id = ?", (row[1], value, row[0]))

    def delete(self):
        if not self.model.rows:
            return
        gone = self.random.choice(self.model.rows)[0]
        self.model.rows = [row for row in self.model.rows if row[0] != gone]
        self.log.append(f"delete {gone}")
        self.source.execute(f"DELETE FROM {self.name} WHERE id = ?", (gone,))

    def add_column(self):
        if self.to == "ndjson" or self.columns:
            return
        self.columns += 1
        self.log.append("add column")
        self.source.execute(f"ALTER TABLE {self.name} ADD note text DEFAULT 'n'")

    def null(self):
        """A row without a cursor, where none is wanted: the run refuses; then it gets one."""
        if self.nulls:
            return
        self.log.append("a row without a cursor")
        self.source.execute(f"INSERT INTO {self.name}(id, v, c) VALUES (0, 'n', NULL)")
        self.refused('no "c"')
        self.source.execute(f"DELETE FROM {self.name} WHERE id = 0")

    def lose(self):
        """The target loses its rows: the run refuses, `--full-refresh` loads all."""
        if self.to == "ndjson" or not self.model.target or self.model.unknown:  # `state set` takes it as it is
            return
        self.log.append("the target is emptied")
        if self.to == "postgres":
            self.server.connection.execute(f"DELETE FROM t_{self.name}")
        else:
            target = sqlite3.connect(os.path.join(self.neuron.folder, f"t_{self.name}.db"))
            target.execute("DELETE FROM t")
            target.commit()
            target.close()
        self.model.target.clear()
        if self.model.watermark is None:  # all is read anyway
            self.model.taken.clear()
            self.run()
            return
        self.refused("it is empty")
        self.run("--full-refresh")

    def forget(self):
        """The position as an older version, or `state set`, leaves it: the watermark alone."""
        if self.to == "ndjson" or self.nulls or self.model.watermark is None:
            return
        self.log.append("what was taken is forgotten")
        self.neuron("state", "set", self.name, self.values[self.model.watermark], "-c", f"{self.name}.yaml")
        self.model.taken, self.model.unknown = collections.Counter(), True

    # ---- runs ----

    def call(self, *args, code):
        return self.neuron.result("etl", self.name, "-c", f"{self.name}.yaml", *args, code=code)

    def refused(self, text):
        for code in (1, 2):
            try:
                error = self.call(code=code)["error"]
                break
            except AssertionError:
                if code == 2:
                    raise
        assert text in error["what"], error

    def run(self, *args):
        self.log.append(f"run {args}")
        result = self.call(*args, code=0)
        new = self.model.run(full=bool(args))
        assert result["records_extracted"] == len(new), (result, new)
        assert result["status"] == "success" and result["records_rejected"] == 0
        assert self.found() == self.wanted()

    def wanted(self):
        rows = self.model.target.values() if self.keyed else self.model.target.elements()
        return sorted((row[0], row[1]) for row in rows)

    def found(self):
        if self.to == "ndjson":
            path = f"t_{self.name}.ndjson"
            if not os.path.exists(os.path.join(self.neuron.folder, path)):
                return []
            return sorted((row["id"], row["v"]) for row in map(json.loads, self.neuron.read(path).splitlines()))
        if self.to == "postgres":
            if not self.server.connection.execute("SELECT to_regclass(%s)", (f"t_{self.name}",)).fetchone()[0]:
                return []
            return sorted(self.server.connection.execute(f"SELECT id, v FROM t_{self.name}").fetchall())
        target = sqlite3.connect(os.path.join(self.neuron.folder, f"t_{self.name}.db"))
        try:
            return sorted(target.execute("SELECT id, v FROM t").fetchall())
        except sqlite3.OperationalError:
            return []
        finally:
            target.close()

    def play(self):
        choices = [self.insert] * 8 + [self.change] * 4 + [self.delete] * 2 + [self.add_column, self.null, self.lose,
                                                                                     self.forget]
        if self.appends:  # a row that is there is left as it is
            choices = [self.insert] * 6 + [self.delete] * 2
        self.insert()
        self.run()
        for _ in range(self.random.randint(2, 4)):
            for _ in range(self.random.randint(0, 6)):
                self.random.choice(choices)()
            self.run()
        self.source.done()


@pytest.fixture(scope="module")
def server():
    postgres = Postgres("autovacuum=off", "fsync=off")
    postgres.psql("CREATE DATABASE histories")
    postgres.name = "histories"
    postgres.connection = psycopg.connect(f"postgresql://postgres@127.0.0.1:{postgres.port}/histories", autocommit=True)
    yield postgres
    postgres.connection.close()
    postgres.close()


@pytest.mark.parametrize("part", range(WORKERS))
def test_incremental_histories(neuron, server, part):
    for seed in range(part, COUNT, WORKERS):
        history = History(seed, neuron, server)
        try:
            history.play()
        except BaseException as error:
            raise AssertionError(f"seed {seed}:\n" + "\n".join(history.log)) from error
