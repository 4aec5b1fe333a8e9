"""Reaching an engine: by its socket, over TLS, or through SSH."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import asyncssh
from aiodocker import Docker

from services.deployer.drivers.container.connection import DEFAULT_SOCKET, PORTS, Connection, Ssh, Tls
from services.deployer.drivers.container.engine import Engine, Unreachable, translated
from services.deployer.drivers.container.versions import Versions
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.in_memory import in_memory, path_of

WITHIN = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
"""Seconds; calls that may last (pull, stop) have no limit of their own: the operation's counts."""

Introduction = Callable[[], Awaitable[Engine]]
"""What the engine says of itself. Raises Unreachable and Failed."""

Answered = Callable[[], None]
"""Hears of each answer of an engine."""

SSH_SECONDS = 10
SSH_ALIVE_SECONDS = 15
"""A host that is silent for three times as long is given up, so that an order does not wait on it for ever."""


class Way(NamedTuple):
    """How an engine is reached."""

    url: str
    context: ssl.SSLContext | None = None
    host: asyncssh.SSHClientConnection | None = None
    """Its host, where there is a login to it."""
    is_here: bool = False
    """Whether its host is this machine."""


class Engines:
    """The engines of all sites."""

    def __init__(self) -> None:
        self._versions = Versions()

    @asynccontextmanager
    async def opened(self, connection: Connection, answered: Answered | None = None) -> AsyncIterator[Engine]:
        """The engine of a site, which has answered once; `answered` hears of all that it answers from then on.

        Raises Unreachable, and Failed where no second try helps.
        """
        async with self.answering(connection, answered) as introduction:
            yield await introduction()

    @asynccontextmanager
    async def answering(self, connection: Connection, answered: Answered | None = None) -> AsyncIterator[Introduction]:
        """An engine that has answered, without being asked for more.

        Raises as `opened`.
        """
        try:
            async with _reached(connection) as way, _docker(way, self._versions.known(connection.url)) as docker:
                await _ping(docker)
                if answered:  # from here on: who is too busy for anything else still answers a ping
                    docker.session.trace_configs.append(_told_to(answered))
                yield partial(self._introduced, connection.url, docker, way)
        except Unreachable:
            self._versions.forget(connection.url)
            raise

    async def _introduced(self, url: str, docker: Docker, way: Way) -> Engine:
        version = await self._versions.of(url, partial(_version, docker))
        docker.api_version = f"v{version['ApiVersion']}"
        return Engine(docker, version, partial(_free_bytes, way))


@asynccontextmanager
async def _docker(way: Way, known: Mapping[str, Any] | None) -> AsyncIterator[Docker]:
    """Where nothing is known of the engine, the client asks it itself which version of the API it speaks."""
    spoken = f"v{known['ApiVersion']}" if known else "auto"
    docker = Docker(way.url, timeout=WITHIN, ssl_context=way.context, api_version=spoken)
    try:
        yield docker
    finally:
        await docker.close()


def _told_to(answered: Answered) -> aiohttp.TraceConfig:
    async def tell(*_: object) -> None:
        answered()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(tell)
    trace.freeze()
    return trace


async def _version(docker: Docker) -> Mapping[str, Any]:
    async with translated("the engine does not answer"):
        # The client would ask twice: before anything that has a version, it wants to know that of the API.
        said: Mapping[str, Any] = await docker._query_json("version", versioned_api=False)  # noqa: SLF001
        return said


async def _ping(docker: Docker) -> None:
    async with translated("the engine does not answer"), docker._query("_ping", versioned_api=False):  # noqa: SLF001
        pass


@asynccontextmanager
async def _reached(connection: Connection) -> AsyncIterator[Way]:
    parts = urlsplit(connection.url)
    if connection.scheme == "tcp" and connection.tls:
        named = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        yield Way(f"https://{named}:{parts.port or PORTS['tcp']}", _context(connection.tls))
    elif connection.scheme == "ssh" and connection.ssh:
        async with _forwarded(connection.url, connection.ssh) as (socket, host):
            yield Way(f"unix://{socket}", host=host)
    else:
        yield Way(connection.url, is_here=True)


async def _free_bytes(way: Way, folder: str) -> int | None:
    """What is left where a folder of the engine's host lies; None = nobody here can see that."""
    if way.is_here:
        with suppress(OSError):  # the engine's host need not be ours, where we run in a container ourselves
            return (await asyncio.to_thread(shutil.disk_usage, folder)).free
    elif way.host:
        with suppress(asyncssh.Error, ValueError, IndexError):
            said = await way.host.run(f"df -Pk -- {shlex.quote(folder)}", check=True)
            return int(str(said.stdout).splitlines()[-1].split()[3]) * 1024
    return None


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=tls.ca.get_secret_value())
        if tls.certificate and tls.key:
            _load(context, tls.certificate.get_secret_value(), tls.key.get_secret_value())
    except (ssl.SSLError, ValueError, TypeError) as error:  # the last of a text that is not ASCII
        raise Failed("bad_connection", f"tls: these are not PEM texts that fit each other ({error})") from None
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Python takes a key by a file only."""
    with in_memory(f"{certificate}\n{key}\n".encode()) as pair:
        context.load_cert_chain(path_of(pair))


@asynccontextmanager
async def _forwarded(url: str, ssh: Ssh) -> AsyncIterator[tuple[Path, asyncssh.SSHClientConnection]]:
    """A socket here that leads to the engine's on its host. Keys stay in memory; nothing outlives this process."""
    parts = urlsplit(url)
    with tempfile.TemporaryDirectory(prefix="belay-ssh-") as folder:
        here = Path(folder) / "engine.sock"
        async with _logged_in(url, ssh) as session:
            await session.forward_local_path(str(here), parts.path or DEFAULT_SOCKET)
            yield here, session


@asynccontextmanager
async def _logged_in(url: str, ssh: Ssh) -> AsyncIterator[asyncssh.SSHClientConnection]:
    parts = urlsplit(url)
    try:
        key = asyncssh.import_private_key(ssh.key.get_secret_value())
        known = [asyncssh.import_public_key(line) for line in ssh.host_keys]
    except (asyncssh.KeyImportError, ValueError) as error:
        raise Failed("bad_connection", f"ssh: the key or host_keys cannot be read ({error})") from None
    async with _said_of(parts.hostname or ""):
        session = await asyncssh.connect(
            parts.hostname or "",
            parts.port or PORTS["ssh"],
            username=parts.username or (),
            client_keys=[key],
            known_hosts=(known, [], []),
            config=None,
            agent_path=None,
            connect_timeout=SSH_SECONDS,
            login_timeout=SSH_SECONDS,
            keepalive_interval=SSH_ALIVE_SECONDS,
        )
    async with session:
        yield session


@asynccontextmanager
async def _said_of(host: str) -> AsyncIterator[None]:
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        raise Failed("host_key_changed", f"{host} shows none of the keys that it may have: {error}") from None
    except asyncssh.PermissionDenied as error:
        raise Failed("login_refused", f"{host} does not let the user in: {error}") from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise Unreachable(f"{host} cannot be reached by SSH: {error}") from error
