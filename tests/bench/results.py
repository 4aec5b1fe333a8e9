"""build/bench.json: what was measured last, figure by figure."""

import json
from pathlib import Path
from typing import Any

RESULT = Path("build/bench.json")


def keep(found: dict[str, Any]) -> None:
    """Write what was measured. Figures measured alone take their places among those of earlier runs."""
    figures = {**kept().get("figures", {}), **found["figures"]}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({**found, "figures": figures}, indent=2) + "\n")


def kept() -> dict[str, Any]:
    """What the file says; nothing when there is none, or one of another form."""
    try:
        found = json.loads(RESULT.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    known = isinstance(found, dict) and isinstance(found.get("figures"), dict)
    return found if known else {}
