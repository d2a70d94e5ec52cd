"""An Apache Kafka of the tests' own: one KRaft broker on free loopback ports, a temporary folder, stopped by pid."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient,
                                   AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourcePatternType,
                                   ResourceType)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBRARY = os.path.join(ROOT, ".kafka/lib")
ARCHIVE = os.path.join(ROOT, ".kafka/classes.jsa")  # of the first broker; the next ones start in a third of the time

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/log
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.enable=false
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""

# Listeners for one user by name and password, and by TLS.
SECURE = """
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{ssl}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{sasl},SSL://127.0.0.1:{ssl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_bob="{password}";
ssl.keystore.location={folder}/store.p12
ssl.keystore.password={password}
"""


# Who comes over PLAINTEXT may do anything, bob only what `allow` says.
RULES = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


def free_port():
    """Below those that the system gives to clients: the broker opens it seconds later."""
    while True:
        port = random.SystemRandom().randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def last_lines(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-20:])


class Kafka:
    """`secure`: also `sasl_url` and `tls_url`, for bob and `password`, and `certificate`. `rules`: bob may do nothing
    but what `allow` says."""

    password = "geheim77"

    def __init__(self, secure=False, rules=False):
        assert os.path.isdir(LIBRARY), "Apache Kafka is not installed; run tools/install-deps"
        self.folder = tempfile.mkdtemp(prefix="neuron-kafka-")
        self.port, controller = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.properties = os.path.join(self.folder, "server.properties")
        with open(self.properties, "w", encoding="utf-8") as file:
            file.write(PROPERTIES.format(port=self.port, controller=controller, folder=self.folder))
        if secure:
            self.secure(controller)
        if rules:
            with open(self.properties, "a", encoding="utf-8") as file:
                file.write(RULES)
        self.java("format", "kafka.tools.StorageTool", "format", "-t", str(uuid.uuid4()), "-c", self.properties)
        self.start()

    def secure(self, controller):
        self.sasl, self.ssl = free_port(), free_port()
        self.certificate = os.path.join(self.folder, "certificate.pem")
        with open(self.properties, encoding="utf-8") as file:
            plain = [line for line in file if not line.startswith(("listeners=", "advertised.listeners="))]
        with open(self.properties, "w", encoding="utf-8") as file:
            file.write("".join(plain) + SECURE.format(port=self.port, controller=controller, sasl=self.sasl,
                                                      ssl=self.ssl, folder=self.folder, password=self.password))
        store = ("-keystore", f"{self.folder}/store.p12", "-storepass", self.password, "-alias", "broker")
        subprocess.run(["keytool", "-genkeypair", *store, "-keyalg", "EC", "-dname", "CN=127.0.0.1", "-validity", "2",
                        "-ext", "san=ip:127.0.0.1"], check=True, capture_output=True, timeout=60)
        subprocess.run(["keytool", "-exportcert", "-rfc", *store, "-file", self.certificate], check=True,
                       capture_output=True, timeout=60)

    def command(self, *args):
        archive = [f"-XX:SharedArchiveFile={ARCHIVE}"] if os.path.exists(ARCHIVE) else []
        return ["java", "-Xmx512m", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", *archive, "-cp", f"{LIBRARY}/*", *args]

    def java(self, name, *args):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, timeout=120, cwd=self.folder,
                              check=False)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"

    def start(self):
        """Starts the broker (also again, on the same data)."""
        command = self.command("kafka.Kafka", self.properties)
        self.recording = None if os.path.exists(ARCHIVE) else f"{self.folder}/classes.jsa"
        if self.recording:
            command.insert(1, f"-XX:ArchiveClassesAtExit={self.recording}")
        with open(os.path.join(self.folder, "broker.log"), "ab") as log:
            self.server = subprocess.Popen(command, stdout=log,
                                           stderr=subprocess.STDOUT, cwd=self.folder)
        deadline = time.monotonic() + 90
        self.admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        while True:
            good = self.server.poll() is None and time.monotonic() < deadline
            assert good, f"Kafka doesn't start:\n{last_lines(os.path.join(self.folder, 'broker.log'))}"
            try:
                if self.admin.list_topics(timeout=2).brokers:
                    return
            except KafkaException:
                pass

    def stop(self, how=signal.SIGTERM):
        self.server.send_signal(how)
        try:
            self.server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait(timeout=30)

    def close(self):
        self.stop(signal.SIGTERM if self.recording else signal.SIGKILL)
        if self.recording and os.path.exists(self.recording):
            shutil.copy(self.recording, f"{ARCHIVE}.{os.getpid()}")
            os.replace(f"{ARCHIVE}.{os.getpid()}", ARCHIVE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def topic(self, prefix="t", partitions=4, **config):
        """A new topic; its name."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        config = {key.replace("_", "."): value for key, value in config.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(timeout=30)
        deadline = time.monotonic() + 30
        while len(self.admin.list_topics(name, timeout=10).topics[name].partitions) != partitions:
            assert time.monotonic() < deadline, "the topic doesn't appear"
        return name

    def configure(self, topic, **config):
        """Sets a topic's options."""
        entries = [ConfigEntry(key.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
                   for key, value in config.items()]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(timeout=30)

    def rules(self, kind, name, operations, change="create", user="bob"):
        """Allows or forbids (`change` "delete") a user something; returns when the broker knows it."""
        made = [AclBinding(ResourceType[kind], name, ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation[o],
                           AclPermissionType.ALLOW) for o in operations]
        if change == "create":
            results = self.admin.create_acls(made)
        else:
            results = self.admin.delete_acls([
                AclBindingFilter(a.restype, a.name, a.resource_pattern_type, a.principal, a.host, a.operation,
                                 a.permission_type) for a in made])
        for result in results.values():
            result.result(timeout=30)

    def url(self, topic, **options):
        text = "&".join(f"{name}={value}" for name, value in options.items())
        return f"kafka://{self.brokers}/{topic}" + (f"#{text}" if text else "")

    def sasl_url(self, topic, user="bob", password=password):
        return (f"kafka://127.0.0.1:{self.sasl}/{topic}#rdkafka.security.protocol=SASL_PLAINTEXT"
                f"&rdkafka.sasl.mechanism=PLAIN&rdkafka.sasl.username={user}&rdkafka.sasl.password={password}")

    def tls_url(self, topic, certificate=None):
        trust = f"&rdkafka.ssl.ca.location={certificate}" if certificate else ""
        return f"kafka://127.0.0.1:{self.ssl}/{topic}#rdkafka.security.protocol=SSL{trust}"

    def produce(self, topic, messages):
        """Messages are values, or dicts of what confluent_kafka's produce takes."""
        producer = Producer({"bootstrap.servers": self.brokers, "partitioner": "murmur2_random", "linger.ms": 5})
        for message in messages:
            fields = message if isinstance(message, dict) else {"value": message}
            while True:
                try:
                    producer.produce(topic, **fields)
                    break
                except BufferError:
                    producer.poll(0.1)
        assert producer.flush(60) == 0

    def consume(self, topic, committed=True):
        """All messages of a topic as it is now, ordered by partition and offset."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "reader-" + uuid.uuid4().hex,
                             "enable.auto.commit": False, "enable.partition.eof": True,
                             "auto.offset.reset": "earliest",
                             "isolation.level": "read_committed" if committed else "read_uncommitted"})
        partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found, ends, deadline = [], set(), time.monotonic() + 60
        while len(ends) < len(partitions):
            assert time.monotonic() < deadline, "the topic's end is not reached"
            for message in consumer.consume(10000, timeout=0.5):
                if message.error():
                    ends.add(message.partition())
                else:
                    found.append(message)
        consumer.close()
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def committed(self, topic, group):
        """Committed offsets of a group by partition; -1001 where there is none. Without those in open transactions."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, "log_level": 0,
                             "isolation.level": "read_uncommitted"})
        deadline = time.monotonic() + 60
        try:
            while True:
                try:
                    partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
                    offsets = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=30)
                    return {offset.partition: offset.offset for offset in offsets}
                except KafkaException:  # a broker that has just begun coordinates no group yet
                    assert time.monotonic() < deadline, "the group's coordinator doesn't answer"
                    time.sleep(0.1)
        finally:
            consumer.close()
