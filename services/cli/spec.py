"""A strategy's spec out of a YAML file and options; options win. What the values must be, Belay itself says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.errors import fault, usage

if TYPE_CHECKING:
    from shared.messages.base import Fault

STAGE_HELP = (
    "name[:take[:max_parallel[:soak]]], such as canary:1::30s, half:50%:10 or rest; rest? may take no site; "
    "or name:KEY=VALUE,… with take, max-parallel, soak, group, label and site, such as edge:group=north,label=tier=edge"
)

STAGE_VALUES = {"take": "take", "max-parallel": "max_parallel", "soak": "soak_seconds"}
STAGE_LISTS = {"group": "groups", "label": "labels", "site": "sites"}
"""Keys of a stage on the command line, and the fields of the spec that they are."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_spec(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises a usage error that says where it cannot be read."""
    from shared.safe_yaml import BadYaml, load  # options alone need no YAML

    try:
        found = load(path.read_bytes())
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
    except BadYaml as error:
        raise usage(f"{path} cannot be read as YAML: {error}") from error
    if not isinstance(found, dict):
        raise usage(f"{path} must hold one strategy: `name: …`, `type: …` and so on")
    return found


def merged(base: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with every option that was given laid over it, key by key inside `selection` and `on_failure`."""
    spec = dict(base)
    for key, value in options.items():
        if isinstance(value, Mapping):
            below = spec.get(key)
            spec[key] = merged(below if isinstance(below, Mapping) else {}, value)
        elif value is not None and value not in ((), []):
            spec[key] = value
    return {key: value for key, value in spec.items() if value != {}}


def pairs(values: Iterable[str], option: str) -> dict[str, str]:
    """`label=value` options as a mapping. Raises a usage error that names every one that is not such a pair."""
    split = [(value, *value.partition("=")) for value in values]
    faults = [
        fault("invalid_field", option, "must be LABEL=VALUE, such as region=north", whole)
        for whole, key, equals, value in split
        if not (key and equals and value)
    ]
    if faults:
        raise usage("these labels cannot be read", faults=faults)
    return {key: value for _, key, _, value in split}


def stages(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Stages written as options. Raises a usage error that names every fault of every stage."""
    faults: list[Fault] = []
    found = [_stage(text, faults) for text in texts]
    if faults:
        raise usage("these stages cannot be read", f"write a stage as {STAGE_HELP}", faults)
    return found


def _stage(text: str, faults: list[Fault]) -> dict[str, Any]:
    head, _, rest = (part.strip() for part in text.partition(":"))
    stage: dict[str, Any] = {"name": head.removesuffix("?")}
    if head.endswith("?"):
        stage["optional"] = True
    return stage | (_by_keys(rest, text, faults) if "=" in rest else _by_place(rest, text, faults))


def _by_place(rest: str, text: str, faults: list[Fault]) -> dict[str, Any]:
    """`50%:10:5m`: what is left out stays at its default."""
    parts = [part.strip() for part in rest.split(":")]
    if len(parts) > len(STAGE_VALUES):
        faults.append(fault("invalid_field", "--stage", "has more than four parts", text))
    stage: dict[str, Any] = {field: value for field, value in zip(STAGE_VALUES.values(), parts, strict=False) if value}
    return _soaked(stage, text, faults)


def _by_keys(rest: str, text: str, faults: list[Fault]) -> dict[str, Any]:
    """`group=north,group=south,label=tier=edge,take=10%`: groups, labels and sites may be repeated."""
    stage: dict[str, Any] = {}
    for part in rest.split(","):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key in STAGE_LISTS and value:
            stage.setdefault(STAGE_LISTS[key], []).append(value)
        elif key in STAGE_VALUES and value:
            stage[STAGE_VALUES[key]] = value
        else:
            known = ", ".join((*STAGE_VALUES, *STAGE_LISTS))
            message = f"{part.strip()!r} must be KEY=VALUE with one of {known}"
            faults.append(fault("invalid_field", "--stage", message, text))
    if "labels" in stage:
        stage["labels"] = pairs(stage["labels"], "--stage … label")
    return _soaked(stage, text, faults)


def _soaked(stage: dict[str, Any], text: str, faults: list[Fault]) -> dict[str, Any]:
    soak = stage.get("soak_seconds")
    return stage if soak is None else stage | {"soak_seconds": _soak(soak, text, faults)}


def _soak(soak: str, text: str, faults: list[Fault]) -> int | None:
    seconds = duration(soak)
    if seconds is None:
        message = f"the soak time {soak!r} must be a number of seconds, or one with s, m, h or d behind it"
        faults.append(fault("invalid_field", "--stage", message, text))
    return seconds


def duration(text: str) -> int | None:
    """Seconds out of `90`, `90s`, `5m`, `2h` or `1d`; None if it is none of these."""
    match = re.fullmatch(r"(\d{1,7})([smhd]?)", text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def seconds(text: str | None, option: str) -> int | None:
    """A duration given as an option; None stays None. Raises a usage error for what is none."""
    if text is None:
        return None
    if (found := duration(text)) is None:
        raise usage(f"{option} {text}: give a number of seconds, or one with s, m, h or d behind it, such as 5m")
    return found
