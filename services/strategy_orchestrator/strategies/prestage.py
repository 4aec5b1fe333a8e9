"""Prestage: bring what a release needs onto sites ahead of time. What runs there stays as it is, whatever that is."""

from services.strategy_orchestrator.strategies.site import Candidate, Target, already_there
from services.strategy_orchestrator.strategies.strategy_type import Type
from shared.messages.strategy import Why
from shared.messages.words import OperationKind


def judge(site: Candidate, target: Target) -> Why | None:
    """Leaves out sites that run the release already: they have all of it. `force` passes by alarms, not this."""
    return already_there(site, target.app, target.version)


TYPE = Type(
    OperationKind.PRESTAGE,
    judge,
    no_way_back="it changed nothing that runs, and what it brought is cleaned by itself",
)
