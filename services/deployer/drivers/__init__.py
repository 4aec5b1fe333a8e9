"""Drivers change a component on a site. This is their protocol; registry.py finds them.

A driver's verbs are idempotent and their state lives outside of the process, under the key of the order: a second
start of the same order does nothing, and a deployer that was restarted asks with `poll` what has become of it.
All verbs take a batch, because thousands of sites change at once. A verb raises only when the driver as a whole
cannot work; what is wrong with one order is that order's `Broken`, so that it spoils nothing for the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

Verb = Literal["apply", "rollback", "remove", "fetch", "discard", "snapshot", "restore", "migrate", "tasks"]
"""What a driver may be told to do with a component. The first three every driver can."""

OBLIGATORY: frozenset[Verb] = frozenset({"apply", "rollback", "remove"})
VERBS: frozenset[Verb] = frozenset(get_args(Verb))


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a release, as its driver gets it."""

    name: str
    driver: str
    spec: Any
    """An instance of the driver's own model (`belay.components`)."""
    after: tuple[str, ...] = ()
    enabled: bool = True
    """False: the release brings it only where overrides switch it on."""
    timeout_seconds: int | None = None
    """Time until it is ready; None = as the driver or the spec says."""
    sealed: Mapping[str, Any] | None = None
    """The spec with secrets by their names, as long as their values are not in `spec`; None = it names none. No driver
    ever gets it so."""
    files_sha256: str | None = None
    """Of all files of the bundle that it is made of; None = the whole bundle stands for them."""
    named: Mapping[str, Any] | None = None
    """Where values of secrets stand in `spec`: the same with their names, for all that is kept or compared; None = it
    holds none."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file or image that a component brings to its sites, by its content. Its bytes lie in the blob store."""

    component: str
    kind: Literal["package", "image"]
    name: str
    """Of a package its path in the bundle, of an image its reference."""
    sha256: str
    """Of a package its content; of an image its manifest for one platform, which names its blobs."""
    bytes: int
    """Of an image all its blobs together."""
    platform: str | None = None
    """Of an image, such as linux/amd64; None = it does not say. Only those for the platform of a site are ordered,
    where the site says which it has."""
    index: str | None = None
    """The list of manifests that the image was chosen from, where its reference names that: a blob, too."""


@dataclass(frozen=True, slots=True)
class Order:
    """One action on one component of one site."""

    key: str
    """Idempotency key: operation id, direction (forward or recover) and component."""
    site: str
    connection: Mapping[str, Any]
    """What the site says this driver must know to reach it (host, port …)."""
    app: str
    action: Verb
    component: Component
    version: str | None
    """The release to reach; None when the component is removed."""
    bundle_sha256: str | None
    """What brings the component; when it is removed, what brought it: its removal may lie in there."""
    revision: str | None = None
    """The recorded revision a rollback returns to; of a fetch, that the rollback behind it does."""
    items: tuple[Item, ...] = ()
    """fetch: what is to be on the site afterwards. apply, rollback: what lies there already of the component, as far
    as is known: none of it need be sent. discard: what may go, if nothing that runs there needs it."""
    deploys: bool = False
    """fetch: whether the component is deployed right behind it. Then `items` are what lies there already, and all that
    can be made ready is: what cannot be had, or does not fit there, is to be found out while the old release runs."""
    back_sha256: str | None = None
    """fetch that `deploys`: the bundle of what runs there now, which the way back needs where a failure leads there."""


@dataclass(frozen=True, slots=True)
class Running:
    """The order is under way."""

    detail: str = ""
    percent: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The order reached its end and was verified: the component is healthy and of the expected version."""

    revision: str
    """What the driver needs to return here later; empty for orders that deploy nothing."""
    detail: str = ""
    fetched_bytes: int = 0
    """Content that was sent to the site for this order, over all its tries."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The order failed for good; the site needs recovery."""

    code: str
    message: str
    last_lines: tuple[str, ...] = ()
    """The last words of the component, kept as evidence."""


