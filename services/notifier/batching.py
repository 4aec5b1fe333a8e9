"""Many notes of a kind become one that counts: an import of 10,000 sites, thousands of failures, a script's releases.

What is batched lies in tables, so that neither a restart nor another replica tells it twice or forgets it; a timer
tells it once its family has come to rest.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from services.notifier import store
from services.notifier.context import Context
from services.notifier.raising import SourcedNote, raise_notes
from services.notifier.rules import FAMILIES, REST_SECONDS, Note, summary_of
from services.notifier.store import NoteBatch
from shared.core.transaction import Timer, Transaction

TIMER = "tell_batches"
EXAMPLES = 3
"""How many of a batch are called by their names."""


async def raise_or_batch(context: Context, tx: Transaction, told: Sequence[SourcedNote]) -> None:
    """Raise what stands for itself, and the first of each family; batch the others."""
    keys = sorted({key for each in told if (key := _key(each))})
    known = await store.open_batches(tx.conn, keys, tx.now, timedelta(seconds=REST_SECONDS)) if keys else {}
    alone = {key: _alone(known[key]) for key in keys}
    now: list[SourcedNote] = []
    left: dict[str, list[Note]] = {key: [] for key in keys}
    taken: Counter[str] = Counter()
    for each in told:
        key = _key(each)
        if key and taken[key] >= alone[key]:
            left[key].append(each[1])
        else:
            taken[key] += 1
            now.append(each)
    await raise_notes(context, tx, now)
    for key in keys:
        await _batch(tx, known[key], taken[key], left[key])


def _key(told: SourcedNote) -> str:
    """Of one family and one actor: what two people do at a time is told apart. Empty for what stands for itself."""
    envelope, note = told
    return f"{note.family}/{envelope.actor if envelope else ''}" if note.family else ""


def _alone(batch: NoteBatch) -> int:
    """How many more are told one by one: none while others wait to be told together."""
    return 0 if batch.since else max(0, FAMILIES[batch.family].alone - batch.told)


async def _batch(tx: Transaction, batch: NoteBatch, alone: int, notes: Sequence[Note]) -> None:
    await store.add_to_batch(tx.conn, batch.key, alone, notes, tx.now)
    if notes:
        family, since = FAMILIES[batch.family], batch.since or tx.now
        due_at = min(tx.now + timedelta(seconds=family.quiet), since + timedelta(seconds=family.most))
        tx.set_timer(TIMER, batch.key, due_at)


async def tell_batches(context: Context, tx: Transaction, timers: Sequence[Timer]) -> None:
    """Tell of each family that has come to rest, once. Who is being added to has a timer that is to come."""
    told: list[SourcedNote] = []
    for timer in sorted(timers, key=lambda timer: timer.key):
        count, first = await store.take_batch(tx.conn, timer.key, EXAMPLES)
        if count:
            family, _, _ = timer.key.partition("/")
            told.append((None, first[0] if count == 1 else summary_of(family, first, count)))
    await raise_notes(context, tx, told)
