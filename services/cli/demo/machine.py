"""All of Belay on this machine for as long as the demo lasts."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.cli.nouns.machine import hosts
from shared.embedded import stack
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from shared.embedded.stack import StackError


@contextmanager
def running(home: Home, say: Callable[[str], None], doing: Callable[[str], None]) -> Iterator[None]:
    """Start everything, and stop it all at the end, the applications on the sites too.

    `say` hears of each part that is ready, `doing` of what is under way.

    What runs in this home already, by `belay up`, is used instead, and left running. Raises StackError.
    """
    if stack.statuses(home):
        say("Belay runs here already: it is used, and left running")
        yield
        return
    with stack.alone(home):
        hosts("stop", home)  # left by a run that was killed; their ports are theirs again afterwards
        guard = Guard(home, say, doing)
        try:
            guard.start()
            hosts("start", home)
            yield
        finally:
            with undisturbed():
                guard.stop()
                hosts("stop", home)


class Guard:
    """Keeps the supervisor running: killed, it is started again, as `belay up` does it."""

    def __init__(self, home: Home, say: Callable[[str], None], doing: Callable[[str], None]) -> None:
        self._home, self._say, self._doing = home, say, doing
        self._ends = threading.Event()
        self._daemon: stack.Daemon | None = None
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    def start(self) -> None:
        """Raises StackError; nothing is left running then."""
        self._daemon = stack.start(self._home, Wish.from_environment({}), self._say, self._doing)
        self._thread.start()

    def stop(self) -> None:
        """Stop everything in order."""
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()
        stack.stop(self._home)

    def _watch(self) -> None:
        while not self._ends.wait(0.5):
            if self._daemon and self._daemon.poll() is not None:
                self._say("the supervisor was killed: starting everything again")
                self._again()

    def _again(self) -> None:
        try:
            self._daemon = stack.start(self._home, Wish.from_environment({}), lambda _: None)
        except StackError as error:
            self._say(str(error))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Impatience at the end must not leave half of it running."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
