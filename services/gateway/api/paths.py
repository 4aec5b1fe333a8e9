"""What the variable parts of paths take, by the resource that they name."""

import re
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from services.gateway.dead_letters import LIVE
from shared.messages.words import Identifier, Name, Sha256, SiteName, Version

TokenId = Annotated[str, Field(pattern="^[0-9a-f]{12}$", description="as the list of tokens shows it")]
Offset = Annotated[str, Field(pattern="^[0-9]{1,18}$")]
Topic = Annotated[str, Field(json_schema_extra={"enum": list(LIVE)})]

DIGITS = "[0-9]+"

PARTS: dict[str, Any] = {
    "bundles/{sha256}": Sha256,
    "commands/{command_id}": Identifier,
    "deliveries/{delivery_id}": Identifier,
    "dlq/{topic}": Topic,
    "{topic}/{offset}": Offset,
    "groups/{name}": Name,
    "operations/{operation_id}": Identifier,
    "releases/{app}": Name,
    "{app}/{version}": Version,
    "sites/{name}": SiteName,
    "strategies/{strategy}": Identifier,
    "subscriptions/{name}": Name,
    "tokens/{id}": TokenId,
}
"""The type of a part, by what stands before it in the path and its name."""


def parts_of(path: str) -> dict[str, dict[str, Any]]:
    """The JSON Schema of each variable part of a path. Raises KeyError for one that is not in PARTS."""
    found = re.findall(r"(?=(?:^|/)([^/]+/{(\w+)}))", path)
    if unknown := [place for place, _ in found if place not in PARTS]:
        raise KeyError(f"say in {__name__}.PARTS what {', '.join(unknown)} of {path} takes")
    return {name: TypeAdapter(PARTS[place]).json_schema() for place, name in found}


def pattern_of(path: str) -> str:
    """The path for aiohttp: a part may be anything but empty or a slash; by itself it would take no { or }.

    An offset is digits alone, or words that stand in its place in another path would be taken for one.
    """
    return re.sub(r"{(\w+)}", lambda part: f"{{{part[1]}:{DIGITS if part[1] == 'offset' else '[^/]+'}}}", path)
