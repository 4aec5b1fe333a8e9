"""Rows of a batch repeat most of what they say: it travels once, and each row names it by its number."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

Value = TypeVar("Value", bound=Hashable)


def numbered(values: Iterable[Value]) -> tuple[list[Value], list[int]]:
    """The different values, and for each value its number among them, from 1 as in `unnest with ordinality`."""
    numbers: dict[Value, int] = {}
    each = [numbers.setdefault(value, len(numbers) + 1) for value in values]
    return list(numbers), each
