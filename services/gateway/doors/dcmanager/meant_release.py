"""Which release somebody means who writes `26.03`. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from shared.versions import latest, spelt_as

_WHOLE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})*")


class Known(NamedTuple):
    """Releases of the door's app that are available."""

    app: str
    scheme: str
    versions: Sequence[str]
    newest: str | None
    """The highest version: asked for once for each site of a fleet."""


def known_of(app: str, scheme: str, versions: Sequence[str]) -> Known:
    """The releases of an app."""
    return Known(app, scheme, versions, _highest(scheme, versions))


def meant(known: Known, asked: str) -> str | None:
    """The release that is written so, with or without the app before it, or else the newest that begins so.

    `26.03` is release 26.03 if there is one, else the newest of 26.03.0, 26.03.1 ...
    """
    asked = asked.strip().removeprefix(f"{known.app}-")
    if asked in known.versions:
        return asked
    beginning = _numbers(asked)
    same = [version for version in known.versions if beginning and _numbers(version)[: len(beginning)] == beginning]
    written_so = _WHOLE.fullmatch(asked) is not None  # 2.0rc1 does not mean what begins with 2.0
    return (_highest(known.scheme, same) if written_so else None) or spelt_as(known.scheme, asked, known.versions)


def _numbers(version: str) -> list[int]:
    """`26.03.1rc2` -> [26, 3, 1]."""
    found = _WHOLE.match(version)
    return [int(part) for part in found[0].split(".")] if found else []


def unknown(known: Known, asked: str) -> str:
    """What is told of one that there is not."""
    some = ", ".join(known.versions[-10:]) or "none"
    return f"Release {asked[:60]!r} of {known.app or 'this door'} not found; available: {some}"


def in_sync(known: Known, version: str | None) -> str:
    """Whether a site that runs this version is where it could be: `in-sync`, `out-of-sync`, or `unknown`."""
    if version is None or known.newest is None:
        return "unknown"
    return "in-sync" if version == known.newest else "out-of-sync"


def all_in_sync(parts: Iterable[Mapping[str, str]]) -> str:
    """Of all parts together: the worst of them."""
    found = {part["sync_status"] for part in parts}
    return next((status for status in ("out-of-sync", "unknown") if status in found), "in-sync")


def _highest(scheme: str, versions: Sequence[str]) -> str | None:
    return latest(scheme, versions) or latest(scheme, versions, prereleases=True)
