"""Connections of urllib3 that go only to addresses that were checked, and to the very one that was.

A name that is answered otherwise a second time (DNS rebinding) gains nothing: it is looked up once a connection, and
the connection is made to what was found. The certificate is still held to the name.
"""

import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NameResolutionError

from shared.core.errors import BelayError
from shared.targets import Bounds, TargetRefused, check_address


class AddressRefused(BelayError):
    """A name leads to where nothing may be fetched from. No OSError, which urllib3 would take for a broken line."""


def pools_within(bounds: Bounds) -> dict[str, type[HTTPConnectionPool]]:
    """By scheme, pools of connections that stay within these bounds."""

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, bounds, super()._new_conn)

    class TlsConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, bounds, super()._new_conn)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": Pool, "https": TlsPool}


def _connected(connection: Any, bounds: Bounds, connect: Any) -> socket.socket:
    """Connect to the first address behind the name, all of which are within bounds. Raises AddressRefused."""
    name = connection._dns_host  # noqa: SLF001 - where urllib3 keeps what it looks up
    try:
        found = socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    try:
        for address in addresses:
            check_address(address, bounds)
    except TargetRefused as error:
        raise AddressRefused(f"{name}: {error}") from error
    return _first(connection, name, addresses, connect)


def _first(connection: Any, name: str, addresses: list[str], connect: Any) -> socket.socket:
    """One after the other, as a name with several addresses is meant; the last failure counts."""
    try:
        for address in addresses[:-1]:
            connection._dns_host = address  # noqa: SLF001
            try:
                return connect()  # type: ignore[no-any-return]
            except (OSError, HTTPError):
                continue
        connection._dns_host = addresses[-1]  # noqa: SLF001
        return connect()  # type: ignore[no-any-return]
    finally:
        connection._dns_host = name  # noqa: SLF001
