"""Values over values, as Helm merges them: mappings deeply, anything else is replaced, null takes a key away.

Levels are merged among themselves first, with their nulls, and then over the values of a release: a null of the fleet
and a mapping of a site over it leave what the release has under it, as several values files of Helm do.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from shared.values.paths import Path, written

Values = Mapping[str, Any]

SECRET = "secret"  # noqa: S105 - the key that names one


def is_reference(value: Any) -> bool:
    """Whether a value stands for a secret: `{"secret": NAME}`, and nothing beside it."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(SECRET), str)


def over(below: Values, above: Values) -> dict[str, Any]:
    """Two levels as one; nulls stay, to take away what is below both."""
    return _merged(below, above, drop_nulls=False)


def onto(release: Values, overrides: Values, *, nulls_travel: bool = False) -> dict[str, Any]:
    """The values of a release with overrides over them. `nulls_travel`: what is taken away stays as null, for a tool
    that has defaults of its own below them."""
    return _merged(release, overrides, drop_nulls=not nulls_travel)


def _merged(below: Values, above: Values, *, drop_nulls: bool) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if drop_nulls and value is None:
            merged.pop(key, None)
        elif _mapping(value):
            merged[key] = _merged(_as_mapping(under), value, drop_nulls=drop_nulls)
        else:
            merged[key] = value
    return merged


def _mapping(value: Any) -> TypeGuard[dict[str, Any]]:
    """A reference is one value, although it is written as a mapping."""
    return isinstance(value, dict) and not is_reference(value)


def _as_mapping(value: Any) -> Values:
    return value if _mapping(value) else {}


def secrets_in(values: Any) -> Iterator[tuple[Path, str]]:
    """Where secrets are named, and which; a mapping of values itself is no reference."""
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, inner in items:
        if is_reference(inner):
            yield (key,), inner[SECRET]
        else:
            yield from (((key, *path), name) for path, name in secrets_in(inner))


def filled(values: Any, secrets: Mapping[str, str]) -> Any:
    """The values with each reference replaced by what it stands for. Raises KeyError for a name without a value."""
    if isinstance(values, dict):
        return {k: secrets[v[SECRET]] if is_reference(v) else filled(v, secrets) for k, v in values.items()}
    if isinstance(values, list):
        return [secrets[v[SECRET]] if is_reference(v) else filled(v, secrets) for v in values]
    return values


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs, each side as JSON; None = it is not there."""

    path: Path
    before: str | None
    after: str | None


def changes(before: Values, after: Values, path: Path = ()) -> Iterator[Change]:
    """What differs, leaf by leaf; lists are compared as a whole, and secrets by name."""
    for key in [*before, *(key for key in after if key not in before)]:
        here, old, new = (*path, key), before.get(key), after.get(key)
        if _mapping(old) and _mapping(new):
            yield from changes(old, new, here)
        elif (key in before) != (key in after) or old != new or type(old) is not type(new):
            yield from _leaf(here, before, after, key)


def _leaf(path: Path, before: Values, after: Values, key: str) -> Iterator[Change]:
    """A mapping that comes or goes is told by what is in it."""
    old, new = before.get(key), after.get(key)
    if key not in before and _as_mapping(new):
        yield from changes({}, _as_mapping(new), path)
    elif key not in after and _as_mapping(old):
        yield from changes(_as_mapping(old), {}, path)
    else:
        yield Change(path, _json(old) if key in before else None, _json(new) if key in after else None)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def origins(levels: Sequence[tuple[str, Values]]) -> dict[str, str]:
    """By the written path of each value of all levels merged, which of them it came from; the last is the strongest."""
    merged: dict[str, Any] = {}
    for _, values in levels:
        merged = over(merged, values)
    return {written(path): next(n for n, v in reversed(levels) if _has(v, path)) for path in _leaves(merged)}


def _leaves(values: Values, path: Path = ()) -> Iterator[Path]:
    for key, value in values.items():
        if _mapping(value) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _has(values: Any, path: Path) -> bool:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True
