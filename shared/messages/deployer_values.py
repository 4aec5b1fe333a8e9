"""What messages of the deployer are made of: decisions, results of phases, what lies on sites, how they answer."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.messages.base import Cause, Fault, Model
from shared.messages.opening import Open
from shared.messages.overrides import ValueChange
from shared.messages.words import Availability, Identifier, Label, Name, Sha256, SiteName, Version

MOST = 2**63 - 1

NTH = "so many operations had ended on this app of this site with this one; 0 = not said"
FETCHED = "sent to the site for this operation; 0 = what it needed lay there"
PRESTAGED = "of a prestage: all that lies prestaged of this app on the site now; null = not said"


class Requested(Model):
    """One operation among those of a `RequestOperations`."""

    operation_id: Identifier
    site: SiteName
    version: Version | None = Field(default=None, description="the release to reach here; null = the command's")


class OperationRefused(Model):
    """An operation of a `RequestOperations` that may not begin, with every reason."""

    operation_id: Identifier
    faults: tuple[Fault, ...]


class OperationsTaken(Model):
    """The result of an accepted `RequestOperations`; all that are not refused have begun."""

    refused: tuple[OperationRefused, ...] = ()


class PhaseResult(Model):
    """How one phase of an operation went."""

    name: str
    component: str = ""
    outcome: Open[Literal["done", "failed", "skipped"]]
    detail: str = ""
    started_at: datetime
    finished_at: datetime


def _nothing(some: tuple[object, ...]) -> bool:
    """Most decisions have none: their records stay as short as they were."""
    return not some


class ComponentDecision(Model):
    """The way chosen for one component, and why (visible before and after)."""

    component: str
    driver: str
    action: Open[Literal["apply", "rollback", "keep", "remove", "fetch_packages", "fetch_images", "discard", "skip"]]
    reason: str
    revision: str | None = Field(default=None, description="the recorded revision that a rollback returns to")
    values: tuple[ValueChange, ...] = Field(
        default=(),
        max_length=100,
        description="what changes in its merged values; secrets by name",
        exclude_if=_nothing,
    )
    notices: tuple[str, ...] = Field(
        default=(), max_length=100, description="what is worth knowing beside it", exclude_if=_nothing
    )


class ForeseenDecision(ComponentDecision):
    """The same in a preview."""

    changes: tuple[str, ...] = Field(
        default=(), description="what would differ on the site, where its driver can say so"
    )


class ComponentProgress(Model):
    """What its driver is doing with one component."""

    component: str
    detail: str = Field(max_length=500)
    percent: int = Field(default=0, ge=0, le=100)


class Prestaged(Model):
    """A release whose content was sent to a site before it is needed there."""

    version: Version
    bundle_sha256: Sha256
    bytes: int = Field(ge=0, description="of all its content")
    items: int = Field(ge=0, description="packages and images of it")
    complete: bool = Field(description="false: a prestage of it was interrupted, and a later one goes on there")
    at: datetime = Field(description="when the prestage of it ended")
    platform: Label | None = Field(default=None, description="for which its images are; null = it has none")


MOST_PRESTAGED = 50
"""Releases of an app that lie prestaged on one site; the policy keeps fewer."""


class SecretVersion(Model):
    """A secret that lies in what runs, and the version with which that was deployed; never its value."""

    name: Name
    version: int = Field(ge=0, le=MOST, description="0 = of before it was first set")


class Succeeded(Model):
    """One operation among those of an `OperationsSucceeded`."""

    operation_id: Identifier
    site: SiteName
    seconds: float
    nth: int = Field(default=0, ge=0, le=MOST, description=NTH)
    fetched_bytes: int = Field(default=0, ge=0, le=MOST, description=FETCHED)
    prestaged: tuple[Prestaged, ...] | None = Field(default=None, max_length=MOST_PRESTAGED, description=PRESTAGED)


class SiteAvailability(Model):
    """Whether a site answers, and what it said of itself."""

    site: SiteName
    availability: Open[Availability]
    was: Open[Availability] = Field(default=Availability.UNKNOWN, description="what it was before this was found")
    since: datetime = Field(description="so long it has been what it is")
    seen_at: datetime | None = Field(
        default=None,
        description="its last sign of life; of one that is online without a cause, `SitesChecked` tells later ones",
    )
    checked_at: datetime | None = Field(default=None, description="when this was found")
    cause: Cause | None = Field(
        default=None, description="why it is offline, or did not answer the last time though it is not offline yet"
    )
    free_bytes: int | None = Field(
        default=None, ge=0, le=MOST, description="room for what is prestaged; null = not known"
    )
    facts: dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=200)]] = Field(
        default_factory=dict,
        max_length=50,
        description="of the site, as its drivers found: `platform` (linux/amd64), `os`, versions of engines …",
    )
    nth: int = Field(ge=1, le=MOST, description="rises with each change of a site: a lower one is older news")
