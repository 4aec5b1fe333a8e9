"""What becomes of the processes of a home while `up` stays: which is ready, which ended, what one still waits for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.embedded.home import Home
from shared.embedded.programs import Wish, services
from shared.embedded.starting import Ends, worked
from shared.embedded.supervisor import SupervisorClient, SupervisorUnreachable

ANSWER_SECONDS = 2.0


@dataclass
class Watch:
    """Looks again and again at the processes of one supervisor; each look yields what is new, a sentence each."""

    home: Home
    wish: Wish
    ready: set[str] = field(default_factory=set)
    waiting: dict[str, str] = field(default_factory=dict)
    """What a service that is not ready lacks, by its name."""

    def __post_init__(self) -> None:
        self._ends = Ends(self.home)
        self.expected = [program.name for program in services(self.home, self.wish)]

    @property
    def complete(self) -> bool:
        """Whether every service is ready."""
        return self.ready.issuperset(self.expected)

    def lacks(self) -> str:
        """Each service that is not ready, and why."""
        return "; ".join(f"{name} {lack}" for name, lack in self.waiting.items())

    def look(self) -> Iterator[str]:
        """What happened since the last look. Nothing while the supervisor does not answer."""
        try:
            processes = SupervisorClient(self.home).processes()
        except SupervisorUnreachable:
            return
        for name, line in self._ends.look(processes):
            self.ready.discard(name)
            yield line
        for name in self.expected:
            if name not in self.ready and self._is_ready(name):
                self.ready.add(name)
                yield f"{name} is ready"

    def signs(self) -> dict[str, object]:
        """Of each service that is not ready what changes as long as it goes on: what it lacks, and until it listens how
        much it has worked. One that ended goes round in a circle, and one that listens works at no start any more."""
        return {
            name: (lack, 0 if self.address_of(name) or self._ends.times[name] else worked(self._ends.pid(name)))
            for name, lack in self.waiting.items()
        }

    def _is_ready(self, name: str) -> bool:
        self.waiting[name] = self._lack(name)
        if self.waiting[name]:
            return False
        del self.waiting[name]
        return True

    def _lack(self, name: str) -> str:
        """What keeps a service from being ready; empty if nothing does."""
        import httpx  # noqa: PLC0415  who only looks at the processes needs no HTTP

        address = self.address_of(name)
        if not address:
            return "has not begun to listen yet"
        try:
            return _without(httpx.get(f"{address}/readyz", timeout=ANSWER_SECONDS, trust_env=False).json())
        except (ValueError, httpx.TransportError) as error:
            return f"does not answer at {address}: {error}"

    def address_of(self, name: str) -> str | None:
        """Where a service listens, as it noted itself; None before it does."""
        try:
            return str(json.loads((self.home.run / f"{name}.json").read_text())["url"])
        except (OSError, ValueError, KeyError):
            return None


def _without(parts: Mapping[str, Any]) -> str:
    missing = [part for part, well in parts.items() if not well]
    return f"not ready without {', '.join(missing)}" if missing else ""


def forget_earlier(home: Home, wish: Wish) -> None:
    """Drop the notes that replicas of an earlier run left of their addresses: others may have their ports by now.

    Of those that do not run this time nothing is kept: nobody shall wait for their answer.
    """
    for note in home.run.glob("*-*.json"):
        note.unlink(missing_ok=True)
    expected = {one.name for one in wish.instances()}
    for runs in home.run.glob("*-*.runs"):
        if runs.stem not in expected:
            runs.unlink(missing_ok=True)
