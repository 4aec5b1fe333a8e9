"""What the strategies are called that a door for a group makes: one at a time for each app. Pure."""

import hashlib

MOST = 100
"""Characters of a name."""

RUNNING = frozenset({"waiting", "applying", "paused", "aborting", "needs_inspection"})
"""States of a strategy that has begun, or waits for its release, and has not ended."""


def strategy_of(app: str) -> str:
    """The name of the one that changes this app: the orchestrator's rule that names differ keeps a second away."""
    name = f"sysinv-{app}"
    if len(name) <= MOST:
        return name
    return f"{name[: MOST - 17]}-{hashlib.blake2b(app.encode(), digest_size=8).hexdigest()}"
