"""Dotted paths of values: `image.tag`, `hosts[0].name`; within a key, a backslash goes before `. , = [ ] { } \\`."""

import re
from collections.abc import Sequence
from typing import Any

Key = str | int
Path = tuple[Key, ...]

_SPECIAL = re.compile(r"([.,=\[\]{}\\])")


class BadPath(ValueError):
    """What is no path, with what would be right."""


def written(path: Sequence[Key]) -> str:
    """A path as people write it."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + _SPECIAL.sub(r"\\\1", key)
    return text


def parsed(text: str) -> Path:
    """A path as it is written. Raises BadPath."""
    path: list[Key] = []
    rest = text
    while rest:
        key, rest = _key(rest, text)
        path.append(key)
        while rest.startswith("["):
            index, rest = _index(rest, text)
            path.append(index)
        if rest and not rest.startswith("."):
            raise BadPath(f"'{text}': a dot goes before '{rest}'")
        if rest == ".":
            raise BadPath(f"'{text}': a key must follow the last dot")
        rest = rest[1:]
    if not path:
        raise BadPath("a path has at least one key, such as image.tag")
    return tuple(path)


def _key(rest: str, text: str) -> tuple[str, str]:
    found = re.match(r"(?:\\.|[^.\[\]\\])+", rest, re.DOTALL)
    if found is None:
        raise BadPath(f"'{text}': a key must stand before '{rest}'")
    return re.sub(r"\\(.)", r"\1", found[0], flags=re.DOTALL), rest[found.end() :]


def _index(rest: str, text: str) -> tuple[int, str]:
    found = re.match(r"\[([0-9]{1,6})\]", rest)
    if found is None:
        raise BadPath(f"'{text}': brackets hold the place in a list, such as hosts[0]")
    return int(found[1]), rest[found.end() :]


def taken_away(values: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """The values without what stands at a path, and without mappings that became empty by it; None = nothing stood
    there, or it is part of a list, which is set as a whole."""
    key, rest = path[0], path[1:]
    if not isinstance(key, str) or key not in values:
        return None
    left = {name: value for name, value in values.items() if name != key}
    if not rest:
        return left
    inner = values[key]
    fewer = taken_away(inner, rest) if isinstance(inner, dict) else None
    if fewer is None:
        return None
    return {name: fewer if name == key else value for name, value in values.items()} if fewer else left


def without(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same, where it does not matter whether anything stood there."""
    fewer = taken_away(values, path)
    return values if fewer is None else fewer
