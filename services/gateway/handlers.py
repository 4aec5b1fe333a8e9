"""Which events the gateway learns from: those of its resources, and the answers to people's commands."""

from collections import defaultdict

from services.gateway.events.learning import Learning
from services.gateway.resources.commands.projection import KINDS, learn_answers
from services.gateway.resources.resource import AfterAnswer
from services.gateway.resources.table import RESOURCES
from shared.core.dispatching import Handlers

TOPICS = ("catalog.events", "deployer.events", "deployer.facts", "strategy.events", "notifier.events", "monitor.events")


def _after_answers() -> dict[str, list[AfterAnswer]]:
    """What the resources learn from answers, by the command's type."""
    found: defaultdict[str, list[AfterAnswer]] = defaultdict(list)
    for resource in RESOURCES:
        for kind, learn in resource.after_answers.items():
            found[kind].append(learn)
    return found


ANSWERS = Learning(learn_answers(_after_answers()), KINDS, hidden=KINDS)
"""They tell people themselves of those answers that are to commands of ours."""

LEARNING = (ANSWERS, *(one for each in RESOURCES for one in each.learns))
HANDLERS: Handlers = {kind: handler for one in LEARNING for kind, handler in one.handlers().items()}
