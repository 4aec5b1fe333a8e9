"""The way for each component of an operation, and why: plans are data, made by pure functions."""

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from services.deployer.domain import Deployment, Operation, Site
from services.deployer.drivers import Component, Item, Order, Verb
from services.deployer.overrides.moving import moved
from services.deployer.phases import LEAVING, Leg, Phase, row_of
from services.deployer.secrets.rotation import NO_SECRETS, Rotated, Versions, rotated, told
from shared.frozen import light_dataclass
from shared.messages.base import Fault
from shared.messages.deployer import Cause, ComponentDecision, Prestaged
from shared.messages.rules import PLAIN, Rules
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind

Plan = tuple[ComponentDecision, ...]

EMPTY: Mapping[str, Any] = {}

decision = lru_cache(maxsize=4096)(ComponentDecision)  # a fleet's plans are made of the same few decisions


@dataclass(frozen=True, slots=True)
class Content:
    """What is deployed of a release."""

    version: str
    bundle_sha256: str
    components: Mapping[str, Component]
    digests: Mapping[str, str]
    """By component: changes whenever the component's driver, its spec or its files do."""
    max_parallel: int | None = None
    """Components of a site that change at once; None = all that need not wait for others."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Components, each with why its driver does not take its spec: it may be another than at publication."""
    rules: Rules = PLAIN
    """What the release says of how it is deployed."""
    timed: Mapping[str, int] = field(default_factory=dict)
    """By component that has a time of its own until it is ready: seconds."""
    set_for: Mapping[str, str] = field(default_factory=dict)
    """By component for which people set anything: the same for the same."""
    off: Mapping[str, str] = field(default_factory=dict)
    """Components of the release that are not deployed, with the reason."""
    drivers: Mapping[str, str] = field(default_factory=dict)
    """By component that is off, its driver."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By component whose driver takes values: all of them together, secrets by name."""
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    misfits: tuple[Fault, ...] = ()
    """Why what people set cannot be deployed with this release."""

    @staticmethod
    def of(
        version: str,
        bundle_sha256: str,
        components: Iterable[Component],
        max_parallel: int | None = None,
        unreadable: Sequence[tuple[str, str]] = (),
        rules: Rules = PLAIN,
        set_for: Mapping[str, str] = EMPTY,
    ) -> "Content":
        """The content of a release. The bundle stands for the files of components that do not say which are theirs."""
        by_name = {component.name: component for component in components}
        digests = {name: _digest(bundle_sha256, c, set_for.get(name)) for name, c in by_name.items()}
        timed = {name: component.timeout_seconds for name, component in by_name.items() if component.timeout_seconds}
        unread = tuple(unreadable)
        return Content(version, bundle_sha256, by_name, digests, max_parallel, unread, rules, timed, set_for)

    def with_parts(
        self,
        off: Mapping[str, tuple[str, str]],
        values: Mapping[str, Mapping[str, Any]],
        notices: Mapping[str, tuple[str, ...]],
        misfits: tuple[Fault, ...],
    ) -> "Content":
        """With what is known beside its components; `off` has driver and reason."""
        drivers, reasons = {n: driver for n, (driver, _) in off.items()}, {n: why for n, (_, why) in off.items()}
        return replace(self, off=reasons, drivers=drivers, values=values, notices=notices, misfits=misfits)

    def as_recorded(self, record: "Recorded") -> bool:
        """Whether a revision was recorded with the values that are wanted now. The spec itself may be read otherwise
        by another version of its driver: that alone makes no recorded revision worthless."""
        name = record.component
        return same_content(record.digest, self.digests[name]) or _set_for(record.digest) == self.set_for.get(name, "")


def _digest(bundle_sha256: str, component: Component, set_for: str | None) -> str:
    spec = component.spec.model_dump_json() if component.spec is not None else ""
    files = component.files_sha256 or bundle_sha256
    digest = hashlib.sha256(f"{files}{component.driver}{spec}".encode()).hexdigest()
    return f"{digest}+{set_for}" if set_for else digest


def _set_for(digest: str) -> str:
    return digest.partition("+")[2]


