"""What of Ansible's events is written down: what a person, or the driver, wants to know afterwards. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.deployer.secrets.values import hide, is_in_revision

Line = dict[str, Any]
"""`told`: what happened; `act`: the number of the playbook; `host`, `task`, `changed` …"""

MOST_LINES, MOST_CHARACTERS = 50, 500
MESSAGE_CHARACTERS = 1_000

WORDS = frozenset({"task", "message", "lines"})
"""What of a line was said by playbooks and modules."""


def line_of(event: Mapping[str, Any], facts: Sequence[str]) -> Line | None:
    """One event as it is kept; None = not at all. `facts` are the names of those that are told of."""
    kind, data = event.get("event"), event.get("event_data") or {}
    if kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
        return {"told": "task", "task": data.get("task") or ""}
    about = {"host": data.get("host"), "task": data.get("task") or ""}
    result = data.get("res") or {}
    if kind == "runner_on_ok":
        known = result.get("ansible_facts") or {}
        kept = {name: known[name] for name in facts if name in known}
        return {"told": "ok", **about, "changed": bool(result.get("changed")), **({"facts": kept} if kept else {})}
    if kind == "runner_on_failed" and not data.get("ignore_errors"):
        return {"told": "failed", **about, **words_of(result)}
    if kind == "runner_on_unreachable":
        return {"told": "unreachable", **about, **words_of(result)}
    return {"told": "stats", **_stats(data)} if kind == "playbook_on_stats" else None


def without_secrets(line: Line, looks: Sequence[str]) -> Line:
    """The same with values hidden where others speak, in `WORDS`. By all else a run is steered: it stays as it is,
    even where a secret begins like it: of a host called `***` nobody knows the site.

    A fact that holds a value is named instead: a rollback could do nothing with `***`.
    """
    hidden = {name: _hidden(looks, value) if name in WORDS else value for name, value in line.items()}
    facts = line.get("facts") or {}
    told = sorted(name for name, value in facts.items() if is_in_revision(looks, json.dumps(value, default=str)))
    if not told:
        return hidden
    return {**hidden, "facts": {name: facts[name] for name in facts if name not in told}, "secret_facts": told}


def _hidden(looks: Sequence[str], said: str | list[str]) -> str | list[str]:
    return hide(looks, said) if isinstance(said, str) else [hide(looks, one) for one in said]


def _stats(data: Mapping[str, Any]) -> Line:
    return {
        "failed": sorted({*(data.get("failures") or {})}),
        "unreachable": sorted({*(data.get("dark") or {})}),
        "changed": data.get("changed") or {},
        "processed": sorted(data.get("processed") or {}),
    }


def words_of(result: Mapping[str, Any]) -> Line:
    """The reason of a failure in a sentence, and its last lines."""
    results = result.get("results")
    listed = results if isinstance(results, list) else []
    items = [one for one in listed if isinstance(one, dict) and one.get("failed")]
    worst = items[0] if items else result
    message = _text(worst.get("msg")) or _text(result.get("msg")) or "it failed and gave no reason"
    if (status := worst.get("rc")) is not None:
        message += f" (exit status {status})"
    return {"message": " ".join(message.split())[:MESSAGE_CHARACTERS], "lines": list(_lines_of(worst))[-MOST_LINES:]}


def _lines_of(result: Mapping[str, Any]) -> Iterator[str]:
    for name in ("msg", "module_stdout", "stdout", "module_stderr", "stderr"):
        for line in _text(result.get(name)).splitlines():
            if line.strip():
                yield line[:MOST_CHARACTERS]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
