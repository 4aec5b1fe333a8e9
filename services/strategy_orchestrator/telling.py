"""Fleets in messages: lists cut to what a topic takes. Pure."""

from collections.abc import Iterator, Sequence

from shared.messages.strategy import BATCH, StepChange, StrategySpec

NAMES_KEPT = 1_000
"""Names of sites that a kept and told spec holds. All of them are in the plan's steps; the command named them."""

WORDS = 200_000
"""Characters of reasons in one message about steps: at four bytes a character below what a topic takes."""


def abridged(spec: StrategySpec) -> tuple[StrategySpec, int]:
    """The spec with the first NAMES_KEPT names of sites, those of the selection first, and how many are left out."""
    room = NAMES_KEPT
    selected = spec.selection.sites[:room]
    room -= len(selected)
    stages = []
    for stage in spec.stages:
        stages.append(stage.model_copy(update={"sites": stage.sites[:room]}))
        room -= len(stages[-1].sites)
    named = len(spec.selection.sites) + sum(len(stage.sites) for stage in spec.stages)
    left_out = named - (NAMES_KEPT - room)
    if not left_out:
        return spec, 0
    selection = spec.selection.model_copy(update={"sites": selected})
    return spec.model_copy(update={"selection": selection, "stages": tuple(stages)}), left_out


def in_batches(steps: Sequence[StepChange]) -> Iterator[tuple[StepChange, ...]]:
    """In order, as many together as one message takes: a failed step tells what its driver said."""
    batch: list[StepChange] = []
    words = 0
    for step in steps:
        said = len(step.why.message) if step.why else 0
        if batch and (len(batch) == BATCH or words + said > WORDS):
            yield tuple(batch)
            batch, words = [], 0
        batch.append(step)
        words += said
    if batch:
        yield tuple(batch)
