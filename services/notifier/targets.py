"""Where webhooks may go. Whoever may add a subscription must not reach into the network that Belay stands in.

The addresses behind a name are checked at the moment of connecting, by the resolver that the connection itself uses:
a name that is answered differently a second time (DNS rebinding) gains nothing.
"""

import asyncio
import ipaddress
import socket
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class TargetRefused(OSError):
    """A target that webhooks may not go to."""


class UnknownHost(Exception):
    """A name that is not in the DNS."""


RESOLVE_SECONDS = 2.0
"""How long a command may wait for the DNS; the check is made again at each delivery."""


async def check_target(url: str, allow_private: bool) -> None:
    """Check where a URL leads today. Raises TargetRefused or UnknownHost; a DNS that does not answer is no fault."""
    target = URL(url)
    if target.user or target.password:
        raise TargetRefused("a user name or password in the url would be stored in clear; use `sealed_secret`")
    host = target.raw_host or ""
    check_literal(host, allow_private)
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            await CheckedResolver(allow_private).resolve(host, target.port or 443, socket.AF_UNSPEC)
    except socket.gaierror as error:
        if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            raise UnknownHost(f"the host {host!r} is not in the DNS; correct the name") from error
    except TimeoutError:
        return


def check_address(text: str, allow_private: bool) -> None:
    """Raises TargetRefused for an address that is not on the public internet (unless allowed), or no host at all."""
    address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
    if address.is_multicast or address.is_unspecified:
        raise TargetRefused(f"{text} is not the address of a host")
    if not (allow_private or address.is_global):
        message = f"{text} is a loopback, link-local, private or reserved address"
        raise TargetRefused(f"{message}; BELAY_NOTIFIER_ALLOW_PRIVATE_TARGETS=true allows such targets")


def check_literal(host: str, allow_private: bool) -> None:
    """The same for a host that is written as an address: such a host is never resolved. Names pass."""
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return
    check_address(host.strip("[]"), allow_private)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to (mapped, 6to4, NAT64), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


class CheckedResolver(ThreadedResolver):
    """Resolves names and refuses those of which any address is out of bounds."""

    def __init__(self, allow_private: bool, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The checked addresses. Raises TargetRefused, or OSError when the name is not found."""
        found = await super().resolve(host, port, family)
        for result in found:
            check_address(result["host"], self._allow_private)
        return found
