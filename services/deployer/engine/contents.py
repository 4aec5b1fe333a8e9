"""What releases are made of, with the specs of their components as their drivers take them."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from services.deployer.drivers import Component
from services.deployer.overrides.fitting import Fitted, fitted
from services.deployer.plan import Content
from services.deployer.store import Pair, Published, Store
from shared import components
from shared.messages import manifest
from shared.messages.base import Fault, faults_of
from shared.values.layers import NOTHING, Effective, Layer

KEPT = 1_000


class Release(NamedTuple):
    """A release as it was published, and what is deployed of it where nothing is set."""

    published: Published
    content: Content


class Contents:
    """What was looked up before: a release never changes, and what is set is told apart by its key.

    But one may be deleted, and its version published again with other content. Whatever its event was told to which
    replica, the digests are asked for each time.
    """

    def __init__(self) -> None:
        self._known: dict[Pair, Release] = {}
        self._overridden: dict[tuple[str, str, str, str], Content] = {}

    async def of(self, store: Store, releases: set[Pair]) -> Mapping[Pair, Release]:
        """Those of them that are known, as they were published."""
        bundles = await store.bundles(releases)
        found = {pair: known for pair in bundles if (known := self._known.get(pair))}
        found = {pair: known for pair, known in found.items() if known.published.bundle_sha256 == bundles[pair]}
        if unknown := bundles.keys() - found.keys():
            published = (await store.contents(unknown)).items()
            fresh = {pair: Release(each, content_of(each)) for pair, each in published}
            _keep(self._known, fresh)
            found |= fresh
        return found

    def with_overrides(self, app: str, release: Release, effective: Effective) -> Content:
        """What is deployed of a release with what is set."""
        if not effective.key:
            return release.content
        key = (app, release.published.version, release.published.bundle_sha256, effective.key)
        if (known := self._overridden.get(key)) is None:
            known = content_of(release.published, effective)
            _keep(self._overridden, {key: known})
        return known


K = TypeVar("K")
V = TypeVar("V")


def _keep(known: dict[K, V], fresh: Mapping[K, V]) -> None:
    if len(known) > KEPT:
        known.clear()
    known.update(fresh)


def content_of(release: Published, effective: Effective = NOTHING) -> Content:
    """The content of a release with what is set for it.

    A component whose spec its driver does not take, or whose driver is not here, is `unreadable`; one that cannot be
    deployed with what is set is as it was published, and a misfit.
    """
    parts = [_Part.of(release, component, effective) for component in release.components]
    on = [part for part in parts if not part.off]
    after = _through(
        {part.component.name: part.component.after for part in parts}, {part.component.name for part in on}
    )
    content = Content.of(
        release.version,
        release.bundle_sha256,
        [part.read(after[part.component.name]) for part in on],
        release.max_parallel,
        [(part.component.name, part.unreadable) for part in on if part.unreadable],
        release.rules,
        effective.digests,
    )
    return content.with_parts(
        off={part.component.name: (part.component.driver, part.off) for part in parts if part.off},
        values={part.component.name: part.fitted.values for part in on if part.fitted},
        notices={part.component.name: part.fitted.notices for part in on if part.fitted and part.fitted.notices},
        misfits=tuple(fault for part in on for fault in part.misfits),
    )


class _Part:
    """A component on its way into a content."""

    def __init__(self, component: manifest.Component, off: str) -> None:
        self.component, self.off = component, off
        self.fitted: Fitted | None = None
        self.unreadable = ""
        self.misfits: list[Fault] = []

    @staticmethod
    def of(release: Published, component: manifest.Component, effective: Effective) -> "_Part":
        layer = effective.layers.get(component.name, Layer())
        part = _Part(component, _off(component, layer))
        if component.timeout_seconds:
            spec = components.in_time(component.driver, component.spec, component.timeout_seconds)
            component = component.model_copy(update={"spec": spec})
        try:
            found = fitted(component, layer, release.rules.obsolete.get(component.name, ()))
            if isinstance(found, list):
                part.misfits, found = found, fitted(component, Layer())
            part.fitted = found if isinstance(found, Fitted) else None
        except components.UnknownDriver as error:
            part.unreadable = str(error)
        except ValidationError as error:
            part.unreadable = "; ".join(fault.in_words for fault in faults_of(error))
        return part

    def read(self, after: tuple[str, ...]) -> Component:
        c, found = self.component, self.fitted
        spec, sealed = (found.spec, found.sealed) if found else (None, None)
        return Component(c.name, c.driver, spec, after, c.enabled, c.timeout_seconds, sealed, c.files_sha256)


def _off(component: manifest.Component, layer: Layer) -> str:
    """Why a component is not deployed; empty = it is."""
    if component.enabled if layer.enabled is None else layer.enabled:
        return ""
    return "it is switched off" if layer.enabled is False else "the release has it off, and nobody has switched it on"


def _through(after: Mapping[str, tuple[str, ...]], on: set[str]) -> dict[str, tuple[str, ...]]:
    """What comes before each: of one that is off, what would have come before that."""
    if len(on) == len(after):
        return dict(after)

    def before(name: str, seen: frozenset[str]) -> list[str]:
        found: list[str] = []
        for one in after.get(name, ()):
            found += [one] if one in on else [] if one in seen else before(one, seen | {one})
        return found

    return {name: tuple(dict.fromkeys(before(name, frozenset({name})))) for name in after}
