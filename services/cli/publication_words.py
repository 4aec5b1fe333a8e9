"""How far a publication is, in words."""

from typing import Any

from services.cli.screen import size

DOING = {"fetch": "being fetched", "validate": "being checked"}


def how_far(view: dict[str, Any]) -> str:
    """Of one under way, as the API shows it: "being fetched, 2 MiB of 8 MiB", "being checked: charts, 3 of 9"."""
    doing = DOING.get(view["phase"], "under way") if view["phase"] else "not begun yet"
    if view["phase"] == "fetch" and view["done_bytes"]:
        total = view["total_bytes"]
        return f"{doing}, {size(view['done_bytes'])}{f' of {size(total)}' if total else ' so far'}"
    if not view["step"]:
        return doing
    if not view["step_total"]:
        return f"{doing}: {view['step']}"
    counted = size if view["step"] == "files" else str
    return f"{doing}: {view['step']}, {counted(view['step_done'] or 0)} of {counted(view['step_total'])}"
