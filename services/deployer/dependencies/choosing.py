"""Which release of an app a site may go to next, and what has to come there before it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.deployer.dependencies.needs import Found, Present, Surroundings, arriving, holds
from services.deployer.domain import Release
from shared.messages.base import Cause
from shared.messages.rules import Alternatives, Dependency
from shared.site_needs import unfit
from shared.versions import is_prerelease, is_valid_version, may_upgrade, sort_key

DEEPEST = 20
"""Apps that have to come one before the other; more are no dependencies of anybody's."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which releases are thought of, and for what site."""

    site: str
    drivers: Collection[str]
    """Those that reach the site."""
    around: Surroundings
    prereleases: bool = False
    barred: Collection[tuple[str, str]] = ()
    """Releases, by app and version, that failed, and that nothing chooses which goes by itself."""
    within: str | None = None
    """A range of versions; None = any."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The newest release that is allowed; where there is none, why the newest of all is not."""

    release: Release | None
    why: tuple[Cause, ...] = ()
    passed_over: tuple[str, ...] = ()
    """Newer releases that are not allowed, each with its reason."""


def newest(releases: Sequence[Release], current: str | None, wish: Wish) -> Choice:
    """The newest allowed release that is newer than the current one, or the newest of all where none is there."""
    causes: list[tuple[Release, tuple[Cause, ...]]] = []
    for release in _newer(releases, current, wish):
        if not (why := tuple(_against(release, current, wish))):
            return Choice(release, passed_over=tuple(_lines(causes)))
        causes.append((release, why))
    return Choice(None, causes[0][1] if causes else (), tuple(_lines(causes)))


def _lines(causes: Sequence[tuple[Release, tuple[Cause, ...]]]) -> Iterator[str]:
    return (f"{release.version}: {why[0].message}" for release, why in causes[:5])


def _newer(releases: Sequence[Release], current: str | None, wish: Wish) -> list[Release]:
    """Those that count, the newest first. What the scheme cannot read is never chosen."""
    readable = [each for each in releases if not each.withdrawn and is_valid_version(each.scheme, each.version)]
    meant = [each for each in readable if wish.prereleases or not is_prerelease(each.scheme, each.version)]
    ordered = sorted(meant, key=lambda each: sort_key(each.scheme, each.version), reverse=True)
    if current is None:
        return ordered
    return [each for each in ordered if is_newer(each, current)]


def lacking(releases: Sequence[Release], there: Present, wish: Wish) -> tuple[Dependency, ...]:
    """What the newest release after the one that is there needs of other apps, and does not find yet."""
    coming = next(iter(_newer(releases, there.version, wish)), None)
    needs = coming.rules.depends_on if coming else ()
    each = [one for need in needs for one in (need.any_of if isinstance(need, Alternatives) else (need,))]
    return tuple(one for one in each if not holds(one, wish.around.apps.get(one.app)))


def is_newer(release: Release, current: str) -> bool:
    """Whether it comes after the version that runs."""
    if not is_valid_version(release.scheme, current):
        return release.version != current
    return bool(sort_key(release.scheme, release.version) > sort_key(release.scheme, current))  # type: ignore[operator]


def _against(release: Release, current: str | None, wish: Wish) -> Iterator[Cause]:
    """Why a release may not come by itself; nothing = it may."""
    if (release.app, release.version) in wish.barred:
        message = f"release {release.version} failed before; `belay release clear-failed` lets it be chosen again"
        yield Cause(code="failed_before", message=message)
    if wish.within and not may_upgrade(release.scheme, (wish.within,), release.version):
        yield Cause(code="dependency_missing", message=f"release {release.version} is not in {wish.within}")
    if current and not may_upgrade(release.scheme, release.upgrades_from, current):
        yield Cause(code="not_upgradable", message=f"release {release.version} may not be reached from {current}")
    if lacking := sorted(set(release.drivers) - set(wish.drivers)):
        message = f"release {release.version} needs {', '.join(lacking)}, which does not reach '{wish.site}'"
        yield Cause(code="driver_mismatch", message=message)
    yield from unfit(release.rules.site, wish.around.facts)
    yield from arriving(present(release), wish.site, wish.around).refused


