"""What the door shows, in dcmanager's fields. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from services.gateway.doors.dcmanager import words
from services.gateway.doors.dcmanager.meant_release import Known, all_in_sync, in_sync
from services.gateway.doors.numbers import Number
from shared.messages.words import resolve

Row = Any
"""Of the database, by name of column."""

DEFAULT_GROUP, DEFAULT_ID = "Default", 1
"""The group of those sites that belong to none."""

DEFAULT_PARALLEL = 2

STEPS = 1_000_000_000
"""The number of a step is that of its strategy times this, plus that of its subcloud: no row is kept of it."""

NO_ERRORS = "No errors present"

LONGEST = 1_000
"""Characters of details."""


def moment(at: datetime | None) -> str | None:
    """`2026-03-04 14:24:47.700836`, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if at else None


def strategy(row: Row, number: Number, state: str | None = None) -> dict[str, Any]:
    """A strategy; `state`: what the answer to an action tells."""
    spec = row["spec"]
    kind = words.type_of(spec["type"])
    return {
        "id": number.number,
        "type": kind,
        "subcloud-apply-type": spec["apply_type"],
        "max-parallel-subclouds": resolve(spec["max_parallel"], row["sites"]),
        "stop-on-failure": spec["on_failure"]["stop_on_failure"],
        "state": state or words.STATES.get(row["state"], row["state"]),
        "created-at": moment(row["created_at"]),
        "updated-at": moment(row["finished_at"] or row["started_at"]),
        "extra-args": _extra_args(kind, spec),
    }


def _extra_args(kind: str, spec: Row) -> dict[str, Any]:
    """A password is never among them: it is sealed, and nobody is shown it."""
    if kind == words.PRESTAGE:
        force = bool(spec.get("force"))
        version = spec["version"]
        return {
            "sysadmin_password": None, "force": force, "prestage-software-version": version, "for_sw_deploy": True,
        }  # fmt: skip
    return {
        "release_id": spec["version"],
        "rollback": spec["type"] == "rollback",
        "snapshot": False,
        "delete": False,
        "cleanup": False,
        "with_prestage": False,
        "kube_upgrade": None,
        "sysadmin_password": None,
    }


class OfStrategy(NamedTuple):
    """What all steps of a strategy have of it."""

    kind: str
    number: int
    created_at: datetime
    prepared: bool


def step(row: Row, of: OfStrategy, subcloud: Number) -> dict[str, Any]:
    """A subcloud's part of a strategy."""
    waits = row["state"] == "waiting"
    begun = row["requested_at"] or (row["at"] if row["state"] == "running" else None)
    ended = None if waits or row["state"] == "running" else row["finished_at"] or row["at"]
    return {
        "id": of.number * STEPS + subcloud.number,
        "cloud": row["site"],
        "stage": words.STEP_STAGES.get(row["state"], "Complete"),
        "state": words.step_state(of.kind, row["state"], row["phase"], prepared=of.prepared),
        "details": _details(row),
        "started-at": moment(begun),
        "finished-at": moment(ended),
        "created-at": moment(of.created_at),
        "updated-at": None if waits else moment(row["at"]),
    }


def _details(row: Row) -> str:
    if row["state"] == "complete":
        return row["why"]["message"][:LONGEST] if row["why"] else ""
    cause = row["cause"] if row["state"] == "failed" else None
    why = cause or row["why"]
    return str(why["message"])[:LONGEST] if why else ""


def subcloud(row: Row, number: Number, group: int, known: Known) -> dict[str, Any]:
    """A site. What belongs to the installation of a subcloud is empty here."""
    software = in_sync(known, row["version"])
    endpoints = [{"endpoint_type": kind, "sync_status": software} for kind in ("platform", "software")]
    nothing = dict.fromkeys(
        ("management-subnet", "management-start-ip", "management-end-ip", "management-gateway-ip",
         "systemcontroller-gateway-ip", "backup-status", "backup-datetime", "data_install", "data_upgrade",
         "peer_group_id", "rehome_data")
    )  # fmt: skip
    return {
        "id": number.number,
        "name": row["name"],
        "description": row["labels"].get("description", ""),
        "location": row["labels"].get("location", ""),
        "software-version": row["version"] or "",
        "management-state": "managed" if row["managed"] else "unmanaged",
        "availability-status": words.AVAILABILITY.get(row["availability"], row["availability"]),
        "deploy-status": words.DEPLOY_STATUSES.get(row["status"], row["status"]),
        "error-description": NO_ERRORS,
        "region-name": row["name"],
        "openstack-installed": False,
        "prestage-status": words.PRESTAGE_STATUSES.get(row["prestage_state"], row["prestage_state"]),
        "prestage-versions": _lying([one["version"] for one in row["lying"] if one["complete"]]),
        **nothing,
        "created-at": moment(min(number.given_at, row["at"])),
        "updated-at": moment(row["at"]),
        "group_id": group,
        "sync_status": all_in_sync(endpoints),
        "endpoint_sync_status": endpoints,
    }


def _lying(versions: Sequence[str]) -> str | None:
    """What lies on a site serves a deployment; there it is told beside what would serve an installation."""
    return f"for-install: None - for-sw-deploy: {','.join(versions)}" if versions else None


def group(row: Row, number: Number) -> dict[str, Any]:
    """A group of sites."""
    limit: str = row["max_parallel"]
    return {
        "id": number.number,
        "name": row["name"],
        "description": row["description"],
        "update_apply_type": row["apply_type"],
        "max_parallel_subclouds": resolve(int(limit) if limit.isdigit() else limit, row["sites"]),
        "created-at": moment(min(number.given_at, row["at"])),
        "updated-at": moment(row["at"]),
    }


def default_group() -> dict[str, Any]:
    """The sites that belong to no group."""
    return {
        "id": DEFAULT_ID,
        "name": DEFAULT_GROUP,
        "description": "Default Subcloud Group",
        "update_apply_type": "parallel",
        "max_parallel_subclouds": DEFAULT_PARALLEL,
        "created-at": None,
        "updated-at": None,
    }


def alarm_summary(row: Row, number: int) -> dict[str, Any]:
    """Alarms of a subcloud by their severity."""
    status = "critical" if row["critical"] else "degraded" if row["major"] or row["minor"] else "OK"
    return {
        "uuid": str(number),
        "region_name": row["name"],
        "critical_alarms": row["critical"],
        "major_alarms": row["major"],
        "minor_alarms": row["minor"],
        "warnings": row["warnings"],
        "cloud_status": status,
    }
