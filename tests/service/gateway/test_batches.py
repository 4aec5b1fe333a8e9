"""However a story is cut into batches, and whatever of it is told again, it ends in the same tables."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.examples import EXAMPLES
from services.gateway.events.learning import LearningTransaction
from services.gateway.handlers import HANDLERS
from shared.core.dispatching import in_waves
from shared.messages import catalog, deployer, notifier, strategy
from shared.messages.base import Message
from shared.messages.deployer_values import ComponentDecision, SiteAvailability
from shared.wire.codec import Envelope
from tests.service.gateway.api import gateway
from tests.service.gateway.told import (
    at,
    failed,
    planned,
    progressed,
    running,
    sites_changed,
    state_changed,
    stepped,
    succeeded,
)
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.filterwarnings("ignore:Do not use the `random` module")]

GOOD = {type(example): example for example in EXAMPLES}
ORDER = list(dict.fromkeys(HANDLERS.values()))
RANK = {kind.TYPE: ORDER.index(handler) for kind, handler in HANDLERS.items()}
BY_TYPE = {kind.TYPE: handler for kind, handler in HANDLERS.items()}

CHANGES_EACH_TIME = frozenset({"position", "number", "gone_at"})
"""Columns that say in which order rows came, for across keys there is none, or when by our own clock."""

LEAST = 20
"""So many tables the story leaves something in."""


def a(kind: type[Message], **changes: Any) -> Message:
    """A good message of a kind, with these fields."""
    return kind.model_validate({**GOOD[kind].model_dump(), **changes})


def alarm(name: str) -> Message:
    return a(strategy.AlarmRaised, site="oslo", alarm=name, affecting=(), raised_at=at(1))


def answers(site: str, nth: int, availability: str) -> Message:
    cause = {"code": "unreachable", "message": "no route"} if availability == "offline" else None
    told = {"site": site, "availability": availability, "since": at(nth), "nth": nth, "cause": cause}
    return deployer.AvailabilityChanged(bucket=1, sites=(SiteAvailability.model_validate(told),), at=at(nth))


def drifted(nth: int, when: datetime) -> Message:
    good: Any = GOOD[deployer.DriftFound]
    return a(deployer.DriftFound, app="db", sites=(good.sites[0].model_copy(update={"nth": nth}),), at=when)


def fetched(done: int, second: float) -> Message:
    return catalog.BundleProgressed(publication="p-1", phase="fetch", done_bytes=done, total_bytes=90, at=at(second))


PLAN = (ComponentDecision(component="web", driver="simulated", action="apply", reason="it is another release"),)
WAITING = planned("s-1", "north").model_copy(
    update={"spec": planned("s-1", "north").spec.model_copy(update={"version": None, "publication": "p-1"})}
)
RELEASE = {"app": "shop", "version": "2.0.0"}
NEXT = {"app": "shop", "version": "3.0.0", "bundle_sha256": "2" * 64, "release_id": "next"}

STORIES: tuple[tuple[Message, ...], ...] = (
    (  # a strategy that waits, runs, is tried again and is deleted
        WAITING,
        state_changed("s-1", "north", "waiting", 1),
        planned("s-1", "north", 2, 1),
        stepped("s-1", 2, ("oslo", 0, "waiting"), ("bern", 0, "waiting"), ("rome", 1, "waiting")),
        state_changed("s-1", "north", "ready", 2),
        state_changed("s-1", "north", "applying", 3),
        progressed("s-1", 0, "running", 3, waiting=1, running=1),
        stepped("s-1", 3, ("oslo", 0, "running")),
        stepped("s-1", 4, ("oslo", 0, "failed")),
        progressed("s-1", 0, "failed", 4, failed=1, aborted=1),
        state_changed("s-1", "north", "failed", 4),
        state_changed("s-1", "north", "applying", 5),
        stepped("s-1", 5, ("oslo", 0, "running")),
        stepped("s-1", 6, ("oslo", 0, "complete")),
        progressed("s-1", 0, "complete", 6, complete=2),
        state_changed("s-1", "north", "complete", 7),
        strategy.StrategyDeleted(strategy_id="s-1", name="north", at=at(8)),
    ),
    (  # operations: one fails behind its publication, one succeeds, one goes on
        running("o-1", "oslo", 0, publication="p-1", plan=PLAN).model_copy(update={"phase": "upload"}),
        running("o-1", "oslo", 50),
        failed("o-1", "oslo", nth=1),
        running("o-2", "oslo", 10, plan=PLAN),
        succeeded("o-2", "oslo", nth=2),
        running("o-3", "oslo", 10, plan=PLAN),
        running("o-3", "oslo", 20),
    ),
    (  # what the deployer began by itself
        a(deployer.AutomaticRequested, operation_id="o-9", site="oslo", app="web", version="2.0", at=at(0)),
        running("o-9", "oslo", 10),
    ),
    (  # a release that is taken back, is there again, goes, and comes again; and its bundle
        a(catalog.ReleaseAvailable, **RELEASE),
        a(catalog.PreparationBegun, **RELEASE),
        a(catalog.ReleasePrepared, **RELEASE),
        a(catalog.ReleaseWithdrawn, **RELEASE),
        a(catalog.ReleaseDeleting, **RELEASE),
        a(catalog.ReleaseDeletionRefused, **RELEASE),
        a(catalog.ReleaseAvailable, **RELEASE),
        a(catalog.ReleaseDeleting, **RELEASE),
        a(catalog.ReleaseDeleted, **RELEASE),
        a(catalog.ReleaseAvailable, **RELEASE, bundle_sha256="1" * 64, release_id="another"),
    ),
    (a(catalog.ReleaseAvailable, **NEXT),
     a(catalog.ReleaseDeleted, **NEXT)),
    (fetched(10, 1), fetched(60, 2), a(catalog.PublicationSettled, publication="p-1", **RELEASE)),
    (fetched(5, 3).model_copy(update={"publication": "p-2"}), fetched(7, 4).model_copy(update={"publication": "p-2"})),
    (  # a site with alarms that is held, goes, and is another under the same name
        sites_changed("oslo", "bern"),
        alarm("disk"),
        strategy.SitesHeld(strategy_id="s-1", strategy="north", names=("oslo",)),
        a(strategy.AlarmCleared, site="oslo", alarm="disk", affecting=(), at=at(2)),
        alarm("fan"),
        strategy.SitesReleased(strategy_id="s-1"),
        strategy.SitesRemoved(names=("oslo",)),
        sites_changed("oslo", labels={"tier": "edge"}),
        alarm("fan"),
        a(strategy.GroupChanged, name="north"),
        strategy.GroupDeleted(name="north"),
        a(strategy.GroupChanged, name="south"),
    ),
    (answers("oslo", 1, "offline"), answers("oslo", 2, "online"), deployer.SitesChecked(bucket=1, at=at(3))),
    (
        deployer.SecretChanged(name="key", version=1, at=at(1)),
        deployer.SecretRemoved(name="key", at=at(2)),
        deployer.SecretChanged(name="pin", version=1, at=at(3)),
        deployer.SecretChanged(name="pin", version=2, at=at(4)),
    ),
    (a(deployer.OverridesChanged, nth=1), a(deployer.OverridesChanged, nth=2)),
    (a(deployer.BehaviourChanged, nth=1, reason="first"), a(deployer.BehaviourChanged, nth=2, reason="second")),
    (a(deployer.FailedReleaseChanged, nth=1), a(deployer.FailedReleaseChanged, nth=2, failures=0, barred=False)),
    (a(deployer.DriftFound, app="web", at=at(1)), a(deployer.DriftEnded, app="web", sites=("oslo-1",), at=at(2))),
    (drifted(2, at(8)), a(deployer.DriftEnded, app="db", sites=("oslo-1",), nth=3, at=at(4)), drifted(4, at(1))),
    (a(deployer.SiteRunChanged, nth=1), a(deployer.SiteRunChanged, nth=2, state="done", finished_at=at(9))),
    (a(notifier.NotificationRaised, notification_id=7), a(notifier.NotificationsRead, ids=(7,))),
    (a(notifier.SubscriptionChanged, reason="first"), a(notifier.SubscriptionChanged, state="removed")),
    (a(catalog.SigningKeyChanged), a(catalog.SigningKeyRemoved, name="release-2026")),
    (a(catalog.StorageMeasured, bundles=1), a(catalog.StorageMeasured, bundles=2)),
)  # fmt: skip


def in_turns(stories: Sequence[Sequence[Message]]) -> list[Envelope[Any]]:
    """All of them at the same time, each in its order."""
    left, told = [list(story) for story in stories], list[Envelope[Any]]()
    while any(left):
        for story in filter(None, left):
            n = len(told) + 1
            told.append(Envelope(data=story.pop(0), id=f"e-{n}", source="/test", time=at(n), sequence=n))
    return told


STORY = in_turns(STORIES)
BATCHES = st.lists(st.tuples(st.integers(1, 25), st.integers(0, 12)), max_size=12)
"""Of each batch how much is new in it, and how much of what was told before comes again with it, in its order."""


def cut(sizes: Sequence[tuple[int, int]]) -> list[list[Envelope[Any]]]:
    ends = [0]
    for new, _ in sizes:
        ends.append(min(ends[-1] + new, len(STORY)))
    again = [*(back for _, back in sizes), 0]
    ends.append(len(STORY))
    return [STORY[max(begin - back, 0) : end] for (begin, end), back in zip(pairwise(ends), again, strict=True)]


async def learn(conn: asyncpg.Connection[Any], batches: Sequence[Sequence[Envelope[Any]]]) -> None:
    """As the gateway takes what it has polled."""
    for batch in batches:
        tx = LearningTransaction(conn, "/test", at(1_000))  # type: ignore[arg-type]
        for kind, group in in_waves(batch, RANK):
            await BY_TYPE[kind](tx, group)


async def told_by(conn: asyncpg.Connection[Any], tables: Sequence[str]) -> dict[str, Any]:
    drop = " - ".join(["to_jsonb(t)", *(f"'{name}'" for name in sorted(CHANGES_EACH_TIME))])
    found = {}
    for table in tables:
        rows = await conn.fetch(f"select {drop} as row from {table} t order by ({drop})::text")  # noqa: S608
        found[table] = [row["row"] for row in rows]
    return found


async def left_by(pool: Any, batches: Sequence[Sequence[Envelope[Any]]], tables: Sequence[str]) -> dict[str, Any]:
    """What the tables hold after these batches; nothing of it stays."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        try:
            await learn(conn, batches)
            return await told_by(conn, tables)
        finally:
            await transaction.rollback()


