"""Sampled stacks to shares of the time: pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Stack = tuple[str, ...]
"""Frames from the outermost to the innermost, each `function (path.py:line)`."""


@dataclass(frozen=True, slots=True)
class Share:
    """A place and its share of all samples, from 0 to 1: while it ran itself, and while it was on the stack."""

    where: str
    itself: float
    inclusive: float


def parse(text: str) -> list[tuple[Stack, int]]:
    """Stacks and how often each was seen, from py-spy's raw format: `frame;frame;frame count` a line."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line.strip())
    return [(tuple(frames.split(";")), int(count)) for frames, _, count in lines]


def function_of(frame: str) -> str:
    """`run (services/x.py:12)` -> `run (services/x.py)`: a function is one place, whatever line it is at."""
    head, _, line = frame.rpartition(":")
    return f"{head})" if head and line.rstrip(")").isdigit() else frame


def module_of(frame: str) -> str:
    """The file of our own code, else the package."""
    path = function_of(frame).partition(" (")[2].rstrip(")")
    return path if path.startswith(("services/", "shared/")) else path.partition("/")[0] or frame


def functions(samples: Sequence[tuple[Stack, int]]) -> list[Share]:
    """By function, those first that cost most themselves."""
    return sorted(_shares(samples, function_of), key=lambda share: -share.itself)


def modules(samples: Sequence[tuple[Stack, int]]) -> list[Share]:
    """By module of ours or package of others, those first that cost most themselves."""
    return sorted(_shares(samples, module_of), key=lambda share: -share.itself)


def _shares(samples: Iterable[tuple[Stack, int]], name: Callable[[str], str]) -> list[Share]:
    itself: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    for stack, count in samples:
        places = [name(frame) for frame in stack]
        itself[places[-1]] += count
        for place in set(places):
            inclusive[place] += count
    total = sum(itself.values()) or 1
    return [Share(place, itself[place] / total, count / total) for place, count in inclusive.items()]
