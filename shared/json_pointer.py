"""JSON pointers (RFC 6901). Pure."""

from typing import Any


def value_at(document: Any, pointer: str) -> Any:
    """What a pointer leads to, such as `/version`. Raises LookupError, TypeError or ValueError if it leads nowhere."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document
