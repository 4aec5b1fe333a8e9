"""What requests are judged by, gathered for a whole batch, and the operations that they begin."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from services.deployer.dependencies.judging import Asked, fault_of, judge
from services.deployer.domain import AUTOMATIC, Facts, Operation, Release, wanted
from services.deployer.engine.planner import Planner
from services.deployer.overrides.judging import with_terms
from services.deployer.store import Pair, Store
from shared.messages.base import Fault
from shared.messages.deployer import Requested, RequestOperation, RequestOperations
from shared.messages.words import OperationKind
from shared.secret_references import names_in
from shared.wire.codec import Envelope

HOUR = 3600

SAID_FOR_ALL = RequestOperations.model_fields.keys() & RequestOperation.model_fields.keys()
"""What a batch says for each of its operations. By name, so that no field that comes later is forgotten on the way."""


class Request(NamedTuple):
    """What was asked for: a command of its own, or one of a batch."""

    operation_id: str
    data: RequestOperation
    root: str
    actor: str
    again: bool = True
    round: int = 1
    run_id: str | None = None
    """The run over its site that it is part of."""


def single(command: Envelope[RequestOperations], one: Requested) -> Request:
    """One operation of a batch, as if it were asked for alone."""
    batch = command.data
    said = {name: getattr(batch, name) for name in SAID_FOR_ALL}
    data = RequestOperation(**{**said, "site": one.site, "version": one.version or batch.version})
    return Request(one.operation_id, data, command.root, command.actor, batch.again, batch.round)


async def judged_by(planner: Planner | None, store: Store, requests: Sequence[Request]) -> list[Facts]:
    """What is known of what each request names, in order. Without a planner it is found out later, when the operation
    begins, whether its release can be deployed with what is set."""
    asked = [request.data for request in requests]
    known = await store.facts((r.site, r.app) for r in asked)
    versions = [wanted(request, facts.deployment) for request, facts in zip(asked, known, strict=True)]
    pairs = [(r.app, v or "") for r, v in zip(asked, versions, strict=True)]
    releases, apps = await store.releases([*pairs, *_going(asked, known)])
    if unknown := {pair for pair in pairs if pair[1] and pair[0] in apps and pair not in releases}:
        spelt = await store.as_published(unknown)  # 1.0 may be 1.0.0 there
        versions = [spelt.get(pair, pair[1]) or None for pair in pairs]
        releases |= (await store.releases((app, version) for (app, _), version in spelt.items()))[0]
    secrets = await _known_secrets(store, known)
    facts = [
        Facts(
            f.site,
            f.deployment,
            v,
            releases.get((d.app, v or "")),
            d.app in apps,
            f.held_by,
            f.busy_with,
            secrets,
            r.again,
            f.set_now,
        )
        for r, d, f, v in zip(requests, asked, known, versions, strict=True)
    ]
    facts = await _with_terms(planner, store, requests, facts)
    return await _with_needs(store, requests, facts, releases)


async def _with_terms(
    planner: Planner | None, store: Store, requests: Sequence[Request], facts: Sequence[Facts]
) -> list[Facts]:
    """With what is set for the sites, and whether releases can be deployed so; where nothing is set, as they are."""
    found = [with_terms(request.data, each) for request, each in zip(requests, facts, strict=True)]
    some = [n for n, each in enumerate(found) if _touched(each) and each.target and each.site]
    if some and planner:
        operations = [operation_of(requests[n], found[n]) for n in some]
        there = [(site, found[n].deployment) for n in some if (site := found[n].site)]
        for n, misfits in zip(some, await planner.misfits(store, operations, there), strict=True):
            found[n] = replace(found[n], misfits=misfits)
    return found


def _going(asked: Sequence[RequestOperation], known: Sequence[Facts]) -> list[Pair]:
    """The releases that are to be removed: others may need them."""
    pairs = zip(asked, known, strict=True)
    return [(r.app, f.deployment.version) for r, f in pairs if r.kind is OperationKind.REMOVE and f.deployment.version]


async def _with_needs(
    store: Store, requests: Sequence[Request], facts: Sequence[Facts], releases: Mapping[Pair, Release]
) -> list[Facts]:
    """With what their releases need of sites and other apps; where none says anything of it, nothing is looked up."""
    pairs = list(zip(requests, facts, strict=True))
    concerned = [f.target or releases.get((r.data.app, f.deployment.version or "")) for r, f in pairs]
    if not any(each and each.says_something for each in concerned):
        return list(facts)
    asked = [
        Asked(r.data.site, r.data.app, r.data.kind, each, frozenset(f.site.connections if f.site else ()))
        for (r, f), each in zip(pairs, concerned, strict=True)
    ]
    verdicts = await judge(store.conn, asked)
    return [
        replace(f, unmet=(*_forbidden(r, a), *v.faults), notices=v.notices, before=v.before)
        for r, f, a, v in zip(requests, facts, asked, verdicts, strict=True)
    ]


def _forbidden(request: Request, asked: Asked) -> tuple[Fault, ...]:
    """What goes by itself is not asked for by anybody."""
    if asked.target is None or asked.kind not in asked.target.forbidden or request.actor == AUTOMATIC:
        return ()
    message = f"people may not {asked.kind} this app here; Belay does so by itself, as `belay app behaviour` says"
    return (fault_of(asked, "operation_forbidden", message),)


def _touched(facts: Facts) -> bool:
    """Whether anything is set for what is to come, or was set for what is there."""
    return bool(facts.terms.used or facts.deployment.overrides)


async def _known_secrets(store: Store, known: Sequence[Facts]) -> frozenset[str]:
    """Those that the sites name and that are there; most fleets name none, and pay nothing for it."""
    named = {name for facts in known if facts.site for name in names_in(facts.site.connections)}
    return frozenset(await store.known_secrets(named)) if named else frozenset()


def operation_of(request: Request, facts: Facts) -> Operation:
    """The operation that a request begins, if nothing forbids it."""
    data = request.data
    return Operation(
        id=request.operation_id,
        site=data.site,
        app=data.app,
        kind=data.kind,
        from_version=facts.deployment.version,
        to_version=facts.version,
        timeout_seconds=_seconds(data, facts),
        strategy_id=data.strategy_id,
        correlation_id=request.root,
        actor=request.actor,
        force=data.force,
        recover=data.recover or _rule(facts),
        publication=data.publication,
        terms=facts.terms,
        run_id=request.run_id,
    )


def _rule(facts: Facts) -> str | None:
    """Kept only where it is not as everywhere else."""
    return "never" if facts.target and facts.target.rules.recover == "never" else None


def _seconds(data: RequestOperation, facts: Facts) -> int:
    """Whoever asks knows best, then the release."""
    of_release = facts.target.rules.timeout_seconds if facts.target else None
    return data.timeout_seconds or of_release or HOUR