def same_content(one: str, other: str) -> bool:
    """Whether two digests are of the same content, whatever of it people set."""
    return one.partition("+")[0] == other.partition("+")[0]


@light_dataclass(frozen=True, slots=True)
class Recorded:
    """What the driver recorded for a component when a release became operational on the site."""

    component: str
    version: str
    revision: str
    driver: str
    digest: str
    secrets: Versions = NO_SECRETS
    """With which versions of secrets it was deployed; empty also where that is not known."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a release brings to sites, as it lies in the blob store."""

    bundle_sha256: str
    items: tuple[Item, ...]
    bytes: int
    at: datetime
    notes: tuple[str, ...] = ()
    """What components do not bring by themselves, and why."""

    def items_of(self, component: str, kind: str | None = None, platform: str | None = None) -> tuple[Item, ...]:
        """What one component brings; of images only those for a platform, where it is known."""
        return tuple(
            item
            for item in self.items
            if item.component == component
            and (kind is None or item.kind == kind)
            and (not platform or item.platform in (None, platform))
        )


@light_dataclass(frozen=True, slots=True)
class Ground:
    """What a plan stands on: the site and what lies there."""

    site: Site
    deployment: Deployment
    contents: Mapping[str, Content]
    """By version: the target with what is set for it now, the current release and the leftovers with what was set when
    they came, as far as they are known."""
    recorded: Sequence[Recorded] = ()
    """Of the same releases."""
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    """By version: of a prestage what it stands on, else what lies prestaged on the site."""
    leaving: tuple[str, ...] = ()
    """Releases whose content a prestage takes away afterwards."""
    needed: frozenset[str] = frozenset()
    """Digests of content that other apps of the site need."""
    silent: frozenset[Recorded] = frozenset()
    """What was recorded, and nobody says whether it is still there: the site does not answer now."""
    ran: Mapping[str, Content] = field(default_factory=dict)
    """By version: the target itself as it lies there already, where something else was set when it came."""
    tried: Sequence[Content] = ()
    """Releases of these as they were tried with something else set, and left half-done: that may lie there, too."""
    secrets: Mapping[str, int] = field(default_factory=dict)
    """By name, the versions that secrets have now: of those with which anything was recorded."""

    def rotated(self, record: Recorded) -> tuple[Rotated, ...]:
        """The secrets that were set again since it was deployed."""
        return rotated(record.secrets, self.secrets) if record.secrets else ()

    def before(self, version: str | None) -> Content | None:
        """A release as it was before the operation: with what was set when it came."""
        return self.ran.get(version or "") or self.contents.get(version or "")

    def toward(self, version: str | None, leg: str) -> Content | None:
        """A release as it is to be on a leg."""
        return self.before(version) if leg == Leg.RECOVER else self.contents.get(version or "")

    @property
    def all_contents(self) -> list[Content]:
        """The releases that matter, each in every way that matters."""
        return [*self.contents.values(), *self.ran.values(), *self.tried]

    def recorded_in(self, record: Recorded) -> Content | None:
        """The release whose component was recorded; None where it has that component no more."""
        known = (self.before(record.version), self.contents.get(record.version))
        return next((content for content in known if content and record.component in content.components), None)

    def lying(self, component: str, version: str | None) -> tuple[Item, ...]:
        """What lies prestaged on the site of a component of a release."""
        found = prestaged(self.deployment, version)
        prepared = self.prepared.get(found.version) if found else None
        return prepared.items_of(component, platform=found.platform) if found and prepared else ()

    def revision(self, component: str, version: str | None) -> Recorded | None:
        """What was recorded for a component of a release, if anything was."""
        for record in self.recorded:
            if record.component == component and record.version == version:
                return record
        return None

    def definition(self, component: str) -> Component:
        """How a component that is to go was last defined. Raises KeyError when no release here has it."""
        return self.last_with(component).components[component]

    def last_with(self, component: str) -> Content:
        """The release that last defined a component which is to go. Raises KeyError when none here has it."""
        for version in (self.deployment.version, *self.deployment.leftovers, *self.contents):
            content = self.before(version)
            if content and component in content.components:
                return content
        if found := next((c for c in self.all_contents if component in c.components), None):
            return found
        raise KeyError(component)


