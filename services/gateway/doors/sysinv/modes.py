"""`mode` of an apply: theirs are of one app, and lead it through a restore of its platform in parts. Pure."""

from collections.abc import Mapping
from typing import Any

from services.gateway.doors.fields import shown

OPENSTACK, NORMAL = "stx-openstack", "normal"

RESTORES = ("restore_db", "restore_storage")
"""Nothing here applies a part of an app: a site that was lost is brought back as a whole, to what is recorded of it."""

INSTEAD = "a site is brought back as a whole: belay operation run SITE APP recover"


def fault_of(app: str, values: Mapping[str, Any]) -> str | None:
    """What is wrong with the mode that was asked for, in their words; None = nothing."""
    if "mode" not in values:
        return None
    mode = values["mode"]
    if app != OPENSTACK:
        return f"Mode is not supported for app {app}."
    if not mode or mode == NORMAL:
        return None
    if mode in RESTORES:
        return f"Mode {mode} for app {app} is not offered here: {INSTEAD}; leave mode out, or give {NORMAL}."
    return f"Mode {shown(mode)} for app {app} is not valid. Valid modes are {[NORMAL, *RESTORES]}."
