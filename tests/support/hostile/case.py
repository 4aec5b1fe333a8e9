"""One hostile bundle."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Case(NamedTuple):
    """How it is called, how it is made, and the codes that must be among its faults."""

    name: str
    make: Callable[[], bytes]
    codes: frozenset[str]


def case(name: str, make: Callable[[], bytes], *codes: str) -> Case:
    return Case(name, make, frozenset(codes))
