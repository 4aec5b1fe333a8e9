"""How an app stands in a group of sites that do not all stand alike. Pure.

What is under way anywhere is what the group is doing; else a failure anywhere is told; else the app is applied where
any site has it, for from there it may be applied, updated and removed as a whole.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.gateway.doors.sysinv import words
from services.gateway.doors.sysinv.standing import Standing
from services.gateway.doors.sysinv.strategy_names import RUNNING

ORDER = (
    words.RECOVERING, words.REMOVING, words.UPDATING, words.APPLYING, words.REMOVE_FAILED, words.APPLY_FAILED,
    words.APPLIED, words.UPLOADING, words.UPLOAD_FAILED, words.UPLOADED,
)  # fmt: skip
"""The first of these that any site has is what the group shows."""

UNDER_WAY = frozenset(ORDER[:4])


def mixed(standings: Sequence[Standing]) -> Standing:
    """The one of the group, of those of its sites (at least one)."""
    alike = {(one.status, one.version) for one in standings}
    chosen = _chosen(standings)
    if len(alike) == 1:
        return chosen
    return replace(chosen, progress=_counted(standings), deployed=any(one.deployed for one in standings), alike=False)


def _chosen(standings: Sequence[Standing]) -> Standing:
    """Of those with the status of the group one with the version that most of them have, the one moved last."""
    status = min((one.status for one in standings), key=_place)
    those = [one for one in standings if one.status == status]
    most = Counter(one.version for one in those)
    return max(those, key=lambda one: (most[one.version], one.updated_at.timestamp() if one.updated_at else 0.0))


def _place(status: str) -> int:
    return ORDER.index(status) if status in ORDER else len(ORDER)


def _counted(standings: Sequence[Standing]) -> str:
    """`3 of 5 sites applied 2.0.0, 1 applied 1.0.0, 1 apply-failed 2.0.0: disk full`."""
    counts = Counter((one.status, one.version) for one in standings)
    parts = [f"{n} {status} {version}" for (status, version), n in counts.most_common()]
    told = f"of {len(standings)} sites {', '.join(parts)}"
    why = next((one.progress for one in standings if one.status.endswith("failed") and one.progress), None)
    return f"{told}: {why}" if why else told


def during(found: Standing, strategy: Mapping[str, Any]) -> Standing:
    """While a strategy of the door runs, whatever its sites do just now; and why one ended that never began."""
    if found.status in UNDER_WAY:
        return found
    state, spec, why = strategy["state"], strategy["spec"] or {}, strategy["why"] or {}
    if state == "failed" and strategy["started_at"] is None:
        return replace(found, progress=f"Application update aborted. {why.get('message', '')}".rstrip())
    if state not in RUNNING:
        return found
    status = words.WHILE.get(spec.get("type", ""), found.status)
    doing = "upload" if state == "waiting" else "remove" if status == words.REMOVING else "deploy"
    return replace(found, status=status, version=spec.get("version") or found.version, progress=words.PHASES[doing])
