"""`up`: start everything, tell what becomes of it, and stop it all at the end."""

from __future__ import annotations

import signal
import subprocess
import time

from shared.embedded import stack
from shared.embedded.home import Home
from shared.embedded.programs import Wish
from shared.embedded.stack import StackError
from shared.embedded.starting import Progress
from shared.embedded.telling import Parts
from shared.embedded.watching import Watch

#: Pauses (s) before a killed supervisor is started again: a loop of deaths must not keep a machine busy.
AGAIN_AFTER = 1.0
#: Looks at the processes: until all are ready, and from then on.
OFTEN, SELDOM = 0.2, 1.0
#: After so long without a part that got ready, those that are missing are named, each with its reason.
OVERDUE = 30.0
#: A detached start gives up waiting (not starting) when nothing has moved for so long: neither did any part get ready,
#: nor did one that is not listening yet use a processor.
PATIENCE = 120.0


def attached(home: Home, wish: Wish, teller: Parts) -> int:
    """Run until Ctrl-C or `down`."""
    # A polite kill means the same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # 0: it was asked to stop, by `down`.
        while _until_end(home, wish, teller) != 0:
            teller.say("the supervisor was killed: starting everything again")
            time.sleep(AGAIN_AFTER)
    except KeyboardInterrupt:
        teller.doing("")
        teller.say("stopping: services, then Kafka, then PostgreSQL")
    finally:
        # Impatience must not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        teller.doing("")
        stack.stop(home)
    return 0


def _until_end(home: Home, wish: Wish, teller: Parts) -> int:
    """Start everything and tell what becomes of it until the supervisor ends; its exit status."""
    daemon, watch = stack.start(home, wish, teller.say, teller.doing), Watch(home, wish)
    told, last_news = False, time.monotonic()
    while True:
        for line in watch.look():
            teller.say(line)
            last_news = time.monotonic()
        if watch.complete and not told:
            told = True
            teller.all_ready(watch.address_of("gateway-1"), home.root)
        if not told:
            last_news = _overdue(watch, teller, last_news)
        try:
            return daemon.wait(SELDOM if told else OFTEN)
        except subprocess.TimeoutExpired:
            continue


def _overdue(watch: Watch, teller: Parts, last_news: float) -> float:
    """Say what is missing: on the moving line always, as a line of its own when nothing came for long."""
    teller.doing(f"waiting for {', '.join(watch.waiting)}")
    if time.monotonic() - last_news < OVERDUE:
        return last_news
    teller.say(f"still waiting: {watch.lacks()}")
    return time.monotonic()


def detached(home: Home, wish: Wish, teller: Parts) -> int:
    """Start everything, unless it runs on its own here already, and return once it is ready.

    Raises StackError naming what is not ready when nothing has moved for PATIENCE seconds; it starts on.
    """
    if not stack.is_detached(home):
        stack.start(home, wish, teller.say, teller.doing, detached=True)
    watch, progress, last_news = Watch(home, wish), Progress(PATIENCE), time.monotonic()
    while not watch.complete:
        for line in watch.look():
            teller.say(line)
            last_news = time.monotonic()
        progress.note({**watch.signs(), "ready": len(watch.ready)})
        if progress.stalled:
            teller.doing("")
            silent = f"nothing has moved for {PATIENCE:g} s"
            raise StackError(f"still not ready, and {silent}: {watch.lacks()}; logs in {home.logs}")
        last_news = _overdue(watch, teller, last_news)
        time.sleep(OFTEN)
    teller.all_ready(watch.address_of("gateway-1"), home.root)
    return 0
