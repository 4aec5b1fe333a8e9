"""Headers of a request that Belay reads."""

from aiohttp import web

from services.gateway.http.problems import Problem, is_text
from shared.messages.base import ErrorCode, Fault


def header(request: web.Request, name: str) -> str | None:
    """The value; None where there is none. Raises Problem 422 for two that differ, and for what is no text."""
    values = dict.fromkeys(request.headers.getall(name, ()))
    if not values:
        return None
    value, *others = values
    if others:
        raise _wrong(name, "must be given once, with one value", value)
    if not is_text(value):
        raise _wrong(name, "must be text in UTF-8", value)
    return value


def _wrong(name: str, message: str, value: str) -> Problem:
    return Problem.of([Fault(code=ErrorCode.INVALID_FIELD, field=name, message=message, value=value[:200])])
