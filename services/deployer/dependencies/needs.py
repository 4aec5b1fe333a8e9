"""What releases need of the other apps of their site, and what is done where it is not so. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shared.messages.base import Cause
from shared.messages.rules import Alternatives, Dependency, Exclusion, Rules
from shared.messages.words import OperationKind as Kind
from shared.versions import may_upgrade

ARRIVING = frozenset({Kind.APPLY, Kind.UPDATE, Kind.ROLLBACK})
"""Kinds of operations that bring a release."""


@dataclass(frozen=True, slots=True)
class Present:
    """An app that is deployed on the site, and what its release says."""

    app: str
    version: str
    scheme: str
    rules: Rules
    withdrawn: bool = False
    """One that is only asked to be deleted was not: that may be refused, and then it stays."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site is, and what is deployed there."""

    facts: Mapping[str, str] = field(default_factory=dict)
    apps: Mapping[str, Present] = field(default_factory=dict)
    """By app."""

    def having(self, present: Present) -> "Surroundings":
        """The same once this app is there, too."""
        return Surroundings(self.facts, {**self.apps, present.app: present})


@dataclass(frozen=True, slots=True)
class Found:
    """What speaks against an operation, what is only told, and what has to come first."""

    refused: tuple[Cause, ...] = ()
    notices: tuple[str, ...] = ()
    first: tuple[tuple[Dependency, ...], ...] = ()
    """Apps that lack, and that are brought there before; of alternatives one of them, the first that can be."""

    def __add__(self, other: "Found") -> "Found":
        return Found(self.refused + other.refused, self.notices + other.notices, self.first + other.first)


NOTHING = Found()


def arriving(coming: Present, site: str, around: Surroundings) -> Found:
    """What is said about a release that is to come: by itself, and by the apps that are there."""
    found = NOTHING
    for need in coming.rules.depends_on:
        found += _either(need, site, around) if isinstance(need, Alternatives) else _one(need, coming, around)
    for exclusion in coming.rules.excludes:
        found += _excluded(exclusion, coming.app, around.apps.get(exclusion.app))
    return found + _minded(coming.app, coming, around)


def leaving(app: str, around: Surroundings) -> Found:
    """What is said about an app that is to go."""
    return _minded(app, None, around)


def holds(need: Dependency | Exclusion, there: Present | None) -> bool:
    """Whether the app that it names is there, in one of its releases."""
    return there is not None and (need.versions is None or may_upgrade(there.scheme, (need.versions,), there.version))


def _one(need: Dependency, coming: Present, around: Surroundings) -> Found:
    there = around.apps.get(need.app)
    if need.app == coming.app or holds(need, there):
        return NOTHING
    return _lacks(need, f"needs {_named(need)} on the site{_but(there)}", "dependency_missing")


def _lacks(need: Dependency, message: str, code: str) -> Found:
    match need.action:
        case "ignore":
            return NOTHING
        case "warn":
            return Found(notices=(message,))
        case "apply":
            return Found(first=((need,),))
    return Found(refused=(Cause(code=code, message=message),))


def _either(needs: Alternatives, site: str, around: Surroundings) -> Found:
    """Exactly one: where none is there, one of those that let themselves be brought comes, or the strictest is told."""
    there = [need for need in needs.any_of if holds(need, around.apps.get(need.app))]
    if len(there) == 1:
        return NOTHING
    named = " or ".join(_named(need) for need in needs.any_of)
    if there:
        both = " and ".join(need.app for need in there)
        return _told(needs.any_of, "excluded", f"needs exactly one of {named}, but '{site}' has {both}")
    if brought := tuple(need for need in needs.any_of if need.action == "apply"):
        return Found(first=(brought,))
    return _told(needs.any_of, "dependency_missing", f"needs one of {named} on '{site}'")


def _told(needs: Iterable[Dependency], code: str, message: str) -> Found:
    actions = {need.action for need in needs}
    if actions == {"ignore"}:
        return NOTHING
    if actions <= {"ignore", "warn"}:
        return Found(notices=(message,))
    return Found(refused=(Cause(code=code, message=message),))


def _excluded(exclusion: Exclusion, by: str, there: Present | None) -> Found:
    if there is None or there.app == by or not holds(exclusion, there) or exclusion.action == "ignore":
        return NOTHING
    message = f"cannot be beside {_named(exclusion)}, and the site has {there.app} {there.version}"
    if exclusion.action == "warn":
        return Found(notices=(message,))
    return Found(refused=(Cause(code="excluded", message=message),))


def _minded(app: str, coming: Present | None, around: Surroundings) -> Found:
    """What the other apps of the site say: those that need it as it is, and those that cannot be beside it."""
    found = NOTHING
    for other in around.apps.values():
        if other.app != app:
            found += _needed_by(other, app, coming, around)
            for exclusion in other.rules.excludes if coming else ():
                if exclusion.app == app and holds(exclusion, coming) and not holds(exclusion, around.apps.get(app)):
                    found += _mind(exclusion.action, "excluded", f"{other.app} {other.version} cannot be beside it")
    return found


def _needed_by(other: Present, app: str, coming: Present | None, around: Surroundings) -> Found:
    """Nothing that is met now may be met no longer; what is not met anyway is not made worse."""
    found = NOTHING
    after = {name: present for name, present in around.apps.items() if name != app}
    if coming:
        after[app] = coming
    for need in other.rules.depends_on:
        members = need.any_of if isinstance(need, Alternatives) else (need,)
        if app not in {each.app for each in members} or not _met(members, around.apps) or _met(members, after):
            continue
        strictest = "error" if {"error", "apply"} & {each.action for each in members} else members[0].action
        how = f"needs {' or '.join(_named(each) for each in members)}"
        found += _mind(strictest, "needed_by_others", f"{other.app} {other.version} {how}")
    return found


def _met(members: Sequence[Dependency], apps: Mapping[str, Present]) -> bool:
    return sum(holds(each, apps.get(each.app)) for each in members) == 1


def _mind(action: str, code: str, message: str) -> Found:
    if action == "ignore":
        return NOTHING
    return Found(notices=(message,)) if action == "warn" else Found(refused=(Cause(code=code, message=message),))


def _named(need: Dependency | Exclusion) -> str:
    return f"{need.app} {need.versions}" if need.versions else need.app


def _but(there: Present | None) -> str:
    return f", which has {there.app} {there.version}" if there else ""


def apps_named(rules: Rules) -> Iterator[str]:
    """The apps that a release needs or excludes."""
    for need in rules.depends_on:
        yield from (each.app for each in need.any_of) if isinstance(need, Alternatives) else (need.app,)
    yield from (exclusion.app for exclusion in rules.excludes)
