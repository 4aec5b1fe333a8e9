"""`python -m tests.faults.checker <folder>`: a table of rules; status 1 when one was violated, 2 without evidence."""

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.checker import RuleResult, check, read

SHOWN = 5
"""Violations of a rule that are listed; their number is in the table."""


def main() -> int:
    """Check one folder and print what was found."""
    console = Console()
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "run.json").is_file():
        console.print("usage: python -m tests.faults.checker <folder with evidence (run.json, topics/, tables/ …)>")
        return 2
    results = check(read(Path(sys.argv[1])))
    console.print(table(results))
    for result in results:
        for note in result.notes:
            console.print(f"[dim]{escape(note)}[/]", highlight=False)
        for found in result.violations[:SHOWN]:
            line = f"[red]{found.rule}[/] {escape(found.subject)}: {escape(found.detail)}"
            console.print(line, highlight=False, soft_wrap=True)
    return int(any(result.violations for result in results))


def table(results: list[RuleResult]) -> Table:
    """A row for each rule."""
    found = Table("rule", "checked", "violations", title="What the run promised")
    for column in found.columns[1:]:
        column.justify = "right"
    for result in results:
        count = len(result.violations)
        found.add_row(result.rule, f"{result.checked:,}", f"[red]{count:,}[/]" if count else "0")
    return found


if __name__ == "__main__":
    sys.exit(main())
