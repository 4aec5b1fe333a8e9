"""sysinv's words for what Belay says. Pure tables; a word that is not in them is shown as it is."""

from collections.abc import Mapping

from shared.messages.words import DeploymentStatus, OperationKind

UPLOADING, UPLOADED, UPLOAD_FAILED = "uploading", "uploaded", "upload-failed"
APPLYING, APPLIED, APPLY_FAILED = "applying", "applied", "apply-failed"
REMOVING, REMOVE_FAILED = "removing", "remove-failed"
UPDATING, RECOVERING = "updating", "recovering"

STATUSES = (
    "missing", UPLOADING, UPLOADED, UPLOAD_FAILED, APPLYING, APPLIED, APPLY_FAILED, REMOVING, REMOVE_FAILED, "inactive",
    UPDATING, RECOVERING, "restore-requested", "update-starting",
)  # fmt: skip
"""All that there are there, and may be asked for; no app here is `missing`, `inactive`, `restore-requested` or
`update-starting`."""

WHILE: Mapping[str, str] = {
    OperationKind.APPLY: APPLYING,
    OperationKind.UPDATE: UPDATING,
    OperationKind.ROLLBACK: UPDATING,
    OperationKind.RECOVER: RECOVERING,
    OperationKind.REMOVE: REMOVING,
}
"""The status of an app while an operation runs."""

AFTER: Mapping[str, str] = {
    DeploymentStatus.OPERATIONAL: APPLIED,
    DeploymentStatus.APPLY_ERROR: APPLY_FAILED,
    DeploymentStatus.UPDATE_ERROR: APPLY_FAILED,
    DeploymentStatus.ROLLBACK_ERROR: APPLY_FAILED,
    DeploymentStatus.REMOVE_ERROR: REMOVE_FAILED,
    DeploymentStatus.NEW: UPLOADED,
    DeploymentStatus.REMOVED: UPLOADED,
    DeploymentStatus.ROLLING_BACK: UPDATING,
}
"""The status of an app on a site where nothing is under way, by that of its deployment."""

MAY: Mapping[str, frozenset[str]] = {
    "apply": frozenset({UPLOADED, APPLIED, APPLY_FAILED}),
    "update": frozenset({APPLIED, APPLY_FAILED, REMOVE_FAILED}),
    "remove": frozenset({APPLIED, APPLY_FAILED, REMOVE_FAILED}),
    "delete": frozenset({UPLOADED, UPLOAD_FAILED}),
    "abort": frozenset({APPLYING, UPDATING, REMOVING}),
}
"""From which statuses what may be asked for."""

UNDER_WAY: Mapping[tuple[str, str], str] = {
    ("apply", APPLYING): "install/update is already in progress.",
    ("update", UPDATING): "update is already in progress.",
}
"""What is said in place of the status, where just this is under way."""

COMPLETED = "completed"
ABORTED_BY_USER = "operation aborted by user"
IMAGES_FAILED = "Failed to download images. Check sysinv and daemon logs for details."
VALIDATING = "validating and uploading charts"
DOWNLOADING = "downloading tarfile"
UPDATE_STARTING = "Application update starting."

PHASES: Mapping[str, str] = {
    "upload": VALIDATING,
    "publication": VALIDATING,
    "precheck": "generating application overrides",
    "prepare": "retrieving docker images",
    "fetch": "retrieving docker images",
    "packages": "retrieving docker images",
    "images": "retrieving docker images",
    "deploy": "applying application manifest",
    "verify": "applying application manifest",
    "remove": "deleting application manifest",
}
"""The progress of an app by the phase of its operation."""

OF_IMAGES = frozenset(
    {"image_unavailable", "image_unusable", "registry_refused", "registry_unreachable", "wrong_content"}
)
"""Causes that are told as theirs tells all that is wrong with images."""

NOT_BEGUN = ("precheck", "upload", "publication", "fetch", "prepare")
"""Phases in which nothing was changed yet."""
