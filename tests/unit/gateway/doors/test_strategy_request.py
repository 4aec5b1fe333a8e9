"""What may stand in a request for a strategy at the dcmanager door, row by row; every fault is told."""

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.doors.dcmanager.strategy_request import Asked, read

SECRET = base64.b64encode(b"St8rlingX*").decode()
PRESTAGE = {"type": "prestage", "sysadmin_password": SECRET}
DEPLOY = {"type": "sw-deploy", "release_id": "2.0.0"}


@pytest.mark.parametrize("word", [True, False, "true", "false", " TRUE ", "False"])
def test_a_boolean_may_be_json_or_a_word(word: Any) -> None:
    asked, faults, _ = read({**PRESTAGE, "force": word})
    assert (asked.force, faults) == (str(word).strip().lower() == "true", [])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"force": "yes"}, "Invalid value 'yes' for force"),
        ({"force": 1}, "Invalid value '1' for force"),
        ({"force": ["true"]}, "for force"),
        ({"subcloud-apply-type": "both"}, "subcloud-apply-type invalid value. Value: 'both'"),
        ({"subcloud-apply-type": ["serial"]}, "subcloud-apply-type invalid value"),
        ({"cloud_name": "a", "subcloud_group": "g"}, "mutually exclusive"),
        ({"subcloud_group": "g", "subcloud-apply-type": "serial"}, "not allowed when subcloud_group is provided"),
        ({"subcloud_group": "g", "max-parallel-subclouds": 2}, "not allowed when subcloud_group is provided"),
        ({"group": "g", "subcloud_group": "h"}, "two names of one field"),
        ({"subcloud_group": 1}, "for subcloud_group: it must be a string"),
        ({"group": 1}, "for group: it must be a string"),
        ({"max-parallel-subclouds": [2]}, "max-parallel-subclouds invalid value. Value: '[2]'"),
        ({"max-parallel-subclouds": "x"}, "max-parallel-subclouds invalid value. Value: 'x'"),
        ({"max-parallel-subclouds": True}, "max-parallel-subclouds invalid value"),
        ({"max-parallel-subclouds": 2.5}, "max-parallel-subclouds invalid value"),
        ({"max-parallel-subclouds": 0}, "must be between 1 and 5000"),
        ({"max-parallel-subclouds": "0"}, "must be between 1 and 5000"),
        ({"max-parallel-subclouds": 5001}, "must be between 1 and 5000"),
        ({"max-parallel-subclouds": -1}, "must be between 1 and 5000"),
        ({"type": None}, "type required"),
        ({"type": ""}, "type required"),
        ({"type": "patch"}, "type invalid"),
        ({"type": 7}, "for type: it must be a string"),
        ({"type": "kubernetes"}, "not offered here"),
        ({"type": "kube-rootca-update"}, "not offered here"),
        ({"type": "firmware"}, "not offered here"),
        ({"stop-on-failure": "yes"}, "for stop-on-failure"),
        ({"stop-on-failure": "TRUE"}, "for stop-on-failure"),
        ({"stop-on-failure": 1}, "for stop-on-failure"),
        ({"release": 26.03}, "for release: it must be a string"),
        ({"for_sw_deploy": "t"}, "for for_sw_deploy"),
        ({"sysadmin_password": None}, "subcloud sysadmin_password required"),
        ({"sysadmin_password": ""}, "subcloud sysadmin_password required"),
        ({"sysadmin_password": "not base64"}, "Failed to decode subcloud sysadmin_password"),
        ({"sysadmin_password": "YWJj!"}, "Failed to decode subcloud sysadmin_password"),
        ({"sysadmin_password": "/////w=="}, "Failed to decode subcloud sysadmin_password"),
        ({"sysadmin_password": 12345678}, "Failed to decode subcloud sysadmin_password"),
        ({"sysadmin_password": "YWJj"}, "at least 4 characters"),
    ],
)
def test_a_wrong_field_is_told(more: dict[str, Any], told: str) -> None:
    faults = read({**PRESTAGE, **more})[1]
    assert [fault for fault in faults if told in fault], faults


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"type": "sw-deploy"}, "Release ID is required"),
        ({**DEPLOY, "sysadmin_password": SECRET}, "with_prestage option is required"),
        ({**DEPLOY, "with_prestage": True}, "sysadmin_password required"),
        ({**DEPLOY, "snapshot": "true"}, "snapshot is not offered"),
        ({**DEPLOY, "rollback": True}, "Option rollback cannot be used"),
        ({"type": "sw-deploy", "rollback": True, "delete": True}, "Option rollback cannot be used"),
        ({"type": "sw-deploy", "cleanup": True}, "cleanup is not offered"),
        ({"type": "sw-deploy", "delete_only": "true"}, "cleanup is not offered"),
        ({**DEPLOY, "kube_upgrade": "v1.30.1"}, "kube_upgrade is not offered"),
        ({**DEPLOY, "delete": "maybe"}, "for delete"),
    ],
)
def test_a_deployment_that_cannot_be_is_told(body: dict[str, Any], told: str) -> None:
    faults = read(body)[1]
    assert [fault for fault in faults if told in fault], faults


def test_what_their_command_line_sends_by_itself_is_no_fault() -> None:
    plain = {"snapshot": False, "rollback": False, "delete": True, "cleanup": False, "with_prestage": False}
    assert read({**DEPLOY, **plain, "kube_upgrade": None})[1] == []
    assert read({**PRESTAGE, "for_install": "true", "cloud_name": "a", "stop-on-failure": "true"})[1] == []


def test_a_limit_may_stand_beside_a_group_as_in_their_own_example() -> None:
    asked, faults, ignored = read({**PRESTAGE, "force": "true", "max-parallel-subclouds": "50", "group": "Default"})
    assert (asked.group, asked.max_parallel, faults, ignored) == ("Default", 50, [], [])


def test_all_faults_are_told_at_once_and_what_nothing_is_made_of_by_name() -> None:
    wrong = {"type": "prestage", "force": 2, "max-parallel-subclouds": "many", "stop-on-failure": 3, "extra": 1}
    _, faults, ignored = read(wrong)
    assert (len(faults), ignored) == (4, ["extra"])


def test_a_password_is_decoded_and_told_to_nobody() -> None:
    asked, faults, _ = read({**PRESTAGE, "sysadmin_password": base64.b64encode(b"St8rlingX*\n").decode()})
    assert (asked.password, faults) == ("St8rlingX*", [])
    for wrong in ("hunter2!", "aHVudGVyMg", {"clear": "hunter2"}):
        assert not [fault for fault in read({**PRESTAGE, "sysadmin_password": wrong})[1] if "unter2" in fault]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = (
    "type", "force", "stop-on-failure", "subcloud_group", "group", "cloud_name", "max-parallel-subclouds", "release",
    "subcloud-apply-type", "sysadmin_password", "release_id", "rollback", "delete", "cleanup", "with_prestage",
    "kube_upgrade", "snapshot", "for_install", "for_sw_deploy",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), ANYTHING),
    st.sampled_from([None, "prestage", "sw-deploy", "firmware"]),
)
def test_whatever_is_sent_is_understood_or_told(body: dict[str, Any], kind: str | None) -> None:
    asked, faults, _ = read({**body, **({"type": kind} if kind else {})})
    assert faults or (isinstance(asked, Asked) and asked.type in ("prestage", "sw-deploy"))
    assert all(isinstance(fault, str) and fault for fault in faults)
