"""Every message at the most its schema allows fits its topic, or something named here keeps it from growing so far.

The bound of a message is computed from its fields: text of the greatest length in the longest UTF-8, lists and tables
of the greatest number. What has no bound must stand in BOUNDED_BY, with the place that bounds it.
"""

import types
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from shared.messages import REGISTRY
from shared.messages.base import MOST_FAULTS, Message
from shared.wire.topics import LIVE

INFINITE = float("inf")
JSON_OF_A_CHARACTER = 6
"""The most bytes that one character takes in JSON: a control character as its escape."""

ANSWER = f"listed() in shared/core/inbox.py: {MOST_FAULTS} faults, each cut"
BOUNDARY = "Transaction.emit and the gateway refuse what the topic does not take (TooLarge, 413)"

LIMIT = "`max_parallel` is a number or a per cent (words.Limit)"
CONSTANT = "`fleet` is a constant"

BOUNDED_BY = {
    "command_accepted": f"the handler's result; {BOUNDARY}",
    "command_rejected": ANSWER,
    "catalog.release_available": "bundle.yaml, read up to shared/bundle's limit; " + BOUNDARY,
    "catalog.release_prepared": "a release of more content fails as `too_large`; " + BOUNDARY,
    "catalog.preparation_failed": "services/catalog/domain.py: causes are cut, at most 500 who had asked",
    "catalog.bundle_progressed": "`phase` is one of our words",
    "catalog.set_signing_key": "`expires_at` is a time",
    "catalog.signing_key_changed": "`by` is the name of a token",
    "catalog.signing_key_removed": "`by` is the name of a token",
    "catalog.release_deletion_refused": "services/catalog/domain.needed: ten names of sites",
    "catalog.publication_settled": "listed() in shared/messages/base.py: 100 faults, each cut",
    "catalog.release_rejected": "shared/bundle/faults.py: 100 faults, each cut",
    "deployer.availability_changed": "services/deployer/alive/keeping.py: 500 kB of sites together",
    "deployer.host_reported": "the tags of one Python; " + BOUNDARY,
    "deployer.release_use_reported": "services/deployer/deletion/queries.sql: ten names of sites",
    "deployer.secret_changed": "`by` is the name of a token",
    "deployer.secret_removed": "`by` is the name of a token",
    "deployer.set_overrides": "overrides.LONGEST_VALUES",
    "deployer.overrides_changed": "overrides.LONGEST_VALUES",
    "deployer.set_app_behaviour": BOUNDARY,
    "deployer.behaviour_changed": "what SetAppBehaviour brought; " + BOUNDARY,
    "deployer.failed_release_changed": "20 sites, with causes that evidence.py cut",
    "deployer.drift_found": "services/deployer/automatic/telling.py: 500 kB of sites together",
    "deployer.automatic_requested": "a cause of ours, cut by services/deployer/automatic/deciding.py",
    "deployer.site_run_changed": "services/deployer/site_runs/telling.py: causes are cut, at most 200 apps",
    "deployer.operation_failed": "services/deployer/evidence.py and course.py",
    "deployer.operation_progressed": "the plan: at most 100 components, with reasons of ours",
    "deployer.operation_succeeded": "the plan: at most 100 components, with reasons of ours",
    "deployer.operations_succeeded": "the plan, and at most 200 operations",
    "strategy.create_strategy": BOUNDARY,
    "strategy.undo_strategy": BOUNDARY,
    "strategy.register_sites": BOUNDARY,
    "strategy.change_sites": BOUNDARY,
    "strategy.sites_changed": "telling.told_in_parts; of one site: " + BOUNDARY,
    "strategy.sites_removed": "at most 500 names, as RemoveSites brought them",
    "strategy.sites_held": "rollout/holding.py: at most 500 names",
    "strategy.strategy_planned": "telling.abridged: 1,000 names; 1,000 left out; " + BOUNDARY,
    "strategy.steps_changed": "telling.in_batches: at most 500 steps, and so many words",
    "strategy.alarm_raised": "`by` is the name of a token; " + CONSTANT,
    "strategy.alarm_cleared": "`by` is the name of a token; " + CONSTANT,
    "strategy.create_group": LIMIT,
    "strategy.update_group": LIMIT,
    "strategy.group_changed": LIMIT,
    "strategy.group_deleted": CONSTANT,
    "strategy.sites_released": CONSTANT,
    "strategy.site_state": "`status` is one of our words",
    "strategy.strategy_state_changed": "services/strategy_orchestrator/rollout/reasons.py; a person says little",
    "strategy.stage_progressed": "services/strategy_orchestrator/rollout/reasons.py",
    "strategy.strategy_deleted": "`by` is the name of a token",
    "notifier.add_subscription": BOUNDARY,
    "notifier.subscription_changed": "what AddSubscription brought; " + BOUNDARY,
    "notifier.notification_raised": "services/notifier/rules.py: lines of names and causes; " + BOUNDARY,
    "notifier.notifications_read": "services/notifier/handlers.py: ids in parts",
    "notifier.redeliver_notifications": BOUNDARY,
    "notifier.deliveries_changed": "deliveries in batches; " + BOUNDARY,
    "notifier.delivery_died": "one answer of a webhook, cut; " + BOUNDARY,
}


