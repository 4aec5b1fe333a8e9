"""The newer version that tests of rolling changes make of the code."""

from pathlib import Path

from tests.support.newer import newer_version


def test_the_newer_version_can_be_made_of_the_code_as_it_is(tmp_path: Path) -> None:
    made = newer_version(tmp_path)
    assert "channel" in (made / "services" / "catalog" / "schema.sql").read_text()
