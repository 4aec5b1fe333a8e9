"""What people set, as drivers get it: merged into the spec, judged by its model, secrets held back by their names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.engine.contents import content_of
from services.deployer.overrides.fitting import Fitted, fitted, opened, secrets_of
from services.deployer.plan import Ground, moved_by, same_content
from services.deployer.store import Published
from shared.messages.base import Fault
from shared.messages.manifest import Component
from shared.messages.rules import Rules
from shared.values.layers import Effective, Layer
from tests.support.components import simulated
from tests.unit.deployer.values import OSLO, running

HELM = Component(
    driver="helm",
    name="web",
    spec={"chart": "chart", "namespace": "shop", "values": {"image": {"tag": "1"}, "debug": True}},
)
PROCESS = Component(
    driver="process",
    name="web",
    spec={"requirements": "r.lock", "command": ["web"], "environment": {"A": "1", "B": "2"}},
)


def helm(**layer: Any) -> Fitted:
    found = fitted(HELM, Layer(**layer))
    assert isinstance(found, Fitted), found
    return found


def faults(component: Component, **layer: Any) -> list[Fault]:
    found = fitted(component, Layer(**layer))
    assert isinstance(found, list)
    return found


def test_values_of_helm_keep_their_nulls_for_helm_has_defaults_of_its_own() -> None:
    spec: Any = helm(values={"image": {"tag": "2"}, "debug": None}, namespace="other").spec
    assert (spec.values, spec.namespace) == ({"image": {"tag": "2"}, "debug": None}, "other")
    found = fitted(PROCESS, Layer({"A": None, "C": "3"}))
    assert isinstance(found, Fitted)
    environment: Any = found.spec
    assert environment.environment == {"B": "2", "C": "3"}


def test_what_a_driver_does_not_take_is_told_with_where_it_stands() -> None:
    (fault,) = faults(PROCESS, values={"A": {"b": 1}})
    assert (fault.code, fault.field) == ("overrides_invalid", "overrides.web.environment.A")
    assert [f.field for f in faults(PROCESS, values={"P": {"secret": "x"}}, namespace="x")] == [
        "overrides.web.namespace"
    ]
    assert [f.field for f in faults(PROCESS, values={"A": "{nope}"})] == ["overrides.web.environment.A"]


def test_secrets_stay_names_until_they_are_opened() -> None:
    found = helm(values={"db": {"password": {"secret": "shop-db"}}})
    assert found.sealed is not None
    assert "shop-db" in found.spec.model_dump_json()
    assert secrets_of("helm", found.sealed) == [(("db", "password"), "shop-db")]
    spec: Any = opened("helm", found.sealed, {"shop-db": "clear"})
    assert spec.values["db"] == {"password": "clear"}
    assert found.values["db"] == {"password": {"secret": "shop-db"}}
    assert helm(values={"a": 1}).sealed is None


def release(*components: Component, **rules: Any) -> Published:
    return Published("1.0", "0" * 64, components, None, Rules.model_validate(rules))


def layered(**layers: Layer) -> Effective:
    return Effective.of(layers)


def test_a_changed_override_is_another_content_and_the_same_spec_is_the_same_content() -> None:
    plain = content_of(release(simulated("web", values={"a": 1})))
    other = content_of(release(simulated("web", values={"a": 1})), layered(web=Layer({"a": 2})))
    same = content_of(release(simulated("web", values={"a": 1})), layered(web=Layer({"a": 1})))
    assert not same_content(plain.digests["web"], other.digests["web"])
    assert same_content(plain.digests["web"], same.digests["web"])
    assert plain.digests["web"].count("+") == 0


def test_components_that_are_off_are_not_part_of_it_and_what_comes_after_them_waits_for_what_is_before_them() -> None:
    parts = (simulated("a"), simulated("b", "a"), simulated("c", "b"))
    content = content_of(release(*parts), layered(b=Layer(enabled=False)))
    assert list(content.components) == ["a", "c"]
    assert content.components["c"].after == ("a",)
    assert content.off == {"b": "it is switched off"}
    off = simulated("x").model_copy(update={"enabled": False})
    assert content_of(release(off)).off == {"x": "the release has it off, and nobody has switched it on"}
    assert list(content_of(release(off), layered(x=Layer(enabled=True))).components) == ["x"]


def test_obsolete_keys_are_left_out_with_a_notice_and_what_does_not_fit_is_a_misfit_beside_the_plain_spec() -> None:
    set_for = layered(web=Layer({"old": {"key": 1, "kept": 2}}))
    content = content_of(release(simulated("web"), obsolete={"web": ["old.key", "never"]}), set_for)
    assert content.values["web"] == {"old": {"kept": 2}}
    assert len(content.notices["web"]) == 1
    content = content_of(release(HELM), layered(web=Layer({}, None, "Not A Namespace")))
    assert [fault.code for fault in content.misfits] == ["overrides_invalid"]
    assert content.components["web"].spec.namespace == "shop"


keys = st.sampled_from(["a", "b", "c"])
values = st.recursive(st.none() | st.integers() | st.text(max_size=2), lambda v: st.dictionaries(keys, v, max_size=3))


@given(st.dictionaries(keys, values, max_size=3), st.dictionaries(keys, values, max_size=3))
def test_whatever_json_is_set_fits_a_driver_that_takes_any(below: dict[str, Any], above: dict[str, Any]) -> None:
    found = fitted(simulated("web", values=below), Layer(above))
    assert isinstance(found, Fitted)
    spec: Any = found.spec
    assert spec.values == found.values


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_what_is_set_has_the_same_name_however_it_came_together(order: tuple[str, str]) -> None:
    layers = {name: Layer({"a": 1}) for name in order}
    assert Effective.of(layers).key == Effective.of(dict(sorted(layers.items()))).key
    assert Effective.of({"x": Layer()}).key == ""


def test_a_component_that_is_there_is_not_moved_to_another_namespace_neither_by_setting_one_nor_by_clearing_it() -> (
    None
):
    plain = content_of(release(HELM))
    moved = content_of(release(HELM), layered(web=Layer(namespace="other")))
    off = content_of(release(HELM), layered(web=Layer(namespace="other", enabled=False)))
    for there, wanted, codes in (
        (plain, moved, ["overrides_invalid"]), (moved, plain, ["overrides_invalid"]),
        (moved, moved, []), (off, moved, []),
        (plain, content_of(release(HELM), layered(web=Layer({"a": 1}))), []),
    ):  # fmt: skip
        stands = Ground(OSLO, running("1.0"), {"1.0": wanted}, ran={"1.0": there})
        assert [fault.code for fault in moved_by(wanted, stands)] == codes


def test_an_obsolete_key_of_old_that_leads_nowhere_is_told() -> None:
    found = fitted(simulated("web"), Layer({"a": 1}), ("a[b",))
    assert isinstance(found, Fitted)
    assert "leads to no key" in found.notices[0]
