"""What the variable parts of paths take, by the resource that they name."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

DIGITS = "[0-9]+"


def parts_of(path: str, parts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each variable part of a path, by the `parts` of all resources.

    Raises KeyError for one that no resource tells of.
    """
    found = re.findall(r"(?=(?:^|/)([^/]+/{(\w+)}))", path)
    if unknown := [place for place, _ in found if place not in parts]:
        raise KeyError(f"say in `parts` of its resource what {', '.join(unknown)} of {path} takes")
    return {name: TypeAdapter(parts[place]).json_schema() for place, name in found}


def pattern_of(path: str) -> str:
    """The path for aiohttp: a part may be anything but empty or a slash; by itself it would take no { or }.

    An offset is digits alone, or words that stand in its place in another path would be taken for one.
    """
    return re.sub(r"{(\w+)}", lambda part: f"{{{part[1]}:{DIGITS if part[1] == 'offset' else '[^/]+'}}}", path)
