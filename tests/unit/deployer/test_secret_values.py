"""Values of secrets, hidden wherever somebody prints them."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.deployer.drivers import Broken, Component, Done, Order, Running
from services.deployer.secrets.values import HIDDEN, SHORTEST, fault_of, hide, hide_in, looks_of, secrets_of
from shared.components.simulated import SimulatedSpec

VALUE = 's3cr3t "with" quotes/and=more'
KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
VALUES = st.text(st.characters(exclude_characters="*\x00", exclude_categories=["Cs"]), min_size=8, max_size=40).filter(
    lambda value: fault_of(value) is None and value == value.strip()
)


@pytest.mark.parametrize(
    "printed",
    [VALUE, json.dumps(VALUE), quote(VALUE, safe=""), base64.b64encode(VALUE.encode()).decode(), f"{VALUE}{VALUE}"],
)
def test_a_value_is_hidden_in_every_form(printed: str) -> None:
    shown = hide(looks_of([VALUE]), f"login with {printed} failed")
    assert HIDDEN in shown
    assert printed not in shown
    assert shown.startswith("login with ")
    assert shown.endswith(" failed")


def test_each_line_of_a_file_is_hidden() -> None:
    looks = looks_of([KEY])
    assert hide(looks, "read hkiG9w0BAQEFAASC from it") == f"read {HIDDEN} from it"
    assert hide(looks, KEY.strip()) == HIDDEN


def test_short_lines_of_a_file_stay_since_they_stand_everywhere() -> None:
    looks = looks_of(["user:\n  name: ada-of-oslo\n"])
    assert hide(looks, "user: unknown") == "user: unknown"
    assert "ada-of-oslo" not in hide(looks, "name: ada-of-oslo")


def test_a_value_of_which_the_end_was_cut_off_is_hidden_too() -> None:
    looks = looks_of(["abcdefghij"])
    assert hide(looks, "it was abcdefg") == f"it was {HIDDEN}"
    assert hide(looks, "it was abc") == "it was abc", "so little tells nothing"


def test_a_longer_secret_is_hidden_before_one_that_is_a_part_of_it() -> None:
    assert hide(looks_of(["password", "password-of-oslo"]), "it is password-of-oslo") == f"it is {HIDDEN}"


def test_all_secrets_of_an_order_are_known_those_of_its_connection_and_those_of_its_values() -> None:
    spec = SimulatedSpec.model_validate({"values": {"db": {"users": [{"password": VALUE}], "plain": "text"}}})
    named = {"values": {"db": {"users": [{"password": {"secret": "db"}}], "plain": "text"}}}
    component = Component("web", "simulated", spec, named=named)
    connection = {"password": SecretStr("of the host")}
    order = Order("o", "s", connection, "shop", "apply", component, "1.0", None)
    assert sorted(secrets_of(order)) == ["of the host", VALUE]


def test_progress_is_told_without_secrets_and_keeps_all_else() -> None:
    looks = looks_of([VALUE])
    broken = hide_in(looks, Broken("refused", f"no: {VALUE}", ("first", f"said {VALUE}")))
    assert broken == Broken("refused", f"no: {HIDDEN}", ("first", f"said {HIDDEN}"))
    assert hide_in(looks, Done("r1", VALUE)) == Done("r1", HIDDEN)
    assert hide_in(looks, Running(VALUE, 3)) == Running(HIDDEN, 3)


@pytest.mark.parametrize(("value", "said"), [("abc", "4 characters"), ("   ab  ", "4"), ("abc\x00def", "0000")])
def test_what_could_not_be_hidden_or_kept_is_no_secret(value: str, said: str) -> None:
    assert said in (fault_of(value) or "")


@given(st.lists(VALUES, min_size=1, max_size=3), st.text(max_size=20), st.text(max_size=20))
def test_whatever_stands_around_it_no_value_is_left(values: list[str], before: str, after: str) -> None:
    shown = hide(looks_of(values), before + values[0] + after)
    assert values[0] not in shown.replace(HIDDEN, "\n") or len(values[0]) < SHORTEST
