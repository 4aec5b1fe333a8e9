"""What a strategy type knows of a site and of the releases it may reach, and the reasons that several types share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.messages.rules import SiteRequirement
from shared.messages.strategy import Why
from shared.messages.words import Availability, DeploymentStatus, OperationKind
from shared.site_needs import PATCHES, PLATFORM_RELEASE, unfit
from shared.versions import Scheme, may_upgrade

ALREADY_THERE = "already_there"
"""The site runs the release soundly: it is left out of a plan, and its step is complete without an operation."""

BROKEN = frozenset(
    {
        DeploymentStatus.APPLY_ERROR,
        DeploymentStatus.UPDATE_ERROR,
        DeploymentStatus.ROLLBACK_ERROR,
        DeploymentStatus.REMOVE_ERROR,
    }
)
"""Statuses of a site where something is half-way: work to do, whatever release is recorded."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A selected site with what runs on it."""

    name: str
    group: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    managed: bool = True
    held_by: str | None = None
    """Name of the strategy that holds it now."""
    operation_id: str | None = None
    """A single operation that runs there now."""
    version: str | None = None
    """The release of the app that is recorded there; None = the app is not there."""
    status: str | None = None
    """Of the app, as the deployer last said it."""
    history: tuple[str, ...] = ()
    """The releases that it can return to, by the deployer's word: last the one of a rollback without version."""
    drivers: frozenset[str] = frozenset()
    """Those that reach it; none = nobody has said."""
    availability: str = Availability.UNKNOWN
    """`online`, `offline` or `unknown`, as the deployer last said it."""
    maintenance: bool = False
    """People work on it."""
    alarms: tuple[str, ...] = ()
    """Its active alarms that affect its management."""
    cause: str | None = None
    """Why it is offline."""
    unknown_secrets: tuple[str, ...] = ()
    """Secrets that its connections name and that are not there."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Of its platform: what people told, over what its drivers found."""

    @property
    def broken(self) -> bool:
        """Whether the last operation left it half-way."""
        return self.status in BROKEN

    @property
    def way_back(self) -> str | None:
        """Where a rollback without version leads."""
        return self.history[-1] if self.history else None


@dataclass(frozen=True, slots=True)
class Release:
    """A release as far as a plan depends on it."""

    scheme: Scheme = "pep440"
    upgrades_from: tuple[str, ...] | None = None
    """Ranges of the releases it may be reached from; None = from any."""
    drivers: frozenset[str] | None = None
    """None = nobody has said."""
    withdrawn: bool = False
    needs: SiteRequirement | None = None
    """What it needs of a site; None = nothing."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What another strategy did to a site."""

    before: str | None
    """The release that it had before; None = it did not have the app."""
    brought: str | None
    """The release that it was brought to, or was to be."""


@dataclass(frozen=True, slots=True)
class Undone:
    """The strategy that is to be undone, with the sites that it changed."""

    strategy: str
    operation: OperationKind
    """What it asked for on each site."""
    changed: Mapping[str, Changed]


@dataclass(frozen=True, slots=True)
class Target:
    """The release to reach. `version` is None where each site has its own: a rollback to what it had before."""

    app: str
    version: str | None
    force: bool = False
    releases: Mapping[str, Release] = field(default_factory=dict)
    """Every release of the app that is known, by version."""
    undo: Undone | None = None
    only_changes: bool = False
    """Sites that run it are meant as well: what is unchanged there is left as it is, which the deployer finds out."""


def already_there(site: Candidate, app: str, version: str | None) -> Why | None:
    """A site that runs the release soundly, and on which nobody is about to change that."""
    if version is None or site.version != version or site.broken or site.operation_id or site.held_by:
        return None
    return Why(code=ALREADY_THERE, message=f"site {site.name} runs {app} {version} already")


def not_deployed(site: Candidate, target: Target) -> Why | None:
    """A site that does not have the app at all, not even half-way."""
    if site.version is not None or site.broken:
        return None
    return Why(code="not_deployed", message=f"site {site.name} does not have {target.app}; apply it first")


def not_upgradable(site: Candidate, target: Target, version: str | None) -> Why | None:
    """A site whose release has no upgrade edge to `version`."""
    release = target.releases.get(version or "")
    if release is None or site.version in (None, version):
        return None
    if may_upgrade(release.scheme, release.upgrades_from, site.version or ""):
        return None
    allowed = ", ".join(release.upgrades_from or ()) or "no release"
    message = f"{target.app} {version} upgrades from {allowed}; site {site.name} runs {site.version}"
    return Why(code="not_upgradable", message=message)


def never_deployed(site: Candidate, target: Target, version: str) -> Why | None:
    """A site that never had the release, so that no rollback leads there."""
    if version == site.version or version in site.history:
        return None
    possible = ", ".join(site.history) or "none"
    message = f"site {site.name} never had {target.app} {version} before (it can return to: {possible})"
    return Why(code="never_deployed", message=f"{message}; a strategy of type update may go there")


def unreachable(site: Candidate, target: Target, version: str | None) -> Why | None:
    """A release that may not be deployed any more, or not on this site."""
    release = target.releases.get(version or "")
    if release is None:
        return None
    if release.withdrawn:
        return Why(code="release_withdrawn", message=f"release {version} of {target.app} was withdrawn")
    lacking = (release.drivers or frozenset()) - site.drivers
    if not lacking or not site.drivers:
        return _unfit(site, target, version, release)
    lacks, reached = ", ".join(sorted(lacking)), ", ".join(sorted(site.drivers))
    message = f"{target.app} {version} needs the driver {lacks}; site {site.name} is reached by {reached}"
    return Why(code="driver_mismatch", message=message)


def _unfit(site: Candidate, target: Target, version: str | None, release: Release) -> Why | None:
    """A site whose platform the release cannot have, as far as anybody told of it: the deployer asks for the rest."""
    if release.needs is None or not site.facts:
        return None
    told = release.needs.model_copy(update=_about_told(release.needs, site.facts))
    why = next(iter(unfit(told, site.facts)), None)
    return Why(code=why.code, message=f"{target.app} {version} {why.message} ({site.name})") if why else None


def _about_told(needs: SiteRequirement, facts: Mapping[str, str]) -> dict[str, object]:
    """The part of the needs that told facts decide."""
    tells_patches = PATCHES in facts or any(name.startswith("patch:") for name in facts)
    return {
        "facts": {name: wanted for name, wanted in needs.facts.items() if name in facts},
        "patches": needs.patches if tells_patches else (),
        "releases": needs.releases if PLATFORM_RELEASE in facts and tells_patches else {},
    }
