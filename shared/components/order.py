"""The order of a release's components: who comes after whom. Pure."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def cycle_in(after: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Components that wait for each other, each after the next, the first named again at the end; empty if none do."""
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        return tuple(reversed(error.args[1]))
    return ()
