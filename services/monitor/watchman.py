"""Looks after the other services from outside: a service whose relay or Kafka is broken cannot tell of it itself.

Each look asks every replica that left a note under the home what is wrong with it; one replica of the monitor, that
which reads the first partition, tells people of what is new and of what is over.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ProducerSendError

from services.monitor.handlers import send
from services.monitor.tables import Tables
from services.monitor.troubles import Change, Said, Troubles, Unsent
from shared.core.refusals import refused_for_good
from shared.messages.base import Message
from shared.messages.monitor import TroubleFound, TroubleOver
from shared.process.replicas import ask_all
from shared.process.settings import Settings
from shared.wire.codec import Envelope, encode, new_id, new_trace

log = structlog.get_logger()


class Watchman:
    """Tells of troubles for as long as `leads` says so. `troubles` outlives a faust application."""

    def __init__(self, settings: Settings, store: Tables, troubles: Troubles, leads: Callable[[], bool]) -> None:
        self._settings = settings
        self._store = store
        self._troubles = troubles
        self._leads = leads

    async def run(self) -> None:
        """Look until cancelled. What breaks a look breaks nothing else."""
        while True:
            await asyncio.sleep(self._settings.look_seconds)
            try:
                await self._look()
            except Exception:
                log.exception("a look at the replicas broke", action="watch_broke")

    async def _look(self) -> None:
        rows = await asyncio.to_thread(ask_all, self._settings.home)
        limit, now = timedelta(seconds=self._settings.trouble_seconds), datetime.now(UTC)
        found = self._troubles.changes(rows, limit, now)
        if self._troubles.unsent and not await self._send_unsent():
            return  # the next look finds it again
        told = self._troubles.said
        for change in found:
            if self._leads() and (change.finding is None) == (change.key in told):
                self._troubles.unsent = self._worded(change, now)
                if not await self._send_unsent():
                    return

    async def _send_unsent(self) -> bool:
        """Whether what was to be told was. What Kafka did not confirm may lie there all the same: it is sent again as
        it was, with its id, so that readers drop it; and before anything else, for it may be over by now."""
        unsent = self._troubles.unsent
        if unsent is None or (unsent.change.finding and not self._leads()):
            self._troubles.unsent = None  # what lasts is told by who leads now
            return True
        try:
            await self._say(unsent)
        except (KafkaError, ProducerSendError) as error:
            log.warning("a trouble cannot be told", action="trouble_retry", error=repr(error)[:200])
            if not refused_for_good(error.__cause__ or error):
                return False
        self._troubles.unsent = None
        return True

    def _worded(self, change: Change, now: datetime) -> Unsent:
        said = self._troubles.said.get(change.key) or Said(new_id(), now)
        envelope: Envelope[Message] = Envelope(
            data=_message(change, said, now),
            id=new_id(),
            source=f"/belay/monitor/{self._settings.instance}",
            time=now,
            sequence=1 if change.finding else 2,
            traceparent=new_trace(),
        )
        return Unsent(change, said, envelope)

    async def _say(self, unsent: Unsent) -> None:
        change, message = unsent.change, unsent.envelope.data
        key, headers, body = encode(unsent.envelope)
        await send(self._store.app, self._settings.topic_prefix + message.TOPIC, key, body, headers)
        if change.finding:
            self._troubles.said[change.key] = unsent.said
        else:
            del self._troubles.said[change.key]
        log.warning("trouble", action=type(message).__name__, service=change.key[0], code=change.key[1])


def _message(change: Change, said: Said, now: datetime) -> TroubleFound | TroubleOver:
    """A foreign client's name, which Kafka allows 32 KiB, and an error's words are cut to what the message takes."""
    service, code, about = change.key
    facts = {"trouble_id": said.trouble_id, "service": service[:100], "code": code[:100], "about": about[:1_000]}
    if change.finding is None:
        return TroubleOver(**facts, found_at=said.at, at=now)
    finding = change.finding
    words = {"message": finding.message[:4_000], "advice": finding.advice[:1_000]}
    return TroubleFound(**facts, **words, since=finding.since, at=now)
