"""One good example of every message: the golden samples are made of them, and people copy from those."""

from typing import Any

from schemas.catalog_examples import (
    AT,
    CATALOG,
    COMMAND,
    DIGEST,
    STRATEGY,
    accepted,
    rejected,
)
from shared.messages import automatic, base, deployer, monitor, notifier, strategy, words
from shared.messages.base import Message
from shared.messages.rules import Trigger
from shared.messages.strategy import Selection
from shared.sealing import key_id

OPERATION = f"{STRATEGY}.0.1"
PUBLIC_KEY = "jvgPiyO4nVDMPR0gdhhEL9fyQ1xBQBeTcYmI14RquUE="
SEALED = "nNtgk9Sr7kfIQZDicnVhFXw+UaWrHShleIZp+9WvohEotgUXuVP/0E9eDFtseLnDNLUVR59n0cWVbMUMNQ=="

SITE = strategy.Site(name="oslo-1", group="north", labels={"tier": "edge"}, connections={"process": {"port": 8101}})
SPEC = strategy.StrategySpec(
    name="shop-2",
    type=words.StrategyType.UPDATE,
    app="shop",
    version="2.0.0",
    selection=Selection(groups=("north",)),
    stages=(strategy.StageSpec(name="canary", take=1, soak_seconds=600), strategy.StageSpec(name="rest")),
    max_parallel="10%",
)
COUNTS = strategy.Counts(waiting=8, running=2, complete=1, failed=1)
DECISION = deployer.ComponentDecision(
    component="web", driver="process", action="apply", reason="this release was never on this site"
)
FAILURE = base.Cause(code="fallen", message="its process ended after it was healthy")
PHASE = deployer.PhaseResult(name="deploy", component="web", outcome="failed", started_at=AT, finished_at=AT)
FINISHED = {
    "operation_id": OPERATION,
    "site": "oslo-1",
    "app": "shop",
    "kind": "update",
    "from_version": "1.0.0",
    "to_version": "2.0.0",
    "status": "operational",
    "strategy_id": STRATEGY,
    "plan": (DECISION,),
    "seconds": 4.2,
}


OVERRIDES: dict[str, Any] = {
    "app": "shop",
    "level": "group",
    "target": "north",
    "component": "web",
    "values": {"replicas": 3, "database": {"password": {"secret": "shop-password"}}},
    "reason": "more customers",
}


