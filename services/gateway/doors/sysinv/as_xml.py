"""Answers as XML, as sysinv's frame writes them. Pure."""

import re
from typing import Any
from xml.etree.ElementTree import Element, tostring

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def as_xml(value: Any) -> bytes:
    """`{"apps": [{"name": "x"}]}` -> `<result><apps><item><name>x</name></item></apps></result>`."""
    return tostring(_element("result", value))


def printable(text: str) -> str:
    """Without what no XML may hold."""
    return _NOT_IN_XML.sub("\ufffd", text)


def _element(name: str, value: Any) -> Element:
    element = Element(name if _NAME.fullmatch(name) else "item")
    if value is None:
        element.set("nil", "true")
    elif isinstance(value, dict):
        element.extend(_element(key, inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        element.extend(_element("item", inner) for inner in value)
    else:
        element.text = str(value).lower() if isinstance(value, bool) else printable(str(value))
    return element
