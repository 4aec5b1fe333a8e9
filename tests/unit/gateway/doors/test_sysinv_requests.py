"""What clients of sysinv ask for, with every fault of it; and their names for what Belay makes of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.doors.sysinv import chart_request, modes, upload_request
from services.gateway.doors.sysinv.as_xml import as_xml
from services.gateway.doors.sysinv.settings import SysinvSettings
from services.gateway.doors.sysinv.strategy_names import MOST, strategy_of

FILE = {"tarfile": "/home/sysadmin/shop-1.0.tgz"}
CHART = {"flags": {}, "values": {}, "attributes": {}}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def faults(body: dict[str, Any], *, updates: bool = True) -> str:
    return "; ".join(upload_request.read(body, updates=updates)[1])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "tar file must be specified."),
        ({"tarfile": 7}, "must be a string"),
        ({"tarfile": "/x/shop.zip"}, "Supported extensions are: .tgz and .tar.gz."),
        (FILE | {"reuse_user_overrides": "yes"}, "invalid reuse_user_overrides setting."),
        (FILE | {"reuse_attributes": 1}, "invalid reuse_attributes setting."),
        (FILE | {"name": "a b"}, "lower-case"),
        (FILE | {"app_version": "1 2"}, "letters, digits"),
    ],
)
def test_an_update_is_told_what_is_wrong_with_it(body: dict[str, Any], reason: str) -> None:
    assert reason in faults(body)


@pytest.mark.parametrize("said", ["true", "True", True])
def test_switches_come_as_text_and_as_what_they_are(said: Any) -> None:
    asked, wrong, _ = upload_request.read(FILE | {"reuse_attributes": said}, updates=True)
    assert (asked.reuse_attributes, asked.reuse_user_overrides, wrong) == (True, None, [])


def test_what_an_upload_has_no_meaning_for_is_named() -> None:
    _, wrong, ignored = upload_request.read(FILE | {"extra": 1, "binary_data": "x"}, updates=False)
    assert (wrong, ignored) == ([], ["extra"])


def test_a_url_has_the_same_placeholders_each_time() -> None:
    asked, wrong, _ = upload_request.read({"tarfile": "https://example.org/x"}, updates=True)
    assert (asked.is_url, wrong) == (True, [])
    assert asked.shown_name.startswith("app-name-placeholder-")
    assert asked.shown_version.removeprefix("app-version-placeholder-") == asked.shown_name[-16:]


@given(st.dictionaries(st.sampled_from(["tarfile", "name", "app_version", "images", "reuse_attributes"]), ANYTHING))
def test_any_body_of_an_upload_is_read(body: dict[str, Any]) -> None:
    for updates in (True, False):
        asked, wrong, _ = upload_request.read(body, updates=updates)
        assert wrong or asked.tarfile


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (CHART, {}),
        ({**CHART, "values": {"files": ["a: {b: 1, c: 2}", "a: {b: 3}"]}}, {"a": {"b": 3, "c": 2}}),
        (
            {**CHART, "values": {"files": ["a: 1"], "set": ["a=2", "b.c=x", "l[0]=y"]}},
            {"a": 2, "b": {"c": "x"}, "l": ["y"]},
        ),
        ({**CHART, "values": {"files": [""], "set": ["a="]}}, {"a": ""}),
    ],
)
def test_files_are_merged_in_their_order_and_what_is_set_over_them(body: dict[str, Any], values: Any) -> None:
    asked, wrong = chart_request.read(body)
    assert (asked.values, wrong) == (values, [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, 'Missing argument: "flags"'),
        ({**CHART, "more": 1}, 'Unknown argument: "more"'),
        ({**CHART, "flags": []}, "flags"),
        ({**CHART, "flags": {"reuse_values": True}}, "'reuse_values' and 'reset_values' cannot both be True."),
        (
            {**CHART, "flags": {"reapply": True, "reapply_all": True}},
            "'reapply' and 'reapply_all' cannot both be True.",
        ),
        ({**CHART, "flags": {"reuse_values": "true"}}, "reuse_values must be true or false"),
        ({**CHART, "values": {"set": ["a=1,b=2"]}}, "contains multiple values"),
        ({**CHART, "values": {"set": ["=1"]}}, "set override"),
        ({**CHART, "values": {"files": ["[1]"]}}, "must be a mapping"),
        ({**CHART, "values": {"files": ["a: ["]}}, "cannot be read"),
        ({**CHART, "values": {"files": "a: 1"}}, "values.files must be a list of texts"),
        ({**CHART, "attributes": {"disabled": "true"}}, "Invalid chart attribute: disabled must be one of [enabled]"),
        ({**CHART, "attributes": {"enabled": "perhaps"}}, "enabled must be true or false"),
    ],
)
def test_overrides_are_told_what_is_wrong_with_them(body: dict[str, Any], reason: str) -> None:
    assert reason in "; ".join(chart_request.read(body)[1])


@given(st.dictionaries(st.sampled_from(["flags", "values", "attributes", "x"]), ANYTHING))
def test_any_body_of_overrides_is_read(body: dict[str, Any]) -> None:
    chart_request.read(body)


@given(ANYTHING)
def test_any_answer_has_a_form_in_xml(value: Any) -> None:
    assert as_xml(value).startswith(b"<result")


def test_xml_is_as_their_frame_writes_it() -> None:
    shown = as_xml({"apps": [{"name": "a", "active": True, "progress": None}]})
    item = b'<item><name>a</name><active>true</active><progress nil="true" /></item>'
    assert shown == b"<result><apps>" + item + b"</apps></result>"


def test_strategies_of_apps_with_long_names_differ() -> None:
    first, second = "a" * 100, "a" * 99 + "b"
    assert strategy_of("shop") == "sysinv-shop"
    assert strategy_of(first) != strategy_of(second)
    assert len(strategy_of(first)) <= MOST


def test_the_door_speaks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SysinvSettings(site=None, group=None).port is None
    for wrong in ({}, {"site": "a", "group": "b"}):
        with pytest.raises(ValueError, match="which site or which group"):
            SysinvSettings(port=0, **wrong)
    monkeypatch.setenv("BELAY_DOOR_SYSINV_PORT", "6385")
    monkeypatch.setenv("BELAY_DOOR_SYSINV_GROUP", "edge")
    assert SysinvSettings().group == "edge"


@pytest.mark.parametrize(
    ("app", "mode", "told"),
    [
        ("shop", "normal", "not supported for app shop"),
        (
            modes.OPENSTACK,
            "restore_db",
            "is brought back as a whole: belay operation run SITE APP recover; leave mode out",
        ),
        (modes.OPENSTACK, "fast", "Mode 'fast' for app stx-openstack is not valid. Valid modes are ['normal', "),
        (modes.OPENSTACK, ["normal"], "is not valid"),
    ],
)
def test_a_mode_that_has_no_meaning_here_is_refused_with_what_to_do(app: str, mode: object, told: str) -> None:
    assert told in (modes.fault_of(app, {"mode": mode}) or "")


def test_the_normal_mode_is_as_none_at_all() -> None:
    assert [modes.fault_of(modes.OPENSTACK, v) for v in ({}, {"mode": "normal"}, {"mode": None})] == [None] * 3