EXAMPLES: tuple[Message, ...] = (
    *CATALOG,
    deployer.RequestOperation(
        site="oslo-1", app="shop", kind=words.OperationKind.UPDATE, version="2.0.0", strategy_id=STRATEGY
    ),
    deployer.RequestOperations(
        batch=f"{STRATEGY}/7.1",
        strategy_id=STRATEGY,
        app="shop",
        kind=words.OperationKind.UPDATE,
        version="2.0.0",
        operations=(
            deployer.Requested(operation_id=f"{STRATEGY}.0.1", site="oslo-1"),
            deployer.Requested(operation_id=f"{STRATEGY}.1.1", site="oslo-2"),
        ),
    ),
    deployer.CancelOperation(site="oslo-1", operation_id=OPERATION, reason="wrong site"),
    deployer.SetOverrides(**OVERRIDES, unset=("ingress.host",)),
    deployer.RestoreOverrides(app="shop", level="site", target="oslo-1", component="web", nth=2),
    deployer.ClearOverrides(app="shop", level="fleet", component="web", expected_nth=4),
    deployer.SetAppBehaviour(
        app="shop",
        switches=automatic.Switches(
            desired_state="deployed",
            deployed_on=automatic.DeployedOn(groups=("north",)),
            reapply_on=(Trigger(event="facts_changed", filters={"fact": "kubernetes"}),),
            forbidden=(words.OperationKind.REMOVE,),
        ),
        as_released=("auto_update",),
        reason="the edge must have it",
    ),
    deployer.ReapplyApp(app="shop", sites=("oslo-1",), reason="certificates were renewed"),
    deployer.ClearFailedRelease(app="shop", version="2.0.0", sites=("oslo-1",)),
    deployer.RequestAll(site="oslo-1", kind="update", on_failure="go_on"),
    deployer.CancelAll(site="oslo-1", run_id=COMMAND, reason="wrong site"),
    deployer.BehaviourChanged(
        app="shop", switches=automatic.Switches(auto_update=True, audit=False), nth=3, at=AT, by="ada", reason="trial"
    ),
    deployer.FailedReleaseChanged(
        app="shop",
        version="2.0.0",
        failures=1,
        barred=True,
        sites=(automatic.FailedOn(site="oslo-1", operation_id=OPERATION, cause=FAILURE, at=AT),),
        nth=1,
        at=AT,
    ),
    deployer.DriftFound(
        app="shop",
        sites=(
            automatic.Drifted(
                site="oslo-1",
                version="1.0.0",
                components=(automatic.ComponentDrift(component="web", code="not_well", message="its process ended"),),
                then="put_right",
            ),
        ),
        at=AT,
    ),
    deployer.DriftEnded(app="shop", sites=("oslo-1",), at=AT),
    deployer.AutomaticRequested(
        operation_id=OPERATION,
        site="oslo-1",
        app="shop",
        kind="apply",
        version="1.0.0",
        cause=base.Cause(code="drift_found", message="web: its process ended"),
        at=AT,
    ),
    deployer.SiteRunChanged(
        run_id=COMMAND,
        site="oslo-1",
        kind="update",
        state="failed",
        items=(
            automatic.RunItem(
                app="shop",
                kind="update",
                from_version="1.0.0",
                to_version="2.0.0",
                state="failed",
                operation_id=OPERATION,
                cause=FAILURE,
            ),
            automatic.RunItem(
                app="till",
                kind="update",
                from_version="1.0.0",
                state="left",
                cause=base.Cause(code="stopped", message="shop failed before"),
            ),
        ),
        requested_by="ada",
        started_at=AT,
        finished_at=AT,
        nth=4,
    ),
    deployer.CheckSite(site="oslo-1"),
    deployer.SetSecret(name="oslo-1-password", sealed=SEALED),
    deployer.RemoveSecret(name="oslo-1-password"),
    accepted(deployer.CommandAccepted, deployer.RequestOperation.TYPE, "oslo-1"),
    rejected(deployer.CommandRejected, deployer.RequestOperation.TYPE, "oslo-9"),
    deployer.OperationProgressed(
        operation_id=OPERATION,
        site="oslo-1",
        app="shop",
        kind=words.OperationKind.UPDATE,
        phase="deploy",
        percent=40,
        plan=(DECISION,),
        doing=(deployer.ComponentProgress(component="web", detail="2 of 3 replicas are ready", percent=66),),
        strategy_id=STRATEGY,
    ),
    deployer.OperationSucceeded.model_validate({**FINISHED, "version": "2.0.0"}),
    deployer.OperationsSucceeded(
        strategy_id=STRATEGY,
        app="shop",
        kind=words.OperationKind.UPDATE,
        from_version="1.0.0",
        to_version="2.0.0",
        version="2.0.0",
        status=words.DeploymentStatus.OPERATIONAL,
        plan=(DECISION,),
        operations=(
            deployer.Succeeded(operation_id=f"{STRATEGY}.0.1", site="oslo-1", seconds=12.5, nth=7),
            deployer.Succeeded(operation_id=f"{STRATEGY}.1.1", site="oslo-2", seconds=11.0, nth=1),
        ),
    ),
    deployer.OperationFailed.model_validate(
        {
            **FINISHED,
            "version": "1.0.0",
            "recovered": True,
            "cause": {"code": "wrong_version", "message": "web answers 1.9.9, expected 2.0.0"},
            "phases": (PHASE,),
        }
    ),
    deployer.HostReported(
        host="1",
        environment={"python_full_version": "3.12.4", "implementation_name": "cpython", "sys_platform": "linux"},
        abis=("cp312",),
        platforms=("manylinux_2_36_x86_64", "manylinux_2_17_x86_64", "linux_x86_64"),
    ),
    deployer.ReleaseUseReported(
        deletion=COMMAND,
        app="shop",
        version="1.9.0",
        bundle_sha256=DIGEST,
        sites=2,
        examples=("oslo-1", "oslo-2"),
        strategies=("spring",),
    ),
    deployer.ReleaseUnneeded(app="shop", version="1.9.0", bundle_sha256=DIGEST),
    deployer.DeployerKeyReported(key_id=key_id(PUBLIC_KEY), public_key=PUBLIC_KEY),
    deployer.SecretChanged(name="oslo-1-password", version=2, at=AT, by="ada"),
    deployer.SecretRemoved(name="oslo-1-password", at=AT, by="ada"),
    deployer.OverridesChanged(**OVERRIDES, nth=4, at=AT, by="ada"),
    deployer.AvailabilityChanged(
        bucket=7,
        sites=(
            deployer.SiteAvailability(
                site="oslo-1",
                availability=words.Availability.ONLINE,
                was=words.Availability.OFFLINE,
                since=AT,
                seen_at=AT,
                checked_at=AT,
                free_bytes=80_530_636_800,
                facts={"platform": "linux/amd64"},
                nth=3,
            ),
            deployer.SiteAvailability(
                site="oslo-2",
                availability=words.Availability.OFFLINE,
                was=words.Availability.ONLINE,
                since=AT,
                seen_at=AT,
                checked_at=AT,
                cause=deployer.Cause(code="unreachable", message="connection refused"),
                nth=5,
            ),
        ),
        at=AT,
    ),
    deployer.SitesChecked(bucket=7, at=AT),
    strategy.RegisterSites(sites=(SITE,)),
    strategy.ChangeSites(selection=Selection(labels={"region": "north"}), managed=False, unlabel=("canary",)),
    strategy.RemoveSites(names=("oslo-1",)),
    strategy.RaiseAlarm(
        site="oslo-1",
        alarm="disk-full",
        severity=words.Severity.MAJOR,
        management_affecting=True,
        text="97 % of / used",
    ),
    strategy.ClearAlarm(site="oslo-1", alarm="disk-full"),
    strategy.CreateGroup(name="north", description="sites in the north", max_parallel="20%"),
    strategy.UpdateGroup(name="north", max_parallel=5),
    strategy.DeleteGroup(name="north"),
    strategy.SitesChanged(sites=(SITE,)),
    strategy.SitesRemoved(names=("oslo-1",)),
    strategy.AlarmRaised(
        site="oslo-1",
        alarm="disk-full",
        severity=words.Severity.MAJOR,
        management_affecting=True,
        text="97 % of / used",
        affecting=("disk-full",),
        raised_at=AT,
        by="ann",
    ),
    strategy.AlarmCleared(site="oslo-1", alarm="disk-full", affecting=(), at=AT, by="ann"),
    strategy.SitesHeld(strategy_id=STRATEGY, strategy="shop-2", names=("oslo-1",)),
    strategy.SitesReleased(strategy_id=STRATEGY),
    strategy.GroupChanged(name="north", description="", apply_type="parallel", max_parallel="20%"),
    strategy.GroupDeleted(name="north"),
    strategy.SiteState(site="oslo-1", app="shop", version="2.0.0", status="operational", operation_id=OPERATION, at=AT),
    strategy.CreateStrategy(spec=SPEC),
    strategy.ApplyStrategy(strategy="shop-2"),
    strategy.PauseStrategy(strategy="shop-2", reason="look at the errors first"),
    strategy.ResumeStrategy(strategy="shop-2"),
    strategy.AbortStrategy(strategy="shop-2", reason="wrong release"),
    strategy.CancelRunning(strategy=STRATEGY, sites=("oslo-1",), reason="it hangs"),
    strategy.RetryFailed(strategy="shop-2"),
    strategy.SkipSteps(strategy="shop-2", sites=("oslo-1",), reason="in the post"),
    strategy.RecountStrategy(strategy="shop-2", reason="seen"),
    strategy.UndoStrategy(strategy="shop-2", reason="it loses orders"),
    strategy.DeleteStrategy(strategy="shop-2"),
    accepted(strategy.CommandAccepted, strategy.CreateStrategy.TYPE, "shop-2"),
    rejected(strategy.CommandRejected, strategy.CreateStrategy.TYPE, "shop-2"),
    strategy.StrategyPlanned(
        strategy_id=STRATEGY,
        spec=SPEC,
        stages=(strategy.StagePlan(position=0, name="canary", sites=1, max_parallel=1, soak_seconds=600),),
        excluded=(strategy.Excluded(site="oslo-2", code="unmanaged", message="site oslo-2 is unmanaged"),),
        excluded_count=1,
        created_by="ann",
        created_at=AT,
    ),
    strategy.StrategyStateChanged(
        strategy_id=STRATEGY,
        name="shop-2",
        state=words.StrategyState.APPLYING,
        why=strategy.Why(code="applying", message="started"),
        counts=COUNTS,
        actions=(words.StrategyAction.PAUSE, words.StrategyAction.ABORT),
        at=AT,
    ),
    strategy.StageProgressed(
        strategy_id=STRATEGY,
        stage=1,
        name="rest",
        state=words.StageState.RUNNING,
        counts=COUNTS,
        max_parallel=2,
        why=strategy.Why(code="max_parallel", message="2 of 2 slots are taken"),
        at=AT,
    ),
    strategy.StepsChanged(
        strategy_id=STRATEGY,
        steps=(strategy.StepChange(site="oslo-1", stage=0, state=words.StepState.RUNNING, operation_id=OPERATION),),
        at=AT,
    ),
    strategy.StrategyDeleted(strategy_id=STRATEGY, name="shop-2", by="ann", reason="superseded", at=AT),
    notifier.MarkNotificationsRead(ids=(1, 2)),
    notifier.AddSubscription.model_validate({"name": "pager", "url": "https://hooks.example.org/belay"}),
    notifier.RemoveSubscription(name="pager"),
    notifier.EnableSubscription(name="pager"),
    notifier.SendTestNotification(name="pager"),
    notifier.RedeliverNotifications(name="pager", deliveries=("12:pager",)),
    accepted(notifier.CommandAccepted, notifier.AddSubscription.TYPE, "pager"),
    rejected(notifier.CommandRejected, notifier.RemoveSubscription.TYPE, "pager"),
    notifier.NotificationRaised(
        notification_id=1,
        topic=words.NotificationTopic.DONE,
        message="strategy shop-2 is complete",
        about="shop-2",
        raised_at=AT,
    ),
    notifier.NotificationsRead(inbox="everyone", ids=(1,)),
    notifier.NotifierKeyReported(key_id=key_id(PUBLIC_KEY), public_key=PUBLIC_KEY),
    notifier.SubscriptionChanged(
        name="pager", url="https://hooks.example.org/belay", topics=(words.NotificationTopic.ERROR,), state="active"
    ),
    notifier.DeliveriesChanged(
        subscription="pager",
        deliveries=(
            notifier.Delivery(
                delivery_id="12:pager",
                nth=2,
                notification_id=12,
                topic=words.NotificationTopic.ERROR,
                message="The update of shop on oslo-1 failed",
                state=notifier.DeliveryState.WAITING,
                tries=1,
                status=503,
                milliseconds=87,
                reason="the target answered 503",
                next_try_at=AT,
                at=AT,
            ),
        ),
    ),
    notifier.DeliveryDied(
        delivery_id="1.pager", notification_id=1, subscription="pager", tries=10, reason="503 every time"
    ),
    monitor.StageForecast(
        strategy_id=STRATEGY,
        stage=1,
        window_seconds=300,
        finished_in_window=40,
        failed_in_window=1,
        failure_rate=0.025,
        eta_low=AT,
        eta_high=AT,
        at=AT,
    ),
    monitor.FailureRateHigh(
        strategy_id=STRATEGY,
        stage=1,
        failure_rate=0.4,
        finished_in_window=10,
        failed_in_window=4,
        window_seconds=300,
        at=AT,
    ),
    monitor.StrategySilent(strategy_id=STRATEGY, stage=1, silent_seconds=120, running=3, at=AT),
    monitor.TroubleFound(
        trouble_id="0192f0c1-7d1e-7a11-8f00-0000000000a1",
        service="strategy_orchestrator",
        code="partition_stalled",
        about="belay.strategy.commands/0",
        message="12 records of belay.strategy.commands/0 wait, and none was handled for 3 minutes, from offset 118 on; "
        "nobody owns it",
        advice="read the log of its owner",
        since=AT,
        at=AT,
    ),
    monitor.TroubleOver(
        trouble_id="0192f0c1-7d1e-7a11-8f00-0000000000a1",
        service="strategy_orchestrator",
        code="partition_stalled",
        about="belay.strategy.commands/0",
        found_at=AT,
        at=AT,
    ),
)
