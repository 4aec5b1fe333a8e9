"""YAML from strangers: one plain document of maps, lists and scalars, or a clear error."""

from collections.abc import Hashable
from typing import Any

import yaml

from shared.core.errors import BelayError

DEEPEST = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadYaml(BelayError):
    """A text that is no YAML, or uses what is not taken here; the message says where."""


def load(content: bytes) -> Any:
    """The value in a YAML document.

    Raises BadYaml for text that is not UTF-8 or not YAML, several documents, aliases (which unfold to bombs), keys
    that stand twice (of which one would be lost), deep nesting, NUL characters, and tags of Python objects.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadYaml(f"byte {error.start} is not UTF-8") from error
    try:
        _check_events(text)
        return yaml.load(text, Loader=_Strict)  # noqa: S506 - a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        raise BadYaml(f"{_place(error.problem_mark)}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, UnicodeError) as error:
        raise BadYaml(str(error).splitlines()[0]) from error


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise BadYaml(f"{_place(event.start_mark)}aliases (*{event.anchor}) are not taken; write the value out")
        if isinstance(event, yaml.ScalarEvent) and _unstorable(event.value):
            raise BadYaml(f"{_place(event.start_mark)}NUL characters and lone surrogates are not taken")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise BadYaml(f"{_place(event.start_mark)}nested deeper than {DEEPEST} levels")


def _unstorable(text: str) -> bool:
    return any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


class _Strict(_Loader):  # type: ignore[misc]
    """The safe loader, but a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key '{key.value}' stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping
