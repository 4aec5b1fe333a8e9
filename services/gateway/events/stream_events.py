"""Which events people see in the stream, and in what form.

Only events of low rate: what strategies do site by site is in `steps_changed`, `stage_progressed` and
`deployments_changed`, which come in batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.messages import catalog, deployer, monitor, notifier, strategy
from shared.messages.base import Message
from shared.wire.codec import Envelope, new_id

MAX_BYTES = 200_000
"""Longer data is left out (null): the client reads the resource instead."""

DEPLOYMENTS_CHANGED = "deployments_changed"
DEPLOYMENTS_AT_ONCE = 500

STREAMED: frozenset[type[Message]] = frozenset(
    {
        catalog.ReleaseAvailable,
        catalog.ReleaseRejected,
        catalog.ReleaseWithdrawn,
        strategy.SitesChanged,
        strategy.SitesRemoved,
        strategy.SitesHeld,
        strategy.SitesReleased,
        strategy.GroupChanged,
        strategy.GroupDeleted,
        strategy.StrategyPlanned,
        strategy.StrategyStateChanged,
        strategy.StageProgressed,
        strategy.StepsChanged,
        strategy.StrategyDeleted,
        deployer.OperationProgressed,
        deployer.OperationSucceeded,
        deployer.OperationFailed,
        monitor.StageForecast,
        monitor.FailureRateHigh,
        monitor.StrategySilent,
        monitor.TroubleFound,
        monitor.TroubleOver,
        notifier.NotificationRaised,
        notifier.NotificationsRead,
        notifier.SubscriptionChanged,
        notifier.DeliveriesChanged,
        notifier.DeliveryDied,
    }
)
OF_ONE_SITE = {deployer.OperationProgressed, deployer.OperationSucceeded, deployer.OperationFailed}


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event as the stream shows it. `body` is JSON: type, id, time, subject, data."""

    type: str
    strategy_id: str | None
    body: str


def short_type(type_name: str) -> str:
    """`belay.strategy.stage_progressed.v1` -> `stage_progressed`."""
    return type_name.split(".")[2]


ANSWERS = {"command_accepted", "command_rejected"}
"""Answers to commands that came through the API; those of strategies are not told."""

SHORT_TYPES = frozenset(short_type(kind.TYPE) for kind in STREAMED) | {DEPLOYMENTS_CHANGED} | ANSWERS


def is_streamed(event: Envelope[Any]) -> bool:
    """Whether the stream shows this event itself; operations of a strategy are told by their strategy."""
    return type(event.data) in STREAMED and not (type(event.data) in OF_ONE_SITE and event.data.strategy_id)


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
