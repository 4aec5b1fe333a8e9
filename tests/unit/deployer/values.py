"""Values for the tests of the deployer's pure core."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.deployer.course import Limits
from services.deployer.domain import Deployment, Facts, Operation, Release, Site, wanted
from services.deployer.plan import Content, Ground, Recorded
from shared.messages.deployer import RequestOperation
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.support.components import for_driver, simulated

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(stop=timedelta(seconds=10), recovery=timedelta(seconds=100))
OSLO = Site("oslo", {"simulated": {}})
NOTHING = Deployment()


def request(kind: str, version: str | None = None, **facts: Any) -> RequestOperation:
    return RequestOperation.model_validate({"site": "oslo", "app": "shop", "kind": kind, "version": version, **facts})


def facts(asked: RequestOperation, deployment: Deployment = NOTHING, **more: Any) -> Facts:
    """Facts in which nothing is wrong but what `more` says."""
    version = wanted(asked, deployment)
    target = Release("shop", version, drivers=("simulated",)) if version else None
    return Facts(**{"site": OSLO, "deployment": deployment, "version": version, "target": target, **more})


def running(version: str = "1", *history: str) -> Deployment:
    return Deployment(version, Status.OPERATIONAL, (), history)


def operation(kind: Kind, from_version: str | None, to_version: str | None, timeout: int = 60) -> Operation:
    return Operation("op", "oslo", "shop", kind, from_version, to_version, timeout)


def content(version: str, *names: str, files: str = "") -> Content:
    """A release with these components; `files` is the same where its bundle is."""
    return Content.of(version, files or version, [for_driver(simulated(name)) for name in names])


def recorded(release: Content, *names: str) -> list[Recorded]:
    """What the driver recorded when the release was deployed."""
    chosen = names or tuple(release.components)
    return [Recorded(n, release.version, f"r{release.version}", "simulated", release.digests[n]) for n in chosen]


def ground(deployment: Deployment, *contents: Content, records: list[Recorded] | None = None, **site: Any) -> Ground:
    by_version = {each.version: each for each in contents}
    return Ground(Site("oslo", {"simulated": {}}, **site), deployment, by_version, records or [])
