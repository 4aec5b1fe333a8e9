"""What a refusal means in HTTP."""

import re
from pathlib import Path

import pytest

from services.gateway.http.statuses import STATUS_OF_CODE, http_status

STATUSES = {
    400: {"unreadable"},
    403: {"operation_forbidden"},
    404: {
        "unknown_app", "unknown_bundle", "unknown_delivery", "unknown_inbox", "unknown_notification",
        "unknown_operation", "unknown_release", "unknown_run", "unknown_secret", "unknown_site", "unknown_strategy",
        "unknown_subscription",
    },
    409: {
        "alarms_active", "already_current", "already_finished", "command_id_reused", "dependency_missing",
        "driver_mismatch", "excluded", "group_exists", "group_not_empty", "in_maintenance", "last_admin",
        "needed_by_others", "no_previous_release", "not_failed", "not_stoppable", "nothing_deployed",
        "operation_exists", "overrides_changed", "patches_missing", "platform_unfit", "preparation_failed",
        "release_deleting", "release_withdrawn", "secret_in_use", "site_busy", "site_exists", "site_held",
        "strategy_exists", "subscription_exists", "token_exists", "unmanaged", "version_conflict", "version_exists",
        "wrong_state",
    },
    422: {
        "bad_secret", "bad_template", "dependency_cycle", "invalid_field", "missing_field", "not_upgradable",
        "overrides_invalid", "scheme_differs", "target_not_allowed", "too_large", "too_many_apps", "unknown_field",
        "unknown_host", "unknown_type", "wrong_digest", "wrong_extension", "wrong_size",
    },
    500: {"internal"},
}  # fmt: skip

SERVICES = Path(__file__).parents[4] / "services"
OF_OPERATIONS = "\nAn operation fails with"
"""From here on the deployer's reasons are those of operations that have begun: no request is answered with them."""


@pytest.mark.parametrize(
    ("code", "status"), [(code, status) for status in STATUSES for code in sorted(STATUSES[status])]
)
def test_a_code_has_one_status(code: str, status: int) -> None:
    assert http_status(code) == status


def test_every_code_with_a_status_of_its_own_is_among_these() -> None:
    assert set(STATUS_OF_CODE) <= set().union(*STATUSES.values())


def test_each_reason_that_a_readme_names_has_a_status_that_somebody_decided() -> None:
    told = {service: reasons(service) for service in ("catalog", "deployer", "notifier")}
    assert all(len(codes) > 8 for codes in told.values())
    decided = set().union(*STATUSES.values())
    assert {service: codes - decided for service, codes in told.items() if codes - decided} == {}


def reasons(service: str) -> set[str]:
    """The codes in a README's part of that name: of its first sentences, and of the first column of its table."""
    text = (SERVICES / service / "README.md").read_text().partition("\n## Reasons\n")[2].partition("\n## ")[0]
    lines = text.partition(OF_OPERATIONS)[0].splitlines()
    told = [line.split("|")[1] if line.startswith("|") else line for line in lines]
    return {code for line in told for code in re.findall(r"`([a-z]+(?:_[a-z]+)+|excluded|unmanaged)`", line)}
