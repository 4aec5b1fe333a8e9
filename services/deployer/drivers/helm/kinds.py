"""Kinds that the API server does not know yet: who brings them, and what a chart renders that needs them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from services.deployer.drivers.helm.manifest import objects

HOOK = "helm.sh/hook"

_UNKNOWN = re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"')


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """A kind of objects, as their `apiVersion` and `kind` say."""

    version: str
    name: str


def unknown(words: str) -> frozenset[Kind]:
    """Those that helm says the API server does not know."""
    return frozenset(Kind(version, name) for name, version in _UNKNOWN.findall(words))


def defined(definitions: str) -> frozenset[Kind]:
    """Those that custom resource definitions bring. Raises yaml.YAMLError."""
    return frozenset(kind for each in objects(definitions) for kind in _of(each.get("spec") or {}))


def _of(spec: dict[str, Any]) -> Iterator[Kind]:
    name = str((spec.get("names") or {}).get("kind"))
    yield from (Kind(f"{spec.get('group')}/{each.get('name')}", name) for each in spec.get("versions") or ())


def api_versions(groups: dict[str, Any], own: Iterable[Kind]) -> list[str]:
    """What templates may ask for by `.Capabilities.APIVersions`: what the API server serves, and will serve then."""
    served = [each.get("versions") or () for each in groups.get("groups") or ()]
    there = {str(each.get("groupVersion")) for versions in served for each in versions}
    return sorted(there | {name for kind in own for name in (kind.version, f"{kind.version}/{kind.name}")})


def as_release(text: str) -> dict[str, Any]:
    """What `helm template` writes, in the form of a dry run's answer: the manifest without hooks, and these."""
    found = objects(text)
    hooks = [_hook(each) for each in found if _events(each)]
    return {"manifest": yaml.safe_dump_all(each for each in found if not _events(each)), "hooks": hooks}


def _hook(each: dict[str, Any]) -> dict[str, Any]:
    name = (each.get("metadata") or {}).get("name")
    return {"name": name, "kind": each.get("kind"), "manifest": yaml.safe_dump(each), "events": _events(each)}


def _events(each: dict[str, Any]) -> list[str]:
    said = str(((each.get("metadata") or {}).get("annotations") or {}).get(HOOK) or "")
    return [event.strip() for event in said.split(",") if event.strip()]
