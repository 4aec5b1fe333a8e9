"""What differs between the container that runs and the one that is wanted, field by field. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.deployer.drivers.container.names import DEFINITION

NOTHING = "nothing"
LONGEST = 200


def differences(
    labels: Mapping[str, str], environment: Mapping[str, str], fields: Mapping[str, Any], site: Mapping[str, str]
) -> list[str]:
    """A line for each field that differs, `field: what is there -> what is wanted`; empty = keep the container.

    `labels` and `environment` are those of the container, `fields` what is wanted of it, `site` the variables whose
    values the connection or a secret says: of these a line says only that they differ, because they may be secrets.
    """
    try:
        there = json.loads(labels[DEFINITION])
    except (KeyError, ValueError):
        return ["the container was not made by Belay"]
    lines = [
        line for field in sorted({*there, *fields}) for line in _of_field(field, there.get(field), fields.get(field))
    ]
    changed = sorted(name for name, value in site.items() if environment.get(name) != value)
    known = {name for name in changed if name in there.get("site_environment", {})}
    return lines + [f"environment.{name}: another value is wanted (not shown)" for name in changed if name in known]


def _of_field(field: str, there: Any, wanted: Any) -> Iterator[str]:
    if there == wanted:
        return
    if isinstance(there, dict) and isinstance(wanted, dict):
        for key in sorted({*there, *wanted}):
            yield from _of_field(f"{field}.{key}", there.get(key), wanted.get(key))
        return
    yield f"{field}: {_shown(there)} -> {_shown(wanted)}"


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return NOTHING
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def conflicts(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Why the new container cannot run beside the old one: ports of the host that both hold, places both write to."""
    held = {(outer, inner.rpartition("/")[2]) for inner, outer in there.get("ports", {}).items()}
    ports = [
        f"both hold {outer}/{protocol}"
        for inner, outer in wanted["ports"].items()
        if (protocol := inner.rpartition("/")[2]) and any(_clash(outer, other) for other, p in held if p == protocol)
    ]
    written = {source for source in there.get("volumes", {}).values() if not source.endswith(" (ro)")}
    return ports + [f"both write to {source}" for source in wanted["volumes"].values() if source in written]


def _clash(one: str, other: str) -> bool:
    """Whether two addresses of a host cannot be listened on by two: the same port, and one address covers the other."""
    (address, _, port), (other_address, _, other_port) = one.rpartition(":"), other.rpartition(":")
    everywhere = {"", "0.0.0.0", "::"}
    return port == other_port and (address == other_address or bool({address, other_address} & everywhere))
