"""A stream on a real Apache Kafka: the guide's processors in `neuron stream` beside the guide's own class on aiokafka."""

import json
import os
import random
import shutil
import sys
import tempfile

from measure import NEURON, ROOT, goal, python, run

MESSAGES = int(os.environ.get("BENCH_STREAM_MESSAGES", 1_000_000))
PEER_SHARE = 10  # Python gets this part of the messages
PARTITIONS = 4

CONFIGURATION = """
connections: {{ events: 'kafka://{brokers}' }}
streams:
  s:
    from: {{ topic: {source}, group: {source} }}
    processors:
      user_event:
        - where: event_type = 'page_view'
          select: |
            'user_activity_summary' AS type, user_id, 1 AS event_count,
            timestamp AS last_activity, 'page_view' AS activity_type
      transaction:
        - where: transaction.amount > 10000
          select: |
            'fraud_alert' AS type, transaction.id AS transaction_id, transaction.amount AS amount,
            85 AS risk_score, 'Large transaction amount' AS reason
        - select: "'transaction_processed' AS type, transaction.id AS transaction_id, 'approved' AS status"
    to: {{ topic: {target} }}
    dead_letter: {{ topic: {dead} }}
"""

# The guide's StreamProcessor in its shape: one message at a time, a function per type, counters, dead letters.
PEER = """
import asyncio, json, logging, time
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

BROKERS, SOURCE, TARGET, DEAD, COUNT = {brokers!r}, {source!r}, {target!r}, {dead!r}, {count}


async def user_event(message):
    if message.get("event_type") != "page_view":
        return None
    return {{"type": "user_activity_summary", "user_id": message.get("user_id"), "event_count": 1,
            "last_activity": message.get("timestamp"), "activity_type": "page_view"}}


async def transaction(message):
    transaction = message.get("transaction", {{}})
    amount = transaction.get("amount", 0)
    if amount > 10000:
        return {{"type": "fraud_alert", "transaction_id": transaction.get("id"), "amount": amount,
                "risk_score": 85, "reason": "Large transaction amount"}}
    return {{"type": "transaction_processed", "transaction_id": transaction.get("id"), "status": "approved"}}


class StreamProcessor:
    def __init__(self):
        self.processors = {{"user_event": user_event, "transaction": transaction}}
        self.processed = self.failed = 0
        self.average = 0.0

    async def start(self):
        self.consumer = AIOKafkaConsumer(SOURCE, bootstrap_servers=BROKERS, group_id=SOURCE,
                                         auto_offset_reset="earliest",
                                         value_deserializer=lambda x: json.loads(x.decode("utf-8")))
        self.producer = AIOKafkaProducer(bootstrap_servers=BROKERS,
                                         value_serializer=lambda x: json.dumps(x).encode("utf-8"))
        await self.consumer.start()
        await self.producer.start()
        try:
            async for message in self.consumer:
                await self.process(message.value)
                if self.processed + self.failed == COUNT:
                    break
        finally:
            await self.consumer.stop()
            await self.producer.stop()

    async def process(self, message):
        start = time.monotonic()
        try:
            kind = message.get("type", "unknown")
            result = await self.processors[kind](message)
            if result:
                await self.producer.send(TARGET, result)
            self.processed += 1
            self.average += (time.monotonic() - start - self.average) / self.processed
            logging.debug("Processed %s message", kind)
        except Exception as error:
            self.failed += 1
            await self.producer.send(DEAD, {{"original_message": message, "error": str(error)}})


asyncio.run(StreamProcessor().start())
"""


def messages(count):
    """The guide's events, 150 to 250 bytes: two kinds of half each, one payment of ten a large one."""
    chance = random.Random(1)
    for i in range(count):
        event = {"type": "user_event", "user_id": f"user_{chance.randrange(10**6):06d}",
                 "event_type": "page_view" if chance.random() < .7 else "click",
                 "timestamp": f"2024-03-{i % 28 + 1:02d}T{i % 24:02d}:{i % 60:02d}:00Z", "page": f"/products/{i % 9999}",
                 "session": f"{chance.getrandbits(64):016x}", "agent": "Mozilla/5.0"}
        if i % 2:
            amount = round(chance.uniform(1, 9999) + (10000 if chance.random() < .1 else 0), 2)
            event = {"type": "transaction", "transaction": {"id": f"tx-{i:08d}", "amount": amount, "currency": "EUR",
                                                            "items": [i % 7, i % 97]},
                     "user_id": f"user_{i % 99991:06d}", "note": None, "ip": f"10.0.{i % 251}.{i % 241}"}
        yield json.dumps(event).encode()


def wanted(event):
    """What comes of a message: the type of the output, or None."""
    if event["type"] == "user_event":
        return "user_activity_summary" if event["event_type"] == "page_view" else None
    return "fraud_alert" if event["transaction"]["amount"] > 10000 else "transaction_processed"


def count_types(values):
    counts = {}
    for kind in values:
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def fill(kafka, count):
    source, target, dead = (kafka.topic(name, PARTITIONS) for name in ("in", "out", "dead"))
    kafka.produce(source, messages(count))
    return {"brokers": kafka.brokers, "source": source, "target": target, "dead": dead, "count": count}


def check(kafka, names):
    """The output is complete and right, by types."""
    found = count_types(json.loads(m.value())["type"] for m in kafka.consume(names["target"]))
    assert found == count_types(wanted(json.loads(m)) for m in messages(names["count"])), found


def show(name, names, one):
    rate = names["count"] / one.cpu
    print(f"  {name:<24} {names['count']:>8} messages {one.cpu:8.2f} CPU s {one.wall:8.2f} s wall {one.rss:6.0f} MB "
          f"{rate:10.0f} messages per CPU s", flush=True)
    return rate


def measured(kafka, folder):
    names, peers = fill(kafka, MESSAGES), fill(kafka, MESSAGES // PEER_SHARE)
    with open(os.path.join(folder, "neuron.yaml"), "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(**names))
    ours = run([NEURON, "stream", "s", "--drain"], cwd=folder)
    peer = python(PEER.format(**peers))
    rate, peer_rate = show("neuron stream", names, ours), show("the guide's, aiokafka", peers, peer)
    check(kafka, names)
    check(kafka, peers)
    return goal("messages per CPU second of the guide's class", rate / peer_rate, 10)


def main():
    sys.path.insert(0, os.path.join(ROOT, "tests"))
    from kafka import Kafka
    folder = tempfile.mkdtemp(prefix="neuron-bench-")
    kafka = Kafka()
    try:
        assert kafka.brokers.startswith("127.0.0.1:")
        return measured(kafka, folder)
    finally:
        kafka.close()
        shutil.rmtree(folder)
