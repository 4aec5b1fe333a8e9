"""Sites out of a CSV or YAML file: every fault at once, each with the line it stands on."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.cli.errors import usage
from shared.messages.base import Fault, faults_of
from shared.messages.strategy import Site
from shared.safe_yaml import BadYaml, KeyTwice, Where, load, with_all_faults

MOST_VALUES = 5_000_000
"""Of a YAML file: fifty of each of 100,000 sites."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")

PLAIN = ("name", "group", "driver", "managed", "maintenance", "simplex")
"""CSV columns that are fields of a site; besides them come those of OPEN."""

OPEN = ("label.", "param.", "connection.", "fact.")
"""`label.KEY`, `fact.KEY`, `connection.DRIVER.KEY`, and `param.KEY` of a single connection."""

KEYED = "label.KEY, fact.KEY, param.KEY and connection.DRIVER.KEY"


@dataclass(frozen=True, slots=True)
class Row:
    """One site as it stands in the file, and where."""

    line: int
    fields: Mapping[str, Any]


def read_sites(path: Path) -> list[tuple[int, Site]]:
    """The sites of a file with their line numbers. Raises a usage error that lists every fault of the file."""
    rows, faults = _read(path)
    sites = []
    for row in rows:
        try:
            sites.append((row.line, Site.model_validate(row.fields)))
        except ValidationError as error:
            faults += [_at(row.line, fault) for fault in faults_of(error)]
    faults += _named_twice(rows)
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise usage(f"{path}: {count}; nothing was sent", "correct the lines named and import the file again", faults)
    if not sites:
        raise usage(f"{path}: there is no site in it", "give one site a row, or a list of sites in YAML")
    return sites


def _read(path: Path) -> tuple[list[Row], list[Fault]]:
    reader = {".csv": _read_csv, ".yaml": _read_yaml, ".yml": _read_yaml}.get(path.suffix.lower())
    if reader is None:
        raise usage(f"{path}: the ending must be .csv, .yaml or .yml")
    try:
        return reader(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise usage(f"{path}: byte {error.start} is not UTF-8", "save the file as UTF-8") from error


def at_line(line: int, field: str) -> str:
    """Where a fault stands, for people: `line 7: labels.region`."""
    return f"line {line}: {field}" if field else f"line {line}"


def _at(line: int, fault: Fault) -> Fault:
    return fault.model_copy(update={"field": at_line(line, fault.field)})


def _named_twice(rows: Sequence[Row]) -> list[Fault]:
    first: dict[Any, int] = {}
    faults = []
    for row in rows:
        name = row.fields.get("name")
        if isinstance(name, str) and (line := first.setdefault(name.lower(), row.line)) != row.line:
            message = f"this site stands on line {line} already, be it in another case; keep one of the two"
            faults.append(Fault(code="duplicate", field=at_line(row.line, "name"), message=message, value=name))
    return faults


# -- CSV ----------------------------------------------------------------------------------------------------------


def _read_csv(text: str) -> tuple[list[Row], list[Fault]]:
    table = csv.reader(text.splitlines(), skipinitialspace=True, strict=True)
    try:
        header = [column.strip() for column in next(table, [])]
        faults = _header_faults(header)
        lines = [(table.line_num, cells) for cells in table if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        fault = Fault(code="unreadable", field=f"line {table.line_num}", message=str(error))
        return [], [fault]
    faults += [_width_fault(line, header, cells) for line, cells in lines if len(cells) > len(header)]
    return [Row(line, _from_cells(header, cells)) for line, cells in lines], faults


def _header_faults(header: Sequence[str]) -> list[Fault]:
    faults = [
        Fault(
            code="unknown_field",
            field=at_line(1, column),
            message=f"no such column; there are {', '.join(PLAIN)}, {KEYED}",
            value=column,
        )
        for column in header
        if column not in PLAIN and not column.startswith(OPEN)
    ]
    twice = sorted({column for column in header if header.count(column) > 1})
    return faults + [
        Fault(code="duplicate", field=at_line(1, column), message="this column stands more than once")
        for column in twice
    ]


def _width_fault(line: int, header: Sequence[str], cells: Sequence[str]) -> Fault:
    message = f"{len(cells)} cells, but the header has {len(header)} columns; put a cell that holds a comma in quotes"
    return Fault(code="unreadable", field=f"line {line}", message=message)


def _from_cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Empty cells count as absent. What has no such column is left out: the header's fault names it already."""
    site: dict[str, Any] = {}
    for column, cell in zip(header, cells, strict=False):
        group, _, key = column.partition(".")
        value = cell.strip()
        if value and column in PLAIN:
            site[column] = value
        elif value and group in ("label", "param", "fact"):
            site.setdefault(f"{group}s", {})[key] = scalar(value) if group == "param" else value
        elif value and group == "connection":
            driver, _, name = key.partition(".")
            site.setdefault("connections", {}).setdefault(driver, {})[name] = scalar(value)
    return site


def scalar(text: str) -> Any:
    """What a driver must know: `8001` is a number, `true` a truth value, `{secret: oslo}` a reference, all else a text.

    YAML alone takes more for numbers and truth values: a PIN of 0123 (83), a time of 12:30 (750), a user called `no`.
    """
    plain = bool(_NUMBER.fullmatch(text)) or text in ("true", "false")
    if not plain and not text.startswith("{"):
        return text
    try:
        value = load(text.encode(errors="surrogateescape"))
    except BadYaml:
        return text
    return value if plain or (isinstance(value, dict) and value.keys() == {"secret"}) else text


# -- YAML ---------------------------------------------------------------------------------------------------------


def _read_yaml(text: str) -> tuple[list[Row], list[Fault]]:
    try:
        found, faults = with_all_faults(text.encode(), MOST_VALUES)
    except BadYaml as error:
        return [], [_unreadable(error)]
    # The list itself, or what stands under `sites:`, so that one file may hold more than sites.
    where: Where = ("sites",) if isinstance(found.value, dict) else ()
    sites = found.value.get("sites") if isinstance(found.value, dict) else found.value
    if not isinstance(sites, list):
        message = "must be a list of sites, or hold one as `sites:`"
        return [], [Fault(code="invalid_field", field="line 1", message=message)]
    lines = [found.line_of((*where, number)) for number in range(len(sites))]
    rows = [Row(line, site) for line, site in zip(lines, sites, strict=True) if isinstance(site, dict)]
    message = "must be a site: `name: …` and so on"
    others = [line for line, site in zip(lines, sites, strict=True) if not isinstance(site, dict)]
    no_sites = [Fault(code="invalid_field", field=f"line {line}", message=message) for line in others]
    return rows, [*no_sites, *map(_unreadable, faults)]


def _unreadable(error: BadYaml) -> Fault:
    line = error.line or 1
    if isinstance(error, KeyTwice):
        message = "this field stands more than once in one mapping"
        return Fault(code="duplicate", field=at_line(line, str(error.key)), message=message)
    return Fault(code="unreadable", field=f"line {line}", message=f"{error.problem}; put texts in quotes")
