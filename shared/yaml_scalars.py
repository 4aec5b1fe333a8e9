"""What scalars of YAML mean: to people who write for Belay, and to Helm and Flux, which read them otherwise."""

import json
import re
from typing import Any, ClassVar

import yaml

from shared.core.errors import BelayError


class BadYaml(BelayError):
    """A text that is no YAML, or uses what is not taken here; the message says where."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        self.problem = message
        self.line = line
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{place}{message}")


class AsWritten:
    """Scalars as YAML 1.1 has them."""

    def __init__(self) -> None:
        self._loader = yaml.SafeLoader("")

    def read(self, event: Any) -> Any:
        """The value of a scalar."""
        tag = event.tag if event.tag not in (None, "!") else None
        if tag is None:
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        if not tag.startswith("tag:yaml.org,2002:") or tag.startswith("tag:yaml.org,2002:python"):
            raise refused(event, f"could not determine a constructor for the tag '{tag}'")
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        return event.value if tag == "tag:yaml.org,2002:merge" else self._loader.construct_object(node)

    def key(self, value: Any) -> Any:
        """What a scalar means as the key of a mapping."""
        return value


class AsToolsRead:
    """Scalars as Helm and Flux read them, and as they write them in JSON."""

    _WORDS: ClassVar[dict[str, bool | None]] = {
        **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
        **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
        **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    }
    _WHOLE = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*)")
    _FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

    def read(self, event: Any) -> Any:
        """The value of a scalar."""
        if event.tag not in (None, "!", "tag:yaml.org,2002:str") and not self._plain(event.tag):
            raise refused(event, f"the tag '{event.tag}' is not taken")
        quoted = event.tag in ("!", "tag:yaml.org,2002:str") or not (event.implicit[0] or self._plain(event.tag))
        return event.value if quoted else self._value(event)

    def key(self, value: Any) -> Any:
        """What a scalar means as the key of a mapping: in JSON they are texts."""
        return value if isinstance(value, str) else json.dumps(value)

    def _plain(self, tag: str | None) -> bool:
        return tag in {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null")}

    def _value(self, event: Any) -> Any:
        text = event.value
        if text in self._WORDS:
            return self._WORDS[text]
        if self._WHOLE.fullmatch(text) and len(text) <= 64:
            number = _whole(text.replace("_", ""))
            if number is not None and abs(number) < 1 << 64:
                return number
        if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
            raise refused(event, f"{text} has no form in JSON, as which values travel")
        return float(text) if self._FLOAT.fullmatch(text) and len(text) <= 64 and _finite(text) else text


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
