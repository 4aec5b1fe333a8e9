"""dcmanager's words for what Belay says. Pure tables; a word that is not in them is shown as it is."""

from collections.abc import Mapping

from shared.messages.words import DeploymentStatus, StepState, StrategyState

PRESTAGE, SW_DEPLOY = "prestage", "sw-deploy"

TYPES: Mapping[str, tuple[str, ...]] = {PRESTAGE: ("prestage",), SW_DEPLOY: ("update", "apply", "rollback")}
"""Their types, each with those strategies of Belay that are shown as one."""

NOT_OFFERED = ("firmware", "kube-rootca-update", "kubernetes")
"""Types of theirs that have no meaning here."""

INITIAL, APPLYING, ABORTING, COMPLETE, FAILED, ABORTED = (
    "initial", "applying", "aborting", "complete", "failed", "aborted",
)  # fmt: skip
ABORT_REQUESTED, DELETING = "abort requested", "deleting"

STATES: Mapping[str, str] = {
    StrategyState.WAITING: INITIAL,
    StrategyState.READY: INITIAL,
    StrategyState.APPLYING: APPLYING,
    StrategyState.PAUSED: APPLYING,
    StrategyState.NEEDS_INSPECTION: APPLYING,
    StrategyState.ABORTING: ABORTING,
    StrategyState.COMPLETE: COMPLETE,
    StrategyState.FAILED: FAILED,
    StrategyState.ABORTED: ABORTED,
}
"""A paused strategy is one that has not ended: they know no pause."""

MAY: Mapping[str, frozenset[str]] = {
    "apply": frozenset({INITIAL}),
    "abort": frozenset({APPLYING}),
    "delete": frozenset({INITIAL, COMPLETE, FAILED, ABORTED}),
}
"""In which states what can be done."""

DONE: Mapping[str, str] = {"apply": "applied", "abort": "aborted", "delete": "deleted"}
ANSWERED: Mapping[str, str] = {"apply": APPLYING, "abort": ABORT_REQUESTED, "delete": DELETING}
"""The state that the answer tells."""

STEP_STATES: Mapping[str, str] = {
    StepState.WAITING: INITIAL,
    StepState.COMPLETE: COMPLETE,
    StepState.FAILED: FAILED,
    StepState.ABORTED: ABORTED,
}

STEP_STAGES: Mapping[str, str] = {StepState.WAITING: "Create", StepState.RUNNING: "Apply"}
"""All others are `Complete`."""

PHASES: Mapping[str, Mapping[str, str]] = {
    PRESTAGE: {
        "precheck": "prestage-precheck",
        "prepare": "prestage-prepare",
        "packages": "prestaging-packages",
        "images": "prestaging-images",
        "clean": "prestaging-images",
    },
    SW_DEPLOY: {
        "precheck": "sw-deploy pre-check",
        "fetch": "create VIM sw-deploy strategy",
        "deploy": "apply VIM sw-deploy strategy",
        "verify": "apply VIM sw-deploy strategy",
        "remove": "finish sw-deploy strategy",
    },
}
"""The state of a step whose operation runs, by the phase of that."""

UNTOLD: Mapping[str, str] = {PRESTAGE: "prestaging-packages", SW_DEPLOY: "apply VIM sw-deploy strategy"}
"""The state of a step that runs and has not said its phase: a fast one never does. What takes most of its time."""

PREPARING = "prestage-prepare"
"""That of all prestages that have not said it while the release is being prepared."""

AVAILABILITY: Mapping[str, str] = {"online": "online", "offline": "offline", "unknown": "online"}
"""A site that no driver can be asked for counts as one that is there."""

DEPLOY_STATUSES: Mapping[str | None, str] = {
    None: "not-deployed",
    DeploymentStatus.NEW: "not-deployed",
    DeploymentStatus.REMOVED: "not-deployed",
    DeploymentStatus.OPERATIONAL: "complete",
    DeploymentStatus.APPLYING: "sw-deploy-in-progress",
    DeploymentStatus.UPDATING: "sw-deploy-in-progress",
    DeploymentStatus.ROLLING_BACK: "sw-deploy-in-progress",
    DeploymentStatus.RECOVERING: "sw-deploy-in-progress",
    DeploymentStatus.REMOVING: "sw-deploy-in-progress",
    DeploymentStatus.APPLY_ERROR: "sw-deploy-apply-strategy-failed",
    DeploymentStatus.UPDATE_ERROR: "sw-deploy-apply-strategy-failed",
    DeploymentStatus.ROLLBACK_ERROR: "sw-deploy-apply-strategy-failed",
    DeploymentStatus.REMOVE_ERROR: "sw-deploy-apply-strategy-failed",
}

PRESTAGE_STATUSES: Mapping[str | None, str | None] = {
    None: None,
    "queued": "prestaging",
    "running": "prestaging",
    "succeeded": "complete",
    "failed": "failed",
}
"""Of a subcloud, by the state of the last prestage there."""


def step_state(kind: str, state: str, phase: str | None, *, prepared: bool = True) -> str:
    """Of a step of one of their types; `prepared`: whether the release of a prestage is."""
    if state == StepState.RUNNING:
        untold = UNTOLD[kind] if prepared or kind != PRESTAGE else PREPARING
        return PHASES[kind].get(phase or "", untold)
    return STEP_STATES.get(state, state)


def type_of(belay: str) -> str:
    """Their type of a strategy of Belay."""
    return next((kind for kind, ours in TYPES.items() if belay in ours), belay)
