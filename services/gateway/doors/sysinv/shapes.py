"""What the door shows, in sysinv's fields. Pure."""

from datetime import UTC, datetime
from typing import Any

from services.gateway.doors.sysinv.standing import Standing

MOST_PROGRESS = 255
"""Characters of a progress: longer ones are cut, as there."""


def moment(at: datetime | None) -> str | None:
    """`2026-03-04T14:24:47.700836+00:00`."""
    return at.astimezone(UTC).isoformat() if at else None


def listed(app: Standing) -> dict[str, Any]:
    """An app in a list."""
    return {
        "name": app.name,
        "app_version": app.version,
        "manifest_name": app.manifest_name or f"{app.name}-fluxcd-manifests",
        "manifest_file": app.manifest_file or "fluxcd-manifests",
        "status": app.status,
        "progress": _cut(app.progress),
        "active": app.active,
    }


def shown(app: Standing) -> dict[str, Any]:
    """An app by itself."""
    return {**listed(app), "created_at": moment(app.created_at), "updated_at": moment(app.updated_at)}


def _cut(progress: str | None) -> str | None:
    if progress is None or len(progress) <= MOST_PROGRESS:
        return progress
    return progress[: MOST_PROGRESS - 3] + "..."
