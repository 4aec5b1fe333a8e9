"""What may be a secret's value, and what it looks like where somebody prints it. Pure.

A value that a component or a tool prints is hidden in everything that is told of its operation, as it is and as it is
written in JSON, in a URL and in base64; of one of several lines (a private key, a kubeconfig) each line as well.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import reduce
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from services.deployer.drivers import Broken, Order, Progress
from shared.values.merging import secrets_in as named_in

HIDDEN = "***"

SHORTEST = 4
"""Characters: a shorter value would be found in words that have nothing to do with it, so it could not be hidden."""

SHORTEST_LINE = 8
"""Of a value of several lines: `user:` is a line of many files. And of one in a revision: digests have all letters."""


def fault_of(value: str) -> str | None:
    """What is wrong with a value; None = nothing."""
    if len(value.strip()) < SHORTEST:
        return f"must have {SHORTEST} characters or more: a shorter one could not be hidden in what components print"
    return "must not contain the character U+0000" if "\x00" in value else None


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret's value in what a connection says."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from secrets_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from secrets_in(one)


def secrets_of(order: Order) -> Iterator[str]:
    """Every secret's value that a driver gets with an order: of its connection, and of its component's values."""
    yield from secrets_in(order.connection)
    component = order.component
    field = getattr(component.spec, "values_field", None)
    if component.named and field:
        for path, _ in named_in(dict(component.named.get(field) or {})):
            yield str(reduce(lambda value, key: value[key], path, getattr(component.spec, field)))


def looks_of(values: Iterable[str]) -> tuple[str, ...]:
    """Every form in which values may be printed."""
    return longest_first({form for value in values for form in _forms(value)})


def longest_first(looks: Set[str]) -> tuple[str, ...]:
    """As they are to be hidden: a part of one must not be hidden before it."""
    return tuple(sorted(looks, key=len, reverse=True))


def hide(looks: Iterable[str], text: str) -> str:
    """Text without the values that look so; also where it was cut in the midst of one."""
    if not text:
        return text
    for look in looks:
        text = text.replace(look, HIDDEN)
    for look in looks:
        text = _without_begun(look, text)
    return text


def hide_in(looks: Sequence[str], progress: Progress) -> Progress:
    """How an order stands, as it may be kept and told."""
    if isinstance(progress, Broken):
        lines = tuple(hide(looks, line) for line in progress.last_lines)
        return replace(progress, message=hide(looks, progress.message), last_lines=lines)
    return replace(progress, detail=hide(looks, progress.detail))


def is_in_revision(looks: Iterable[str], text: str) -> bool:
    """Whether a value stands as a whole in what a rollback needs as it is. Short ones do by chance."""
    return any(look in text for look in looks if len(look) >= SHORTEST_LINE)


def _forms(value: str) -> Iterable[str]:
    whole = value.strip()
    yield from (whole, json.dumps(whole)[1:-1], json.dumps(whole, ensure_ascii=False)[1:-1])
    yield from (quote(whole, safe=""), quote_plus(whole), base64.b64encode(value.encode()).decode().rstrip("="))
    lines = [line.strip() for line in whole.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= SHORTEST_LINE)


def _without_begun(look: str, text: str) -> str:
    """Whoever cut the text to a length may have left the beginning of a value at its end."""
    begin = text.find(look[:SHORTEST], max(0, len(text) - len(look) + 1))
    while begin >= 0 and not look.startswith(text[begin:]):
        begin = text.find(look[:SHORTEST], begin + 1)
    return text if begin < 0 else text[:begin] + HIDDEN
