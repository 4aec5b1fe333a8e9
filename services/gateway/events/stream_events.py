"""In what form people see events in the stream.

Only events of low rate, as the resources say (`Learning.hidden`): what strategies do site by site is in
`steps_changed`, `stage_progressed` and `deployments_changed`, which come in batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.messages.base import Message
from shared.wire.codec import Envelope, new_id

MAX_BYTES = 200_000
"""Longer data is left out (null): the client reads the resource instead."""

DEPLOYMENTS_CHANGED = "deployments_changed"
DEPLOYMENTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as the stream shows it. `body` is JSON: type, id, time, subject, data."""

    type: str
    strategy_id: str | None
    body: str


def short_type(type_name: str) -> str:
    """`belay.strategy.stage_progressed.v1` -> `stage_progressed`."""
    return type_name.split(".")[2]


OF_THE_GATEWAY = {DEPLOYMENTS_CHANGED, "command_accepted", "command_rejected"}
"""Short types of what the gateway tells itself: answers are those to commands that came through the API."""


def stream_event_of(event: Envelope[Any]) -> StreamEvent:
    """The event for the stream, with the data as its owner sent it."""
    data: Message = event.data
    text = data.model_dump_json(exclude_none=True)
    named = orjson.Fragment(text) if len(text) <= MAX_BYTES else None
    body = _body(data.TYPE, event.id, event.time, data.subject, named)
    return StreamEvent(short_type(data.TYPE), getattr(data, "strategy_id", None), body)


def deployments_changed(rows: Sequence[dict[str, Any]], now: datetime) -> Iterator[StreamEvent]:
    """What changed on sites in one batch: `{"deployments": [{site, app, version, status, operation_id}]}`."""
    for start in range(0, len(rows), DEPLOYMENTS_AT_ONCE):
        data = {"deployments": rows[start : start + DEPLOYMENTS_AT_ONCE]}
        kind = f"belay.gateway.{DEPLOYMENTS_CHANGED}.v1"
        yield StreamEvent(DEPLOYMENTS_CHANGED, None, _body(kind, new_id(), now, "fleet", data))


def _body(kind: str, identifier: str, time: datetime, subject: str, data: Any) -> str:
    facts = {"type": kind, "id": identifier, "time": time, "subject": subject, "data": data}
    return orjson.dumps(facts).decode()
