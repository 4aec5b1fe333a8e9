"""Whether a changed schema still fits those who write by the old one or read by it.

Adding an optional field fits; taking a field away, making one required, or changing what it may hold does not. A word
may be added where readers know that words come: in a command, which its owner reads, and in an event's
`x-extensible-enum`. An `enum` of an event that grows would fill the dead letters of every older reader.
"""

from typing import Any

Schema = dict[str, Any]

OPEN = "x-extensible-enum"


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every reason why `new` is no compatible successor of `old`; empty when it is one."""
    return list(_compare(old, new, old, new, ""))


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> list[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    is_event = old_root.get("additionalProperties") is not False
    reasons = _types(old, new, where) + _words(old, new, where, is_event) + _fields(old, new, where)
    for inner_old, inner_new, name in _inner(old, new, where):
        reasons += _compare(inner_old, inner_new, old_root, new_root, name)
    return reasons


def _inner(old: Schema, new: Schema, where: str) -> list[tuple[Schema, Schema, str]]:
    """What stands inside of both, each with its name: fields, items, and what is not null of an optional value."""
    shared = sorted(old.get("properties", {}).keys() & new.get("properties", {}).keys())
    inner = [(old["properties"][n], new["properties"][n], f"{where}.{n}" if where else n) for n in shared]
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        inner.append((old["items"], new["items"], f"{where}[]"))
    if (something := _something(old)) and (something_new := _something(new)):
        inner.append((something, something_new, where))
    return inner


def _something(schema: Schema) -> Schema:
    """The one alternative to null; empty for any other schema."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 and len(schema["anyOf"]) == 2 else {}


def _types(old: Schema, new: Schema, where: str) -> list[str]:
    if old.get("type") != new.get("type") and "anyOf" not in new and "type" in old:
        return [f"{where or 'message'}: type {old.get('type')} became {new.get('type')}"]
    return []


def _words(old: Schema, new: Schema, where: str, is_event: bool) -> list[str]:
    """An open list says what is known, so nothing breaks when it changes; nor when a closed one opens."""
    if OPEN in new:
        return []
    before, after = set(map(str, old.get("enum") or old.get(OPEN) or [])), set(map(str, new.get("enum", [])))
    reasons = []
    if "enum" in old and "enum" in new and (gone := before - after):
        reasons.append(f"{where}: no longer takes {', '.join(sorted(gone))}")
    if "enum" in old and is_event and (added := after - before):
        reasons.append(f"{where}: says {', '.join(sorted(added))}, which older readers refuse; make the field Open")
    if OPEN in old and "enum" in new:
        reasons.append(f"{where}: was open, and is closed now")
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
