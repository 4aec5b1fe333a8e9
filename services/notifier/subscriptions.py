"""Commands about subscriptions: who is told, and where."""

import asyncio
from collections.abc import Sequence

from services.notifier import store
from services.notifier.desk import Desk
from services.notifier.domain import Reason
from services.notifier.keys import Unsealable, unseal
from services.notifier.targets import TargetRefused, UnknownHost, check_target
from shared.codec import Envelope
from shared.inbox import Accepted, Rejected, Verdict
from shared.ledger import Turn
from shared.messages.base import Fault
from shared.messages.notifier import AddSubscription, RemoveSubscription, SubscriptionChanged


async def add_subscription(desk: Desk, turn: Turn, envelopes: Sequence[Envelope[AddSubscription]]) -> list[Verdict]:
    """Subscribe webhooks. Target and secret are checked here so that a mistake is told now, not by a dead delivery."""
    faults = await asyncio.gather(*(_target_faults(desk, envelope.data) for envelope in envelopes))
    return [await _subscribe(desk, turn, e, found) for e, found in zip(envelopes, faults, strict=True)]


async def _subscribe(desk: Desk, turn: Turn, envelope: Envelope[AddSubscription], faults: list[Fault]) -> Verdict:
    command, topics = envelope.data, tuple(dict.fromkeys(envelope.data.topics))
    faults = [*faults, *_secret_faults(desk, command), *await _name_faults(turn, command.name)]
    if faults:
        return Rejected(tuple(faults))
    sequence = await store.add_subscription(turn.conn, command.name, str(command.url), topics, command.sealed_secret)
    state = SubscriptionChanged(name=command.name, url=str(command.url), topics=topics, state="active")
    turn.emit(state, sequence=sequence or 0, cause=envelope)
    return Accepted({"subscription": command.name})


async def _target_faults(desk: Desk, command: AddSubscription) -> list[Fault]:
    try:
        await check_target(str(command.url), desk.settings.allow_private_targets)
    except TargetRefused as error:
        return [Fault(code=Reason.TARGET_NOT_ALLOWED, field="url", message=str(error), value=command.url.host)]
    except UnknownHost as error:
        return [Fault(code=Reason.UNKNOWN_HOST, field="url", message=str(error), value=command.url.host)]
    return []


def _secret_faults(desk: Desk, command: AddSubscription) -> list[Fault]:
    try:
        if command.sealed_secret is not None:
            unseal(desk.key, command.sealed_secret)
    except Unsealable as error:
        return [Fault(code=Reason.BAD_SECRET, field="sealed_secret", message=str(error))]
    return []


async def _name_faults(turn: Turn, name: str) -> list[Fault]:
    found = await store.find_subscription(turn.conn, name)
    if found is None or found == ("removed", "webhook"):
        return []
    state, channel = found
    is_what = f"is {state}; remove it first" if channel == "webhook" else "is the log's own"
    message = f"the name {name!r} is taken: that subscription {is_what}, or take another name"
    return [Fault(code=Reason.SUBSCRIPTION_EXISTS, field="name", message=message, value=name)]


async def remove_subscription(_: Desk, turn: Turn, envelopes: Sequence[Envelope[RemoveSubscription]]) -> list[Verdict]:
    """Unsubscribe; what is on its way is dropped, and the secret is forgotten."""
    return [await _unsubscribe(turn, envelope) for envelope in envelopes]


async def _unsubscribe(turn: Turn, envelope: Envelope[RemoveSubscription]) -> Verdict:
    name = envelope.data.name
    ended = await store.end_subscription(turn.conn, name, "removed", "", turn.now)
    if ended is None:
        message = f"there is no subscription {name!r}"
        return Rejected.because(Reason.UNKNOWN_SUBSCRIPTION, message, "name", name)
    url, topics, sequence = ended
    changed = SubscriptionChanged(name=name, url=url, topics=tuple(topics), state="removed")
    turn.emit(changed, sequence=sequence, cause=envelope)
    return Accepted({"subscription": name})
