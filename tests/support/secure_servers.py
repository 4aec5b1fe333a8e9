"""A Kafka that wants a login over TLS, with a plain listener for the test itself; and PostgreSQL behind TLS."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trustme
from cryptography.hazmat.primitives import serialization

from shared.embedded import jars, ports
from shared.embedded import kafka as embedded_kafka
from shared.embedded.home import Home
from tests.support.runtime import JARS, START_SECONDS

USER, PASSWORD = "fleet", "only for this test"
TLS = "kafka_tls"

SECURED = """
listeners=PLAINTEXT://127.0.0.1:{broker},LOCKED://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},LOCKED://127.0.0.1:{tls}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOCKED:SASL_SSL
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.locked.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
"""


@dataclass(frozen=True)
class SecureKafka:
    """A running broker, and the files by which a client gets in."""

    plain: str
    locked: str
    ca: Path
    password_file: Path

    def settings(self, **other: Any) -> dict[str, Any]:
        """What a service must be told, by the names of its settings."""
        return {
            "kafka": self.locked,
            "kafka_security": "sasl_ssl",
            "kafka_user": USER,
            "kafka_password_file": self.password_file,
            "kafka_ca": self.ca,
            **other,
        }


@contextmanager
def secure_kafka(folder: Path) -> Iterator[SecureKafka]:
    """Start it in this folder; it ends with the block."""
    home = Home.open(folder / "home", os.environ.get("BELAY_JARS") or JARS)
    ports.allocate(home, *embedded_kafka.PORTS, TLS)
    authority, password = trustme.CA(), folder / "password"
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    password.write_text(PASSWORD + "\n")
    settings = _settings(home, authority)
    classpath = os.pathsep.join(map(str, jars.ensure(home.jars)))
    user = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    arguments = ("format", "-t", "BelaySecureKafkaTests0", "-c", str(settings), "--standalone", "--add-scram", user)
    embedded_kafka._java(home, classpath, embedded_kafka.FORMAT, *arguments).run(timeout=60)
    command = embedded_kafka._java(home, classpath, embedded_kafka.MAIN, str(settings))
    with (home.logs / "kafka.log").open("wb") as log:
        broker = subprocess.Popen(command.argv, cwd=command.cwd, stdout=log, stderr=log)
    try:
        plain, locked = (f"127.0.0.1:{ports.known(home, name)}" for name in ("kafka", TLS))
        asyncio.run(embedded_kafka.ready(plain, START_SECONDS))
        yield SecureKafka(plain, locked, folder / "ca.pem", password)
    finally:
        broker.kill()
        broker.wait()


def _settings(home: Home, authority: trustme.CA) -> Path:
    path, keystore = home.kafka / "server.properties", home.kafka / "broker.pem"
    keystore.write_bytes(_keystore(authority.issue_cert("127.0.0.1")))
    known = {name: ports.known(home, f"kafka_{name}") for name in ("controller", "tls")} | {"keystore": keystore}
    broker = ports.known(home, "kafka")
    lines = embedded_kafka.PROPERTIES.format(broker=broker, controller=known["controller"], data=home.kafka / "data")
    kept = [line for line in lines.splitlines() if not line.startswith(("listeners=", "advertised.listeners="))]
    path.write_text("\n".join(kept) + SECURED.format(broker=broker, **known))
    return path


def _keystore(certificate: trustme.LeafCert) -> bytes:
    """Kafka reads keys in PKCS #8 only."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*pkcs8) + b"".join(blob.bytes() for blob in certificate.cert_chain_pems)


SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""What a client of PostgreSQL says first when it wants TLS."""


@asynccontextmanager
async def tls_before(host: str, port: int, authority: trustme.CA) -> AsyncIterator[int]:
    """A port that takes TLS as a server of PostgreSQL does, and nothing else, and passes on to a plain one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    serving: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            if await reader.readexactly(8) == SSL_REQUEST:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(context)
                await _join(reader, writer, *await asyncio.open_connection(host, port))
        except (OSError, asyncio.IncompleteReadError):
            pass  # it does not trust us, or goes away
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inner: asyncio.StreamReader, to: asyncio.StreamWriter
) -> None:
    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
        target.close()

    try:
        await asyncio.gather(pump(reader, to), pump(inner, writer))
    finally:
        to.close()
        with suppress(OSError):
            await to.wait_closed()
