"""What a refusal means in HTTP."""

from shared.messages.base import ErrorCode

STATUS_OF_CODE = {
    ErrorCode.UNREADABLE: 400,
    ErrorCode.UNKNOWN_FIELD: 422,
    ErrorCode.UNKNOWN_TYPE: 422,
    ErrorCode.COMMAND_ID_REUSED: 409,
    ErrorCode.INTERNAL: 500,
    "unknown_host": 422,  # of a webhook: not a resource of ours
    "site_busy": 409,
    "site_held": 409,
    "wrong_state": 409,
    "already_finished": 409,
    "not_stoppable": 409,
    "already_current": 409,
    "nothing_deployed": 409,
    "no_previous_release": 409,
    "group_not_empty": 409,
    "last_admin": 409,
    "secret_in_use": 409,
    "overrides_changed": 409,
}


def http_status(code: str) -> int:
    """The HTTP status of a refusal with this code: 404 unknown, 409 in conflict, 422 for all other reasons."""
    if code in STATUS_OF_CODE:
        return STATUS_OF_CODE[code]
    if code.startswith("unknown_"):
        return 404
    return 409 if code.endswith("_exists") or "conflict" in code else 422
