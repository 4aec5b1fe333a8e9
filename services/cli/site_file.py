"""Sites out of a CSV or YAML file: every fault at once, each with the line it stands on."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.cli.errors import usage
from shared.messages.base import Fault, faults_of
from shared.messages.strategy import Site

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
    if _NUMBER.fullmatch(text) or text in ("true", "false"):
        return yaml.safe_load(text)
    if not text.startswith("{"):
        return text
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    return value if isinstance(value, dict) and value.keys() == {"secret"} else text


# -- YAML ---------------------------------------------------------------------------------------------------------


def _read_yaml(text: str) -> tuple[list[Row], list[Fault]]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        return _rows_of(loader, _list_of_sites(root))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        return [], [Fault(code="unreadable", field=f"line {mark.line + 1 if mark else 1}", message=problem)]
    finally:
        loader.dispose()


def _list_of_sites(root: yaml.Node | None) -> yaml.Node | None:
    """The list itself, or what stands under `sites:`, so that one file may hold more than sites."""
    if isinstance(root, yaml.MappingNode):
        return next((value for key, value in root.value if key.value == "sites"), None)
    return root


def _rows_of(loader: yaml.SafeLoader, sites: yaml.Node | None) -> tuple[list[Row], list[Fault]]:
    if not isinstance(sites, yaml.SequenceNode):
        return [], [
            Fault(code="invalid_field", field="line 1", message="must be a list of sites, or hold one as `sites:`")
        ]
    rows, faults = [], []
    for node in sites.value:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            faults += list(_doubled_keys(node))
            try:
                rows.append(Row(line, loader.construct_document(node)))
            except ValueError as error:  # such as of a date that no calendar has
                faults.append(Fault(code="unreadable", field=f"line {line}", message=f"{error}; put texts in quotes"))
        else:
            faults.append(
                Fault(code="invalid_field", field=f"line {line}", message="must be a site: `name: …` and so on")
            )
    return rows, faults


def _doubled_keys(node: yaml.MappingNode) -> Iterator[Fault]:
    """YAML would keep the last of two equal keys and say nothing."""
    seen = set()
    for key, _ in node.value:
        if key.value in seen:
            field = at_line(key.start_mark.line + 1, str(key.value))
            yield Fault(code="duplicate", field=field, message="this field stands more than once in one site")
        seen.add(key.value)
