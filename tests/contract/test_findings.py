"""Whatever can be wrong is documented as it is told."""

from pathlib import Path

from shared.process.health import KINDS

README = Path(__file__).parents[2] / "shared" / "README.md"


def test_the_readme_names_every_finding_with_its_meaning_and_advice() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `")]
    told = {row for row in rows if row.split("`")[1] in KINDS}
    assert told == {f"| `{code}` | {kind.what} | {kind.advice} |" for code, kind in KINDS.items()}


def test_findings_say_what_to_do_without_naming_a_machine() -> None:
    assert all(kind.advice and "/" not in kind.advice for kind in KINDS.values())
