"""Which release a tarball says that it is, as the sysinv door reads it."""

import pytest

from services.gateway.doors.sysinv.identity import _first, _text


@pytest.mark.parametrize(
    ("written", "version"),
    [
        ("1.10", "1.10"),
        ("24.09", "24.09"),
        ("2024-05-01", "2024-05-01"),
        ("'1.10'", "1.10"),
        ("true", None),
        ("[1]", None),
    ],
)
def test_a_version_is_what_was_written_with_quotes_or_without(written: str, version: str | None) -> None:
    found = _first(f"app_name: lamp\napp_version: {written}\n".encode())
    assert found is not None
    assert _text(found, "app_version") == version


def test_what_cannot_be_read_says_nothing() -> None:
    assert _first(b"app_name: [") is None
