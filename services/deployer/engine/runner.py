"""The runner: claims operations in batches, walks each through its course, and writes what ended in one transaction.

What a driver finishes at once is claimed, planned, done and written without any write in between. Killed at any
point, what it held waits again when its lease ends; the next runner walks the same courses again, and the
drivers know by the keys of the orders what was done already. Only what cannot be found out again is saved on the way,
before anything is done about it: that an operation is being stopped or turned back, and why.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from services.deployer import course as courses
from services.deployer.alive.asking import Asking
from services.deployer.course import Course, Move, Next
from services.deployer.dependencies.beginning import Beginnings, cause_of, with_notices
from services.deployer.dependencies.judging import Verdict
from services.deployer.domain import Operation
from services.deployer.drivers.registry import DriverRegistry, first_of
from services.deployer.engine.aside import Aside
from services.deployer.engine.execution import Execution, begin, wish_of
from services.deployer.engine.leases import Leases
from services.deployer.engine.planner import Planner
from services.deployer.engine.results import finish, save, tell
from services.deployer.ordering import ordering_of
from services.deployer.phases import LEAVING, Leg, Phase
from services.deployer.plan import Ground, Plan, no_way_back, obstacle
from services.deployer.prestage.precheck import Precheck
from services.deployer.secrets.opening import SecretOpener
from services.deployer.settings import DeployerSettings
from services.deployer.store import Claim, Loaded, Store
from shared.core.errors import is_transient
from shared.core.retrying import for_ever
from shared.core.scheduler import FALLBACK_SECONDS
from shared.core.transaction import Ledger
from shared.messages.deployer import Cause

log = structlog.get_logger()

PACE_SECONDS = 4e-6
"""Pause for each operation under way before the drivers are asked again, so that asking never fills a core."""

TOLD_A_SECOND = 500
"""Progress events of one replica, about: with thousands under way each is told of less often."""

GRAVE = (Next.STOP, Next.RECOVER)
AT_ONCE = (Next.START, Next.ASK, Next.STOP)


class Runner:
    """One replica's hands."""

    def __init__(
        self,
        ledger: Ledger,
        registry: DriverRegistry,
        settings: DeployerSettings,
        leases: Leases,
        secrets: SecretOpener,
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._planner = Planner(registry, secrets, settings.prestaged_keep)
        self._settings = settings
        self._limits = settings.limits
        self._precheck = Precheck(registry, Asking(registry, secrets), settings.limits)
        self._beginnings = Beginnings(ledger.pool)
        self._leases = leases
        self._secrets = secrets
        self._executions: dict[str, Execution] = {}
        self._aside = Aside(ledger.job_queued.pass_on)
        self._looked_at = 0.0
        self._rings, self._claim_at = 0, 0.0

    async def run(self) -> None:
        """Run operations until cancelled; what is under way then goes back to the queue at once."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._leases.keep_for_ever())
                group.create_task(self._run_for_ever())
        finally:
            await self._aside.close()
            await asyncio.shield(self._leases.give_back())

    async def _run_for_ever(self) -> None:
        await for_ever(self._round, "operations go on later", "runner_retry")

    async def _round(self) -> None:
        took = await self._claim()
        more = await self._pass()
        if not took and not more:
            await self._wait()

    async def _claim(self) -> bool:
        """Look for what waits: when the bell rang, while there was more than we could take, and once a second."""
        rings, now = self._ledger.job_queued.rings, self._clock()
        if rings == self._rings and now < self._claim_at:
            return False
        took = await self._leases.claim(self._settings.claim)
        more = took == self._settings.claim or not self._leases.room
        self._rings, self._claim_at = rings, 0.0 if more else now + FALLBACK_SECONDS
        return bool(took)

    async def _wait(self) -> None:
        """Until there is a job, a driver moved, or it is time to look for deadlines and cancellations."""
        if not self._executions:
            await self._ledger.job_queued.wait(FALLBACK_SECONDS)
            return
        seconds = self._settings.cancel_check_seconds
        await first_of([self._ledger.job_queued.wait(seconds), self._registry.wait(seconds)])
        await asyncio.sleep(len(self._executions) * PACE_SECONDS)

    # -- a pass ---------------------------------------------------------------------------------------------------

    async def _pass(self) -> bool:
        """Take everything as far as it goes without waiting, and write what came of it; is there more to take up?

        Only so much is taken up in one go, so that others hear of the first ends while we work on the rest.
        """
        self._executions = {
            key: execution for key, execution in self._executions.items() if self._leases.holds(execution.claim)
        }
        new = [c for c in self._leases.claims if c.id not in self._executions and c.id not in self._aside]
        await self._take_up(new[: self._settings.claim])
        await self._look_for_wishes()
        moving = self._free(self._executions.values())
        while moving and self._leases.sure:
            moving = self._free(await self._step(moving))
        await self._finish([each for each in self._executions.values() if each.todo is Next.END])
        await self._tell()
        return len(new) > self._settings.claim

    def _free(self, executions: Iterable[Execution]) -> list[Execution]:
        """Those that are ours, and wait for no plan."""
        return [e for e in executions if self._leases.holds(e.claim) and e.claim.id not in self._aside]

    async def _step(self, executions: Sequence[Execution]) -> list[Execution]:
        """One move of each; returns those that can go on at once."""
        await self._open([execution for execution in executions if execution.sealed])
        missed = await self._registry.start([order for e in executions if e.todo is Next.START for order in e.orders])
        await self._registry.cancel([order for e in executions if e.todo is Next.STOP for order in e.orders])
        asked = [e for e in executions if e.todo is not Next.END]
        answers = iter(await self._registry.poll([order for e in asked for order in e.orders]))
        now = datetime.now(UTC)
        grave: list[tuple[Execution, Move]] = []
        for execution in asked:
            execution.hear([next(answers) for _ in execution.orders], missed)
            wish, bounds = execution.wish, execution.bounds
            move = courses.advance(execution.course, execution.progress, now, wish, self._limits, bounds)
            if move[1] in GRAVE or _begins_to_change(execution.course, move[0]):
                grave.append((execution, move))
            elif not (execution.missed and move[1] is Next.WAIT):  # then the same start again in the next pass
                execution.go(move)
        if grave:
            await self._turn_all_back(grave, now)
        return [e for e in asked if e.todo in AT_ONCE and not e.missed]

    async def _open(self, executions: Sequence[Execution]) -> None:
        """Put the values of secrets into the orders that name some, just before their drivers get them."""
        if not executions:
            return
        opened = iter(await self._secrets.open([order for each in executions for order in each.orders]))
        for execution in executions:
            execution.take([next(opened) for _ in execution.orders])

    async def _turn_all_back(self, grave: Sequence[tuple[Execution, Move]], now: datetime) -> None:
        """At once, but for those whose way back depends on what their sites say."""
        slow = [
            (e, move)
            for e, move in grave
            if move[1] is Next.RECOVER and self._planner.asks_sites(e.operation, e.ground, e.operation.from_version)
        ]
        beside = {e.claim.id for e, _ in slow}
        if slow:
            self._aside.begin(beside, self._turn_back(slow, now))
        if at_once := [(e, move) for e, move in grave if e.claim.id not in beside]:
            await self._turn_back(at_once, now)

    async def _turn_back(self, grave: Sequence[tuple[Execution, Move]], now: datetime) -> None:
        """Plan the way back of those that failed, and save what was decided before anything is done about it."""
        reasons = {
            id(e): no_way_back(e.operation, e.ground, course.phase)
            for e, (course, todo) in grave
            if todo is Next.RECOVER
        }
        back = [(e, move) for e, move in grave if reasons.get(id(e), "") is None]
        plans = await self._planner.back([(e.operation, e.ground, e.course.plan) for e, _ in back])
        decided = [(e, self._back(e, c, p, now)) for (e, (c, _)), p in zip(back, plans, strict=True)]
        decided += [(e, courses.stay(c, reason)) for e, (c, _) in grave if (reason := reasons.get(id(e)))]
        decided += [(e, move) for e, move in grave if move[1] is not Next.RECOVER]
        async with self._ledger.transaction() as tx:
            ours = await save(tx, self._leases.runner, [(execution, course) for execution, (course, _) in decided])
        for execution, move in decided:
            if execution.claim.id in ours:
                execution.go(move)
        self._leases.forget(execution.claim for execution, _ in decided if execution.claim.id not in ours)

    def _back(self, execution: Execution, course: Course, plan: Plan, now: datetime) -> Move:
        ordering = ordering_of(plan, execution.ground, execution.operation.from_version, Leg.RECOVER)
        return courses.turn_back(course, plan, ordering, now, self._limits)

    # -- begin and end --------------------------------------------------------------------------------------------

    async def _take_up(self, claims: Sequence[Claim]) -> None:
        """New operations get a plan; those of another runner are loaded, and go on where they stood."""
        if not claims:
            return
        loaded = self._leases.known(claims)
        async with self._ledger.pool.acquire() as conn:
            store = Store(conn)
            known = {each.operation.id for each in loaded}
            if strange := [claim.id for claim in claims if claim.id not in known]:
                loaded += await store.load(strange)
            there = [(each.site, each.deployment) for each in loaded]
            grounds = await self._planner.grounds(store, [each.operation for each in loaded], there)
        by_id = {claim.id: claim for claim in claims}
        found = [(by_id[each.operation.id], each, ground) for each, ground in zip(loaded, grounds, strict=True)]
        slow = [
            (claim, each, ground)
            for claim, each, ground in found
            if not each.course and self._asks(each.operation, ground)
        ]
        beside = {claim.id for claim, _, _ in slow}
        if slow:
            for some in _by_their_questions(slow):
                self._aside.begin({claim.id for claim, _, _ in some}, self._take_in(some))
        await self._take_in([each for each in found if each[0].id not in beside])
        known = {claim.id for claim, _, _ in found}
        self._leases.forget(claim for claim in claims if claim.id not in known)

    def _asks(self, operation: Operation, ground: Ground) -> bool:
        """Whether its site is asked something before it begins."""
        return operation.kind in LEAVING or self._planner.asks_sites(operation, ground, operation.to_version)

    async def _take_in(self, found: Sequence[tuple[Claim, Loaded, Ground]]) -> None:
        """They are under way from here on, those that are still ours."""
        now = self._clock()
        new = [
            Execution(claim, each.operation, ground, *move, told_at=now, wish=wish_of(each.cancel_reason))
            for (claim, each, ground), move in zip(found, await self._first_moves(found), strict=True)
        ]
        await self._learn_secrets(new, {claim.id: each.requested_at for claim, each, _ in found})
        await self._open_first(new)
        self._executions |= {each.claim.id: each for each in new if self._leases.holds(each.claim)}

    async def _learn_secrets(self, executions: Sequence[Execution], since: Mapping[str, datetime | None]) -> None:
        """Of those that another runner may have begun, with which versions of secrets; nearly none name any."""
        strange = [(e, names) for e in executions if e.claim.attempt > 1 and (names := e.names)]
        if not strange:
            return
        async with self._ledger.pool.acquire() as conn:
            named = {name for _, by_component in strange for some in by_component.values() for name in some}
            kept = await Store(conn).secret_versions(named)
        for execution, _ in strange:
            execution.took_over(kept, since.get(execution.claim.id))

    async def _first_moves(self, found: Sequence[tuple[Claim, Loaded, Ground]]) -> list[Move]:
        """Where each begins: refused, on its plan, or where another runner left it."""
        if all(each.operation.kind in LEAVING and not each.course for _, each, _ in found):
            return await self._precheck.first_moves(found)
        now = datetime.now(UTC)
        verdicts = await self._beginnings.judged([(e.operation, g) for c, e, g in found if _begins(c, e)])
        causes = [
            None if each.course else _waited_in_vain(each) or self._obstacle(each, ground, verdicts)
            for _, each, ground in found
        ]
        new = [(e.operation, g) for (_, e, g), cause in zip(found, causes, strict=True) if not (e.course or cause)]
        made = zip(new, await self._planner.forward(new), strict=True)
        plans = iter([with_notices(plan, verdicts.get(o.id)) for (o, _), plan in made])
        return [
            (each.course, courses.resume(each.course))
            if each.course
            else courses.refuse(each.operation.kind, cause, now, _waited_in(each))
            if cause
            else self._begin(next(plans), each, ground, claim.attempt, now)
            for (claim, each, ground), cause in zip(found, causes, strict=True)
        ]

    def _obstacle(self, loaded: Loaded, ground: Ground, verdicts: Mapping[str, Verdict]) -> Cause | None:
        verdict = verdicts.get(loaded.operation.id)
        return obstacle(loaded.operation, ground, self._registry) or cause_of(verdict)

    def _begin(self, plan: Plan, loaded: Loaded, ground: Ground, attempt: int, now: datetime) -> Move:
        ordering = ordering_of(plan, ground, loaded.operation.to_version, Leg.FORWARD)
        return begin(plan, ordering, loaded, attempt, now, self._limits, self._registry.fetching(plan))

    async def _open_first(self, executions: Sequence[Execution]) -> None:
        """One whose secrets cannot be had is not begun; one that another runner may have begun fails, and goes back."""
        await self._open([execution for execution in executions if execution.sealed])
        now = datetime.now(UTC)
        for execution in executions:
            if execution.unopened and execution.claim.attempt == 1:
                why = next(iter(execution.unopened.values()))
                cause = Cause(code=why.code, message=why.message)
                execution.go(courses.refuse(execution.operation.kind, cause, now))

    async def _finish(self, executions: Sequence[Execution]) -> None:
        """Write what ended; if a result cannot be written, halves, down to the one that is to blame."""
        if not executions:
            return
        try:
            async with self._ledger.transaction() as tx:
                await finish(tx, self._leases.runner, executions, self._settings.history)
        except Exception as error:
            if is_transient(error):
                raise
            if len(executions) > 1:
                await self._finish(executions[: len(executions) // 2])
                await self._finish(executions[len(executions) // 2 :])
                return
            log.exception("a result cannot be written", action="result_broke", operation=executions[0].claim.id)
        for execution in executions:
            del self._executions[execution.claim.id]
        self._leases.forget(execution.claim for execution in executions)

    # -- while they last ------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        """Say how far those have come that nobody has heard of for a while; that also keeps their courses."""
        now = self._clock()
        pause = max(self._settings.progress_seconds, len(self._executions) / TOLD_A_SECOND)
        due = [e for e in self._executions.values() if now - e.told_at >= pause]
        if not due:
            return
        async with self._ledger.transaction() as tx:
            ours = await tell(tx, self._leases.runner, due)
        for execution in due:
            execution.told_at = now
        self._leases.forget(execution.claim for execution in due if execution.claim.id not in ours)

    async def _look_for_wishes(self) -> None:
        """Cancellations reach us through the database: the command may have gone to any replica."""
        now = self._clock()
        if not self._executions or now - self._looked_at < self._settings.cancel_check_seconds:
            return
        self._looked_at = now
        async with self._ledger.pool.acquire() as conn:
            wishes = await Store(conn).wishes(list(self._executions))
        for identifier, reason in wishes.items():
            if execution := self._executions.get(identifier):
                execution.wish = wish_of(reason)

    def _clock(self) -> float:
        return asyncio.get_running_loop().time()


def _begins_to_change(before: Course, after: Course) -> bool:
    """All was fetched. From here on a failure is turned back, also by a runner that finds nothing else of this one."""
    return before.phase is Phase.FETCH and after.phase is not Phase.FETCH


def _waited_in_vain(loaded: Loaded) -> Cause | None:
    """Why one that waited for a publication ends as it begins: whatever took it up before began nothing either."""
    waits = loaded.operation.publication is not None and loaded.operation.to_version is None
    return loaded.refused or (wish_of(loaded.cancel_reason) if waits else None)


def _waited_in(loaded: Loaded) -> Phase:
    """Where it is refused: it began nothing, or what it waited for was not to be had."""
    waited = loaded.operation.publication and loaded.operation.to_version is None
    return Phase.UPLOAD if waited else Phase.PRECHECK


def _begins(claim: Claim, loaded: Loaded) -> bool:
    """Whether it is taken up for the first time: nobody can have changed anything for it before."""
    return claim.attempt == 1 and loaded.course is None


def _by_their_questions(found: Sequence[tuple[Claim, Loaded, Ground]]) -> list[list[tuple[Claim, Loaded, Ground]]]:
    """Those that ask whether content may come, and those that ask where they could go back to."""
    prestages = [each for each in found if each[1].operation.kind in LEAVING]
    others = [each for each in found if each[1].operation.kind not in LEAVING]
    return [some for some in (prestages, others) if some]
