"""Sites are asked by all their drivers at once, with the values of the secrets that their connections name."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

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
    deployed: bool


class Asking:
    """Asks whether sites answer. Changes nothing."""

    def __init__(self, registry: DriverRegistry, secrets: SecretOpener) -> None:
        self._registry = registry
        self._secrets = secrets

    async def ask(self, sites: Sequence[Checked]) -> list[Answer]:
        """What each site says; as long as the slowest takes, which the drivers bound."""
        deployed = {each.site: each.deployed for each in sites}
        return await self.ask_by([(each.site, each.connections) for each in sites], deployed)

    async def ask_by(
        self, sites: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]], deployed: Mapping[str, Set[str]] = {}
    ) -> list[Answer]:
        """The same by these connections alone: of each site its name, and what its drivers must know.

        `deployed`: by site, the drivers of what runs there.
        """
        named = [(site, d, c) for site, connections in sites for d, c in connections.items() if self._can(d)]
        opened = await self._secrets.open_connections([(driver, connection) for _, driver, connection in named])
        answers: dict[str, dict[str, Answer]] = {site: {} for site, _ in sites}
        questions: dict[str, list[Question]] = {}
        for (site, driver, _), one in zip(named, opened, strict=True):
            if isinstance(one, Broken):
                answers[site][driver] = one
            else:
                there = driver in deployed.get(site, ())
                questions.setdefault(driver, []).append(Question(site, driver, one, there))
        for asked in await asyncio.gather(*map(self._ask, questions.values())):
            for question, answer in asked:
                answers[question.site][question.driver] = answer
        return [combined(answers[site]) for site, _ in sites]

    @property
    def heeding(self) -> list[str]:
        """Drivers that want to know of a site whether anything of theirs was deployed there."""
        return self._registry.heeding

    def _can(self, driver: str) -> bool:
        return self._registry.can_reach(driver)

    async def _ask(self, questions: Sequence[Question]) -> list[tuple[Question, Answer]]:
        """Of one driver. What a tool printed may hold what it was given."""
        sites = [Reachable(each.site, each.opened.connection, each.deployed) for each in questions]
        answers = await self._registry.reach(questions[0].driver, sites)
        return [(q, _told(q.opened.looks, answer)) for q, answer in zip(questions, answers, strict=True)]


def _told(looks: Sequence[str], answer: Answer) -> Answer:
    if not looks or not isinstance(answer, Broken):
        return answer
    hidden = hide_in(looks, answer)
    return hidden if isinstance(hidden, Broken) else answer
