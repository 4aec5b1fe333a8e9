"""What a command shows: tables for people, JSON for scripts, and nothing but JSON on stdout when that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.errors import CliError

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

    from shared.messages.base import Fault

Column = str | tuple[str, str | Callable[[Mapping[str, Any]], Any]]
"""A field that is its own heading, or a heading with the field's dotted path or a function of the item."""

WIDE = 10_000
"""Lines of a pipe or a file are never wrapped or cut: grep and awk want each row whole."""

NOTHING = "-"

COLOURS = {
    "complete": "green", "operational": "green", "available": "green", "succeeded": "green", "active": "green",
    "running": "cyan", "applying": "cyan", "soaking": "cyan", "updating": "cyan", "rolling_back": "cyan",
    "paused": "yellow", "aborting": "yellow", "recovering": "yellow", "queued": "yellow",
    "failed": "red", "rejected": "red", "aborted": "red", "dead": "red", "withdrawn": "red",
    "needs_inspection": "red",
}  # fmt: skip


class Screen:
    """The terminal, pipe or file that one command writes to."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)

    @property
    def live(self) -> bool:
        """Whether a person looks on: bars may move."""
        return self.out.is_terminal and not self.as_json

    def table(self, items: Iterable[Mapping[str, Any]], columns: Sequence[Column], empty: str) -> None:
        """A list: one row an item, or the items as one JSON array. `empty` is said where there are none."""
        found = list(items)
        if self.as_json:
            self.json(found)
        elif not found:
            self.err.print(empty, style="dim")
        elif self.out.is_terminal:
            self.out.print(table_of(found, columns))
        else:
            self._write(aligned(found, columns))

    def card(self, item: Mapping[str, Any], columns: Sequence[Column]) -> None:
        """One thing: a line a field, or the whole item as JSON."""
        if self.as_json:
            return self.json(item)
        rows = [(head, text_of(read(item))) for head, read in map(_column, columns)]
        if not self.out.is_terminal:
            return self._write(_padded([[head, value.plain] for head, value in rows]))
        grid = Table.grid(padding=(0, 2))
        for head, value in rows:
            grid.add_row(Text(head, style="dim"), value)
        return self.out.print(grid)

    def done(self, sentence: str, item: Mapping[str, Any]) -> None:
        """What a command did: a sentence, or the answer as JSON."""
        if self.as_json:
            self.json(item)
        else:
            self.out.print(Text(sentence))
            for warning in (item.get("result") or {}).get("warnings", ()):
                self.out.print(Text(f"warning: {warning}", style="yellow"))

    def note(self, renderable: RenderableType) -> None:
        """Something that only people want to know. Text is shown as it is: much of it comes from outside."""
        if not self.as_json:
            self.out.print(Text(renderable) if isinstance(renderable, str) else renderable)

    @contextmanager
    def busy(self, sentence: str) -> Iterator[Callable[[str], None]]:
        """Something that takes its time: a person sees that it goes on; the yielded function tells how far."""
        if not self.live:
            yield lambda _: None
            return
        with self.out.status(Text(sentence)) as status:
            yield lambda further: status.update(Text(further))

    @contextmanager
    def progress(self, sentence: str, total: int) -> Iterator[Callable[[int], None]]:
        """Something whose length is known; the yielded function tells of so many more done."""
        from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn  # few commands show one

        with self._bar(BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task(sentence, total=total)
            yield lambda more: bar.advance(task, more)

    @contextmanager
    def transfer(self, sentence: str) -> Iterator[Callable[[int, int | None], None]]:
        """Bytes on their way; the yielded function says how many there are by now, of how many."""
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

        with self._bar(BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task(sentence, total=None)
            yield lambda here, total: bar.update(task, completed=here, total=total)

    def _bar(self, *columns: ProgressColumn) -> Progress:
        """Its sentence holds names of files: by itself Rich would take a [part] of one for markup."""
        from rich.progress import Progress, TextColumn

        sentence = TextColumn("{task.description}", markup=False)
        return Progress(sentence, *columns, console=self.err, transient=True, disable=not self.live)

    def json(self, value: Any) -> None:
        """One JSON document and a newline. A list that grows (`--watch`) is one document a line."""
        self._write(json.dumps(value, ensure_ascii=False, default=str) + "\n")

    def _write(self, text: str) -> None:
        self.out.file.write(text)
        self.out.file.flush()

    def error(self, error: CliError) -> None:
        """Everything that is wrong, on stderr: a sentence, each fault, and what to do."""
        if self.as_json:
            faults = [fault.model_dump(mode="json") for fault in error.faults]
            problem = {"error": error.message, "code": error.code, "status": int(error.status), "faults": faults}
            self.err.file.write(json.dumps(problem | {"advice": error.advice}, ensure_ascii=False) + "\n")
            return
        self.err.print(Text.assemble(("belay: ", "bold red"), error.message))
        for fault in error.faults:
            self.err.print(_fault_line(fault))
        if error.advice:
            self.err.print(Text.assemble(("  → ", "bold"), error.advice))


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


def _fault_line(fault: Fault) -> Text:
    value = "" if fault.value is None else f" = {fault.value!r}"
    place = f"{fault.field}{value}: " if fault.field or value else ""
    return Text.assemble("  • ", (place, "bold"), fault.message, (f"  [{fault.code}]", "dim"))


def table_of(items: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> Table:
    """A table for a terminal: folded to its width."""
    heads = [_column(column) for column in columns]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head, _ in heads:
        table.add_column(head, overflow="fold")
    for item in items:
        table.add_row(*(text_of(read(item)) for _, read in heads))
    return table


def aligned(items: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> str:
    """The same for a pipe or a file: a line a row, never folded, and quick at 100,000 rows."""
    heads = [_column(column) for column in columns]
    return _padded([[head for head, _ in heads], *([text_of(read(item)).plain for _, read in heads] for item in items)])


def _padded(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _column(column: Column) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    head, read = (column, column) if isinstance(column, str) else column
    return head, read if callable(read) else lambda item: _dig(item, read)


def _dig(item: Any, path: str) -> Any:
    for key in path.split("."):
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def text_of(value: Any) -> Text:
    """A value as people read it. Never markup: names come from outside."""
    if isinstance(value, Text):
        return value
    plain = _plain(value)
    return Text(plain, style=COLOURS.get(plain, ""))


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}, ()):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value)
    return moment(value) if isinstance(value, str) else str(value)


def moment(text: str) -> str:
    """An ISO time in this machine's zone, which is named, to the second; any other text as it is."""
    if len(text) < 19 or text[10] != "T":
        return text
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except ValueError:
        return text


def size(count: int | None) -> str:
    """Bytes as people read them."""
    amount = float(count or 0)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
