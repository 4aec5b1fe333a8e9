"""What is told of a failure: readable, bounded, without secrets, whatever a component writes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.evidence import LINES, LINES_BYTES, clean, hide, last_words, told_phases
from shared.messages.deployer import Cause, ComponentDecision, OperationFailed, PhaseResult
from tests.unit.deployer.test_course import update

AT = datetime(2026, 1, 1, tzinfo=UTC)
RECORD_BYTES = 1_000_000
"""What a topic takes (Kafka's `max.message.bytes`, 1 MiB), less the headers."""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("port 8080 is taken", "port 8080 is taken"),
        ("\x1b[31mERROR\x1b[0m no such table", "ERROR no such table"),
        ("\x1b]0;title\x07done\x00", "done\N{REPLACEMENT CHARACTER}"),
        ("right\u202eto left", "right\N{REPLACEMENT CHARACTER}to left"),
        ("DB_PASSWORD=hunter2 failed", "DB_PASSWORD=*** failed"),
        ('{"api_key": "abc def", "port": 1}', '{"api_key": ***, "port": 1}'),
        ("Authorization: Bearer abc.def.ghi", "Authorization: ***"),
        ("sent bearer abcdefgh12345678 to it", "sent bearer *** to it"),
        ("postgresql://me:secret@db/app", "postgresql://***@db/app"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2ln is old", "token *** is old"),
        ("used belay_0123456789abcdef", "used ***"),
    ],
)
def test_a_line_is_told_without_secrets_and_without_commands_to_a_terminal(said: str, told: str) -> None:
    assert clean(said) == told


def test_a_private_key_is_hidden_as_a_whole() -> None:
    lines = ["before", "-----BEGIN RSA PRIVATE KEY-----", "MIIEow", "IBAAKC", "-----END RSA PRIVATE KEY-----", "after"]
    assert last_words(lines) == ("before", "***", "after")
    assert last_words(lines[2:]) == ("***", "after"), "it began before the last lines"
    certificate = ["-----BEGIN CERTIFICATE-----", "MIID", "-----END CERTIFICATE-----"]
    assert last_words([*certificate, *lines]) == (*certificate, "before", "***", "after")


def test_what_a_component_was_given_as_a_secret_is_hidden_wherever_it_writes_it() -> None:
    environment = {"SHOP_DB_PASSWORD": "hunter2", "PORT": "8080"}
    assert hide(["connect as shop/hunter2 on 8080"], environment) == ("connect as shop/*** on 8080",)


@given(st.lists(st.text(max_size=700), max_size=120))
def test_the_last_lines_keep_to_their_bounds_whatever_was_written(lines: list[str]) -> None:
    told = last_words(lines)
    assert len(told) <= LINES
    assert sum(len(line.encode()) for line in told) <= LINES_BYTES
    assert not any(character < " " and character != "\t" for line in told for character in line)


def test_the_newest_lines_stay_when_not_all_fit() -> None:
    told = last_words([f"{number} " + "€" * 490 for number in range(100)])
    assert told[-1].startswith("99 ")
    assert len(told) == LINES_BYTES // (490 * 3 + 4)


def test_the_failure_of_a_release_with_as_many_components_as_there_may_be_fits_a_record() -> None:
    """Each of 100 components is deployed, verified and removed on either leg, and says as much as it can."""
    phases = [
        PhaseResult(
            name=f"recover_{name}", component="c" * 100, outcome="failed" if n % 2 else "done", detail="ü" * 1_000,
            started_at=AT, finished_at=AT,
        )
        for name in ("deploy", "verify", "remove") * 2
        for n in range(100)
    ]  # fmt: skip
    way = ComponentDecision(component="c" * 100, driver="process", action="apply", reason="r" * 300, revision="v" * 100)
    event = OperationFailed(
        operation_id="o" * 200, site="s" * 100, app="a" * 100, kind="update", from_version="1", to_version="2",
        version="1", status="operational", plan=(way,) * 100, seconds=1, recovered=True,
        cause=Cause(code="failed", message="ü" * 4_000), phases=told_phases(phases),
        last_lines=last_words(["ü" * 500] * 50),
    )  # fmt: skip
    assert len(event.model_dump_json().encode()) < RECORD_BYTES
    assert len(event.phases) == len(phases)
    assert all(phase.detail for phase in event.phases)


def test_few_phases_are_told_as_they_are() -> None:
    phase = PhaseResult(name="deploy", outcome="failed", detail="x" * 1_000, started_at=AT, finished_at=AT)
    assert told_phases([phase]) == (phase,)


def test_a_component_that_writes_what_no_table_takes_still_ends_its_operation() -> None:
    walk = update(forward_cache="broken")
    walk.device.words = ("\x00\x1b[2Jboot: token=abcd1234",)
    course, _ = walk.to_the_end()
    assert course.last_lines == ("cache: \N{REPLACEMENT CHARACTER}boot: token=***",)
    assert course.cause
    assert "\x00" not in course.cause.message
