"""What plans tell of values: what changes in them, what is left out of them, why they cannot be. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from services.deployer.domain import Operation
from services.deployer.overrides.fitting import secrets_of
from services.deployer.plan import Content, Ground, Plan, moved_by
from shared.messages.base import Fault
from shared.messages.overrides import ValueChange
from shared.values.layers import ATTRIBUTES, VALUES, read
from shared.values.merging import Change, changes
from shared.values.paths import written

MOST_CHANGES = 20
"""Of one component."""

MOST_IN_ALL = 200
"""Of a plan: with a hundred components it fits its topic all the same."""

LONGEST = 120
"""Characters of a path and of either side."""


def misfits_of(operation: Operation, ground: Ground, secrets: Collection[str]) -> tuple[Fault, ...]:
    """Why the release cannot be deployed with what is set; `secrets` are those that are known."""
    content = ground.contents.get(operation.to_version or "")
    if content is None:
        return ()
    return (*content.misfits, *_unknown(content, secrets), *moved_by(content, ground))


def secrets_named(ground: Ground, version: str | None) -> set[str]:
    """The secrets that the values of a release name."""
    content = ground.contents.get(version or "")
    return {name for _, _, name in _secrets(content)} if content else set()


def _secrets(content: Content) -> Iterator[tuple[str, str, str]]:
    for component in content.components.values():
        if component.sealed:
            for path, name in secrets_of(component.driver, component.sealed):
                yield component.name, written(path), name


def _unknown(content: Content, secrets: Collection[str]) -> Iterator[Fault]:
    for component, path, name in _secrets(content):
        if name not in secrets:
            message = f"'{name}' is named as a secret there, and there is none; set it, or change the overrides"
            yield Fault(code="unknown_secret", field=f"overrides.{component}.{path}", message=message, value=name)


def with_values(plan: Plan, operation: Operation, ground: Ground, *, always: bool) -> Plan:
    """The plan with what changes in the values of its components, and what of them is left out.

    `always` in previews; else only where anything is set: other plans stay as short as they were.
    """
    terms = operation.terms
    if not (always or terms.used or terms.dropped or ground.deployment.overrides):
        return plan  # nearly all
    after = ground.contents.get(operation.to_version or "")
    before = ground.before(ground.deployment.version) if ground.deployment.exists else None
    if after is None:
        return plan
    dropped = _dropped(operation)
    most = max(1, min(MOST_CHANGES, MOST_IN_ALL // max(len(plan), 1)))
    told = []
    for way in plan:
        notices = (*after.notices.get(way.component, ()), *dropped.get(way.component, ()), *_seen(after, way.component))
        differ = _differ(before, after, way.component) if way.action in ("apply", "rollback") else ()
        if len(differ) > most:
            notices = (*notices, f"{len(differ) - most} more values change")
        update = {"values": differ[:most], "notices": notices[:100]}
        told.append(way.model_copy(update=update) if differ or notices else way)
    return tuple(told)


def _seen(content: Content, name: str) -> Iterator[str]:
    """Who reads the secrets of a component where they are used, if that is anybody."""
    component = content.components.get(name)
    if component and component.sealed and (seen := getattr(type(component.spec), "secrets_seen", "")):
        variables = ", ".join(f"`{written(path)}`" for path, _ in secrets_of(component.driver, component.sealed))
        yield f"{variables}: {seen}"


def _dropped(operation: Operation) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    words = {VALUES: "the values", ATTRIBUTES: "what is switched and named", "": "all that is"}
    for ref in operation.terms.dropped:
        change = read(ref, operation.app, operation.site)
        told = f"{words[change.part]} set for this site alone will be dropped"
        found.setdefault(change.place.component, []).append(told)
    return found


def _differ(before: Content | None, after: Content, name: str) -> tuple[ValueChange, ...]:
    old = before.values.get(name, {}) if before else {}
    new = after.values.get(name, {})
    if old == new:
        return ()
    return tuple(_told(change) for change in changes(old, new))


def _told(change: Change) -> ValueChange:
    before, after = (None if side is None else _cut(side) for side in (change.before, change.after))
    return ValueChange(path=_cut(written(change.path)), before=before, after=after)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