def present(release: Release) -> Present:
    """The release as what is there once it is deployed."""
    return Present(release.app, release.version, release.scheme, release.rules)


@dataclass(frozen=True, slots=True)
class Chain:
    """What comes before an operation, in order; or why it cannot."""

    before: tuple[Release, ...] = ()
    refused: tuple[Cause, ...] = ()
    notices: tuple[str, ...] = ()


def chain(found: Found, coming: Present, releases: Mapping[str, Sequence[Release]], wish: Wish) -> Chain:
    """The newest allowed releases of all that is lacking, what they need themselves before them.

    `releases` are those of all apps that may have to come. Loops are told, and never followed.
    """
    before: list[Release] = []
    around, refused, notices = wish.around, list(found.refused), list(found.notices)
    for ways in found.first:
        part = _bring_one(ways, coming, (), releases, replace(wish, around=around))
        refused += part.refused
        notices += part.notices
        fresh = [each for each in part.before if each.app not in {one.app for one in before}]
        before += fresh
        for each in fresh:
            around = around.having(present(each))
    if before and not refused:  # what comes first may be in the way of what comes then
        refused += arriving(coming, wish.site, around).refused
    return Chain(tuple(before), tuple(refused), tuple(notices))


def _bring_one(
    ways: Sequence[Dependency],
    coming: Present,
    path: tuple[str, ...],
    releases: Mapping[str, Sequence[Release]],
    wish: Wish,
) -> Chain:
    """The first of these that can be brought, and is not in the way of what needs it; else why none of them can."""
    failed: list[Cause] = []
    for need in ways:
        part = _bring(need, (*path, coming.app), releases, wish)
        if not (why := part.refused or _in_the_way(part, coming, wish)):
            return part
        failed += why
    if len(ways) == 1:
        return Chain(refused=tuple(failed))
    named = " or ".join(need.app for need in ways)
    told = "; ".join(dict.fromkeys(cause.message for cause in failed))
    message = f"needs one of {named} on '{wish.site}', and none can be brought there: {told}"
    return Chain(refused=(Cause(code="dependency_missing", message=message[:2_000]),))


def _in_the_way(part: Chain, coming: Present, wish: Wish) -> tuple[Cause, ...]:
    """What would speak against a release only once these are there."""
    around = wish.around
    for each in part.before:
        around = around.having(present(each))
    before = arriving(coming, wish.site, wish.around).refused
    return tuple(cause for cause in arriving(coming, wish.site, around).refused if cause not in before)


def _bring(need: Dependency, path: tuple[str, ...], releases: Mapping[str, Sequence[Release]], wish: Wish) -> Chain:
    if need.app in path or len(path) > DEEPEST:
        loop = " needs ".join((*path[path.index(need.app) if need.app in path else 0 :], need.app))
        return Chain(refused=(Cause(code="dependency_cycle", message=f"{loop}, which never comes to an end"),))
    there = wish.around.apps.get(need.app)
    if holds(need, there):
        return Chain()
    current = there.version if there else None
    choice = newest(releases.get(need.app, ()), current, replace(wish, within=need.versions))
    if choice.release is None:
        why = choice.why[0].message if choice.why else "there is no release of it that is newer"
        named = f"{need.app} {need.versions}" if need.versions else need.app
        message = f"needs {named} on '{wish.site}', which cannot be brought there: {why}"
        return Chain(refused=(Cause(code="dependency_missing", message=message),))
    return _with_its_own(choice.release, path, releases, wish)


def _with_its_own(
    release: Release, path: tuple[str, ...], releases: Mapping[str, Sequence[Release]], wish: Wish
) -> Chain:
    own = arriving(present(release), wish.site, wish.around)
    before: tuple[Release, ...] = ()
    refused, around = own.refused, wish.around
    for ways in own.first:
        part = _bring_one(ways, present(release), path, releases, replace(wish, around=around, within=None))
        before, refused = (*before, *part.before), (*refused, *part.refused)
        for each in part.before:
            around = around.having(present(each))
    return Chain((*before, release), refused, own.notices)
