"""What a plan says beside its stages: where sites go that go to different releases, and which are left out. Pure."""

from collections.abc import Mapping
from typing import Any

SHOWN = 5


def ways(targets: list[dict[str, Any]]) -> str:
    """`4 sites to 1.0, 2 to 1.1`; empty where all go to the release of the spec."""
    if not targets:
        return ""
    first, *others = (f"{target['sites']} to {target['version']}" for target in targets[:SHOWN])
    more = len(targets) - SHOWN
    return ", ".join([first.replace(" to ", f" {_sites(targets[0]['sites'])} to ", 1), *others]) + (
        f", and to {more} other releases" if more > 0 else ""
    )


def left_out(strategy: Mapping[str, Any]) -> str:
    """`2 of 5 selected sites are left out: site s-1 is unmanaged; …`; empty where none is."""
    count = strategy.get("excluded_count") or 0
    if not count:
        return ""
    selected = count + sum(strategy["counts"].values())
    reasons = "; ".join(one["message"] for one in strategy.get("excluded", ())[:SHOWN])
    more = f"; and {count - SHOWN} more: `belay strategy plan {strategy['name']}`" if count > SHOWN else ""
    return f"{count} of {selected} selected sites {'is' if count == 1 else 'are'} left out: {reasons}{more}"


def _sites(count: int) -> str:
    return "site" if count == 1 else "sites"
