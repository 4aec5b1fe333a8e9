"""What a body of `PATCH /helm_charts/{app}` asks for, with every fault of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.gateway.doors.fields import shown
from services.gateway.doors.sysinv.upload_request import switched
from shared.safe_yaml import BadYaml
from shared.values.files import values_in
from shared.values.merging import over
from shared.values.setting import BadSetting, set_in

FLAGS = ("reuse_values", "reset_values", "reapply", "reapply_all")
PARTS = ("attributes", "flags", "values")
COMMA = "Invalid input: One (or more) set overrides contains multiple values. Consider using --values option instead."


@dataclass(frozen=True, slots=True)
class Asked:
    """Overrides that somebody wants set. `None`: left as they are."""

    values: dict[str, Any] = field(default_factory=dict)
    given: bool = False
    """Whether any values were sent: with none, and without `reuse`, those that are kept go."""

    reuse: bool = False
    reapply: bool = False
    reapply_all: bool = False
    enabled: bool | None = None


def read(body: Mapping[str, Any]) -> tuple[Asked, list[str]]:
    """What is asked for, and what is wrong with it."""
    faults = [f'Unknown argument: "{name[:60]}"' for name in body if name not in PARTS]
    faults += [f'Missing argument: "{name}"' for name in PARTS if body.get(name) is None]
    faults += [_no_object(name, body[name]) for name in PARTS if not isinstance(body.get(name), dict | type(None))]
    if faults:
        return Asked(), faults
    flags = _flags(body["flags"], faults)
    files, sets = (_texts(body["values"], name, faults) for name in ("files", "set"))
    asked = Asked(
        values=_merged(files, sets, faults),
        given=bool(files or sets),
        reuse=flags["reuse_values"],
        reapply=flags["reapply"],
        reapply_all=flags["reapply_all"],
        enabled=_enabled(body["attributes"], faults),
    )
    return asked, faults


def _no_object(name: str, value: Any) -> str:
    return f"Invalid input for field/attribute {name}. Value: {shown(value)}. It must be an object."


def _flags(given: Mapping[str, Any], faults: list[str]) -> dict[str, bool]:
    faults += [f"Invalid flags: {name[:60]} is none of {', '.join(FLAGS)}." for name in given if name not in FLAGS]
    faults += [
        f"Invalid flags: {name} must be true or false, not {shown(given[name])}."
        for name in FLAGS
        if name in given and not isinstance(given[name], bool)
    ]
    flags = {name: given.get(name) is True for name in FLAGS}
    if flags["reuse_values"] and given.get("reset_values", True):
        faults.append("Invalid flags: 'reuse_values' and 'reset_values' cannot both be True.")
    if flags["reapply"] and flags["reapply_all"]:
        faults.append("Invalid flags: 'reapply' and 'reapply_all' cannot both be True.")
    return flags


def _texts(values: Mapping[str, Any], name: str, faults: list[str]) -> list[str]:
    found = values.get(name) or []
    if isinstance(found, list) and all(isinstance(text, str) for text in found):
        return found
    faults.append(f"Invalid input: values.{name} must be a list of texts.")
    return []


def _merged(files: list[str], sets: list[str], faults: list[str]) -> dict[str, Any]:
    """The files one over the other, and what is set over them."""
    merged: dict[str, Any] = {}
    for n, text in enumerate(files, start=1):
        try:
            merged = over(merged, values_in(text.encode("utf-8", "replace")))
        except BadYaml as error:
            faults.append(f"Invalid input: file {n} of the overrides cannot be read: {error}")
    for text in sets:
        if "," in text:
            faults.append(COMMA)
            continue
        try:
            merged = set_in(merged, text)
        except BadSetting as error:
            faults.append(f"Invalid input: set override {shown(text)}: {error}")
    return merged


def _enabled(attributes: Mapping[str, Any], faults: list[str]) -> bool | None:
    faults += [
        f"Invalid chart attribute: {name[:60]} must be one of [enabled]" for name in attributes if name != "enabled"
    ]
    value = attributes.get("enabled")
    if (found := switched(value)) is None and value is not None:
        faults.append(f"Invalid chart attribute: enabled must be true or false, not {shown(value)}")
    return found
