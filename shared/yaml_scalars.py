"""What scalars of YAML mean: what Helm and Flux take them for, and write in JSON.

All of Belay reads so: else the same text would mean one thing in a values file of a bundle, and another in its
bundle.yaml or among what people set (YAML 1.1 takes `12:30` for 750, `22:22` for 1342, and makes dates of texts).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from shared.core.errors import BelayError


class BadYaml(BelayError):
    """A text that is no YAML, or uses what is not taken here; the message says where."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.problem = message
        self.line = line
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{place}{message}")


_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_WHOLE = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SURPRISING = re.compile(r"[yYnN]|[-+]?0[0-9]*[89][0-9]*|[-+]?[0-9]+[eE][-+]?[0-9]+")
_NO_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")}
_TEXT = {"!", "tag:yaml.org,2002:str"}


def value_of(event: Any) -> Any:
    """The value of a scalar."""
    if event.tag is not None and event.tag not in _PLAIN | _TEXT:
        raise refused(event, f"the tag '{event.tag}' is not taken")
    plain = event.tag in _PLAIN or (event.tag not in _TEXT and event.implicit[0])
    if plain and _NO_JSON.fullmatch(event.value):
        raise refused(event, f"{event.value} has no form in JSON, as which values travel")
    return _meant(event.value) if plain else event.value


def key_of(value: Any) -> str:
    """What a scalar means as the key of a mapping: in JSON they are texts."""
    return value if isinstance(value, str) else json.dumps(value)


def is_text(text: str) -> bool:
    """Whether it means itself where it stands without quotes."""
    return not _NO_JSON.fullmatch(text) and isinstance(_meant(text), str)


def surprises(text: str) -> bool:
    """Whether it is a value here, where it stands without quotes, and a text for most others who read YAML: digits of a
    PIN (`0891`), a serial number (`12e4`), a coordinate (`y`)."""
    return bool(_SURPRISING.fullmatch(text)) and not isinstance(_meant(text), str)


def _meant(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text) and len(text) <= 64:
        number = _whole(text.replace("_", ""))
        if number is not None and -(1 << 63) <= number < 1 << 64:
            return number
    return float(text) if _FLOAT.fullmatch(text) and len(text) <= 64 and _finite(text) else text


def _whole(text: str) -> int | None:
    digits = text.lstrip("+-")
    base = 8 if digits.startswith("0") and digits[1:].isdigit() else 0
    try:
        return int(text, base)
    except ValueError:
        return None


def _finite(text: str) -> bool:
    return abs(float(text)) != float("inf")


def refused(event: Any, message: str) -> BadYaml:
    """A fault at the place of an event."""
    return BadYaml(message, event.start_mark.line + 1, event.start_mark.column + 1)
