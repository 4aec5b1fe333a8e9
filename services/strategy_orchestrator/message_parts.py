"""Fleets in messages: lists cut to what a topic takes. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared.messages.strategy import BATCH, Site, StepChange, StrategySpec

T = TypeVar("T")

NAMES_KEPT = 1_000
"""Names of sites that a spec in a row or event holds. All of them are in the plan's steps; the command named them."""

SITES_BYTES = 900_000
"""Of the sites in one message: labels and params of 500 sites may be more than a topic takes."""

WORDS = 200_000
"""Characters of reasons in one message about steps: at four bytes a character below what a topic takes."""


def abridged(spec: StrategySpec) -> tuple[StrategySpec, int]:
    """The spec with the first NAMES_KEPT names of sites, those of the selection first, and how many are left out."""
    if (left_out := names_in(spec) - NAMES_KEPT) <= 0:
        return spec, 0
    selected, room = _first(spec.selection.sites, NAMES_KEPT)
    excluded, room = _first(spec.selection.exclude.sites, room)
    stages = []
    for stage in spec.stages:
        names, room = _first(stage.sites, room)
        stages.append(stage.model_copy(update={"sites": names}))
    exclude = spec.selection.exclude.model_copy(update={"sites": excluded})
    selection = spec.selection.model_copy(update={"sites": selected, "exclude": exclude})
    return spec.model_copy(update={"selection": selection, "stages": tuple(stages)}), left_out


def names_in(spec: StrategySpec) -> int:
    """How many names of sites a spec holds."""
    chosen = spec.selection
    return len(chosen.sites) + len(chosen.exclude.sites) + sum(len(stage.sites) for stage in spec.stages)


def _first(names: tuple[str, ...], room: int) -> tuple[tuple[str, ...], int]:
    """As many names as there is room for, and the room that is left."""
    kept = names[:room]
    return kept, room - len(kept)


def parts_of_sites(sites: Sequence[Site]) -> Iterator[tuple[Site, ...]]:
    """In order, as many together as one message takes. What is too large alone no message can tell."""
    return _parts(sites, lambda site: len(site.model_dump_json().encode()), SITES_BYTES)


def parts_of_steps(steps: Sequence[StepChange]) -> Iterator[tuple[StepChange, ...]]:
    """In order, as many together as one message takes: a failed step tells what its driver said."""
    return _parts(steps, lambda step: len(step.why.message) if step.why else 0, WORDS)


def _parts(items: Sequence[T], size_of: Callable[[T], int], most: int) -> Iterator[tuple[T, ...]]:
    """Parts of at most BATCH items, whose sizes come to `most` together unless one alone has more."""
    part: list[T] = []
    size = 0
    for item in items:
        own = size_of(item)
        if part and (len(part) == BATCH or size + own > most):
            yield tuple(part)
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield tuple(part)
