"""What people give to the command line wrong, and what answers in Belay's place: each ends with a sentence, never as a
defect of Belay."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import Result

from services.cli.answers import Unreachable
from services.cli.client import Client
from services.cli.errors import Status
from services.cli.screen import Screen
from tests.support.bundles import bundle
from tests.unit.cli.conftest import Belay
from tests.unit.cli.stub import ELSEWHERE, Stub

NO_TEXT = os.fsdecode(b"\xff")
"""As a shell hands over a byte that is not UTF-8."""


def ends(result: Result, status: Status, *said: str) -> None:
    assert not result.exception or isinstance(result.exception, SystemExit), repr(result.exception)
    assert (result.exit_code, [word for word in said if word not in result.stderr]) == (status, []), result.output


@pytest.mark.parametrize(
    "url",
    ["http://host:abc", "http://[::1", "http://x:99999", "http://a..b", "http://" + "a" * 64, "localhost:8080",
     "ftp://x", "http://", "http://127.0.0.1:9,http://x:y", "\x7f"],
)  # fmt: skip
def test_what_is_no_address_is_wrong_usage(belay: Belay, url: str) -> None:
    ends(belay("site", "list", url=url), Status.USAGE, "is no address of Belay")
    ends(belay("strategy", "watch", "a", url=url), Status.USAGE, "is no address of Belay")


@pytest.mark.parametrize("said", [b"<html>Welcome</html>", b"\xff", b"[1]", b'"ok"', b"[" * 100_000])
def test_an_address_where_another_system_answers_is_told_as_not_reachable(
    gateway: Stub, belay: Belay, said: bytes
) -> None:
    gateway.answers |= {"GET /v1/sites": (200, said), "DELETE /v1/sites/a": (200, said)}
    ends(belay("site", "list"), Status.UNREACHABLE, "is not Belay", gateway.url)
    ends(belay("site", "remove", "a"), Status.UNREACHABLE, "is not Belay")


def test_a_redirection_is_no_refusal_of_belay_and_says_where_it_leads(gateway: Stub, belay: Belay) -> None:
    gateway.answers["GET /v1/sites"] = 302, b""
    ends(belay("site", "list"), Status.UNREACHABLE, "is not Belay", ELSEWHERE)


@pytest.mark.parametrize("faults", [None, "none", 7])
def test_a_refusal_in_the_words_of_another_system_is_told_as_it_is(gateway: Stub, belay: Belay, faults: Any) -> None:
    gateway.answers["GET /v1/sites"] = 404, {"detail": "no such place", "faults": faults}
    ends(belay("site", "list"), Status.REFUSED, "no such place")


def test_an_upload_that_another_system_takes_is_told_as_not_reachable(gateway: Stub) -> None:
    gateway.answers |= {"POST /v1/uploads": (201, {}), "PATCH /v1/uploads/a": (200, {})}
    with Client(gateway.url) as client:
        with pytest.raises(Unreachable, match="is not Belay"):
            client.begin_upload({"Upload-Length": "1"})
        with pytest.raises(Unreachable, match="is not Belay"):
            client.send_part("/v1/uploads/a", 0, [b"{}"])


def test_names_that_are_no_text_are_wrong_usage(gateway: Stub, belay: Belay) -> None:
    ends(belay("site", "show", NO_TEXT), Status.USAGE, "not text in UTF-8")
    ends(belay("site", "list", "--group", NO_TEXT), Status.USAGE, "cannot be sent")
    gateway.items("/v1/sites")
    ends(belay("site", "register", "a", "--label", f"a={NO_TEXT}"), Status.USAGE, "labels.a", "not text in UTF-8")
    assert not gateway.sent("POST")


def test_a_value_that_json_has_no_form_for_is_named_with_its_place(gateway: Stub, belay: Belay, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("name: s1\ntype: apply\nstages: [{name: a, take: .nan}]\n")
    ends(belay("strategy", "create", "--file", str(spec)), Status.USAGE, "line 3", ".nan has no form in JSON")
    assert not gateway.sent("POST")


@pytest.mark.parametrize("content", [b"\x30\x2a\x30\x05\xff", "\u00e9".encode(), None])
def test_a_key_in_another_form_or_that_is_not_there_is_wrong_usage(
    gateway: Stub, belay: Belay, tmp_path: Path, content: bytes | None
) -> None:
    key, file = tmp_path / "ours.pub", tmp_path / "lamp.tar.gz"
    file.write_bytes(bundle())
    if content is not None:
        key.write_bytes(content)
    ends(belay("bundle", "trust", "lamp", "ours", str(key)), Status.USAGE, "ours.pub")
    ends(belay("bundle", "sign", str(file), "--key", str(key)), Status.USAGE, "ours.pub")
    assert not gateway.sent("PUT")


def test_a_template_that_is_nested_without_end_is_wrong_usage(belay: Belay, tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    template.write_text("[" * 100_000)
    result = belay("subscription", "add", "a", "https://example.org", "--template", str(template))
    ends(result, Status.USAGE, "template.json")


def test_a_file_whose_name_is_no_text_is_shown_in_a_terminal_that_has_other_characters(tmp_path: Path) -> None:
    file = tmp_path / f"{NO_TEXT}\u2713.tar.gz"
    file.write_bytes(bundle())
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "BELAY_HOME": str(tmp_path)}
    for arguments in (("--json",), ()):
        command = [sys.executable, "-c", "from services.cli import main; main()", "bundle", "verify", str(file)]
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert b"\\udcff\\u2713.tar.gz" in done.stdout


MARKUP = ("[/var/lib/x]", "[abc]", "[bold]b[/bold]", ":warning:", "[link=a]")
"""Texts that Rich would take for markup."""


def test_texts_from_outside_are_shown_as_they_are(gateway: Stub, belay: Belay) -> None:
    text = " ".join(MARKUP)
    gateway.answers["GET /v1/releases/lamp/1.0.0/content"] = (
        200,
        {"notes": [{"component": "c", "text": text}], "items": []},
    )
    plan = [{"component": f"web{text}", "way": "update", "changes": [text]}]
    gateway.accept("POST /v1/operations", plan=plan)
    shown = belay("release", "content", "lamp", "1.0.0")
    assert (shown.exit_code, f"c: {text}" in shown.stdout) == (0, True), shown.output
    shown = belay("operation", "preview", "oslo", "lamp", "update")
    assert (shown.exit_code, f"web{text} would change:" in shown.stdout) == (0, True), shown.output


def test_bars_show_the_names_of_files_as_they_are() -> None:
    screen = Screen(as_json=False)
    shown = io.StringIO()
    screen.out = screen.err = Console(file=shown, force_terminal=True, width=200)
    for name in MARKUP:
        with screen.transfer(f"{name}: uploading") as far:
            far(1, 2)
        with screen.progress(f"{name}: importing", 2) as more:
            more(1)
        assert f"{name}: uploading" in shown.getvalue()
        assert f"{name}: importing" in shown.getvalue()
