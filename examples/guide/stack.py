"""The systems around the guide's neuron, the data that flows into them, and what must come of it."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
# pylint: disable=wrong-import-position
from confluent_kafka import Producer  # noqa: E402
from confluent_kafka.admin import NewTopic  # noqa: E402
from federation_double import Core  # noqa: E402
from kafka import Kafka  # noqa: E402
from postgres import Postgres  # noqa: E402

PROGRAM = os.environ.get("NEURON_PROGRAM", os.path.join(ROOT, "build/neuron"))
CONFIG = os.path.join(ROOT, "examples/guide/neuron.yaml")
TOPICS = ("data-events", "processed-data", "failed-messages")

TABLES = """
CREATE TABLE raw_customers(customer_id bigint, name text, email text, registration_date date,
                           last_activity timestamptz, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE raw_transactions(transaction_id bigint, customer_id bigint, amount numeric(14,2),
                              product_id integer, transaction_date timestamptz NOT NULL);
"""
# One round of data: new rows, rows with a NULL, rows twice, rows older than a day, changed rows.
FEED = """
BEGIN;
INSERT INTO raw_customers
SELECT n, 'Customer ' || n, CASE WHEN n % 20 <> 0 THEN 'c' || n || '@example.org' END,
       DATE '2020-01-01' + (n % 2000)::int, now() - n * interval '1 second',
       CASE WHEN n % 25 = 1 THEN now() - interval '3 days' ELSE now() END
FROM generate_series({first}, {last}) AS n;
INSERT INTO raw_customers SELECT * FROM raw_customers WHERE customer_id BETWEEN {first} AND {last} AND customer_id % 10 = 3;
UPDATE raw_customers SET name = name || ' jr', updated_at = now() WHERE customer_id < {first} AND customer_id % 97 = {round} % 97;
INSERT INTO raw_transactions
SELECT n, CASE WHEN n % 30 <> 0 THEN n % 1000 END, (n % 100000)::numeric / 7 + 0.01, n % 50,
       CASE WHEN n % 40 = 1 THEN now() - interval '2 days' ELSE now() - (n % 600) * interval '1 second' END
FROM generate_series({first} * 10, {last} * 10 + 9) AS n;
INSERT INTO raw_transactions
SELECT * FROM raw_transactions WHERE transaction_id BETWEEN {first} * 10 AND {last} * 10 AND transaction_id % 15 = 2;
COMMIT;
"""
COMPLETE = {
    "customers": ("customer_id, name, email, registration_date, last_activity",
                  "raw_customers WHERE updated_at > now() - interval '1 day' AND name IS NOT NULL AND email IS NOT NULL"
                  " AND registration_date IS NOT NULL AND last_activity IS NOT NULL", "processed_customers"),
    "sales": ("transaction_id, customer_id, amount, product_id, transaction_date",
              "raw_transactions WHERE transaction_date > now() - interval '1 day' AND customer_id IS NOT NULL"
              " AND amount IS NOT NULL AND product_id IS NOT NULL", "processed_sales"),
}


def wait_for(what, why, seconds=60):
    """Polls until `what()` is true; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{why} did not come in {seconds} s")


class Stack:
    """PostgreSQL with a source and a target database, Kafka with the guide's topics, the core."""

    def __init__(self, schedule="every 10s"):
        self.folder = tempfile.mkdtemp(prefix="neuron-guide-")
        self.postgres, self.kafka, self.core = Postgres(), Kafka(), Core()
        for name in ("source_db", "target_db"):
            self.sql(f"CREATE DATABASE {name}", "postgres")
        self.sql(TABLES)
        made = self.kafka.admin.create_topics([NewTopic(name, 4, 1) for name in TOPICS])
        for name in TOPICS:
            made[name].result(timeout=30)
        self.schedule, self.process, self.port, self.starts = schedule, None, 0, 0
        self.rounds, self.next_row = 0, 1
        self.produced = dict.fromkeys(("view", "click", "small", "large", "unknown", "malformed", "wrong"), 0)
        self.random = random.Random(7)

    def close(self):
        self.kill()
        for system in (self.core, self.kafka, self.postgres):
            system.close()
        subprocess.run(["rm", "-rf", self.folder], check=True)

    def sql(self, sql, database="source_db"):
        out, errors = self.postgres.psql(sql, "-v", "ON_ERROR_STOP=1", "-d", database)
        assert "ERROR" not in errors and "FATAL" not in errors, errors
        return out.strip()

    # ---- the neuron ----

    def environment(self):
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{self.postgres.port}"
        return {**os.environ, "SOURCE_DB_URL": f"{url}/source_db", "TARGET_DB_URL": f"{url}/target_db",
                "KAFKA_SERVERS": self.kafka.brokers, "FEDERATION_URL": self.core.url, "HEARTBEAT": "5s",
                "ETL_SCHEDULE": self.schedule, "QUALITY_SCHEDULE": self.schedule, "ETL_RETRY": "2s",
                "KAFKA_SESSION_MS": "6000", "NEURON_LISTEN": "127.0.0.1:0"}

    def start(self):
        self.starts += 1
        path = os.path.join(self.folder, f"log-{self.starts}")
        with open(path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([PROGRAM, "run", "-c", CONFIG], cwd=self.folder, stderr=log,
                                            env=self.environment())
        found = wait_for(lambda: re.search(r"port=(\d+)", self.log()) or self.process.poll() is not None, "the neuron")
        assert found is not True, self.log()
        self.port = int(found.group(1))

    def log(self):
        with open(os.path.join(self.folder, f"log-{self.starts}"), encoding="utf-8") as log:
            return log.read()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(30)

    def ask(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    # ---- data ----

    def feed_tables(self, rows=500):
        first, last = self.next_row, self.next_row + rows - 1
        self.sql(FEED.format(first=first, last=last, round=self.rounds))
        self.rounds, self.next_row = self.rounds + 1, last + 1

    def message(self, number):
        """One event and the kind that it is."""
        kind = self.random.choices(list(self.produced), (50, 15, 20, 5, 4, 3, 3))[0]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        value = {
            "view": {"type": "user_event", "user_id": number, "event_type": "page_view", "timestamp": at},
            "click": {"type": "user_event", "user_id": number, "event_type": "click", "timestamp": at},
            "small": {"type": "transaction", "transaction": {"id": f"t{number}", "amount": 10 + number % 9000}},
            "large": {"type": "transaction", "transaction": {"id": f"t{number}", "amount": 10000.5 + number}},
            "unknown": {"type": "weather", "degrees": number % 40},
            "wrong": {"type": "transaction", "transaction": {"id": f"t{number}", "amount": "a lot"}},
        }.get(kind)
        return kind, json.dumps(value).encode() if value else b'{"type": "user_event", "user_id": %d' % number

    def feed_topic(self, count=2000):
        producer = Producer({"bootstrap.servers": self.kafka.brokers, "enable.idempotence": True, "linger.ms": 5})
        base = sum(self.produced.values())
        for number in range(base, base + count):
            kind, value = self.message(number)
            producer.produce("data-events", value, key=str(number % 100))
            self.produced[kind] += 1
        assert producer.flush(60) == 0

    def feed_until(self, end, every=1.0):
        """Data into both sides from two threads until the monotonic time `end`; errors are raised."""
        failures = []

        def repeat(feed):
            try:
                while time.monotonic() < end:
                    feed()
                    time.sleep(every)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=repeat, args=(feed,)) for feed in (self.feed_tables, self.feed_topic)]
        for thread in threads:
            thread.start()
        return threads, failures

    # ---- the end, and the counts ----

    def settle(self):
        """A last run of everything, and the stream's end reached."""
        for name in ("customer_data_etl", "sales_data_etl"):
            self.run(name)
        total = sum(self.produced.values())
        wait_for(lambda: sum(max(offset, 0) for offset in self.kafka.committed("data-events", "data-processor-group")
                             .values()) >= total, "the stream's end", 90)

    def run(self, pipeline):
        def started():
            try:
                return self.ask(f"/api/v1/pipelines/{pipeline}/runs", "POST")["run_id"]
            except urllib.error.HTTPError:  # it runs just now
                return None
        run_id = wait_for(started, f"a run of {pipeline}")

        def ended():
            run = self.ask(f"/api/v1/runs/{run_id}")
            return run if run["finished_at"] else None
        run = wait_for(ended, f"the end of {pipeline}", 120)
        assert run["status"] == "success", run

    def count_topic(self, topic):
        kinds = {}
        for message in self.kafka.consume(topic):
            value = json.loads(message.value())
            kind = value.get("type", "dead letter") if "original_message" not in value else "dead letter"
            kinds[kind] = kinds.get(kind, 0) + 1
        return kinds

    def digests(self, kind):
        """Rows and a digest of them: what is complete in the source, what is in the target."""
        columns, source, target = COMPLETE[kind]
        form = "SELECT count(*) || ' ' || coalesce(md5(string_agg(r::text, ',' ORDER BY r::text)), '') FROM ({}) AS r"
        return (self.sql(form.format(f"SELECT DISTINCT {columns} FROM {source}")),
                self.sql(form.format(f"SELECT {columns} FROM {target}"), "target_db"))

    def verify(self, pipeline):
        """What `neuron verify` says of a pipeline: its own comparison of source and target."""
        done = subprocess.run([PROGRAM, "verify", pipeline, "--json", "-c", CONFIG], cwd=self.folder, check=False,
                              capture_output=True, text=True, timeout=300, env=self.environment())
        return json.loads(done.stdout) if done.stdout else {"status": done.stderr}

    def balance(self):
        """(what, there, here) of each system; both are equal where nothing is lost, doubled or changed."""
        rows = []
        for kind in COMPLETE:
            there, here = self.digests(kind)
            rows.append((f"PostgreSQL: {kind}, complete rows of the last day and their digest", there, here))
        loads = self.sql("SELECT sum(records_extracted), sum(records_dropped + records_rejected + records_loaded)"
                         " FROM neuron_loads", "target_db").split("|")
        rows.append(("neuron_loads: extracted = dropped + rejected + loaded", *loads))
        inserted = self.sql("SELECT sum(inserted) FROM neuron_loads", "target_db")
        stored = self.sql("SELECT (SELECT count(*) FROM processed_customers) + (SELECT count(*) FROM processed_sales)",
                          "target_db")
        rows.append(("neuron_loads: inserted = rows in the targets", inserted, stored))
        for name in ("customer_data_etl", "sales_data_etl"):
            rows.append((f"neuron verify {name}", "equal", self.verify(name)["status"]))
        made, out, dead = self.produced, self.count_topic("processed-data"), self.count_topic("failed-messages")
        rows.append(("Kafka: page views = user_activity_summary", made["view"], out.get("user_activity_summary", 0)))
        rows.append(("Kafka: small transactions = transaction_processed", made["small"],
                     out.get("transaction_processed", 0)))
        rows.append(("Kafka: large transactions = fraud_alert", made["large"], out.get("fraud_alert", 0)))
        rows.append(("Kafka: malformed and wrong = dead letters", made["malformed"] + made["wrong"],
                     sum(dead.values())))
        return rows
