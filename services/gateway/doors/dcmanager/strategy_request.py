"""What a body of `POST /sw-update-strategy` asks for, with every fault of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.gateway.doors.dcmanager.words import NOT_OFFERED, PRESTAGE, SW_DEPLOY, TYPES
from services.gateway.doors.fields import Fields
from shared.messages.words import MAX_PARALLEL

DEFAULT_PARALLEL = 2

RELEASE_NEEDED = "Release ID is required for strategy type: sw-deploy."


@dataclass(frozen=True, slots=True)
class Asked:
    """A strategy that somebody asks for. `None`: left out."""

    type: str
    apply_type: str | None = None
    max_parallel: int | None = None
    stop_on_failure: bool = False
    force: bool = False
    group: str | None = None
    cloud: str | None = None
    release: str | None = None
    rollback: bool = False
    password: str | None = None


def read(body: Mapping[str, Any]) -> tuple[Asked, list[str], list[str]]:
    """What is asked for, what is wrong with it, and which fields were passed by."""
    f = Fields(body)
    asked = dict(_common(f))
    kind = f.text("type")
    if f.get("type") is None:
        f.fault("type required")
    elif kind in NOT_OFFERED:
        f.fault(f"type invalid: strategies of type {kind} are not offered here, only {' and '.join(TYPES)}")
    elif kind == PRESTAGE:
        asked |= _prestage(f)
    elif kind == SW_DEPLOY:
        asked |= _sw_deploy(f)
    elif kind is not None:
        f.fault(f"type invalid: it must be {' or '.join(TYPES)}")
    return Asked(type=kind or "", **asked), f.faults, f.ignored


def _common(f: Fields) -> dict[str, Any]:
    group = _group(f)
    found = {
        "group": group,
        "cloud": f.text("cloud_name"),
        "force": bool(f.truth("force")),
        "apply_type": f.one_of("subcloud-apply-type", ("parallel", "serial"), _apply_type),
        "max_parallel": f.number("max-parallel-subclouds", 1, MAX_PARALLEL),
        "stop_on_failure": bool(f.truth("stop-on-failure", loose=False)),
    }
    if group is not None and f.get("cloud_name") is not None:
        f.fault("cloud_name and subcloud_group are mutually exclusive")
    return found


def _apply_type(value: str) -> str:
    return f"subcloud-apply-type invalid value. Value: {value}: it must be parallel or serial"


def _group(f: Fields) -> str | None:
    """`group` is what their own example sends, beside a limit, and what nothing there reads: here it means the group,
    and a limit beside it goes before that of the group."""
    named, alias = f.text("subcloud_group"), f.text("group")
    if named and alias and named != alias:
        f.fault("subcloud_group and group are two names of one field; give one of them")
    if named and (f.get("subcloud-apply-type") is not None or f.get("max-parallel-subclouds") is not None):
        f.fault("subcloud-apply-type and max-parallel-subclouds are not allowed when subcloud_group is provided")
    return named or alias


def _prestage(f: Fields) -> dict[str, Any]:
    f.truth("for_install")  # what lies on a site serves both
    f.truth("for_sw_deploy")
    password = f.password("sysadmin_password", "subcloud sysadmin_password required")
    return {"release": f.text("release"), "password": password}


def _sw_deploy(f: Fields) -> dict[str, Any]:
    release, rollback = f.text("release_id"), bool(f.truth("rollback"))
    delete = bool(f.truth("delete")) | bool(f.truth("with_delete"))
    cleanup = bool(f.truth("cleanup")) | bool(f.truth("delete_only"))
    with_prestage, kube_upgrade = bool(f.truth("with_prestage")), f.text("kube_upgrade")
    given = {"release_id": release, "with_prestage": with_prestage, "kube_upgrade": kube_upgrade}
    _refuse_what_has_no_meaning(f, kube_upgrade, cleanup=cleanup)
    if cleanup:
        _not_beside(f, "cleanup", {**given, "delete": delete, "rollback": rollback})
    elif rollback:
        _not_beside(f, "rollback", {**given, "delete": delete})
    elif release is None:
        f.fault(RELEASE_NEEDED)
    return {"release": release, "rollback": rollback, "password": _password(f, with_prestage=with_prestage)}


def _refuse_what_has_no_meaning(f: Fields, kube_upgrade: str | None, *, cleanup: bool) -> None:
    if f.truth("snapshot"):
        f.fault("snapshot is not offered here: a site whose update fails is brought back to the release it had")
    if cleanup:
        f.fault("cleanup is not offered here: an update leaves nothing behind that would have to be cleaned up")
    if kube_upgrade is not None:
        f.fault("kube_upgrade is not offered here: a release brings what it needs")


def _not_beside(f: Fields, name: str, others: Mapping[str, Any]) -> None:
    if found := [other for other, value in others.items() if value]:
        f.fault(f"Option {name} cannot be used with any of the following options: {', '.join(found)}")


def _password(f: Fields, *, with_prestage: bool) -> str | None:
    if with_prestage:
        return f.password("sysadmin_password", "subcloud sysadmin_password required")
    if f.get("sysadmin_password") is not None:
        f.fault("The with_prestage option is required when using sysadmin_password")
    return None