def reason(message: type[Message]) -> str | None:
    """What bounds it, by its own name or the name of its kind."""
    owner, name = message.TYPE.removeprefix("belay.").rsplit(".v", 1)[0].split(".", 1)
    return next((BOUNDED_BY[key] for key in (f"{owner}.{name}", name) if key in BOUNDED_BY), None)


def most(kind: Any, limits: tuple[Any, ...] = ()) -> float:  # noqa: PLR0911 - a case a line
    """The most bytes of JSON that a value of this type takes."""
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        return most(inner, (*limits, *more))
    if get_origin(kind) in (Union, types.UnionType):
        return max(most(one, limits) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return max(len(str(one)) for one in get_args(kind)) + 2
    if get_origin(kind) in (tuple, list):
        return number(limits) * (most(get_args(kind)[0]) + 1) + 2
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return number(limits) * (most(key) + most(value) + 2) + 2
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return sum(len(name) + 4 + of_field(field) for name, field in kind.model_fields.items()) + 2
    return scalar(kind, limits)


def of_field(field: FieldInfo) -> float:
    return most(field.annotation, tuple(field.metadata))


def scalar(kind: Any, limits: tuple[Any, ...]) -> float:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return max(len(str(one.value)) for one in kind) + 2
    if kind in (int, float, bool, datetime, type(None)):
        return 40
    patterns = [limit.pattern for limit in limits if isinstance(limit, StringConstraints) and limit.pattern]
    if any("{0,98}" in str(pattern) or "{64}" in str(pattern) for pattern in patterns):
        return 102
    return number(limits) * JSON_OF_A_CHARACTER + 2


def number(limits: tuple[Any, ...]) -> float:
    """The greatest length that these limits allow."""
    found = [
        limit.max_length
        for limit in limits
        if isinstance(limit, annotated_types.MaxLen | StringConstraints | annotated_types.Len)
        and limit.max_length is not None
    ]
    return min(found) if found else INFINITE


@pytest.mark.parametrize("message", REGISTRY.values(), ids=REGISTRY)
def test_a_message_at_its_most_fits_its_topic_or_is_bounded_elsewhere(message: type[Message]) -> None:
    if most(message) > LIVE[message.TOPIC].max_body:
        assert reason(message), f"{message.TYPE} can be too large for {message.TOPIC}: say in BOUNDED_BY what bounds it"


def test_nothing_is_named_that_is_bounded_by_itself() -> None:
    found = {reason(message) for message in REGISTRY.values() if most(message) > LIVE[message.TOPIC].max_body}
    assert {key for key, words in BOUNDED_BY.items() if words not in found} == set()
