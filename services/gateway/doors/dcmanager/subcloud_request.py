"""What is asked of one subcloud, or of a group of them, with every fault of it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.doors.fields import SHORT_WORDS, Fields, shown
from shared.messages.words import IN_WORDS, MAX_PARALLEL, NAME_PATTERN

LONGEST_LABEL = 200
"""Characters of a description or a location: Belay keeps them as labels of the site."""

LONGEST_TEXT = 255

INSTALLED = (
    "management-subnet", "management-gateway-ip", "management-start-ip", "management-end-ip", "bootstrap-address",
    "bootstrap_address", "bootstrap_values", "install_values", "deploy_config", "bmc_password", "sysadmin_password",
)  # fmt: skip
"""What changes how a subcloud is installed or reached."""


@dataclass(frozen=True, slots=True)
class Update:
    """A change of a subcloud. `None`: left as it is."""

    description: str | None
    location: str | None
    managed: bool | None
    group: str | None


def read_update(body: Mapping[str, Any]) -> tuple[Update, list[str], list[str]]:
    """What is to change, what is wrong with it, and which fields were passed by."""
    f = Fields(body)
    state = f.one_of("management-state", ("managed", "unmanaged"), lambda value: f"Invalid management-state {value}")
    update = Update(
        description=_label(f, "description"),
        location=_label(f, "location"),
        managed=None if state is None else state == "managed",
        group=_group(f),
    )
    f.truth("force", SHORT_WORDS)
    if wrong := [name for name in INSTALLED if f.get(name) is not None]:
        f.fault(f"{', '.join(wrong)} cannot be changed here: how a site is reached is said by its connections")
    if not f.faults and update == Update(None, None, None, None):
        f.fault("Body required: nothing of it can be changed here")
    return update, f.faults, f.ignored


def _label(f: Fields, name: str) -> str | None:
    text = f.text(name)
    if text is not None and len(text) > LONGEST_LABEL:
        f.fault(f"{name} must have at most {LONGEST_LABEL} characters")
    return text


def _group(f: Fields) -> str | None:
    """A number may come as one."""
    value = f.get("group_id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return f.text("group_id")


@dataclass(frozen=True, slots=True)
class Prestage:
    """One subcloud is to be prestaged."""

    password: str | None
    force: bool
    release: str | None


def read_prestage(body: Mapping[str, Any]) -> tuple[Prestage, list[str], list[str]]:
    """What is asked for, what is wrong with it, and which fields were passed by."""
    f = Fields(body)
    for name in ("for_install", "for_sw_deploy"):
        f.truth(name, SHORT_WORDS)  # what lies on a site serves both
    force = bool(f.truth("force", SHORT_WORDS))
    password = f.password("sysadmin_password", "sysadmin_password is required.")
    return Prestage(password, force, f.text("release")), f.faults, f.ignored


@dataclass(frozen=True, slots=True)
class Group:
    """A group that is to be made, or what of it is to change. `None`: left out."""

    name: str | None
    description: str | None
    apply_type: str | None
    max_parallel: int | None


def read_group(body: Mapping[str, Any], *, new: bool) -> tuple[Group, list[str], list[str]]:
    """What is asked for, what is wrong with it, and which fields were passed by. `new`: nothing may be left out."""
    f = Fields(body)
    needed = ("name", "description", "update_apply_type", "max_parallel_subclouds")
    for missing in [field for field in needed if f.get(field) is None] if new else []:
        f.fault(f"Invalid group {missing}: it is required")
    name, description = f.text("name"), f.text("description")
    if name is not None and (fault := _name_fault(name)):
        f.fault(f"Invalid group name {shown(name)}: {fault}")
    if description is not None and len(description) >= LONGEST_TEXT:
        f.fault(f"Invalid group description: it must have fewer than {LONGEST_TEXT} characters")
    group = Group(
        name=name,
        description=description,
        apply_type=f.one_of("update_apply_type", ("parallel", "serial"), _apply_type),
        max_parallel=f.number("max_parallel_subclouds", 1, MAX_PARALLEL),
    )
    if not f.faults and group == Group(None, None, None, None):
        f.fault("nothing to update")
    return group, [_of_a_group(fault) for fault in f.faults], f.ignored


def _apply_type(value: str) -> str:
    return f"Invalid group update_apply_type {value}: it must be parallel or serial"


def _of_a_group(fault: str) -> str:
    return f"Invalid group {fault}" if fault.startswith("max_parallel") else fault


def _name_fault(name: str) -> str | None:
    if name.lower() == "default":
        return "the group Default is there already, and is that of all sites without a group"
    if name.isdigit():
        return "it must not be digits alone, which mean the id of a group"
    return None if re.fullmatch(NAME_PATTERN, name) else IN_WORDS[NAME_PATTERN]
