"""Sites are asked by all their drivers at once, with the values of the secrets that their connections name."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from services.deployer.alive.judgement import Answer, combined
from services.deployer.alive.store import Checked
from services.deployer.drivers import Broken, Reachable
from services.deployer.drivers.registry import DriverRegistry
from services.deployer.secrets.opening import OpenedConnection, SecretOpener
from services.deployer.secrets.values import hide_in


class Question(NamedTuple):
    """A site that one of its drivers is to ask."""

    site: str
    driver: str
    opened: OpenedConnection


class Asking:
    """Asks whether sites answer. Changes nothing."""

    def __init__(self, registry: DriverRegistry, secrets: SecretOpener) -> None:
        self._registry = registry
        self._secrets = secrets

    async def ask(self, sites: Sequence[Checked]) -> list[Answer]:
        """What each site says; as long as the slowest takes, which the drivers bound."""
        named = [
            (each.site, d, c) for each in sites for d, c in each.connections.items() if self._registry.can_reach(d)
        ]
        opened = await self._secrets.open_connections([(driver, connection) for _, driver, connection in named])
        answers: dict[str, dict[str, Answer]] = {each.site: {} for each in sites}
        questions: dict[str, list[Question]] = {}
        for (site, driver, _), one in zip(named, opened, strict=True):
            if isinstance(one, Broken):
                answers[site][driver] = one
            else:
                questions.setdefault(driver, []).append(Question(site, driver, one))
        for asked in await asyncio.gather(*map(self._ask, questions.values())):
            for question, answer in asked:
                answers[question.site][question.driver] = answer
        return [combined(answers[each.site]) for each in sites]

    async def _ask(self, questions: Sequence[Question]) -> list[tuple[Question, Answer]]:
        """Of one driver. What a tool printed may hold what it was given."""
        sites = [Reachable(each.site, each.opened.connection) for each in questions]
        answers = await self._registry.reach(questions[0].driver, sites)
        return [(q, _told(q.opened.looks, answer)) for q, answer in zip(questions, answers, strict=True)]


def _told(looks: Sequence[str], answer: Answer) -> Answer:
    if not looks or not isinstance(answer, Broken):
        return answer
    hidden = hide_in(looks, answer)
    return hidden if isinstance(hidden, Broken) else answer
