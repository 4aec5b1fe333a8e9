"""Processes that die in the middle of something, forked from one that has imported what they need: that takes each of
them seconds otherwise."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext
from typing import Any


@contextmanager
def victims(module: str) -> Iterator[ForkServerContext]:
    """Where they are forked from, with what this module imports; nothing of it is left afterwards.

    One at a time in a process of ours, since a server is asked once what to import.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    try:
        yield context
    finally:
        for helper in (forkserver._forkserver, resource_tracker._resource_tracker):
            vars(type(helper))["_stop"](helper)


def dies(context: ForkServerContext, work: Callable[..., Any], *words: str, seconds: float = 60) -> None:
    """Have a victim do this work; it must kill itself with SIGKILL meanwhile. Blocks until it has."""
    victim = context.Process(target=work, args=words)
    victim.start()
    victim.join(seconds)
    if victim.exitcode is None:
        victim.kill()
        victim.join()
        raise TimeoutError(f"it was alive after {seconds:g} s: {words}")
    assert victim.exitcode == -signal.SIGKILL, (victim.exitcode, words)
