"""The plan of a prestage: what is sent to the site for each component, and what goes afterwards. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.deployer.domain import Operation
from services.deployer.drivers import Item, Verb
from services.deployer.phases import Phase
from services.deployer.plan import KIND_OF, Content, Ground, Plan, Prepared, content_items, decision
from shared.messages.deployer import ComponentDecision

Can = Callable[[str, Verb], bool]
"""Whether a driver can carry out a verb."""


class Way(NamedTuple):
    """A plan, and why phases have nothing to do."""

    plan: Plan
    without: Mapping[str, str]


def plan_of(operation: Operation, ground: Ground, can: Can, platform: str) -> Way:
    """What a prestage does on its site. The release is prepared."""
    content = ground.contents[operation.to_version or ""]
    prepared = ground.prepared[content.version]
    there = lying(ground)
    sent = [
        decision(component=name, driver=component.driver, action=action, reason=_of(items, kind, there))
        for action, kind in KIND_OF.items()
        for name, component in content.components.items()
        if (items := prepared.items_of(name, kind, platform)) and can(component.driver, "fetch")
    ]
    gone = _leaving(operation, ground, can)
    kinds = {KIND_OF[way.action] for way in sent}
    without: dict[str, str] = {
        phase: _why_none(content, prepared, kind, can)
        for phase, kind in ((Phase.PACKAGES, "package"), (Phase.IMAGES, "image"))
        if kind not in kinds
    }
    skipped = [
        decision(component=name, driver=component.driver, action="skip", reason=f"{phase}: {why}")
        for phase, why in without.items()
        for name, component in content.components.items()
    ]
    return Way((*sent, *skipped, *gone), without if gone else without | {Phase.CLEAN: "there is nothing that may go"})


def lying(ground: Ground) -> frozenset[str]:
    """Digests of what lies on the site, as far as is known: of releases that were prestaged whole."""
    versions = {each.version for each in ground.deployment.prestaged if each.complete}
    return frozenset(i.sha256 for v in versions if (known := ground.prepared.get(v)) for i in known.items)


def missing_bytes(items: Iterable[Item], there: frozenset[str]) -> int:
    """How much of these is not known to lie on the site."""
    return sum({item.sha256: item.bytes for item in items if item.sha256 not in there}.values())


def _of(items: Sequence[Item], kind: str, there: frozenset[str]) -> str:
    missing, total = missing_bytes(items, there), missing_bytes(items, frozenset())
    told = f"{len(items)} {kind}{'' if len(items) == 1 else 's'}, {size(total)}"
    rest = "all of it lies there" if not missing else "" if missing == total else f"{size(missing)} are missing"
    return "; ".join(filter(None, (told, rest)))


def _leaving(operation: Operation, ground: Ground, can: Can) -> list[ComponentDecision]:
    contents = [ground.contents[version] for version in ground.leaving if version in ground.contents]
    drivers = {name: c.driver for content in contents for name, c in content.components.items()}
    kept = f"of {', '.join(ground.leaving)}, kept no longer"
    return [
        decision(component=name, driver=driver, action="discard", reason=f"{len(items)} items {kept}")
        for name, driver in drivers.items()
        if can(driver, "discard")
        and driver in ground.site.connections
        and (items := content_items(operation, ground, "discard", name, ""))
    ]


def _why_none(content: Content, prepared: Prepared, kind: str, can: Can) -> str:
    brought = {item.component for item in prepared.items if item.kind == kind}
    unable = {c.driver for name, c in content.components.items() if name in brought and not can(c.driver, "fetch")}
    told = [f"the driver {driver} sends none beforehand" for driver in sorted(unable)]
    return "; ".join([*told, *prepared.notes]) or f"the release brings no {kind}s"


def size(count: int) -> str:
    """Bytes for people."""
    units = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
    return next((f"{count / unit:.1f} {name}" for unit, name in units if count >= unit), f"{count} bytes")


def prepared_words(prepared: Prepared) -> str:
    """What was prepared, and when."""
    told = f"{len(prepared.items)} packages and images of {size(prepared.bytes)}"
    return "; ".join([f"{told}, prepared {prepared.at:%Y-%m-%d %H:%M} UTC", *prepared.notes])
