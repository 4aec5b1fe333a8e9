"""What Belay may be told to call. Whoever may name an address must not reach into the network that Belay stands in.

The addresses behind a name are checked at the moment of connecting, by the resolver that the connection itself uses:
a name that is answered differently a second time (DNS rebinding) gains nothing.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult
from ssrfguard import DEFAULT_DENIED, AddressTable, Block, Reach
from yarl import URL

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TargetRefused(OSError):
    """A target that may not be called."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far out, or in, targets may lie."""

    private: bool
    """Whether addresses that are not on the public internet may be called."""
    setting: str
    """The variable that allows them, for whoever is refused."""


class UnknownHost(Exception):
    """A name that is not in the DNS."""


def _denied(network: str, name: str, rfc: str) -> Block:
    return Block(ipaddress.ip_network(network), name, rfc, Reach.DENIED)


SPECIAL = AddressTable(
    (
        *DEFAULT_DENIED.blocks,
        _denied("168.63.129.16/32", "the host of a virtual machine in Azure", "learn.microsoft.com"),
        # Not in the registries of special purposes, because they are not of the internet at all (RFC 4291, RFC 7915).
        _denied("::ffff:0:0:0/96", "IPv4-translated", "RFC2765"),
        _denied("::/3", "no unicast address of the internet", "RFC4291"),
        *(_denied(f"{first:x}000::/3", "no unicast address of the internet", "RFC4291") for first in range(4, 16, 2)),
    )
)
"""Every block of IANA's registries of special-purpose addresses, with what is embedded in an address looked into
(IPv4-mapped, -compatible, NAT64, 6to4, Teredo), as `ssrfguard` keeps them; and what those registries leave out."""

NO_HOST = [ipaddress.ip_network(network) for network in ("224.0.0.0/4", "ff00::/8", "0.0.0.0/8", "::/128")]
"""Addresses that no host has, allowed or not: multicast, and none at all."""

ISATAP = (0x00005EFE, 0x02005EFE)
"""The third quarter of an address whose last one is an IPv4 address (RFC 5214)."""

RESOLVE_SECONDS = 2.0
"""How long a command may wait for the DNS; the check is made again at each delivery."""


async def check_target(url: str, bounds: Bounds, unknown_is_fault: bool = True) -> None:
    """Check where a URL leads today. Raises TargetRefused or UnknownHost; a DNS that does not answer is no fault."""
    target = URL(url)
    if target.user or target.password:
        raise TargetRefused("a user name or password in the url would be stored in clear; leave them out")
    host = target.raw_host or ""
    check_literal(host, bounds)
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            await CheckedResolver(bounds).resolve(host, target.port or 443, socket.AF_UNSPEC)
    except socket.gaierror as error:
        if unknown_is_fault and error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
            raise UnknownHost(f"the host {host!r} is not in the DNS; correct the name") from error
    except TimeoutError:
        return


def check_address(text: str, bounds: Bounds) -> None:
    """Raises TargetRefused for an address that is not on the public internet (unless allowed), or no host at all."""
    address = ipaddress.ip_address(text.partition("%")[0])
    looked_into = [address, *_embedded(address)]
    if any(each in network for each in looked_into for network in NO_HOST if each.version == network.version):
        raise TargetRefused(f"{text} is not the address of a host")
    if bounds.private:
        return
    for each in looked_into:
        if (reply := SPECIAL.classify(each)).blocked:
            message = f"{text} is not on the public internet ({reply.reason})"
            raise TargetRefused(f"{message}; {bounds.setting}=true allows such targets")


def check_literal(host: str, bounds: Bounds) -> None:
    """The same for a host that is written as an address: such a host is never resolved. Names pass.

    A host that ends in a number is an address (WHATWG URL, "ends in a number"); systems read its other spellings,
    octal, hexadecimal or in one number, in different ways, so only the plain one is taken.
    """
    plain = host.strip("[]")
    try:
        ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        if _ends_in_a_number(plain):
            message = "is an address in an unusual spelling; write it as four numbers, such as 203.0.113.7"
            raise TargetRefused(f"{host} {message}") from None
        return
    check_address(plain, bounds)


def _ends_in_a_number(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or (last.startswith("0x") and all(digit in "0123456789abcdef" for digit in last[2:]))


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses inside of an IPv6 one that the table does not look into, or that NO_HOST must see."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    low, quarter = int(address) & 0xFFFFFFFF, (int(address) >> 32) & 0xFFFFFFFF
    inside = address.ipv4_mapped or address.sixtofour
    found: list[Address] = [inside] if inside else []
    return [*found, ipaddress.IPv4Address(low)] if quarter in ISATAP else found


class CheckedResolver(ThreadedResolver):
    """Resolves names and refuses those of which any address is out of bounds."""

    def __init__(self, bounds: Bounds, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._bounds = bounds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The checked addresses. Raises TargetRefused, or OSError when the name is not found."""
        found = await super().resolve(host, port, family)
        for result in found:
            check_address(result["host"], self._bounds)
        return found
