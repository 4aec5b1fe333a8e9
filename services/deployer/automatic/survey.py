"""What is known of apps on sites where something may be done by itself: gathered for a batch, one query a kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.deployer.automatic import survey_store as store
from services.deployer.automatic.behaviour import Effective, effective
from services.deployer.automatic.deciding import Situation
from services.deployer.automatic.survey_store import Belonging, Drift, Pair, Wished
from services.deployer.automatic.triggers import fields_of
from services.deployer.dependencies import store as dependencies
from services.deployer.dependencies.choosing import Choice, Wish, newest
from services.deployer.dependencies.needs import Surroundings
from services.deployer.domain import Deployment, Facts, Release, returns_to
from services.deployer.store import Store
from shared.messages.automatic import Switches
from shared.messages.base import Cause
from shared.messages.rules import PLAIN, Behaviour, Rules
from shared.messages.words import DeploymentStatus as Status
from shared.process.db import Connection
from shared.site_needs import contradicted

NOTHING_CHOSEN = Choice(None)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """An app on a site, how it stands, and whether anything may be begun there now."""

    pair: Pair
    facts: Facts
    situation: Situation
    wished: Wished | None
    drift: Drift | None
    """What was found there and is not known to be over."""
    ended: int
    """Operations that have ended there."""
    rules: Rules = PLAIN
    """Of the release that runs there."""

    @property
    def free(self) -> bool:
        """Whether nobody holds the site or works there."""
        site = self.facts.site
        return bool(site and site.managed and not site.maintenance) and not (self.facts.held_by or self.facts.busy_with)


async def survey(
    conn: Connection, pairs: Sequence[Pair], said: Mapping[str, Switches], failed_at: int
) -> list[Surveyed]:
    """How each of these stands now. `failed_at`: sites where a release failed before nothing chooses it by itself."""
    apps = {app for _, app in pairs}
    facts = await Store(conn).facts(pairs)
    around = await dependencies.surroundings(conn, (site for site, _ in pairs))
    releases = await dependencies.releases_of(conn, apps)
    barred = await store.barred(conn, apps, failed_at)
    belonging = await store.belonging_of(conn, (site for site, _ in pairs))
    drift, wished = await store.drift_of(conn, pairs), await store.wishes_of(conn, pairs)
    ends = await store.ends_of(conn, pairs)
    known = _Known(said, around, releases, barred, belonging)
    return [
        Surveyed(
            pair,
            f,
            known.situation(pair, f, _current(drift.get(pair), ends.get(pair, 0)), wished.get(pair)),
            wished.get(pair),
            drift.get(pair),
            ends.get(pair, 0),
            known.rules(pair),
        )
        for pair, f in zip(pairs, facts, strict=True)
    ]


def _current(drift: Drift | None, ended: int) -> Drift | None:
    """After an operation that succeeded nobody knows until it is looked at again: what was found before is no reason to
    put it right once more."""
    return drift if drift and drift.ended == ended else None


@dataclass(frozen=True, slots=True)
class _Known:
    said: Mapping[str, Switches]
    around: Mapping[str, Surroundings]
    releases: Mapping[str, Sequence[Release]]
    barred: set[Pair]
    belonging: Mapping[str, Belonging]

    def situation(self, pair: Pair, facts: Facts, drift: Drift | None, wished: Wished | None) -> Situation:
        site, app = pair
        around = self.around.get(site, Surroundings())
        there = around.apps.get(app)
        belongs = self.belonging.get(site, Belonging())
        releases, deployment = self.releases.get(app, ()), facts.deployment
        outgrown, fitting = platform_of(deployment, releases, around, app)
        behaviour = effective(self.said.get(app, Switches()), _of_release(deployment, releases, around, app))
        return Situation(
            behaviour=behaviour,
            deployment=deployment,
            chosen=self._chosen(pair, facts, behaviour, around),
            meant_here=site in behaviour.deployed_on.sites or belongs.group in behaviour.deployed_on.groups,
            drifted=words_of(drift) if drift else "",
            only_secrets=only_secrets(drift),
            barred=barred_by_others(drift),
            withdrawn=there is not None and there.withdrawn,
            outgrown=outgrown,
            fitting=fitting,
            wish=wished.cause if wished else None,
            events=wished.events if wished else (),
            fields=fields_of(site, belongs.group, belongs.labels, around.facts),
        )

    def rules(self, pair: Pair) -> Rules:
        there = self.around.get(pair[0], Surroundings()).apps.get(pair[1])
        return there.rules if there else PLAIN

    def _chosen(self, pair: Pair, facts: Facts, behaviour: Effective, around: Surroundings) -> Choice:
        """Only where it is asked for: of a hundred thousand deployments most are just looked after."""
        if facts.site is None or not (behaviour.auto_update or behaviour.desired_state == "deployed"):
            return NOTHING_CHOSEN
        site, app = pair
        wish = Wish(site, frozenset(facts.site.connections), around, behaviour.prereleases, self.barred)
        return newest(self.releases.get(app, ()), facts.deployment.version, wish)


def _of_release(deployment: Deployment, releases: Sequence[Release], around: Surroundings, app: str) -> Behaviour:
    """What the release says that runs; where none does, the one that was published last and names a behaviour."""
    if there := around.apps.get(app):
        return there.rules.behaviour
    if deployment.version:
        return Behaviour()
    return next(
        (each.rules.behaviour for each in reversed(releases) if "behaviour" in each.rules.model_fields_set), Behaviour()
    )


def platform_of(
    deployment: Deployment, releases: Sequence[Release], around: Surroundings, app: str
) -> tuple[str, str | None]:
    """Whether the platform went back from what runs, and to which release the app may go back with it, or from one that
    was withdrawn. `releases` are those that were not: to any other a rollback would be refused."""
    there = around.apps.get(app)
    why = next(contradicted(there.rules.site, around.facts), None) if there else None
    if why is None and not (there and there.withdrawn):
        return "", None
    fit = {each.version for each in releases if not any(contradicted(each.rules.site, around.facts))}
    back = next((version for version in reversed(returns_to(deployment)) if version in fit), None)
    return why.message if why else "", back


def words_of(drift: Drift) -> str:
    """What is not as it was left, in one line."""
    return "; ".join(f"{each.component}: {each.message}".lstrip(": ") for each in drift.components)[:1_000]


def only_secrets(drift: Drift | None) -> bool:
    """Whether nothing is found but secrets that were set again."""
    return drift is not None and all(each.code == "secret_rotated" for each in drift.components)


def barred_by_others(drift: Drift | None) -> bool:
    """Whether something that is none of ours is where a component was."""
    return drift is not None and any(each.code == "stranger" for each in drift.components)


def unwanted(surveyed: Surveyed) -> Cause | None:
    """What is not as it should be, whatever the drivers say; None = nothing."""
    now = surveyed.situation
    if now.behaviour.desired_state == "absent" and now.deployment.exists:
        return Cause(code="unwanted", message="it is to be absent, and is deployed")
    if now.behaviour.desired_state == "deployed" and now.meant_here and not now.deployment.exists:
        return Cause(code="missing", message="it is to be deployed here, and is not")
    left = now.deployment.status
    if now.behaviour.desired_state == "deployed" and now.deployment.exists and left is not Status.OPERATIONAL:
        return Cause(code="not_well", message=f"it is left as {left}")
    return None
