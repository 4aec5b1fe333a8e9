"""What a refusal means in HTTP."""

import pytest

from services.gateway.http.statuses import STATUS_OF_CODE, http_status

STATUSES = {
    400: {"unreadable"},
    404: {"unknown_site", "unknown_release", "unknown_strategy", "unknown_delivery"},
    409: {
        "already_current", "already_finished", "command_id_reused", "group_exists", "group_not_empty",
        "last_admin", "no_previous_release", "not_stoppable", "nothing_deployed", "overrides_changed",
        "secret_in_use", "site_busy", "site_exists", "site_held", "strategy_exists", "subscription_exists",
        "token_exists", "version_conflict", "wrong_state",
    },
    422: {"unknown_field", "unknown_type", "unknown_host", "not_upgradable", "invalid_field", "missing_field"},
    500: {"internal"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status"), [(code, status) for status in STATUSES for code in sorted(STATUSES[status])]
)
def test_a_code_has_one_status(code: str, status: int) -> None:
    assert http_status(code) == status


def test_every_code_with_a_status_of_its_own_is_among_these() -> None:
    assert set(STATUS_OF_CODE) <= set().union(*STATUSES.values())
