"""What a release would change, object by object, and what its hooks would do. Pure.

Secrets are not compared: Helm does not show what is in them before they are sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.deployer.drivers.helm.manifest import objects

MOST_FIELDS = 5
"""Of one object; how many more there are is said."""

Key = tuple[str, str, str]

MOMENTS = {
    "pre-install": "before it is installed",
    "post-install": "after it is installed",
    "pre-upgrade": "before the upgrade",
    "post-upgrade": "after the upgrade",
    "pre-rollback": "before the rollback",
    "post-rollback": "after the rollback",
    "pre-delete": "before it is removed",
    "post-delete": "after it is removed",
}


AGAIN = "its hooks run once more where helm is cut off in the middle: they must bear that"


def of_manifests(before: str, after: str) -> list[str]:
    """A line for each object that would be made, changed or removed."""
    old, new = _by_key(before), _by_key(after)
    made = [f"makes {_name(key)}" for key in new.keys() - old.keys()]
    gone = [f"removes {_name(key)}" for key in old.keys() - new.keys()]
    changed = [
        f"changes {_name(key)}: {_fields(old[key], new[key])}"
        for key in new.keys() & old.keys()
        if old[key] != new[key]
    ]
    return [*sorted(made), *sorted(changed), *sorted(gone)]


def of_hooks(hooks: Iterable[Mapping[str, Any]], events: Sequence[str]) -> list[str]:
    """A line for each hook that would run at one of these moments, in the sequence of the moments."""
    known = [(event, hook) for event in events for hook in hooks if event in (hook.get("events") or ())]
    lines = [
        f"runs the hook {str(hook.get('kind', '')).lower()}/{hook.get('name')} {MOMENTS[event]}"
        for event, hook in known
    ]
    return [*lines, *([AGAIN] if lines else [])]


def of_definitions(definitions: Mapping[str, bool]) -> list[str]:
    """A line for each custom resource definition that the chart brings; True = the cluster has it."""
    there = "leaves the custom resource definition {} as it is: Helm changes none that is there"
    return [
        there.format(name) if known else f"makes the custom resource definition {name}"
        for name, known in definitions.items()
    ]


def _by_key(manifest: str) -> dict[Key, Mapping[str, Any]]:
    return {_key(each): each for each in objects(manifest) if each.get("kind") != "Secret"}


def _key(each: Mapping[str, Any]) -> Key:
    metadata = each.get("metadata") or {}
    return str(each.get("kind")), str(metadata.get("namespace") or ""), str(metadata.get("name"))


def _name(key: Key) -> str:
    kind, namespace, name = key
    return f"{kind.lower()}/{name}" + (f" in namespace {namespace}" if namespace else "")


def _fields(old: Any, new: Any) -> str:
    paths = [f"{where} ({_shown(a)} → {_shown(b)})" for where, a, b in differing(old, new, "")]
    more = f" and {len(paths) - MOST_FIELDS} more" if len(paths) > MOST_FIELDS else ""
    return ", ".join(paths[:MOST_FIELDS]) + more


def differing(old: Any, new: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """The innermost fields that differ, such as `spec.replicas`, with what stands there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*new, *(name for name in old if name not in new)]:
            if old.get(name) != new.get(name):
                yield from differing(old.get(name), new.get(name), f"{where}.{name}".removeprefix("."))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            if a != b:
                yield from differing(a, b, f"{where}[{number}]")
    else:
        yield where, old, new


def _shown(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "…"
    return "nothing" if value is None else str(value)[:80]
