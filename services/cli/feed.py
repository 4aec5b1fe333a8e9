"""The event stream in the background, so that a command can wait for news and still notice the passing of time."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from services.cli.answers import ProblemError, StreamEvent, Unreachable
from services.cli.errors import CliError, Status
from services.cli.session import Session, is_passing, refusal

Received = StreamEvent | ProblemError | Unreachable

QUIET_SECONDS = 2.0
"""After so long without news a watcher reads anew: an event that came between its read and the stream is not missed."""

PACE_SECONDS = 0.15
"""A busy strategy has hundreds of events a second; nobody sees more than a few frames."""

APPEARS_SECONDS = 10.0
"""An accepted command's effect may reach the read model a moment after its answer."""


class Feed:
    """Reads the stream in a thread of its own until the process ends; a lost connection resumes where it was."""

    def __init__(self, session: Session, **params: Any) -> None:
        self._client, self._params = session.connect(), params
        self._received: queue.SimpleQueue[Received] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def wait(self, seconds: float = QUIET_SECONDS, pace: float = PACE_SECONDS) -> None:
        """Return soon after something happened, at the latest after `seconds`. Raises CliError if we may not listen."""
        try:
            self._check(self._received.get(timeout=seconds))
        except queue.Empty:
            return
        time.sleep(pace)
        while not self._received.empty():
            self._check(self._received.get())

    @staticmethod
    def _check(received: Received) -> None:
        if not isinstance(received, StreamEvent) and not is_passing(received):
            raise refusal(received)

    def _run(self) -> None:
        position: str | None = None
        while True:
            try:
                for event in self._client.stream(last_event_id=position, **self._params):
                    position = event.position
                    self._received.put(event)
            except (ProblemError, Unreachable) as error:
                self._received.put(error)
                time.sleep(0.5)


def views(
    session: Session,
    path: str,
    ended: Callable[[dict[str, Any]], bool],
    feed: Feed | None = None,
    fresh: Callable[[dict[str, Any]], bool] = lambda _: True,
    **params: Any,
) -> Iterator[dict[str, Any]]:
    """A resource as it stands now and again after all news, up to and including the one that has `ended`.

    What is shown is always what was read: events only say when to look. So a lost, doubled or late one does no harm.
    What is not `fresh` yet shows how it was before a command, whose effect comes a moment after its answer.
    """
    feed = feed or Feed(session, **params)
    view = _first(session, path, feed)
    until = time.monotonic() + APPEARS_SECONDS
    while not fresh(view) and time.monotonic() < until:
        feed.wait(0.2)
        view = session.get(path)
    yield view
    while not ended(view):
        feed.wait()
        view = session.get(path)
        yield view


def _first(session: Session, path: str, feed: Feed) -> dict[str, Any]:
    until = time.monotonic() + APPEARS_SECONDS
    while True:
        try:
            return session.get(path)
        except CliError as error:
            if error.status is not Status.REFUSED or time.monotonic() > until:
                raise
            feed.wait(0.2)
