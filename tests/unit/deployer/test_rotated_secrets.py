"""Secrets that were set again since something was deployed with them: which these are, and what follows for plans."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.deployer import course as courses
from services.deployer import plan
from services.deployer.automatic.behaviour import Effective
from services.deployer.automatic.deciding import Situation, decided
from services.deployer.dependencies.choosing import Choice
from services.deployer.domain import Deployment
from services.deployer.drivers import Component
from services.deployer.engine.execution import Execution
from services.deployer.ordering import Ordering
from services.deployer.overrides.terms import Terms
from services.deployer.plan import Ground, Recorded
from services.deployer.secrets.rotation import Kept, Rotated, at_least_so_old, oldest, reaching, rotated, told
from services.deployer.store import Claim
from shared import components
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import NOW, content, ground, operation, recorded, running

ONE, TWO = content("1", "web", "db", files="same"), content("2", "web", "db", files="same")
OLD, NEW = {"token": 1}, {"token": 2}
TOLD = "secret 'token' was set again: version 1 is deployed, and version 2 is there"
IMAGE = {"image": f"registry.example.org/shop@sha256:{'0' * 64}"}
PLAYBOOKS = {"playbooks": {"apply": "up.yaml", "remove": "down.yaml"}}
SECRET = {"secret": "token"}


def there(now: dict[str, int]) -> tuple[Ground, list[Recorded]]:
    """`web` was deployed with a secret, `db` without."""
    records = [replace(each, secrets=(("token", 1),) if each.component == "web" else ()) for each in recorded(ONE)]
    return replace(ground(running("1"), ONE, TWO, records=records), secrets=now), records


def ways(kind: Kind, now: dict[str, int], *, version: str = "1", only_changes: bool = False) -> dict[str, str]:
    lies, records = there(now)
    asked = replace(operation(kind, "1", version), terms=Terms(only_changes=only_changes))
    return {way.component: f"{way.action}: {way.reason}" for way in plan.forward(asked, lies, records)}


@pytest.mark.parametrize(
    ("driver", "spec", "connection", "reaches"),
    [
        ("container", {**IMAGE, "site_environment": {"TOKEN": "key"}}, {"values": {"key": SECRET}}, True),
        ("container", {**IMAGE, "site_environment": {"TOKEN": "other"}}, {"values": {"key": SECRET}}, False),
        ("container", IMAGE, {"registries": {"r": {"username": "ada", "password": SECRET}}}, False),
        ("ansible", PLAYBOOKS, {"vars": {"database": {"password": SECRET}}}, True),
        ("ansible", PLAYBOOKS, {"hosts": {"one": {"vars": {"token": SECRET}}}}, True),
        ("ansible", PLAYBOOKS, {"key": SECRET, "hosts": {"vars": {"password": SECRET}}}, False),
        ("simulated", {}, {"password": SECRET}, False),
    ],
)
def test_what_only_opens_the_way_to_a_site_is_not_part_of_what_runs_there(
    driver: str, spec: dict[str, Any], connection: dict[str, Any], reaches: bool
) -> None:
    component = Component("web", driver, components.read(driver, spec))
    assert reaching(component, connection) == ({"token"} if reaches else set())
    sealed = {**spec, "values": {"a": SECRET}}
    if driver == "simulated":
        assert reaching(replace(component, sealed=sealed), connection) == {"token"}


def test_a_secret_is_told_with_the_version_that_is_deployed_and_the_one_that_is_there() -> None:
    assert rotated((("token", 1), ("key", 3), ("gone", 4)), {"token": 2, "key": 3}) == (Rotated("token", 1, 2),)
    assert told(rotated((("token", 1),), NEW)) == TOLD
    assert oldest([(("token", 2), ("key", 1)), (("token", 1),)]) == (("key", 1), ("token", 1))


def test_who_takes_an_operation_over_believes_in_the_older_of_two_versions() -> None:
    kept = {"token": Kept(2, NOW), "key": Kept(7, NOW - timedelta(days=1))}
    assert at_least_so_old(["token", "key", "lost"], kept, NOW - timedelta(seconds=1)) == (("key", 7), ("token", 1))
    lies, _ = there(NEW)
    sealed = replace(lies.contents["1"].components["web"], sealed={"values": {"a": SECRET}})
    named = replace(ONE, components={**ONE.components, "web": sealed})
    asked = operation(Kind.APPLY, "1", "1")
    lies = replace(lies, contents={"1": named})
    move = courses.set_out(Kind.APPLY, plan.forward(asked, lies, []), Ordering(), NOW, timedelta(seconds=60))
    execution = Execution(Claim("op", 2), asked, lies, *move, told_at=0.0)
    execution.took_over(kept, NOW - timedelta(seconds=1))
    assert execution.secrets == {"web": (("token", 1),)}


def test_a_reapply_and_an_update_deploy_what_runs_with_an_older_secret_and_leave_the_rest() -> None:
    assert {w.partition(":")[0] for w in ways(Kind.APPLY, OLD, only_changes=True).values()} == {"keep"}
    reapplied = ways(Kind.APPLY, NEW, only_changes=True)
    assert (reapplied["web"], reapplied["db"]) == (f"apply: {TOLD}", "keep: unchanged since release 1")
    updated = ways(Kind.UPDATE, NEW, version="2")
    assert [updated[name].partition(":")[0] for name in ("web", "db")] == ["apply", "keep"]


def test_a_rollback_applies_what_was_recorded_with_an_older_secret_but_the_way_back_brings_what_ran() -> None:
    lies, records = there(NEW)
    asked = operation(Kind.RECOVER, "1", "1")
    (web, db) = plan.forward(asked, lies, records)
    assert (web.action, web.reason) == ("apply", f"release 1 was here before, as revision r1, but {TOLD}")
    assert db.action == "rollback"
    back = plan.recovery(operation(Kind.UPDATE, "1", "2"), lies, records, ())
    assert {way.action for way in back} == {"rollback"}


def test_by_itself_it_is_applied_where_nothing_else_is_wrong_and_recovered_where_more_is() -> None:
    def done(**more: Any) -> tuple[str, bool] | None:
        deployment = Deployment("1", more.pop("status", Status.OPERATIONAL))
        behaviour = Effective(desired_state=more.pop("desired_state", "deployed"))
        action = decided(Situation(behaviour, deployment, Choice(None), drifted=TOLD, **more))
        return (str(action.kind), action.only_changes) if action else None

    assert done(only_secrets=True) == ("apply", True)
    assert done(only_secrets=False) == ("recover", False)
    assert done(only_secrets=True, status=Status.APPLY_ERROR) == ("recover", False)
    assert done(only_secrets=True, desired_state=None) is None