def prestaged(deployment: Deployment, version: str | None) -> Prestaged | None:
    """What lies prestaged of a release, if all of it does."""
    return next((p for p in deployment.prestaged if p.complete and p.version == version), None)


def obstacle(operation: Operation, ground: Ground, drivers: Container[str]) -> Cause | None:
    """What makes it senseless to begin at all; None = nothing."""
    content = ground.contents.get(operation.to_version or "")
    if operation.publication and operation.to_version is None:
        message = f"publication {operation.publication} had made no release available"
        return Cause(code="upload_failed", message=message)
    if operation.to_version and content is None:
        return Cause(code="unknown_release", message=f"release {operation.to_version} is not known any more")
    contents = [content] if content and operation.kind in LEAVING else ground.all_contents
    components = [component for known in contents for component in known.components.values()]
    if missing := sorted({component.driver for component in components if component.driver not in drivers}):
        return Cause(code="driver_unavailable", message=f"this deployer has no driver {', '.join(missing)}")
    if content and (misfits := (*content.misfits, *moved_by(content, ground))):
        told = "; ".join(fault.in_words for fault in misfits)
        return Cause(code="overrides_invalid", message=told[:2_000])
    if unreadable := [f"{name}: {why}" for known in contents for name, why in known.unreadable]:
        return Cause(code="bad_spec", message="; ".join(unreadable)[:2_000])
    return None


def moved_by(content: Content, ground: Ground) -> tuple[Fault, ...]:
    """What of a release people would move to another namespace."""
    before = ground.before(ground.deployment.version) if ground.deployment.exists else None
    if before is None or not (content.set_for or before.set_for):
        return ()
    return tuple(moved(before.components, content.components, before.set_for, content.set_for))


def no_way_back(operation: Operation, ground: Ground, phase: Phase) -> str | None:
    """Why no recovery is tried when the way forward fails in this phase; None = it is tried."""
    row = row_of(operation.kind, Leg.FORWARD, phase)
    if row and not row.way_back:
        recovery = operation.kind is Kind.RECOVER
        return "a recovery that failed is not tried again by itself" if recovery else f"nothing leads back from {phase}"
    if (operation.recover or _rule_of(operation, ground)) == "never":
        return "it is left as it is, since it was not to be turned back (recover: never)"
    if operation.from_version and operation.from_version not in ground.contents:
        return f"release {operation.from_version}, which was there before, is not known any more"
    return None


def _rule_of(operation: Operation, ground: Ground) -> str:
    content = ground.contents.get(operation.to_version or "")
    return content.rules.recover if content else "always"


def questions(operation: Operation, ground: Ground, version: str | None) -> list[Recorded]:
    """The recorded revisions whose existence decides the plan towards `version`; the driver is asked for them."""
    content = ground.contents.get(version or "")
    if content is None or not ground.recorded or (_afresh(operation) and version == operation.to_version):
        return []
    there = ground.ran.get(content.version)
    names = {**content.components, **there.components} if there else content.components
    found = (ground.revision(name, v) for name in names for v in {version, ground.deployment.version})
    # What was recorded may be of a component that its release runs without since: nobody can be asked of that.
    return [record for record in found if record and ground.recorded_in(record)]


def _afresh(operation: Operation) -> bool:
    return operation.kind is Kind.APPLY and not operation.terms.only_changes


def forward(operation: Operation, ground: Ground, existing: Sequence[Recorded]) -> Plan:
    """The plan to the release that was asked for. `existing` are those `questions` that the driver affirmed."""
    content = ground.contents.get(operation.to_version or "")
    if content is None:
        return _removals(ground, {}, "the app is removed")
    towards = [_forward(operation, ground, existing, content, name) for name in content.components]
    gone = _removals(ground, content.components, f"not part of release {content.version}", content.off)
    return (*towards, *gone, *_off(content, gone)) if content.off else (*towards, *gone)


def _off(content: Content, gone: Plan) -> Plan:
    """Components that stay away, told with the reason."""
    named = {way.component for way in gone}
    return tuple(
        decision(component=name, driver=content.drivers[name], action="skip", reason=why)
        for name, why in content.off.items()
        if name not in named
    )