Progress = Running | Done | Broken


class Driver(Protocol):
    """How components of one kind get onto sites.

    Found by the entry point group `belay.drivers`: under its name a callable that takes the service's `Settings` and
    returns the driver (the class, or a class method of it).
    """

    capabilities: ClassVar[frozenset[Verb]] = OBLIGATORY
    """The verbs it can carry out. What it does not declare is never ordered of it."""

    asks_sites: ClassVar[bool] = False
    """Whether `has_revision` asks the sites, which may be slow: what waits for it is planned beside the rest."""

    brings: ClassVar[bool] = False
    """Whether what it deploys comes from elsewhere, such as a registry or a bundle: then an order `fetch` of each
    component that `deploys` comes before anything on the site is touched. It can `fetch` then."""

    async def start(self, orders: Sequence[Order]) -> None:
        """Begin each order that was not begun before; returns at once, the work goes on outside."""
        ...

    async def poll(self, orders: Sequence[Order]) -> Sequence[Progress]:
        """How each order stands, in the same order; an order never begun is `Broken` with code `not_started`.

        Where several components changed, all are asked once more when the last one is `Done`: one that has fallen
        since then is `Broken`.
        """
        ...

    async def cancel(self, orders: Sequence[Order]) -> None:
        """Stop each order as soon as it is safe; afterwards `poll` says `Broken` with code `cancelled`, or `Done`.

        An order that was never begun is cancelled too: a late `start` of it, by a deployer that was fenced off in the
        meantime, must have no effect.
        """
        ...

    async def has_revision(self, orders: Sequence[Order]) -> Sequence[bool | None]:
        """Whether the revision each order names still exists on its site, so that a rollback to it is possible.

        None where the site does not say now: it is asked again some seconds, then the rollback is tried.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Return as soon as an order may have moved on, at the latest after `seconds`."""
        ...


@runtime_checkable
class Tended(Protocol):
    """A driver with work of its own beside its orders, such as looking after what it started."""

    async def tend(self) -> None:
        """Do it until cancelled."""
        ...


@runtime_checkable
class Foreseeing(Protocol):
    """A driver that can say beforehand what orders would change."""

    async def foresee(self, orders: Sequence[Order]) -> Sequence[Sequence[str]]:
        """For each order, a line for each thing that would differ from what is there; nothing differs = no line.

        Asked for previews alone: nothing is changed, and what takes long is not waited for.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reachable:
    """A site that a driver is to ask whether it answers."""

    site: str
    connection: Mapping[str, Any]
    """What the site says this driver must know to reach it, with the values of secrets."""
    deployed: bool = False
    """Whether a component of this driver was deployed there; said to drivers with `heeds_deployed`."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The site answered."""

    free_bytes: int | None = None
    """Room for what may be sent there; None = not known."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What it said of itself: `platform` (linux/amd64), `os`, `python`, versions of its engine or API server."""


REACH_SECONDS = 10.0
"""A site that has not answered for so long does not answer."""


@runtime_checkable
class Reaching(Protocol):
    """A driver that can ask sites whether they answer, without changing anything there.

    One whose `heeds_deployed` is true is told of each whether anything was deployed there: a site that is gone must not
    be taken for one that was never used.
    """

    async def reach(self, sites: Sequence[Reachable]) -> Sequence[Reached | Broken]:
        """For each site, in their order, what it said, or why it does not answer (also: why it cannot be asked).

        All at the same time, each for about REACH_SECONDS at most: one that hangs holds up no other. `Broken` holds no
        secret. Raises only when the driver as a whole cannot work.
        """
        ...


@runtime_checkable
class Looking(Protocol):
    """A driver that can say whether what it deployed some time ago is still well, without changing anything."""

    async def look(self, orders: Sequence[Order]) -> Sequence[Broken | None]:
        """For each, in their order, why it is well no more; None = it is, or nobody can say that now.

        They are no orders to be carried out: each names site, component and the revision that runs there.
        """
        ...
