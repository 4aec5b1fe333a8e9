"""Logging in to a host beside Ansible, by SSH of our own: for its content, and to ask whether it answers."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncssh

from services.deployer.drivers.ansible.connection import Host
from services.deployer.drivers.failed import Failed

ALIVE_SECONDS, ALIVE_TIMES = 10, 3
"""As for Ansible: a connection that says nothing for 30 s is cut."""


class Cut(Exception):
    """The connection ended in the middle; the same may be tried again."""


@asynccontextmanager
async def logged_in(name: str, host: Host, seconds: float) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A session with a host that has one of its keys. Raises Failed with the codes of a run that does not reach it.

    What the connection does not say is taken from the `~/.ssh/config` of the deployer's user, as Ansible's ssh does it.
    """
    key, passphrase = host.key, host.key_passphrase
    with _told(name):
        keys = None  # not an empty list: the deployer's own keys would be shown to the host
        if key:
            secret = passphrase.get_secret_value() if passphrase else None
            keys = [asyncssh.import_private_key(key.get_secret_value(), secret)]
        known = [asyncssh.import_public_key(line) for line in host.host_keys or ()]
        session = await asyncssh.connect(
            str(host.address),
            host.port or 22,
            username=str(host.user),
            password=host.password.get_secret_value() if host.password else None,
            client_keys=keys,
            known_hosts=(known, [], []),
            agent_path=None,
            connect_timeout=seconds,
            login_timeout=seconds,
            keepalive_interval=ALIVE_SECONDS,
            keepalive_count_max=ALIVE_TIMES,
        )
    async with session:
        yield session


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Why a host is not reached, by the codes of an order."""
    try:
        yield
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        raise Failed("host_key", f"host {name} shows none of the keys that it may have: {error}") from None
    except asyncssh.PermissionDenied as error:
        raise Failed("access_denied", f"host {name} does not let the user in: {error}") from None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as error:
        raise Failed("bad_connection", f"host {name}: its keys cannot be read ({error})") from None
    except socket.gaierror as error:
        raise Failed("unknown_host", f"host {name}: its name is not known: {error}") from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise Failed("unreachable", f"host {name} is not reached: {str(error) or type(error).__name__}") from None


@contextmanager
def cut_told(name: str) -> Iterator[None]:
    """The end of a session in the middle as Cut, a host's refusal as Failed."""
    try:
        yield
    except asyncssh.SFTPError as error:
        if isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
            raise Cut(str(error)) from None
        raise Failed("content_refused", f"host {name} does not take the content: {error.reason}") from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise Cut(str(error) or type(error).__name__) from None
