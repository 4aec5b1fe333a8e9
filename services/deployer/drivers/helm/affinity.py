"""Whether a node is one that a workload's required node affinity admits, as the scheduler judges it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Object = Mapping[str, Any]

_INTEGER = re.compile(r"[+-]?[0-9]+")
_LEAST, _MOST = -(2**63), 2**63 - 1


def admits(placement: Object, node: Object) -> bool:
    """Whether any of its terms does; a placement that demands nothing admits every node."""
    terms = placement.get("nodeSelectorTerms") or ()
    return not placement or any(_meets(term, node) for term in terms)


def _meets(term: Object, node: Object) -> bool:
    """All that a term demands; one that demands nothing admits no node."""
    metadata = node["metadata"]
    labels, fields = metadata.get("labels") or {}, {"metadata.name": str(metadata["name"])}
    of_labels, of_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    demands = [(labels, each) for each in of_labels] + [(fields, each) for each in of_fields]
    return bool(demands) and all(_holds(demand, found.get(demand.get("key"))) for found, demand in demands)


def _holds(demand: Object, value: str | None) -> bool:
    """`value`: that of its key; None = the node has no such. An operator that nobody knows holds nowhere."""
    holds = _OPERATORS.get(str(demand.get("operator")))
    return holds is not None and holds(value, demand.get("values") or ())


def _is_beyond(value: str | None, bounds: Sequence[str], sign: int) -> bool:
    """Of integers alone: anything else is neither greater nor less."""
    found, bound = _integer(value), _integer(bounds[0]) if len(bounds) == 1 else None
    return found is not None and bound is not None and sign * found > sign * bound


def _integer(text: str | None) -> int | None:
    """As the scheduler reads it, in 64 bits: Python would also take `1_000`, and blanks."""
    if text is None or not _INTEGER.fullmatch(text):
        return None
    return number if _LEAST <= (number := int(text)) <= _MOST else None


_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value is not None and value in values,
    "NotIn": lambda value, values: value is None or value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: _is_beyond(value, values, 1),
    "Lt": lambda value, values: _is_beyond(value, values, -1),
}
