"""`belay demo`: tells the chapters, sums up, and ends with what the applications themselves say."""

import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli.demo.chapters import CHAPTERS
from services.cli.demo.tour import EXAMPLES, PATIENCE_SECONDS, Tour
from services.cli.errors import usage
from services.cli.screen import Column, Screen
from services.cli.session import Session
from shared.embedded.home import Home

CHAPTER_COLUMNS: tuple[Column, ...] = (("", "number"), "chapter", "seconds", ("what happened", "outcome"))
WIDEST = 40
"""Columns of the commands to try next."""
SITE_COLUMNS: tuple[Column, ...] = ("site", "group", ("address", "url"), "version", ("rows kept", "rows"))


@dataclass
class Chronicle:
    """What the demo has told so far."""

    screen: Screen
    chapters: list[dict[str, Any]]

    def tell(self, title: str, tour: Tour) -> None:
        """One chapter: its title, what is to be seen, and how long it took."""
        number = len(self.chapters) + 1
        self.screen.note(Text(f"\n{number}  {title}", style="bold"))
        begun = time.monotonic()
        outcome = CHAPTERS[title](tour)
        seconds = round(time.monotonic() - begun, 1)
        self.chapters.append({"number": number, "chapter": title, "seconds": seconds, "outcome": outcome})
        self.screen.note(Text.assemble(("✓ ", "green"), outcome, (f"  {seconds:.1f} s", "dim")))


def demo(
    session: Session,
    once: Annotated[
        bool, typer.Option("--once", envvar="ONCE", help="End when it is done, also on a terminal.")
    ] = False,
) -> None:
    """Roll real releases out over twelve sites, let two broken ones fall, and go back: all on this machine.

    Exit status 0 only if every application is what it must be and has kept its data.
    """
    if not EXAMPLES.is_dir():
        raise usage(f"{EXAMPLES} is not here", "run the demo from a checkout of Belay")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a polite kill stops all in order, as Ctrl-C does
    # Whatever --url names is somebody else's: the demo is of this machine.
    here = Session(session.screen, home=session.home, patience=PATIENCE_SECONDS)
    tour = Tour(here, Home.open(session.home))
    tour.closing.callback(here.close)
    stays = session.screen.live and not once
    with tour.closing:
        _tell_all(tour)
        session.screen.note(_what_next(tour, stays))
        if stays:
            _stay(session.screen)


def _tell_all(tour: Tour) -> None:
    screen, begun = tour.session.screen, time.monotonic()
    chronicle = Chronicle(screen, [])
    for title in CHAPTERS:
        chronicle.tell(title, tour)
    sites = _sites(tour)
    seconds = round(time.monotonic() - begun, 1)
    if screen.as_json:
        return screen.json({"seconds": seconds, "chapters": chronicle.chapters, "sites": sites})
    screen.note(Text("\nWhat happened", style="bold"))
    screen.table(chronicle.chapters, CHAPTER_COLUMNS, "")
    screen.note("")
    screen.table(sites, SITE_COLUMNS, "")
    return screen.note(_last_words(tour, seconds))


def _sites(tour: Tour) -> list[dict[str, Any]]:
    found = tour.ask()
    return [
        {"site": one.site, "group": one.group, "url": one.url, "version": found[one.site].version}
        | {"rows": len(tour.marks & found[one.site].marks)}
        for one in tour.fleet
    ]


def _last_words(tour: Tour, seconds: float) -> Text:
    token = tour.session.home / "admin.token"
    return Text.assemble(
        f"\nAll {len(tour.fleet)} sites are where they must be, after {seconds:.0f} s.\n",
        "The page: ", (tour.session.url, "bold"), f" (log in with the token in {token})",
    )  # fmt: skip


def _what_next(tour: Tour, stays: bool) -> Text:
    """What a newcomer may try, in lines that can be copied."""
    belay = Path(sys.argv[0]).resolve()
    command = belay.relative_to(Path.cwd()) if belay.is_relative_to(Path.cwd()) else belay.name
    steps = (
        ("which roll-outs there were", "strategy list"),
        ("why one stopped", f"strategy show demo-{tour.number}-broken-exit"),
        ("what the broken release said last", "operation list --state failed"),
    )
    where = "In another terminal" if stays else f"It stops now, and keeps its data: `{command} up`, then"
    lines = "".join(f"  {command} {words:<{WIDEST}}  # {why}\n" for why, words in steps)
    end = "Ctrl-C stops everything. " if stays else ""
    return Text(f'\nWhat to try next. {where}:\n{lines}{end}Your own sites and releases: README.md, "Use it".')


def _stay(screen: Screen) -> None:
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        screen.note("stopping: services, Kafka, PostgreSQL and the applications")
