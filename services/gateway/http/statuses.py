"""What a refusal means in HTTP."""

from shared.messages.base import ErrorCode

AS_THINGS_STAND = frozenset({
    "alarms_active", "already_current", "already_finished", "dependency_missing", "driver_mismatch", "excluded",
    "group_not_empty", "in_maintenance", "last_admin", "needed_by_others", "no_previous_release", "not_failed",
    "not_stoppable", "nothing_deployed", "overrides_changed", "patches_missing", "platform_unfit", "preparation_failed",
    "release_deleting", "release_withdrawn", "secret_in_use", "site_busy", "site_held", "unmanaged", "wrong_state",
})  # fmt: skip
"""In conflict with what is so now: the same request may do once something else has changed."""

STATUS_OF_CODE = {
    ErrorCode.UNREADABLE: 400,
    ErrorCode.UNKNOWN_FIELD: 422,
    ErrorCode.UNKNOWN_TYPE: 422,
    ErrorCode.COMMAND_ID_REUSED: 409,
    ErrorCode.INTERNAL: 500,
    "unknown_host": 422,  # of a webhook: not a resource of ours
    "operation_forbidden": 403,  # whoever asks: a release or a person says that nobody may
    **dict.fromkeys(AS_THINGS_STAND, 409),
}


def http_status(code: str) -> int:
    """The HTTP status of a refusal with this code: 404 unknown, 409 in conflict, 422 for all other reasons."""
    if code in STATUS_OF_CODE:
        return STATUS_OF_CODE[code]
    if code.startswith("unknown_"):
        return 404
    return 409 if code.endswith("_exists") or "conflict" in code else 422
