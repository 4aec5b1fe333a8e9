"""What the audit says of a command in one line: whom or what it is about, in words that people look for."""

from collections.abc import Sequence
from typing import Any

NAMES_SHOWN = 3


def name_or_subject(command: Any) -> str:
    """Its `name`, or the aggregate that it speaks of."""
    return str(getattr(command, "name", "") or command.subject)


def some_of(names: Sequence[str]) -> str:
    """`a, b, c and 497 more`."""
    more = len(names) - NAMES_SHOWN
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
