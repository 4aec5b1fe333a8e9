"""What is known of simulated devices and of the orders that they were given."""

from collections.abc import Mapping
from typing import Any, Literal

from shared.frozen import light_dataclass

Effect = Literal["started", "ended", "failed", "crashed", "cancelled"]

Place = tuple[str, str, str]
"""Site, app and component."""

Line = Mapping[str, Any]
"""at, site, app, component, order, effect, version, action (null when the device was not touched); of a start also
`fate`, `began_at` and `ends_at` (epoch seconds, null = never), and `values_sha256` of one that brings values; of what
did not end well also `code` and `message`; where content is sent also `missing`, `holds`, `dropped` (content.py) and
`fetched_bytes`."""


@light_dataclass(frozen=True, slots=True)
class Begun:
    """An order that is under way: how it will end is known from the start, as only devices know it."""

    line: Line
    began_at: float
    ends_at: float | None
    fate: str


@light_dataclass(frozen=True, slots=True)
class Over:
    """An order that is over."""

    effect: Effect
    version: str | None
    code: str = ""
    message: str = ""
    fetched_bytes: int = 0


@light_dataclass(frozen=True, slots=True)
class Device:
    """A component on a site. `runs` is None when nothing works there; `kept` are the revisions that lie there."""

    runs: str | None = None
    kept: tuple[str, ...] = ()
