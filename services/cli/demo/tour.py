"""What the chapters of the demo share: the way to Belay, the sites, and what was found on the way."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.text import Text

from services.cli import spec
from services.cli.board import at_rest
from services.cli.demo.fleet import SETTLE_SECONDS, Application, Census, census, mark
from services.cli.errors import CliError, Status, failed
from services.cli.feed import Feed, views
from services.cli.session import Session, at
from services.cli.watch import show
from shared.embedded.home import Home
from shared.messages.base import Fault

EXAMPLES = Path(__file__).parents[3] / "examples"

PATIENCE_SECONDS = 90
"""Any service, Kafka or PostgreSQL may be killed meanwhile; they are back long before."""

ROLL_OUT_SECONDS = 240
"""A roll-out of the demo takes 10 s; a killed Kafka or PostgreSQL adds as much. After so long it hangs."""


@dataclass
class Tour:
    """One run of the demo."""

    session: Session
    home: Home
    number: int = 0
    """How many demos this home has seen; strategies of each have names of their own."""
    releases: dict[str, str] = field(default_factory=dict)
    """Version by the folder of its bundle: "0.63" is 0.63.3."""
    sites: list[dict[str, Any]] = field(default_factory=list)
    fleet: list[Application] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    closing: ExitStack = field(default_factory=ExitStack)

    @cached_property
    def feed(self) -> Feed:
        """One stream for all chapters; its events say when to look again."""
        return Feed(self.session)

    def say(self, sentence: str) -> None:
        """Something by the way."""
        self.session.screen.note(Text(sentence, style="dim"))

    def ask(self, seconds: float = SETTLE_SECONDS) -> Census:
        """Ask every application what it is now; those that do not answer again, for so long."""
        return census(self.fleet, seconds)

    def mark(self, chapter: str) -> None:
        """Leave a row in the data of every site, to be found again at the end."""
        text = f"demo {self.number}: before {chapter}"
        mark(self.fleet, text)
        self.marks.add(text)

    def roll_out(self, name: str, sites: Sequence[str] = ()) -> dict[str, Any]:
        """Create, apply and watch the strategy of an example file, on all of its sites or some; how it ended."""
        order = spec.read_spec(EXAMPLES / "demo" / f"{name}.yaml")
        order["name"] = f"demo-{self.number}-{name}"
        if sites:
            chosen = {"selection": {"sites": list(sites)}, "stages": [{"name": "all"}], "force": True}
            order |= {"name": f"demo-{self.number}-first-{name}"} | chosen
        strategy = self.session.command("POST", "/v1/strategies", order)["command_id"]
        self.session.command("POST", at("/v1/strategies/{}/apply", strategy), {})
        seen = views(self.session, at("/v1/strategies/{}", strategy), at_rest, self.feed)
        return show(self.session.screen, within(seen, ROLL_OUT_SECONDS))

    def operations(self, strategy: dict[str, Any]) -> list[dict[str, Any]]:
        """Every operation that a strategy started."""
        return list(self.session.pages("/v1/operations", strategy=strategy["strategy_id"]))


def within(seen: Iterable[dict[str, Any]], seconds: float) -> Iterator[dict[str, Any]]:
    """The same views, but an end with a reason where they would go on for ever."""
    until = time.monotonic() + seconds
    for view in seen:
        yield view
        if time.monotonic() > until and not at_rest(view):
            raise failed(f"strategy {view['name']} is still {view['state']} after {seconds:g} s")


def expect(*wrong: str | None) -> None:
    """End the demo with everything that is not as it must be; None is as it must be."""
    faults = [Fault(code="demo", field="", message=sentence) for sentence in wrong if sentence]
    if faults:
        raise CliError(Status.FAILED, "it is not as it must be", code="demo", faults=faults)