async def test_every_cut_of_a_story_into_batches_with_parts_told_again_ends_in_the_same_tables(world: World) -> None:
    async with gateway(world) as api:
        pool, loop = api.service.pool, asyncio.get_running_loop()
        rows = await pool.fetch("select tablename from pg_tables where schemaname = current_schema()")
        every = sorted(row["tablename"] for row in rows)
        before, alone = [await left_by(pool, batches, every) for batches in ((), [[event] for event in STORY])]
        tables = [table for table in every if alone[table] and not before[table]]
        assert len(tables) >= LEAST, tables
        assert {kind.TYPE for kind in HANDLERS} - {event.data.TYPE for event in STORY} <= NOT_TOLD

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(BATCHES)
        def same_whatever_the_cut(sizes: list[tuple[int, int]]) -> None:
            together = asyncio.run_coroutine_threadsafe(left_by(pool, cut(sizes), tables), loop).result()
            assert {name: together[name] for name in tables} == {name: alone[name] for name in tables}

        await asyncio.to_thread(same_whatever_the_cut)


NOT_TOLD = frozenset(
    kind.TYPE for kind in HANDLERS if kind.__name__ in {
        "CommandAccepted", "CommandRejected", "HostReported", "DeployerKeyReported", "NotifierKeyReported",
        "DeliveriesChanged", "DeliveryDied", "OperationsSucceeded", "PreparationFailed", "ReleaseRejected",
        "StageForecast", "FailureRateHigh", "StrategySilent", "TroubleFound", "TroubleOver",
    }
)  # fmt: skip
"""What is told in no table, or replaces a row by its own number or time and is tested where it is learned."""
