"""From records to handlers, in one transaction: what each is, who handles it, and in which order."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from shared.core import inbox
from shared.core.errors import Unreadable
from shared.core.inbox import Reply
from shared.core.transaction import Transaction
from shared.messages import REGISTRY
from shared.messages.base import Fault, Message
from shared.wire.codec import Attributes, Envelope, Record, as_dead_letter, attributes_of, decode, stands_in
from shared.wire.topics import DEAD_LETTERS

log = structlog.get_logger()

Handler = Callable[[Any, Sequence[Envelope[Any]]], Awaitable[Sequence[Reply] | None]]
"""Handles messages of one type, in order. For commands it returns one reply each, for events nothing.

Its first argument is the transaction, of the class that the service's ledger begins."""

Handlers = Mapping[type[Message], Handler]

Prepare = Callable[[Any, Sequence[Envelope[Any]]], Awaitable[None]]
"""Sees all messages of a transaction before the first handler does: where rows must be locked in one order."""


class Dispatcher:
    """The handlers of one service by the types of their messages."""

    def __init__(
        self, prefix: str, handlers: Handlers, skips: Callable[[Attributes], bool] | None, prepare: Prepare | None
    ) -> None:
        """`prefix` of all topics. `skips`: whether a record is of no use here, by its headers."""
        self._prefix = prefix
        self._handlers = {kind.TYPE: handler for kind, handler in handlers.items()}
        order = list(dict.fromkeys(handlers.values()))  # types with one handler reach it together, as one group
        self._rank = {kind.TYPE: order.index(handler) for kind, handler in handlers.items()}
        self._skips = skips
        self._prepare = prepare

    async def dispatch(self, tx: Transaction, records: Sequence[Record]) -> None:
        """Handle these records: each message by its handler, what cannot be read as a dead letter."""
        readable: list[Envelope[Message]] = []
        for record in records:
            try:
                if (envelope := self._read(record)) is not None:
                    readable.append(envelope)
            except Unreadable as error:
                await self.bury(tx, record, error.faults)
        if readable and self._prepare is not None:
            await self._prepare(tx, readable)
        for kind, group in in_waves(readable, self._rank):
            await self._handle(tx, kind, group)

    def _read(self, record: Record) -> Envelope[Message] | None:
        """The message, or None for a known type that this service does not care for (its body is not parsed)."""
        attributes = attributes_of(record)
        kind = REGISTRY.get(attributes.get("ce_type", ""))
        if kind and kind.read_as().TYPE not in self._handlers and not kind.IS_COMMAND:
            return None
        if self._skips is not None and not stands_in(record) and self._skips(attributes):
            return None
        return decode(record, attributes)

    async def _handle(self, tx: Transaction, kind: str, group: list[Envelope[Message]]) -> None:
        handler = self._handlers[kind]
        if not REGISTRY[kind].IS_COMMAND:
            await handler(tx, group)
            return
        first, again = inbox.split_repeats([inbox.asked(envelope) for envelope in group])  # type: ignore[arg-type]
        if fresh := await inbox.sort_out(tx, first):
            before = len(tx.outbox)
            replies = await handler(tx, [command.envelope for command in fresh])
            await inbox.answer(tx, fresh, replies or (), before)
        if again:
            await inbox.sort_out(tx, again)

    async def bury(self, tx: Transaction, record: Record, faults: tuple[Fault, ...]) -> None:
        """Put a record into the dead letters of its topic; whoever sent it as a command is answered."""
        topic = record.topic.removeprefix(self._prefix)
        headers = as_dead_letter(record, topic, faults)
        tx.emit_raw(topic + DEAD_LETTERS, record.key, headers, record.value)
        log.warning(
            "dead letter", action="dead_letter", topic=topic, code=faults[0].code, reason=faults[0].message[:300]
        )
        if topic.endswith(".commands"):
            await inbox.answer_unreadable(tx, record, faults, topic.split(".", 1)[0])


def in_waves(
    envelopes: Iterable[Envelope[Message]], rank: Mapping[str, int]
) -> list[tuple[str, list[Envelope[Message]]]]:
    """Group messages by rank (that of their handler) without ever reordering two messages of one key.

    Groups come in the order of the handler table. A message whose key was last seen in a later group opens a new
    wave for that key. Within a group the order stays as read. Each group comes with the type of its first message.
    """
    groups: dict[tuple[int, int], list[Envelope[Message]]] = {}
    last: dict[str, tuple[int, int]] = {}
    for envelope in envelopes:
        here = rank[envelope.data.TYPE]
        wave, before = last.get(envelope.data.key, (0, here))
        place = (wave + (here < before), here)
        last[envelope.data.key] = place
        groups.setdefault(place, []).append(envelope)
    return [(groups[place][0].data.TYPE, groups[place]) for place in sorted(groups)]
