"""Values from files and options: files first, in their order, then what is set on the command line over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.cli.errors import fault, usage

MOST_BYTES = 256 * 1024
"""Of a file: far more than Belay keeps, and far less than takes long to read."""


def values_of(files: Sequence[Path], sets: Sequence[str], strings: Sequence[str]) -> dict[str, Any]:
    """All of it merged. Raises a usage error that names everything that cannot be read."""
    from shared.values.merging import over  # completion needs none of these
    from shared.values.setting import BadSetting, set_in

    values: dict[str, Any] = {}
    for file in files:
        values = over(values, read_values(file))
    faults = []
    for option, texts in (("--set", sets), ("--set-string", strings)):
        for text in texts:
            try:
                values = set_in(values, text, strings=option == "--set-string")
            except BadSetting as error:
                faults.append(fault("invalid_field", option, str(error), text))
    if faults:
        raise usage("nothing was sent", "write values as Helm does: a.b=c,d={x,y},e[0].f=1", faults)
    return values


def read_values(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises a usage error that says where it cannot be read."""
    from shared.safe_yaml import BadYaml
    from shared.values.files import values_in

    try:
        if path.stat().st_size > MOST_BYTES:
            raise usage(f"{path}: a file of values has at most {MOST_BYTES // 1024} KiB")
        return values_in(path.read_bytes())
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
    except BadYaml as error:
        raise usage(f"{path} cannot be read as values: {error}") from error