def _forward(
    operation: Operation, ground: Ground, existing: Sequence[Recorded], content: Content, name: str
) -> ComponentDecision:
    driver = content.components[name].driver
    if not _afresh(operation) and (kept := _unchanged(operation, ground, existing, content, name)):
        reason = f"unchanged since release {kept.version}"
        return decision(component=name, driver=driver, action="keep", reason=reason, revision=kept.revision)
    if operation.kind is Kind.APPLY:
        afresh = "apply deploys every component afresh"
        reason = _told(
            _changed(ground, content, name) if operation.terms.only_changes else afresh, ground, content.version
        )
        return decision(component=name, driver=driver, action="apply", reason=reason)
    return _way_to(ground, existing, content, name)


def _changed(ground: Ground, content: Content, name: str) -> str:
    """Why a component is not left as it is."""
    current = ground.revision(name, ground.deployment.version)
    if current is None:
        return "nothing is recorded of what runs there"
    if not same_content(current.digest, content.digests[name]):
        same = ground.deployment.version == content.version
        return "what is set for it has changed" if same else f"release {content.version} has another content"
    if ground.deployment.status is not Status.OPERATIONAL:
        return f"the deployment is in {ground.deployment.status}"
    if changed := ground.rotated(current):
        return told(changed)
    return f"revision {current.revision}, which ran there, is gone"


def _unchanged(
    operation: Operation, ground: Ground, existing: Sequence[Recorded], content: Content, name: str
) -> Recorded | None:
    """What runs there now, when it is sound and has the very content that is wanted."""
    current = ground.revision(name, ground.deployment.version)
    sound = ground.deployment.status is Status.OPERATIONAL and operation.kind is not Kind.RECOVER
    same = current is not None and same_content(current.digest, content.digests[name]) and not ground.rotated(current)
    return current if sound and same and current in existing else None


UNSAID = "and the site does not say now whether that is still there"


def _way_to(
    ground: Ground, existing: Sequence[Recorded], content: Content, name: str, *, as_it_ran: bool = False
) -> ComponentDecision:
    """Back to the recorded revision where there is one; otherwise apply. `as_it_ran`: also where secrets were set again
    since, for what fell may have fallen by one of these."""
    driver, version = content.components[name].driver, content.version
    record = ground.revision(name, version)
    if ground.site.simplex:
        reason = _told("a simplex site always applies", ground, version)
        return decision(component=name, driver=driver, action="apply", reason=reason)
    if record is None:
        reason = f"release {version} was not here before"
    elif not content.as_recorded(record):
        reason = (
            f"release {version} was here before, as revision {record.revision}, but other values were set for it then"
        )
    elif not as_it_ran and (changed := ground.rotated(record)):
        reason = f"release {version} was here before, as revision {record.revision}, but {told(changed)}"
    elif record not in existing and record not in ground.silent:
        reason = f"release {version} was here before, but its revision {record.revision} is gone"
    else:  # who does not know is not to make an apply of a rollback: that it is gone would be said by the order itself
        reason = f"release {version} was here before, as revision {record.revision}"
        reason = _told(reason if record in existing else f"{reason}, {UNSAID}", ground, version)
        return decision(component=name, driver=driver, action="rollback", reason=reason, revision=record.revision)
    return decision(component=name, driver=driver, action="apply", reason=_told(reason, ground, version))


def _told(reason: str, ground: Ground, version: str) -> str:
    """With when its content was sent to the site, if that was done before."""
    found = prestaged(ground.deployment, version) if ground.deployment.prestaged else None
    return f"{reason}; prestaged {found.at:%Y-%m-%d %H:%M} UTC" if found else reason


def recovery(operation: Operation, ground: Ground, existing: Sequence[Recorded], failed: Plan) -> Plan:
    """The plan back to the release that was there before `failed` was tried, or to nothing when there was none."""
    content = ground.before(operation.from_version)
    if content is None:
        return _removals(ground, {}, "there was no release before")
    kept = {d.component: d for d in failed if d.action == "keep"}
    back = [_back(ground, existing, content, name, kept) for name in content.components]
    return (*back, *_removals(ground, content.components, f"not part of release {content.version}"))


