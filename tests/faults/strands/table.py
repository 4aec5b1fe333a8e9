"""Which strands there are, and which lane plays which."""

from collections.abc import Mapping

from tests.faults.strands import Play, automatic, overrides, publications, site_runs

STRANDS: Mapping[str, Play] = {
    "set": overrides.play,
    "pub": publications.play,
    "auto": automatic.play,
    "all": site_runs.play,
}
"""By the word that their apps and sites are called by."""


def of_lane(number: int, lanes: int) -> dict[str, Play]:
    """Each strand is played by one lane, so that a round of many lanes is no slower."""
    return {word: play for place, (word, play) in enumerate(STRANDS.items()) if place % lanes == number}
