"""What an engine's refusal means. Pure.

Engines answer with a status and a sentence; Podman gives 500 to nearly everything. So beside the few answers that have
a status of their own, the sentences are looked at for words that both engines, and registries, have used for years.
"""

from services.deployer.drivers.pulls import refusals
from services.deployer.drivers.pulls.refusals import code_among

CODES = (
    *refusals.CODES,
    ("port_taken", ("address already in use", "port is already allocated", "port is already in use")),
)
"""Codes by words in the engine's sentence: those of pulls, and those of all else that it does."""

OF_ENGINE = frozenset({"disk_full", "port_taken"})
OF_LOAD = frozenset({"disk_full", "content_damaged"})

PASSING = ("no such network interface", "network inspection mismatch")
"""What an engine says when something else on its host changed while it looked: the same may be asked again."""

UNDER_WAY = ("is already in progress", "in state removing", "in state stopping")
"""What an engine says of a container that somebody else's request stops or removes at that moment."""

AS_IT_IS = "* oci-archive:"
"""Podman takes an archive for each kind that it knows, one after the other, and tells why it is none of them."""


def passes(sentence: str) -> bool:
    """Whether a refusal is of this moment alone."""
    return any(words in sentence.lower() for words in PASSING)


def under_way(sentence: str) -> bool:
    """Whether another request of before is still carried out, after which there may be nothing left to do."""
    return any(words in sentence.lower() for words in UNDER_WAY)


def code_of_engine(sentence: str) -> str:
    """Why the engine did not do what it was told."""
    return code_among(sentence, OF_ENGINE, CODES) or "engine_refused"


def code_of_load(sentence: str) -> str:
    """Why an engine did not take an image that it was sent."""
    return code_among(sentence_of_load(sentence), OF_LOAD) or "load_failed"


def sentence_of_load(sentence: str) -> str:
    """What it says of the archive as what it is."""
    lines = [line.strip() for line in sentence.splitlines() if line.strip()]
    return next((line.removeprefix(AS_IT_IS).strip() for line in lines if line.startswith(AS_IT_IS)), sentence)
