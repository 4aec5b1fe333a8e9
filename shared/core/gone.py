"""Aggregates that ended for good, by their subject.

Kafka may tell old events again: a log that was lost is read from its beginning, somebody copies a topic. An event that
speaks of a deleted thing by its name would then meet the thing that has this name now.
"""

from collections.abc import Sequence
from typing import TypeVar

from shared.core.transaction import SQL
from shared.messages.base import Message
from shared.process.db import Connection
from shared.wire.codec import Envelope

Told = TypeVar("Told", bound=Message)


async def first_ends(conn: Connection, ends: Sequence[Envelope[Told]]) -> list[Envelope[Told]]:
    """Those that end their aggregate here for the first time; from now on nothing that is said of it counts."""
    subjects = sorted({end.data.subject for end in ends})
    first = {row["subject"] for row in await SQL.fetch(conn, "put_gone", subjects=subjects)}
    return [end for end in ends if end.data.subject in first]


async def of_the_living(conn: Connection, events: Sequence[Envelope[Told]]) -> list[Envelope[Told]]:
    """Those that are not about an aggregate that is gone."""
    subjects = sorted({event.data.subject for event in events})
    gone = {row["subject"] for row in await SQL.fetch(conn, "find_gone", subjects=subjects)}
    return [event for event in events if event.data.subject not in gone]
