"""What fills the sources while faults run: transactions that commit late, messages good and bad.

The truth is kept here: every row whose COMMIT and every message whose delivery was acknowledged. Whether a
transaction was committed whose answer got lost, the source says; nothing of the neurons' writes there."""

import collections
import json
import random
import threading
import time

import psycopg
from confluent_kafka import Producer


class Writers:
    """Threads that write while `go` is set; `pause` waits until nobody is in the middle of something."""

    def __init__(self, world, seed, tables=3):
        self.world, self.go, self.done = world, threading.Event(), threading.Event()
        self.go.set()
        self.sent, self.idle = 0, []
        self.rows = {"raw_ap": collections.Counter(), "raw_aw": collections.Counter()}
        self.messages = {"in1": collections.Counter(), "in2": collections.Counter()}
        self.mutex = threading.Lock()
        for number in range(tables):
            self.thread(self.write_tables, seed * 100 + number)
        self.thread(self.write_topics, seed * 100 + 99)

    def thread(self, work, seed):
        idle = threading.Event()
        self.idle.append(idle)
        threading.Thread(target=work, args=(random.Random(seed), idle), daemon=True).start()

    def pause(self):
        self.go.clear()
        for idle in self.idle:
            assert idle.wait(60), "a writer doesn't pause"

    def resume(self):
        for idle in self.idle:
            idle.clear()
        self.go.set()

    def end(self):
        self.done.set()

    def rest(self, idle):
        """True while writing is on; a paused writer says so and waits a moment."""
        if self.go.is_set():
            return True
        idle.set()
        time.sleep(0.05)
        return False

    def write_tables(self, chance, idle):
        connection = None
        while not self.done.is_set():
            if not self.rest(idle):
                continue
            try:
                connection = connection or self.world.source.connect(connect_timeout=5)
                with connection.transaction():
                    written = write_transaction(connection, chance)
                with self.mutex:
                    for table, row in written:
                        self.rows[table][row] += 1
            except RolledBack:
                pass
            except (psycopg.Error, OSError):
                # The server is being killed; whether that transaction committed is what the table says.
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.2)
            time.sleep(chance.uniform(0, 0.1))

    def write_topics(self, chance, idle):
        producer = Producer({"bootstrap.servers": self.world.broker.brokers, "enable.idempotence": True,
                             "log_level": 0, "message.timeout.ms": 300000})
        while not self.done.is_set():
            if not self.go.is_set():
                producer.flush(1)
                if len(producer) == 0:
                    idle.set()
                continue
            for _ in range(20):
                self.sent += 1
                for topic in ("in1", "in2"):
                    try:
                        producer.produce(topic, message(f"{topic}-{self.sent}", chance), key=str(chance.randrange(100)),
                                         on_delivery=self.delivered)
                    except BufferError:
                        producer.poll(0.5)
            producer.poll(0)
            time.sleep(0.1)


    def delivered(self, error, sent):
        if error is None:
            self.messages[sent.topic()][(sent.partition(), sent.offset())] += 1


class RolledBack(Exception):
    """A transaction that its writer undoes."""


def write_transaction(connection, chance):
    """The rows that it appends, as (table, row)."""
    written = []
    kind = chance.random()
    for _ in range(chance.choice((1, 1, 3, 20))):
        number = chance.randrange(1, 4000)
        value = "skip" if number % 40 == 1 else f"v{chance.randrange(10**6)}"
        amount = "bad" if number % 50 == 0 else f"{chance.randrange(10**6)}.{chance.randrange(100):02}"
        connection.execute("INSERT INTO raw_up VALUES (%s, %s, %s, now()) ON CONFLICT (id) DO UPDATE"
                           " SET v = excluded.v, amount = excluded.amount, updated_at = now()",
                           (number, value, amount))
    for _ in range(chance.choice((0, 1, 5, 30))):
        values = ("p" * chance.randrange(50) + "é\n\"",
                  "bad" if chance.random() < 0.01 else str(chance.randrange(10**12)))
        row = connection.execute("INSERT INTO raw_ap(payload, n) VALUES (%s, %s) RETURNING id, payload, n", values)
        written.append(("raw_ap", row.fetchone()))
        row = connection.execute("INSERT INTO raw_aw(payload) VALUES (%s) RETURNING id, payload, at",
                                 (f"w{chance.randrange(10**9)}",))
        written.append(("raw_aw", row.fetchone()))
    if kind < 0.1:
        connection.execute("DELETE FROM raw_mi WHERE id = %s", (chance.randrange(500),))
        connection.execute("INSERT INTO raw_mi VALUES (%s, 'n', 1) ON CONFLICT (id) DO UPDATE SET x = raw_mi.x + 1",
                           (chance.randrange(500),))
        connection.execute("UPDATE raw_rp SET v = %s WHERE id = %s", (str(chance.random()), chance.randrange(500)))
    if kind < 0.15:
        time.sleep(chance.uniform(0.2, 4))  # others commit meanwhile
    if kind > 0.95:
        raise RolledBack()
    return written


def message(name, chance):
    """Some are of an unknown type, not JSON, of a wrong type inside, or large."""
    kind = chance.random()
    body = {"id": name, "s": "é" * chance.randrange(20), "num": chance.randrange(100), "type": chance.choice("aab")}
    if kind < 0.01:
        body["type"] = "zzz"
    elif kind < 0.02:
        return json.dumps(body)[:-2]
    elif kind < 0.03:
        body["num"] = "x"
    elif kind < 0.031:
        body["s"] = "L" * 200000
    return json.dumps(body)
