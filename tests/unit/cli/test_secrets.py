"""`belay secret`: where a value comes from, and that it is never shown."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import Stub

CLEAR = "correct horse battery staple"
SET = "PUT /v1/secrets/oslo"


@pytest.fixture(autouse=True)
def _taken(gateway: Stub) -> None:
    gateway.accept(SET, secret="oslo", version=2)


@pytest.mark.parametrize(
    ("stdin", "sent"), [(CLEAR, CLEAR), (f"{CLEAR}\n", CLEAR), (f"{CLEAR}\r\n", CLEAR), ("a\nb\n\n", "a\nb\n")]
)
def test_a_value_comes_from_stdin_without_the_line_end_that_echo_adds(
    gateway: Stub, belay: Belay, stdin: str, sent: str
) -> None:
    done = belay("secret", "set", "oslo", stdin=stdin)
    assert (done.exit_code, gateway.asked[0].body) == (0, {"value": sent})
    assert "version 2" in done.output
    assert CLEAR not in done.output


def test_a_file_is_taken_to_its_last_byte(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("-----BEGIN\nabc\n-----END\n")
    assert belay("secret", "set", "oslo", "--file", str(key)).exit_code == 0
    assert gateway.asked[0].body == {"value": key.read_text()}


def test_at_a_terminal_it_is_asked_for_twice_and_not_shown(
    gateway: Stub, belay: Belay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.nouns.secret._at_a_terminal", lambda: True)
    done = belay("secret", "set", "oslo", stdin=f"{CLEAR}\n{CLEAR}\n")
    assert (done.exit_code, gateway.asked[0].body) == (0, {"value": CLEAR})
    assert CLEAR not in done.output


def test_bytes_and_missing_files_are_refused_before_anything_is_sent(
    gateway: Stub, belay: Belay, tmp_path: Path
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    for file, said in ((binary, "base64"), (tmp_path / "none", "cannot be read")):
        refused = belay("secret", "set", "oslo", "--file", str(file))
        assert refused.exit_code == 2
        assert said in refused.output
    assert gateway.asked == []


def test_the_list_names_versions_and_users(gateway: Stub, belay: Belay) -> None:
    one = {"name": "oslo", "version": 2, "set_at": "2026-03-01T12:00:00Z", "set_by": "ada", "sites": 3, "actions": []}
    gateway.items("/v1/secrets", one)
    shown = belay("secret", "list").output
    for part in ("oslo", "ada", "3"):
        assert part in shown


def test_a_removal_that_is_refused_names_the_sites(gateway: Stub, belay: Belay) -> None:
    fault = {"code": "secret_in_use", "field": "name", "message": "site 'a' names the secret 'oslo'", "value": "a"}
    gateway.refuse("DELETE /v1/secrets/oslo", 409, "secret_in_use", fault)
    refused = belay("secret", "remove", "oslo")
    assert refused.exit_code == 3
    assert "site 'a' names" in refused.output


def test_a_connection_names_a_secret_on_the_command_line_as_in_yaml(gateway: Stub, belay: Belay) -> None:
    gateway.accept("PATCH /v1/sites", sites=1)
    gateway.accept("PATCH /v1/sites/oslo", sites=1)
    assert belay("site", "set", "oslo", "--param", "password={secret: oslo-password}").exit_code == 0
    assert gateway.sent("PATCH")[0].body["params"] == {"password": {"secret": "oslo-password"}}
