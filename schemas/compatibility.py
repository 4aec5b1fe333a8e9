"""Whether a changed schema still fits those who write by the old one or read by it.

Adding an optional field fits; taking a field away, making one required, or changing what it may hold does not.
"""

from typing import Any

Schema = dict[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every reason why `new` is no compatible successor of `old`; empty when it is one."""
    return list(_compare(old, new, old, new, ""))


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> list[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    reasons = _types(old, new, where) + _fields(old, new, where)
    shared = old.get("properties", {}).keys() & new.get("properties", {}).keys()
    for name in sorted(shared):
        inner = (old["properties"][name], new["properties"][name])
        reasons += _compare(*inner, old_root, new_root, f"{where}.{name}" if where else name)
    if "items" in old and "items" in new and isinstance(old["items"], dict):
        reasons += _compare(old["items"], new["items"], old_root, new_root, f"{where}[]")
    return reasons


def _types(old: Schema, new: Schema, where: str) -> list[str]:
    reasons = []
    if old.get("type") != new.get("type") and "anyOf" not in new and "type" in old:
        reasons.append(f"{where or 'message'}: type {old.get('type')} became {new.get('type')}")
    if gone := set(map(str, old.get("enum", []))) - set(map(str, new.get("enum", old.get("enum", [])))):
        reasons.append(f"{where}: no longer takes {', '.join(sorted(gone))}")
    return reasons


def _fields(old: Schema, new: Schema, where: str) -> list[str]:
    place = f"{where}." if where else ""
    before, after = old.get("properties", {}), new.get("properties", {})
    reasons = [f"{place}{name}: the field is gone" for name in sorted(before.keys() - after.keys())]
    if old.get("additionalProperties") is False:  # a command: who sends the old one must still be understood
        added = set(new.get("required", [])) - set(old.get("required", []))
        reasons += [f"{place}{name}: became required" for name in sorted(added)]
    return reasons


def _resolved(schema: Schema, root: Schema) -> Schema:
    while reference := schema.get("$ref"):
        schema = root
        for part in reference.removeprefix("#/").split("/"):
            schema = schema[part]
    return schema
