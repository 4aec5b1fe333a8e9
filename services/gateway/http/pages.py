"""Pages of long lists: a cursor holds where the next page begins, so that rows added meanwhile shift nothing."""

import base64
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from services.gateway.http.problems import Problem
from shared.messages.base import ErrorCode
from shared.messages.opening import IN_AN_EVENT

View = TypeVar("View", bound=BaseModel)
LARGEST = 2**62

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def _iso(value: Any) -> Any:
    """By itself pydantic takes a number for seconds since 1970, or milliseconds where that fits better."""
    if isinstance(value, str) and re.fullmatch(r"[0-9+-][0-9.]*", value):
        raise ValueError("must be a date and time with its zone, such as 2026-11-28T05:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    """As PostgreSQL takes it: the ends of time have no place there in every zone."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999, in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_iso), AfterValidator(_in_utc)]
"""A filter by time."""


class Query(BaseModel):
    """Parameters of a route. Unknown ones are faults: a misspelt filter must not show everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(Query):
    """Parameters of every list."""

    limit: int = Field(default=100, ge=1, le=1000, description="items in a page")
    cursor: str | None = Field(
        default=None, max_length=2000, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before"
    )


class Page(BaseModel, Generic[View]):
    """Some items, and the cursor of the next page; null on the last one."""

    items: list[View]
    next: str | None = None


def page(
    kind: type[Page[View]],
    rows: Sequence[asyncpg.Record | dict[str, Any]],
    paging: Paging,
    place: Callable[[Any], list[Any]],
) -> Page[View]:
    """A page of rows that were asked for with one more than the limit; `place` says where a row stands."""
    shown = rows[: paging.limit]
    following = cursor(place(shown[-1])) if len(rows) > paging.limit else None
    found = {"items": [dict(row) for row in shown], "next": following}
    return kind.model_validate(found, context=IN_AN_EVENT)  # what was said once is shown, be it refused today


def cursor(place: list[Any]) -> str:
    """Where a page ends, as opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def start(paging: Paging, *first: Any) -> Any:
    """Where the page begins: one value for each of `first`, which is where the first page begins.

    Raises Problem when the cursor is not one of ours.
    """
    if paging.cursor is None:
        return first
    try:
        place = orjson.loads(base64.urlsafe_b64decode(paging.cursor + "=" * (-len(paging.cursor) % 4)))
        return tuple(_like(default, value) for default, value in zip(first, place, strict=True))
    except (ValueError, TypeError, OverflowError):
        message = "is not a cursor of this list; take `next` of the page before"
        raise Problem.because(ErrorCode.INVALID_FIELD, message, "cursor", paging.cursor[:200]) from None


def _like(default: Any, value: Any) -> Any:
    """The value, if it is of the kind of the default. Raises ValueError."""
    if isinstance(default, datetime) and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    if isinstance(default, int) and type(value) is int and abs(value) <= LARGEST:
        return value
    if isinstance(default, str) and isinstance(value, str) and "\x00" not in value:
        return value
    raise ValueError("wrong kind")
