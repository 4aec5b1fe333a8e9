"""What content lies on simulated sites, and what an order would have to send there. Pure.

A journal tells of it with orders: `missing` of a start (digest -> bytes that lie there already, and all), `holds` of an
end (digest -> bytes that lie there now) and `dropped` (digests). Several components of a site share what lies there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.deployer.drivers import Order
from services.deployer.drivers.simulated.values import Line

CHUNK = 1 << 20
"""A device that is interrupted keeps whole chunks."""

Holds = dict[str, int]
"""By digest, the bytes that lie on a site."""

Missing = Mapping[str, Sequence[int]]
"""By digest, how many bytes lie there already, and how many it has."""

_NOTHING: Missing = {}


def missing_for(order: Order, holds: Holds, pretended: int) -> Missing:
    """What an order has to send. `pretended`: what its component brings in all, where nothing was prestaged of it."""
    if order.action == "fetch" or (order.items and order.action in ("apply", "rollback")):
        offsets = {item.sha256: (holds.get(item.sha256, 0), item.bytes) for item in order.items}
        return {digest: found for digest, found in offsets.items() if found[0] < found[1]}
    if order.action in ("apply", "rollback") and pretended:
        return {"": (0, pretended)}  # it is used up, and lies nowhere
    return _NOTHING


def bytes_of(missing: Missing) -> int:
    """What is to be sent."""
    return sum(size - there for there, size in missing.values())


def arrived(started: Line, part: float) -> dict[str, Any]:
    """What an end tells of content, when so much (0 to 1) of what was missing has arrived."""
    missing: Missing = started.get("missing") or _NOTHING
    if not missing:
        return {}
    total = bytes_of(missing)
    left = sent = total if part >= 1 else int(total * part) // CHUNK * CHUNK
    holds: Holds = {}
    for digest, (there, size) in missing.items():
        came = min(left, size - there)
        left -= came
        if digest and came:
            holds[digest] = there + came
    return {"fetched_bytes": sent} | ({"holds": holds} if holds else {})


def taken(content: dict[str, Holds], line: Line) -> None:
    """Note what an end says of a site."""
    if holds := line.get("holds"):
        content.setdefault(line["site"], {}).update(holds)
    for digest in line.get("dropped", ()):
        content.get(line["site"], {}).pop(digest, None)
