"""Bodies of requests: one JSON object, checked in full before anything is done."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError, create_model

from services.gateway.http.problems import MAX_BYTES, Problem, too_large, unreadable
from shared.messages.base import ErrorCode, Fault, Model, faults_of

M = TypeVar("M", bound=BaseModel)

DEEPEST = 100
"""Levels of lists and objects in a body. Nothing of ours has so many, and whoever reads what is deeper may break at it:
the owner of the command gives up at 200, Python at 1,000."""


async def read_object(request: web.Request, most: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in the body, {} for an empty one. Raises Problem 400 or 413, the latter without reading on."""
    if (request.content_length or 0) > most:
        raise too_large(most)
    raw = await request.read()
    if len(raw) > most:  # sent in chunks
        raise too_large(most)
    return parsed(raw)


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes, {} for none. Raises Problem 400, or 422 for what nobody could keep or read."""
    try:
        value = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError as error:
        raise unreadable(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise unreadable(f"the body must be a JSON object, this is {_kind(value)}")
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _is_deep(value):
        message = f"the body must not be nested deeper than {DEEPEST} levels"
        raise Problem.because(ErrorCode.INVALID_FIELD, message)
    if b"\\u0000" in raw and (faults := list(_nul_faults(value, ""))):
        raise Problem.of(faults)
    return value


def formed(kind: type[M], facts: Mapping[str, Any], *, inside: str = "", faults: Iterable[Fault] = ()) -> M:
    """A model made of facts. Raises Problem 422 with every fault, those found before included.

    `inside` is cut off the fields' paths: they are to be those of the body.
    """
    found = list(faults)
    try:
        model = kind.model_validate(facts)
    except ValidationError as error:
        found += [fault.model_copy(update={"field": _cut(fault.field, inside)}) for fault in faults_of(error)]
    if found:
        raise Problem.of(found, 422)
    return model


@contextmanager
def in_confidence(*shown: str) -> Iterator[None]:
    """Around a body that holds a secret: a Problem repeats the values of the fields `shown` alone. That of any other
    may be the secret, also under a name that is misspelt."""
    try:
        yield
    except Problem as problem:
        problem.faults = tuple(
            fault
            if fault.field and fault.field.partition(".")[0] in shown
            else fault.model_copy(update={"value": None})
            for fault in problem.faults
        )
        raise


def without(kind: type[BaseModel], hidden: frozenset[str], name: str = "") -> type[BaseModel]:
    """What a person sends for a command whose other fields come from the path or from Belay itself.

    `name` is that of its schema where a command has more than one such body.
    """
    fields = {name: (field.annotation, field) for name, field in kind.model_fields.items() if name not in hidden}
    named: dict[str, Any] = dict(fields)
    return create_model(name or f"{kind.__name__}Body", __base__=Model, __doc__=kind.__doc__, **named)


def hidden_faults(body: Mapping[str, Any], hidden: frozenset[str]) -> list[Fault]:
    """A fault for each field that may not stand in the body."""
    message = "this field cannot be set here; remove it"
    return [Fault(code=ErrorCode.UNKNOWN_FIELD, field=name, message=message) for name in body if name in hidden]


def _cut(field: str, inside: str) -> str:
    return field.removeprefix(inside).removeprefix(".")


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _is_deep(value: Any) -> bool:
    """Level by level: a function that called itself would break at the very thing that it looks for."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
    return bool(level)


def _inside(outer: Any) -> list[Any]:
    items = outer.values() if isinstance(outer, dict) else outer
    return [inner for inner in items if isinstance(inner, dict | list)]


def _nul_faults(value: Any, path: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _nul_faults(name, f"{path}{name}.".replace("\x00", "�"))
            yield from _nul_faults(inner, f"{path}{name}.".replace("\x00", "�"))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _nul_faults(inner, f"{path}{number}.")
    elif isinstance(value, str) and "\x00" in value:
        message = "must not contain the character U+0000"
        yield Fault(code=ErrorCode.INVALID_FIELD, field=path.rstrip("."), message=message)
