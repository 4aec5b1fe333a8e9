"""What a strategy type knows of a site, and of the release it is to reach; and what excludes a site from every type."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.messages.strategy import Why
from shared.versions import Scheme


@dataclass(frozen=True, slots=True)
class Candidate:
    """A selected site with what runs on it."""

    name: str
    group: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    managed: bool = True
    held_by: str | None = None
    """Name of the strategy that holds it."""
    operation_id: str | None = None
    """A single operation that runs there."""
    version: str | None = None
    """The release of the app that runs there; None = the app is not there."""
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The release to reach. `version` is None for a rollback to whatever each site had before."""

    app: str
    version: str | None
    scheme: Scheme = "pep440"
    upgrades_from: tuple[str, ...] | None = None
    force: bool = False


def unfit(site: Candidate) -> Why | None:
    """What keeps a site out of any strategy."""
    if not site.managed:
        return Why(code="unmanaged", message=f"site {site.name} is unmanaged")
    if site.held_by:
        return Why(code="site_held", message=f"strategy {site.held_by} holds site {site.name}")
    if site.operation_id:
        return Why(code="site_busy", message=f"operation {site.operation_id} runs on site {site.name}")
    return None


def already_there(site: Candidate, target: Target) -> Why | None:
    """A site that runs the release already; `force` deploys it anew."""
    if site.version != target.version or target.version is None or target.force:
        return None
    return Why(code="already_current", message=f"site {site.name} runs {target.app} {target.version} already")


def not_deployed(site: Candidate, target: Target) -> Why | None:
    """A site that does not have the app at all."""
    if site.version is not None:
        return None
    return Why(code="not_deployed", message=f"site {site.name} does not have {target.app}; apply it first")
