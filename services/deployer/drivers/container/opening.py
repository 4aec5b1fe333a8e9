"""Reaching an engine: by its socket, over TLS, or through SSH."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiodocker import Docker

from services.deployer.drivers.container.connection import Connection, Tls
from services.deployer.drivers.container.engine import Engine, translated
from services.deployer.drivers.durable.tool import Failed

WITHIN = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
"""Seconds; calls that may last (pull, stop) have no limit of their own: the operation's counts."""


@asynccontextmanager
async def opened(connection: Connection) -> AsyncIterator[Engine]:
    """The engine of a site, which has answered once. Raises Unreachable, and Failed where no second try helps."""
    async with _reached(connection) as (url, context):
        docker = Docker(url, timeout=WITHIN, ssl_context=context)
        try:
            async with translated("the engine does not answer"):
                version = await docker.version()
            yield Engine(docker, version)
        finally:
            await docker.close()


@asynccontextmanager
async def _reached(connection: Connection) -> AsyncIterator[tuple[str, ssl.SSLContext | None]]:
    parts = urlsplit(connection.url)
    if connection.scheme == "tcp" and connection.tls:
        yield f"https://{parts.hostname}:{parts.port or 2376}", _context(connection.tls)
    else:
        yield connection.url, None


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=tls.ca.get_secret_value())
        if tls.certificate and tls.key:
            _load(context, tls.certificate.get_secret_value(), tls.key.get_secret_value())
    except (ssl.SSLError, ValueError) as error:
        raise Failed("bad_connection", f"tls: these are not PEM texts that fit each other ({error})") from None
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Python takes a key by a file only: mode 0600, in a folder of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="belay-tls-") as folder:
        file = Path(folder) / "pair.pem"
        file.touch(mode=0o600)
        file.write_text(f"{certificate}\n{key}\n")
        context.load_cert_chain(file)