def _back(
    ground: Ground, existing: Sequence[Recorded], content: Content, name: str, kept: Mapping[str, ComponentDecision]
) -> ComponentDecision:
    if name not in kept:
        return _way_to(ground, existing, content, name, as_it_ran=True)
    revision = kept[name].revision
    driver = content.components[name].driver
    return decision(component=name, driver=driver, action="keep", reason="was not touched", revision=revision)


def _removals(ground: Ground, wanted: Mapping[str, Component], reason: str, off: Mapping[str, str] = EMPTY) -> Plan:
    """Whatever any release that lies there has, and the wanted one has not."""
    names = dict.fromkeys(name for content in ground.all_contents for name in content.components)
    return tuple(
        decision(component=name, driver=ground.definition(name).driver, action="remove", reason=off.get(name, reason))
        for name in names
        if name not in wanted
    )


def touched(plan: Plan) -> list[ComponentDecision]:
    """What a plan changes; the rest stays as it is."""
    return [way for way in plan if way.action not in ("keep", "skip")]


def order_for(
    operation: Operation, ground: Ground, leg: str, way: ComponentDecision, version: str | None, platform: str = ""
) -> Order:
    """What the driver is told. The key is the same whenever and by whomever the order is made."""
    if way.action in ("fetch_packages", "fetch_images", "discard"):
        return _content_order(operation, ground, way, platform)
    content = None if way.action == "remove" else ground.toward(version, leg)
    brings = content or ground.last_with(way.component)
    return Order(
        key=f"{operation.id}/{leg}/{way.component}",
        site=ground.site.name,
        connection=ground.site.connections.get(way.driver, {}),
        app=operation.app,
        action="remove" if content is None else "rollback" if way.action == "rollback" else "apply",
        component=brings.components[way.component],
        version=content.version if content else None,
        bundle_sha256=brings.bundle_sha256,
        revision=way.revision,
        items=ground.lying(way.component, version) if ground.deployment.prestaged and content else (),
    )


def fetch_order(operation: Operation, ground: Ground, way: ComponentDecision, version: str) -> Order:
    """What the driver is told of a component before anything is touched: to have all that its deployment needs."""
    order = order_for(operation, ground, "fetch", way, version)
    before = ground.before(operation.from_version)
    back = before.bundle_sha256 if before and way.component in before.components else None
    return replace(order, action="fetch", deploys=True, back_sha256=back)


KIND_OF = {"fetch_packages": "package", "fetch_images": "image"}
"""The items that an action of a plan brings."""


def _content_order(operation: Operation, ground: Ground, way: ComponentDecision, platform: str) -> Order:
    """A component has an order for each phase, so the phase is in the key, where others have the leg."""
    verb: Verb = "discard" if way.action == "discard" else "fetch"
    brings = _last_leaving(ground, way.component) if verb == "discard" else ground.contents[operation.to_version or ""]
    return Order(
        key=f"{operation.id}/{way.action}/{way.component}",
        site=ground.site.name,
        connection=ground.site.connections.get(way.driver, {}),
        app=operation.app,
        action=verb,
        component=brings.components[way.component],
        version=brings.version,
        bundle_sha256=brings.bundle_sha256,
        items=content_items(operation, ground, way.action, way.component, platform),
    )


def _last_leaving(ground: Ground, component: str) -> Content:
    contents = [ground.contents[v] for v in ground.leaving if v in ground.contents]
    return next(content for content in reversed(contents) if component in content.components)


def content_items(operation: Operation, ground: Ground, action: str, component: str, platform: str) -> tuple[Item, ...]:
    """What is sent to the site for a component, or may go from there."""
    if action != "discard":
        prepared = ground.prepared.get(operation.to_version or "")
        return prepared.items_of(component, KIND_OF[action], platform) if prepared else ()
    stay = {i.sha256 for v, known in ground.prepared.items() if v not in ground.leaving for i in known.items}
    going = {
        item.sha256: item
        for version in ground.leaving
        if (known := ground.prepared.get(version))
        for item in known.items_of(component)
        if item.sha256 not in stay and item.sha256 not in ground.needed
    }
    return tuple(going.values())
