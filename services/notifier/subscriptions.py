"""Commands about subscriptions: who is told, and where."""

import asyncio
from collections.abc import Sequence

from services.notifier import store
from services.notifier.announcing import tell_deliveries, tell_subscription
from services.notifier.context import Context
from services.notifier.domain import Reason
from services.notifier.keys import signing_key
from services.notifier.payloads import samples
from services.notifier.payloads.template import faults_of_template
from services.notifier.store import Subscribed
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import ErrorCode, Fault
from shared.messages.notifier import AddSubscription, EnableSubscription, RemoveSubscription, WebhookFormat
from shared.sealing import Unopenable
from shared.targets import TargetRefused, UnknownHost, check_target
from shared.wire.codec import Envelope


async def add_subscription(
    context: Context, tx: Transaction, envelopes: Sequence[Envelope[AddSubscription]]
) -> list[Reply]:
    """Subscribe webhooks. Target and secret are checked here so that a mistake is told now, not by a dead delivery."""
    faults = await asyncio.gather(*(_target_faults(context, envelope.data) for envelope in envelopes))
    return [await _subscribe(context, tx, e, found) for e, found in zip(envelopes, faults, strict=True)]


async def _subscribe(
    context: Context, tx: Transaction, envelope: Envelope[AddSubscription], faults: list[Fault]
) -> Reply:
    command, topics = envelope.data, tuple(dict.fromkeys(envelope.data.topics))
    # A template is somebody's program: while it is tried, others go on.
    faults = [*faults, *_secret_faults(context, command), *await asyncio.to_thread(_format_faults, command)]
    faults += await _name_faults(tx, command.name)
    if faults:
        return Rejected(tuple(faults))
    name, url, form, template = command.name, str(command.url), command.format, command.template
    sequence = await store.add_subscription(tx.conn, name, url, topics, command.sealed_secret, form, template)
    tell_subscription(tx, Subscribed(name, "active", "", url, topics, form, template, sequence or 0), envelope)
    return Accepted({"subscription": name})


def _format_faults(command: AddSubscription) -> list[Fault]:
    """A template is filled in here with samples, so that a mistake is told now, not by a dead delivery."""
    custom = command.format is WebhookFormat.CUSTOM
    if custom and command.template is None:
        message = "the format `custom` needs a template; `belay subscription formats` shows some to begin with"
        return [Fault(code=ErrorCode.MISSING_FIELD, field="template", message=message)]
    if command.template is None:
        return []
    if not custom:
        message = f"the format `{command.format}` has its own; leave the template out, or take the format `custom`"
        return [Fault(code=ErrorCode.INVALID_FIELD, field="template", message=message)]
    return faults_of_template(command.template, samples())


async def _target_faults(context: Context, command: AddSubscription) -> list[Fault]:
    try:
        # Behind a proxy the names of the world are often in no DNS of ours.
        unknown_is_fault = not context.settings.proxy
        await check_target(str(command.url), context.settings.bounds, unknown_is_fault)
    except TargetRefused as error:
        return [Fault(code=Reason.TARGET_NOT_ALLOWED, field="url", message=str(error), value=command.url.host)]
    except UnknownHost as error:
        return [Fault(code=Reason.UNKNOWN_HOST, field="url", message=str(error), value=command.url.host)]
    return []


def _secret_faults(context: Context, command: AddSubscription) -> list[Fault]:
    try:
        if command.sealed_secret is not None:
            signing_key(context.keys, command.sealed_secret)
    except Unopenable as error:
        return [Fault(code=Reason.BAD_SECRET, field="sealed_secret", message=str(error))]
    return []


async def _name_faults(tx: Transaction, name: str) -> list[Fault]:
    found = await store.find_subscription(tx.conn, name)
    if found is None or found == ("removed", "webhook"):
        return []
    state, channel = found
    is_what = f"is {state}; remove it first" if channel == "webhook" else "is the log's own"
    message = f"the name {name!r} is taken: that subscription {is_what}, or take another name"
    return [Fault(code=Reason.SUBSCRIPTION_EXISTS, field="name", message=message, value=name)]


async def remove_subscription(
    _: Context, tx: Transaction, envelopes: Sequence[Envelope[RemoveSubscription]]
) -> list[Reply]:
    """Unsubscribe; what is on its way is dropped, and the secret is forgotten."""
    return [await _unsubscribe(tx, envelope) for envelope in envelopes]


async def _unsubscribe(tx: Transaction, envelope: Envelope[RemoveSubscription]) -> Reply:
    name = envelope.data.name
    ended = await store.end_subscription(tx.conn, name, "removed", "", tx.now)
    if ended is None:
        return unknown_subscription(name)
    subscription, dropped = ended
    tell_subscription(tx, subscription, envelope)
    await tell_deliveries(tx, dropped)
    return Accepted({"subscription": name})


async def enable_subscription(
    _: Context, tx: Transaction, envelopes: Sequence[Envelope[EnableSubscription]]
) -> list[Reply]:
    """Deliver to dead ones again. What was dropped stays so until somebody asks for it."""
    return [await _enable(tx, envelope) for envelope in envelopes]


async def _enable(tx: Transaction, envelope: Envelope[EnableSubscription]) -> Reply:
    name = envelope.data.name
    if enabled := await store.enable_subscription(tx.conn, name):
        tell_subscription(tx, enabled, envelope)
        return Accepted({"subscription": name, "missed": len(await store.find_undelivered(tx.conn, name, 1_000))})
    found = await store.find_subscription(tx.conn, name)
    if found == ("active", "webhook"):
        message = f"the subscription {name!r} is active: there is nothing to enable"
        return Rejected.because(Reason.WRONG_STATE, message, "name", name)
    return unknown_subscription(name)


def unknown_subscription(name: str) -> Rejected:
    """There is none of this name that is a person's."""
    return Rejected.because(Reason.UNKNOWN_SUBSCRIPTION, f"there is no subscription {name!r}", "name", name)
