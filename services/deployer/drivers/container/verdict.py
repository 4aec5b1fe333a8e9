"""How well a container is, from what its engine says of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

STEADY = timedelta(seconds=60)
"""Who has run for so long since it was started again runs."""

CHECK_SECONDS = 30.0
"""What engines give a health check that says nothing of it."""

OVER = frozenset({"exited", "dead", "stopped", "removing"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a container showed."""

    well: bool
    why: str
    """Why it is not well, or how it is; for people."""
    over: bool = False
    """It ended by itself: waiting longer makes it no better."""


def verdict(shown: Mapping[str, Any] | None, checked: str | None = None, borne: int = 0) -> Verdict:
    """Judge a container by what the engine shows of it; None = it is gone.

    `checked` is the status of a health check that was run just now, where the engine does not run them itself;
    `borne` are restarts by its policy that it has got over.
    """
    if shown is None:
        return Verdict(well=False, why="it is gone: somebody removed it", over=True)
    state = shown.get("State") or {}
    status = str(state.get("Status", ""))
    if status in OVER:
        return Verdict(well=False, why=_end(state), over=True)
    if (restarts := restarts_of(shown)) > borne:
        return Verdict(well=False, why=f"it ended by itself, {restarts + 1} times in a row", over=True)
    if status != "running" or state.get("Restarting"):
        return Verdict(well=False, why=f"it is {status or 'in no known state'}")
    return _by_health(shown, checked)


def restarts_of(shown: Mapping[str, Any] | None) -> int:
    """How often its engine has started it again, since somebody last started it."""
    return int((shown or {}).get("RestartCount") or 0)


def got_over(shown: Mapping[str, Any] | None, now: datetime) -> int:
    """Restarts that are no trouble any more: it runs on since then. Engines never forget them."""
    since = str(((shown or {}).get("State") or {}).get("StartedAt") or "")
    try:
        steady = now - datetime.fromisoformat(since) >= STEADY
    except (ValueError, TypeError):
        return 0
    return restarts_of(shown) if steady else 0


def _end(state: Mapping[str, Any]) -> str:
    words = f"it exited with status {state.get('ExitCode', '?')}"
    if state.get("OOMKilled"):
        words += ", killed because it needed more memory than it may"
    return f"{words}: {state['Error']}" if state.get("Error") else words


def _by_health(shown: Mapping[str, Any], checked: str | None) -> Verdict:
    if not has_check(shown):
        return Verdict(well=True, why="it runs; there is no health check")
    health = (shown.get("State") or {}).get("Health") or {}
    status = checked or str(health.get("Status", ""))
    if status == "healthy":
        return Verdict(well=True, why="healthy")
    said = (health.get("Log") or [{}])[-1].get("Output", "").strip()
    return Verdict(
        well=False, why=f"its health check says {status or 'nothing'}" + (f": {said[-300:]}" if said else "")
    )


def has_check(shown: Mapping[str, Any]) -> bool:
    """Whether the container has a health check, its own or its image's."""
    test = ((shown.get("Config") or {}).get("Healthcheck") or {}).get("Test") or []
    return bool(test) and test[0] != "NONE"


def check_seconds(shown: Mapping[str, Any]) -> float:
    """How long its health check may take."""
    nanoseconds = ((shown.get("Config") or {}).get("Healthcheck") or {}).get("Timeout") or 0
    return float(nanoseconds) / 1e9 or CHECK_SECONDS


def environment_of(shown: Mapping[str, Any]) -> dict[str, str]:
    """The variables that the container was given, with those of its image and engine."""
    pairs = (pair.partition("=") for pair in (shown.get("Config") or {}).get("Env") or ())
    return {name: value for name, _, value in pairs}
