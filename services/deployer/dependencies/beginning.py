"""What begins is judged once more by what it needs: the site may not be as it was when it was asked for."""

import time
from collections.abc import Mapping, Sequence

from services.deployer.dependencies import store
from services.deployer.dependencies.judging import Asked, Verdict, judge
from services.deployer.dependencies.needs import ARRIVING
from services.deployer.domain import Operation
from services.deployer.plan import Ground, Plan
from services.deployer.store import Store
from shared.messages.base import Cause
from shared.messages.rules import PLAIN
from shared.messages.words import OperationKind as Kind
from shared.process.db import Pool

RELIED_SECONDS = 2.0
"""So long it is remembered which apps others need."""

LONGEST = 2_000

Beginning = tuple[Operation, Ground]


class Beginnings:
    """Judges operations that begin. Of apps that need nothing and that nobody needs nothing is looked up."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._relied: frozenset[str] = frozenset()
        self._relied_until = 0.0

    async def judged(self, beginning: Sequence[Beginning]) -> Mapping[str, Verdict]:
        """The verdicts on those that there is something to say about, by operation."""
        if not beginning:
            return {}
        relied = await self._apps_relied_on()
        concerned = [(o, ground) for o, ground in beginning if _is_concerned(o, ground, relied)]
        if not concerned:
            return {}
        async with self._pool.acquire() as conn:
            releases, _ = await Store(conn).releases([(o.app, _version(o)) for o, _ in concerned])
            asked = [
                Asked(o.site, o.app, o.kind, releases.get((o.app, _version(o))), frozenset(ground.site.connections))
                for o, ground in concerned
            ]
            verdicts = await judge(conn, asked)
        return {o.id: verdict for (o, _), verdict in zip(concerned, verdicts, strict=True)}

    async def _apps_relied_on(self) -> frozenset[str]:
        if time.monotonic() >= self._relied_until:
            async with self._pool.acquire() as conn:
                self._relied = await store.apps_relied_on(conn)
            self._relied_until = time.monotonic() + RELIED_SECONDS
        return self._relied


def _version(operation: Operation) -> str:
    """Of the release that comes, or of a removal that goes."""
    return (operation.from_version if operation.kind is Kind.REMOVE else operation.to_version) or ""


def _is_concerned(operation: Operation, ground: Ground, relied: frozenset[str]) -> bool:
    if operation.kind not in ARRIVING:
        return operation.kind is Kind.REMOVE and operation.app in relied
    content = ground.contents.get(operation.to_version or "")
    return operation.app in relied or (content is not None and content.rules is not PLAIN)


def cause_of(verdict: Verdict | None) -> Cause | None:
    """Why an operation does not begin; None = it does."""
    if verdict is None:
        return None
    if verdict.faults:
        message = "; ".join(fault.message for fault in verdict.faults)
        return Cause(code=verdict.faults[0].code, message=message[:LONGEST])
    if verdict.before:
        named = ", ".join(f"{release.app} {release.version}" for release in verdict.before)
        return Cause(code="dependency_missing", message=f"needs {named} on the site, which is not there now")
    return None


def with_notices(plan: Plan, verdict: Verdict | None) -> Plan:
    """The plan that says what is not as its release would have it: with its first decision."""
    if not plan or verdict is None or not verdict.notices:
        return plan
    first = plan[0].model_copy(update={"notices": (*plan[0].notices, *verdict.notices)})
    return (first, *plan[1:])
