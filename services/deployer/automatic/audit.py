"""What is deployed is looked at again and again: by buckets of sites, each by one replica, in bounded batches.

Where no app asks for it nothing is read but that. What is found is kept and told once, and what is to be done about it
is wished for in the same transaction: a replica that is killed between the two has done neither.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from services.deployer.automatic import survey_store as store
from services.deployer.automatic.announcing import tell_ended, tell_found
from services.deployer.automatic.deciding import REAPPLY, decided
from services.deployer.automatic.looking import Found, Look
from services.deployer.automatic.survey import Surveyed, barred_by_others, only_secrets, survey, unwanted, words_of
from services.deployer.automatic.survey_store import Drift
from services.deployer.settings import DeployerSettings
from shared.core.retrying import for_ever
from shared.core.transaction import Ledger, Transaction
from shared.messages.automatic import ComponentDrift, Switches
from shared.messages.words import DeploymentStatus as Status

WINDOW = 200
"""Sites looked at together."""

TICK_SECONDS = 1.0


class Audit:
    """The part that one replica has in it."""

    def __init__(self, ledger: Ledger, look: Look, own: DeployerSettings, owner: str, lease_seconds: float) -> None:
        self._ledger = ledger
        self._look = look
        self._own = own
        self._owner = owner
        self._lease = timedelta(seconds=lease_seconds)

    async def run(self) -> None:
        """Until cancelled."""
        await for_ever(self._pass, "what is deployed is looked at later", "audit_retry")

    async def _pass(self) -> None:
        async with self._ledger.pool.acquire() as conn:
            bucket = await store.claim_bucket(conn, self._owner, self._lease)
        if bucket is None:
            await asyncio.sleep(min(TICK_SECONDS, self._own.audit_seconds / 4))
            return
        await self._work(bucket.number)
        async with self._ledger.pool.acquire() as conn:
            await store.finish_bucket(conn, self._owner, bucket, timedelta(seconds=self._own.audit_seconds))

    async def _work(self, bucket: int) -> None:
        async with self._ledger.pool.acquire() as conn:
            said = await store.apps_looked_at(conn)
        after = ""
        while said:
            async with self._ledger.pool.acquire() as conn:
                sites = await store.sites_of_bucket(conn, bucket, after, WINDOW)
                pairs = await store.pairs_of(conn, sites, said) if sites else []
                surveyed = await survey(conn, pairs, said, self._own.failed_at) if pairs else []
                await store.keep_bucket(conn, self._owner, bucket, self._lease)
            if surveyed:
                await self._judge(surveyed, said)
            if len(sites) < WINDOW:
                return
            after = sites[-1]

    async def _judge(self, surveyed: Sequence[Surveyed], said: Mapping[str, Switches]) -> None:
        asked = [each for each in surveyed if _to_be_asked(each)]
        found = await self._look.at(asked)
        surveyed = [each for each in surveyed if _says_something(each, found)]
        if not surveyed:
            return
        async with self._ledger.transaction() as tx:
            # Something may have begun while sites were asked: what they said then is no drift.
            now = await survey(tx.conn, [each.pair for each in surveyed], said, self._own.failed_at)
            still = [each for each, before in zip(now, surveyed, strict=True) if each.free and _same(each, before)]
            await _wish(tx, await _keep(tx, still, found))


def _says_something(surveyed: Surveyed, found: Found) -> bool:
    """Whether anything is to be kept, told or done, or is kept already; of a hundred thousand mostly nothing."""
    known = surveyed.drift or surveyed.wished
    return bool(found.get(surveyed.pair) or known or unwanted(surveyed) or decided(surveyed.situation))


def _to_be_asked(surveyed: Surveyed) -> bool:
    now = surveyed.situation
    return surveyed.free and now.behaviour.audit and now.deployment.status is Status.OPERATIONAL


def _same(now: Surveyed, before: Surveyed) -> bool:
    """Also for an operation that began and ended in between: it leaves a deployment as it was, and what was found of it
    before is over."""
    return (now.ended, now.situation.deployment) == (before.ended, before.situation.deployment)


async def _keep(tx: Transaction, surveyed: Sequence[Surveyed], found: Found) -> list[Surveyed]:
    """Keep and tell what is news, and what is over; as they stand with it."""
    drifted = {each.pair: drift for each in surveyed if (drift := _drift(each, found))}
    well = [each.pair for each in surveyed if each.pair not in drifted and not _unsaid(each, found)]
    news = await store.put_drift(tx.conn, list(drifted.values()), tx.now) if drifted else set()
    over = await store.end_drift(tx.conn, well) if well else []
    if news or over:
        nth = await store.next_drift(tx.conn)
        tell_found(tx, [drift for pair, drift in drifted.items() if pair in news], nth)
        tell_ended(tx, over, nth)
    return [_standing(each, drifted.get(each.pair)) if each.pair in found else each for each in surveyed]


def _standing(surveyed: Surveyed, drift: Drift | None) -> Surveyed:
    drifted = words_of(drift) if drift else ""
    only, barred = only_secrets(drift), barred_by_others(drift)
    return replace(surveyed, situation=replace(surveyed.situation, drifted=drifted, only_secrets=only, barred=barred))


def _unsaid(surveyed: Surveyed, found: Found) -> bool:
    """Whether drivers should have been asked and were not: what was found before may still be so."""
    return surveyed.situation.behaviour.audit and surveyed.situation.deployment.exists and surveyed.pair not in found


def _drift(surveyed: Surveyed, found: Found) -> Drift | None:
    components = found.get(surveyed.pair, ())
    if cause := unwanted(surveyed):
        components = (ComponentDrift.model_validate({"component": "", **cause.model_dump()}),)
    if not components:
        return None
    site, app = surveyed.pair
    told = Drift(site, app, surveyed.situation.deployment.version, components, "told", surveyed.ended)
    return told if barred_by_others(told) else told._replace(follows=_follows(_standing(surveyed, told)))


def _follows(surveyed: Surveyed) -> str:
    """Where something else was given up, this has its tries yet."""
    if surveyed.situation.behaviour.desired_state is None:
        return "told"
    wished, action = surveyed.wished, decided(surveyed.situation)
    same = wished and wished.given_up and not (action and action.cause.code != wished.cause.code)
    return "given_up" if same else "put_right"


async def _wish(tx: Transaction, surveyed: Sequence[Surveyed]) -> None:
    """Wishes for what is to be done now; those that are no longer to be done go."""
    actions = [(each, decided(each.situation)) for each in surveyed]
    if wishes := [(*each.pair, action.cause) for each, action in actions if action]:
        await store.wish(tx.conn, wishes, tx.now)
    idle = [each.pair for each, action in actions if not action and _is_over(each)]
    if idle:
        await store.drop_idle(tx.conn, idle)


def _is_over(surveyed: Surveyed) -> bool:
    """Whether a wish is there for what is as it should be; one to apply it again is not judged by that."""
    return surveyed.wished is not None and surveyed.wished.cause.code not in REAPPLY
