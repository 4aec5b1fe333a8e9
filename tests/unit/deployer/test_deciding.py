"""What is done by itself as things stand: here, when the platform of a site went back."""

from services.deployer.automatic.behaviour import Effective
from services.deployer.automatic.deciding import Action, Situation, decided, goes_first
from services.deployer.automatic.survey import barred_by_others, platform_of
from services.deployer.automatic.survey_store import Drift
from services.deployer.dependencies.choosing import Choice
from services.deployer.dependencies.needs import Present, Surroundings
from services.deployer.domain import Deployment, Release, faults_of
from shared.messages.automatic import ComponentDrift
from shared.messages.base import Cause
from shared.messages.rules import Rules
from shared.messages.words import DeploymentStatus as Status
from shared.messages.words import OperationKind as Kind
from tests.unit.deployer.values import facts, request

RUNS = Deployment("3.0", Status.OPERATIONAL, history=("1.0", "2.0"))


def rules(version: str) -> Rules:
    """Each release needs a Kubernetes of its own age."""
    return Rules.model_validate({"site": {"facts": {"kubernetes": f">=1.{version[0]}"}, "patches": ["P1"]}})


RELEASES = [
    Release("web", v, "semver", upgrades_from=None, drivers=(), withdrawn=False, rules=rules(v))
    for v in ("1.0", "2.0", "3.0")
]


def situation(facts: dict[str, str], *, auto_downgrade: bool = True) -> Situation:
    around = Surroundings(facts, {"web": Present("web", "3.0", "semver", rules("3.0"))})
    outgrown, fitting = platform_of(RUNS, RELEASES, around, "web")
    behaviour = Effective(auto_downgrade=auto_downgrade)
    return Situation(behaviour, RUNS, Choice(None), outgrown=outgrown, fitting=fitting)


def gone_back(facts: dict[str, str], *, auto_downgrade: bool = True) -> tuple[str, str | None, str] | None:
    action = decided(situation(facts, auto_downgrade=auto_downgrade))
    return (str(action.kind), action.version, action.cause.code) if action else None


def test_an_app_goes_back_with_its_platform_to_the_last_release_that_fits_there() -> None:
    assert gone_back({"kubernetes": "1.3.1"}) is None
    assert gone_back({"kubernetes": "1.2.9"}) == ("rollback", "2.0", "platform_went_back")
    assert gone_back({"kubernetes": "1.1.0", "patches": "P1"}) == ("rollback", "1.0", "platform_went_back")
    assert gone_back({"kubernetes": "1.2.9"}, auto_downgrade=False) is None


def test_what_a_site_does_not_tell_now_is_no_reason_to_go_back_and_what_fits_nowhere_stays() -> None:
    assert gone_back({}) is None
    assert gone_back({"kubernetes": "1.0.5"}) is None
    assert gone_back({"kubernetes": "1.3.1", "patches": "P2"}) is None  # a patch that all of them lack


def left(withdrawn: set[str], facts: dict[str, str]) -> str | None:
    """Where an app goes whose release 3.0 was withdrawn, and these too."""
    around = Surroundings(facts, {"web": Present("web", "3.0", "semver", rules("3.0"), withdrawn=True)})
    standing = [each for each in RELEASES if each.version not in {"3.0", *withdrawn}]
    outgrown, fitting = platform_of(RUNS, standing, around, "web")
    behaviour = Effective(auto_downgrade=True)
    action = decided(Situation(behaviour, RUNS, Choice(None), withdrawn=True, outgrown=outgrown, fitting=fitting))
    assert action is None or (action.kind, action.cause.code) == (Kind.ROLLBACK, "release_withdrawn")
    return action.version if action else None


def test_an_app_goes_back_from_a_withdrawn_release_to_the_last_one_that_was_not_and_fits_the_site() -> None:
    assert left(set(), {}) == "2.0"
    assert left({"2.0"}, {}) == "1.0"
    assert left({"1.0", "2.0"}, {}) is None
    assert left(set(), {"kubernetes": "1.1.0"}) == "1.0"


def test_nothing_goes_by_itself_where_something_of_others_is_in_the_place_of_what_was_deployed() -> None:
    drift = Drift("oslo", "web", "3.0", (ComponentDrift(component="web", code="stranger", message="taken"),), "told", 1)
    kept = Effective(desired_state="deployed")
    assert decided(Situation(kept, RUNS, Choice(None), drifted="taken", barred=barred_by_others(drift))) is None
    assert decided(Situation(kept, RUNS, Choice(None), drifted="taken", barred=barred_by_others(None))) is not None


def test_what_is_applied_again_may_be_of_a_release_that_was_withdrawn() -> None:
    asked = Cause(code="on_demand", message="certificates")
    action = decided(Situation(Effective(), RUNS, Choice(None), withdrawn=True, wish=asked))
    assert action == Action(Kind.APPLY, None, asked, only_changes=True)
    again = request(action.kind, action.version, only_changes=action.only_changes)
    withdrawn = Release("shop", "3.0", drivers=("simulated",), withdrawn=True)
    assert facts(again, RUNS).version == "3.0"
    assert faults_of(again, facts(again, RUNS, target=withdrawn)) == ()


def test_what_a_first_apply_left_half_done_is_recovered_to_nothing_before_anything_is_deployed_there() -> None:
    half, release = Deployment(None, Status.APPLY_ERROR, ("2.0",)), Choice(RELEASES[0])
    action = decided(Situation(Effective(desired_state="deployed"), half, release, meant_here=True))
    assert action is not None
    assert (action.kind, action.version, action.cause.code) == (Kind.RECOVER, None, "drift_found")


def wanted(**kinds: tuple[Kind, dict[str, object]]) -> str:
    why = Cause(code="on_demand", message="")
    return goes_first(
        {app: (Action(kind, None, why), Rules.model_validate(said)) for app, (kind, said) in kinds.items()}
    )


def test_of_what_is_to_be_done_on_a_site_the_most_important_goes_first_and_behind_what_it_needs() -> None:
    critical, needs = {"importance": "critical"}, {"importance": "critical", "depends_on": [{"app": "zeta"}]}
    assert wanted(alpha=(Kind.APPLY, {}), omega=(Kind.UPDATE, critical)) == "omega"
    assert wanted(alpha=(Kind.APPLY, {}), omega=(Kind.UPDATE, needs), zeta=(Kind.APPLY, {})) == "zeta"
    assert wanted(alpha=(Kind.REMOVE, critical), zeta=(Kind.RECOVER, {})) == "zeta"
    assert wanted(omega=(Kind.REMOVE, needs), zeta=(Kind.REMOVE, {})) == "omega"  # others need the other
