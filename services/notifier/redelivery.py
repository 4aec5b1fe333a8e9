"""Commands about deliveries: try a subscription, deliver again what did not arrive."""

from collections.abc import Sequence

from services.notifier import lanes, store
from services.notifier.announcing import tell_deliveries
from services.notifier.context import Context
from services.notifier.domain import TRANSITIONS, Reason
from services.notifier.subscriptions import unknown_subscription
from shared.core.inbox import Accepted, Rejected, Reply
from shared.core.transaction import Transaction
from shared.messages.base import ErrorCode, Fault
from shared.messages.notifier import (
    DELIVERIES_AT_ONCE,
    DeliveryState,
    RedeliverNotifications,
    SendTestNotification,
)
from shared.wire.codec import Envelope, new_id


async def send_test(_: Context, tx: Transaction, envelopes: Sequence[Envelope[SendTestNotification]]) -> list[Reply]:
    """Send a sample, once. What came of it is told as of any delivery."""
    return [await _test(tx, envelope) for envelope in envelopes]


async def _test(tx: Transaction, envelope: Envelope[SendTestNotification]) -> Reply:
    name = envelope.data.name
    if await store.find_subscription(tx.conn, name) not in (("active", "webhook"), ("dead", "webhook")):
        return unknown_subscription(name)
    delivery_id = f"test:{new_id()}"
    await store.put_test(tx.conn, delivery_id, name, tx.now)
    await tx.put_jobs(lanes.QUEUE, [(delivery_id, {})])
    await tell_deliveries(tx, [delivery_id])
    return Accepted({"subscription": name, "delivery": delivery_id})


async def redeliver(
    context: Context, tx: Transaction, envelopes: Sequence[Envelope[RedeliverNotifications]]
) -> list[Reply]:
    """Deliver again, from the first try, under the ids they had."""
    return [await _redeliver(context, tx, envelope.data) for envelope in envelopes]


async def _redeliver(context: Context, tx: Transaction, command: RedeliverNotifications) -> Reply:
    found = await store.find_subscription(tx.conn, command.name)
    if found not in (("active", "webhook"), ("dead", "webhook")):
        return unknown_subscription(command.name)
    if faults := [*_faults(command, found[0] if found else ""), *await _delivery_faults(tx, command)]:
        return Rejected(tuple(faults))
    missed = await store.find_undelivered(tx.conn, command.name, DELIVERIES_AT_ONCE) if command.undelivered else []
    again = await store.wait_again(tx.conn, [*command.deliveries, *missed])
    await lanes.fill(tx, [command.name], context.settings.per_subscription)
    await tell_deliveries(tx, again)
    return Accepted({"subscription": command.name, "deliveries": len(again)})


def _faults(command: RedeliverNotifications, state: str) -> list[Fault]:
    faults = []
    if state == "dead":
        message = f"the subscription {command.name!r} is dead: enable it first"
        faults.append(Fault(code=Reason.WRONG_STATE, field="name", message=message, value=command.name))
    if not command.deliveries and not command.undelivered:
        message = "say which: a list of delivery ids, or `undelivered` for all that never arrived"
        faults.append(Fault(code=ErrorCode.MISSING_FIELD, field="deliveries", message=message))
    return faults


async def _delivery_faults(tx: Transaction, command: RedeliverNotifications) -> list[Fault]:
    known = await store.find_deliveries(tx.conn, command.name, command.deliveries) if command.deliveries else {}
    named = enumerate(command.deliveries)
    return [fault for place, name in named if (fault := _delivery_fault(f"deliveries.{place}", name, known.get(name)))]


def _delivery_fault(field: str, name: str, found: tuple[DeliveryState, bool] | None) -> Fault | None:
    if found is None:
        message = f"there is no delivery {name!r} of this subscription; old ones are forgotten"
        return Fault(code=Reason.UNKNOWN_DELIVERY, field=field, message=message, value=name)
    state, is_test = found
    if is_test:
        message = "a test call is not delivered again; send another one"
        return Fault(code=Reason.WRONG_STATE, field=field, message=message, value=name)
    if DeliveryState.WAITING not in TRANSITIONS[state] or state is DeliveryState.QUEUED:
        return Fault(code=Reason.WRONG_STATE, field=field, message=f"it is under way: {state}", value=name)
    return None
