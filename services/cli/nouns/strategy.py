"""`belay strategy`: roll-outs over many sites in stages."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.text import Text

from services.cli import spec as specs
from services.cli.board import outlook, recent_failures, total
from services.cli.errors import CliError
from services.cli.noun import Noun
from services.cli.nouns import strategy_options as options
from services.cli.planned import left_out, ways
from services.cli.possible import actions, or_say_what
from services.cli.screen import NOTHING, Column
from services.cli.session import Session, at
from services.cli.watch import must_be_complete, watch_strategy

MIXED = "mixed_targets"
"""Belay refuses a rollback that would lead sites to different releases, until somebody says that this is meant."""

app = Noun("Strategies: plan a roll-out in stages, start it, watch it, stop it.")


def _done(item: Any) -> str:
    return f"{item['counts']['complete']}/{total(item['counts'])}"


def _spread(stage: Any) -> str:
    """`north 40, south 38, 12 more`: its sites by group, or by the label that the strategy asked for."""
    shown = [f"{share['of'] or NOTHING} {share['sites']}" for share in stage["spread"]]
    return ", ".join([*shown, f"{stage['spread_more']} more"] if stage["spread_more"] else shown)


LIST: tuple[Column, ...] = (
    "name", "state", ("type", "spec.type"), ("app", "spec.app"), ("to", "spec.version"), ("done", _done),
    ("failed", "counts.failed"), ("left out", "excluded_count"), ("created", "created_at"), ("why", "why.message"),
)  # fmt: skip
SHOW: tuple[Column, ...] = (
    *LIST, ("id", "strategy_id"), ("sites", "counts"), ("undoes", "spec.undo"), ("started", "started_at"),
    ("finished", "finished_at"), ("publication", "spec.publication"), ("you may", actions),
    ("on failure", "spec.on_failure"), ("description", "spec.description"),
)  # fmt: skip
STAGES: tuple[Column, ...] = (
    ("stage", "name"), "state", ("sites", lambda stage: total(stage["counts"])), ("max parallel", "max_parallel"),
    ("soak s", "soak_seconds"), ("done", _done), ("failed", "counts.failed"), ("failing of late", recent_failures),
    ("ends in", lambda stage: outlook(stage, datetime.now(UTC))), ("why", "why.message"),
)  # fmt: skip
STEPS: tuple[Column, ...] = (
    "site", ("stage", "stage_name"), "state", ("to", "target"), "attempt", ("why", "why.message"),
    ("updated", "updated_at"),
    ("operation", "operation_id"),
)  # fmt: skip
ATTEMPTS: tuple[Column, ...] = (
    "attempt", "state", "phase", ("began", "started_at"), ("ended", "finished_at"), "seconds",
    ("cause", "cause.message"), ("operation", "operation_id"),
)  # fmt: skip
FAILED: tuple[Column, ...] = ("site", ("stage", "stage_name"), ("operation", "operation_id"), ("why", "why.message"))
FAILED_SHOWN = 10
PLANNED: tuple[Column, ...] = (
    ("stage", "name"), ("sites", lambda stage: total(stage["counts"])), ("max parallel", "max_parallel"),
    ("soak s", "soak_seconds"), ("spread", _spread),
)  # fmt: skip
PLAN = ("strategy_id", "name", "state", "spec", "stages", "excluded", "excluded_count")
TIMELINE: tuple[Column, ...] = ("at", ("stage", "stage_name"), "kind", "code", "message")
EXCLUDED: tuple[Column, ...] = ("site", "code", "message")

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name or id.")]
Reason = Annotated[str, typer.Option(help="Why, for others.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay and show it until it has ended.")]


@app.verb()
def create(
    session: Session,
    name: options.Name = None,
    *,
    file: options.File = None,
    app: options.App = None,
    version: options.Version = None,
    publication: options.Publication = None,
    kind: options.Type = None,
    site: options.Sites = None,
    group: options.Groups = None,
    select: options.Labels = None,
    all_sites: options.All = False,
    exclude: options.Exclude = None,
    exclude_group: options.ExcludeGroups = None,
    spread: options.Spread = None,
    stage: options.Stages = None,
    max_parallel: options.MaxParallel = None,
    serial: options.Serial = False,
    threshold: options.Threshold = None,
    never_stop: options.NeverStop = False,
    min_sample: options.MinSample = None,
    pause_on_failure: options.PauseOnFailure = False,
    step_timeout: options.StepTimeout = None,
    timeout: options.Timeout = None,
    catch_up: options.CatchUp = None,
    force: options.Force = False,
    recover: options.Recover = None,
    only_changes: options.OnlyChanges = False,
    reset_overrides: options.ResetOverrides = None,
    reset_attributes: options.ResetAttributes = None,
    description: options.Description = None,
    undo: options.Undo = None,
    yes: options.Yes = False,
    apply_now: options.ApplyNow = False,
    watch: Watch = False,
) -> None:
    """Validate a roll-out and plan it, from a YAML file, options or both. `--apply --watch` also does it."""
    given = {
        "name": name, "app": app, "version": version, "publication": publication, "type": kind, "spread": spread,
        "description": description, "force": force or None, "recover": recover, "undo": undo, "mixed": yes or None,
        "only_changes": only_changes or None, "reset_overrides": reset_overrides, "reset_attributes": reset_attributes,
        "selection": options.selection(site, group, select, all_sites, exclude, exclude_group),
        "stages": specs.stages(stage or ()), "max_parallel": max_parallel, "apply_type": "serial" if serial else None,
        "on_failure": options.on_failure(threshold, never_stop, min_sample, pause_on_failure),
        **_times(step_timeout, timeout, catch_up),
    }  # fmt: skip
    spec = options.unstopped(specs.merged(specs.read_spec(file) if file else {}, given), never_stop)
    options.refuse_gaps(spec)
    return _planned(session, _created(session, spec), apply_now, watch)


def _times(step_timeout: str | None, timeout: str | None, catch_up: str | None) -> dict[str, int | None]:
    """In seconds, as a spec has them."""
    return {
        "step_timeout_seconds": specs.seconds(step_timeout, "--step-timeout"),
        "timeout_seconds": specs.seconds(timeout, "--timeout"),
        "catch_up_seconds": specs.seconds(catch_up, "--catch-up"),
    }


def _created(session: Session, spec: dict[str, Any]) -> dict[str, Any]:
    """Plan it; where sites would go to different releases, a person on a terminal is asked first."""
    try:
        return session.command("POST", "/v1/strategies", spec)
    except CliError as error:
        if error.code != MIXED or not sys.stdin.isatty() or session.screen.as_json:
            raise
        session.screen.note("\n".join(fault.message for fault in error.faults))
        if not typer.confirm("Lead each site to the release that it had before?", err=True):
            raise
    return session.command("POST", "/v1/strategies", spec | {"mixed": True})


def _planned(session: Session, answer: dict[str, Any], apply_now: bool, watch: bool) -> None:
    strategy_id, result = answer["command_id"], answer.get("result", {})
    if result.get("excluded") or result.get("targets"):
        _say_who_goes_where(session, strategy_id)
    if apply_now:
        return _start(session, strategy_id, "", watch)
    name = result.get("name", strategy_id)
    if not result.get("stages", 1):
        said = "is planned once its release is published; `belay strategy apply` lets it begin then"
        return session.screen.done(f"strategy {name} {said}", answer)
    return session.screen.done(f"strategy {name} is ready: `belay strategy apply {name}` starts it", answer)


def _say_who_goes_where(session: Session, strategy_id: str) -> None:
    found = session.get(at("/v1/strategies/{}", strategy_id))
    for sentence in filter(None, (ways(found["targets"]), left_out(found))):
        session.screen.note(Text(sentence))


@app.verb()
def undo(
    session: Session,
    name: Name,
    *,
    new_name: options.NewName = None,
    site: options.Sites = None,
    group: options.Groups = None,
    select: options.Labels = None,
    stage: options.Stages = None,
    max_parallel: options.MaxParallel = None,
    serial: options.Serial = False,
    reason: Reason = "",
    apply_now: options.ApplyNow = False,
    watch: Watch = False,
) -> None:
    """Plan the way back: exactly the sites it changed, each to what it had before, in its own stages and limits."""
    given = {
        "name": new_name, "selection": options.selection(site, group, select, False, None, None),
        "stages": specs.stages(stage or ()), "max_parallel": max_parallel, "apply_type": "serial" if serial else None,
        "reason": reason or None,
    }  # fmt: skip
    answer = _do(session, name, "undo", specs.merged({}, given))
    _planned(session, answer, apply_now, watch)


@app.verb()
def plan(session: Session, name: Name) -> None:
    """What it would do: its stages in order, and how many sites of each group they take, and what is left out."""
    found = session.get(at("/v1/strategies/{}", name))
    if session.screen.as_json:
        return session.screen.json(
            {key: found[key] for key in ("name", "spec", "stages", "targets", "excluded", "excluded_count")}
        )
    session.screen.table(found["stages"], PLANNED, _no_stages(found))
    if found["targets"]:
        advice = f"`belay strategy steps {found['name']}` shows which"
        session.screen.note(Text(f"\n{ways(found['targets'])}; {advice}"))
    if found["excluded"]:
        session.screen.note(f"\nleft out: {found['excluded_count']}")
        session.screen.table(found["excluded"], EXCLUDED, "")
    return None


def _no_stages(strategy: Mapping[str, Any]) -> str:
    """Why there is no plan: it waits for its release, or waited in vain."""
    return f"no stages: {strategy['why']['message']}" if strategy.get("why") else "no stages"


@app.verb()
def apply(session: Session, name: Name, reason: Reason = "", watch: Watch = False) -> None:
    """Start a strategy that is ready; one that waits for its release begins when that is published."""
    _start(session, name, reason, watch)


def _start(session: Session, name: str, reason: str, watch: bool) -> None:
    answer = _do(session, name, "apply", {"reason": reason})
    if watch:
        must_be_complete(watch_strategy(session, name))
    else:
        session.screen.done("it is applied: `belay strategy watch` shows how it goes", answer)


@app.verb("watch")
def watch_one(session: Session, name: Name) -> None:
    """Show it until it has ended; exit status 1 unless it is complete. With --json: a document a change.

    Complete is said of the sites that take part: what was left out is told first, and counted at the end.
    """
    must_be_complete(watch_strategy(session, name))


@app.verb()
def pause(session: Session, name: Name, reason: Reason = "") -> None:
    """Start no further site; what runs goes on to its end."""
    _tell(session, name, "pause", reason, "is paused")


@app.verb()
def resume(session: Session, name: Name, reason: Reason = "", watch: Watch = False) -> None:
    """Go on with a paused strategy."""
    _tell(session, name, "resume", reason, "goes on", watch)


@app.verb()
def abort(
    session: Session,
    name: Name,
    now: Annotated[bool, typer.Option("--now", help="Also cancel the running sites.")] = False,
    reason: Reason = "",
    watch: Watch = False,
) -> None:
    """Running sites finish (or are cancelled, with --now), waiting ones are aborted at once."""
    _tell(session, name, "abort", reason, "is being aborted", watch, {"now": True} if now else {})


@app.verb("cancel-running")
def cancel_running(
    session: Session,
    name: Name,
    site: Annotated[list[str], typer.Option(help="Only this one; may be repeated. Default: all that run.")] = [],  # noqa: B006
    reason: Reason = "",
) -> None:
    """Stop running sites at their next safe point and recover each to the release it had; they count as failed."""
    answer = _do(session, name, "cancel-running", {"sites": site, "reason": reason})
    session.screen.done(f"running sites of strategy {name} are being cancelled", answer)


@app.verb()
def retry(
    session: Session,
    name: Name,
    site: Annotated[
        list[str], typer.Option(help="Only this one; may be repeated. Default: all that were not skipped.")
    ] = [],  # noqa: B006
    reason: Reason = "",
    watch: Watch = False,
) -> None:
    """Try failed and aborted sites of a strategy again, all or some; it may have ended, be paused or run."""
    _tell(session, name, "retry", reason, "tries its failed sites again", watch, {"sites": site} if site else {})


@app.verb()
def skip(
    session: Session,
    name: Name,
    sites: Annotated[list[str], typer.Argument(metavar="SITE...", help="Which ones.")],
    reason: Reason = "",
) -> None:
    """Leave waiting sites out; they do not make it fail."""
    _tell(session, name, "skip", reason, f"leaves out {', '.join(sites)}", more={"sites": sites})


@app.verb()
def recount(session: Session, name: Name, reason: Reason = "") -> None:
    """Count its sites anew, once its counts were found not to fit them; it is paused then."""
    _tell(session, name, "recount", reason, "is recounted")


def _tell(
    session: Session,
    name: str,
    verb: str,
    reason: str,
    sentence: str,
    watch: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    ended = session.get(at("/v1/strategies/{}", name))["finished_at"] if watch else None
    answer = _do(session, name, verb, {"reason": reason, **more})
    if watch:
        must_be_complete(watch_strategy(session, name, ended))
    else:
        session.screen.done(f"strategy {name} {sentence}", answer)


def _do(session: Session, name: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for it; what is refused because of its state says what can be done instead."""
    path = at("/v1/strategies/{}", name)
    with or_say_what(session, "strategy", path):
        return session.command("POST", f"{path}/{verb}", body)


@app.verb("list")
def list_strategies(
    session: Session,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Also those that were put away.")] = False,
) -> None:
    """Every strategy."""
    found = session.pages("/v1/strategies", state=state, deleted="true" if deleted else None)
    session.screen.table(found, LIST, "no strategy: `belay strategy create` makes one")


@app.verb()
def show(session: Session, name: Name) -> None:
    """One strategy with its stages and what the monitor foresees of them, and its first failed sites."""
    found = session.get(at("/v1/strategies/{}", name))
    session.screen.card(found, SHOW)
    if session.screen.as_json:
        return
    session.screen.note("")
    session.screen.table(_foreseen(found), STAGES, "no stages")
    if failed := found["counts"]["failed"]:
        _show_failed(session, found, failed)


def _foreseen(strategy: dict[str, Any]) -> list[dict[str, Any]]:
    """Its stages; a forecast holds only while sites are started."""
    if strategy["state"] == "applying":
        return strategy["stages"]  # type: ignore[no-any-return]
    return [stage | {"forecast": None} for stage in strategy["stages"]]


def _show_failed(session: Session, strategy: dict[str, Any], count: int) -> None:
    """Which operation to look at: `belay operation show` has its evidence."""
    steps = session.pages(at("/v1/strategies/{}/steps", strategy["strategy_id"]), state="failed")
    names = {stage["position"]: stage["name"] for stage in strategy["stages"]}
    shown = [_with_name(step, names) for step in islice(steps, FAILED_SHOWN)]
    session.screen.note(f"\nfailed: {count}" + (f", the first {len(shown)}:" if count > len(shown) else ""))
    session.screen.table(shown, FAILED, "")
    if operation := next((step["operation_id"] for step in shown if step["operation_id"]), None):
        session.screen.note(Text(f"\n`belay operation show {operation}` shows what it did and said last"))


@app.verb()
def steps(
    session: Session,
    name: Name,
    stage: Annotated[str | None, typer.Option(help="Only of this stage.")] = None,
    state: Annotated[str | None, typer.Option(help="waiting, running, complete, failed or aborted.")] = None,
) -> None:
    """Each site's part, and why it waits or failed."""
    names = _stage_names(session, name)
    position = next((position for position, known in names.items() if stage in (known, str(position))), stage)
    found = session.pages(at("/v1/strategies/{}/steps", name), stage=position, state=state)
    session.screen.table((_with_name(step, names) for step in found), STEPS, "no such step")


@app.verb()
def step(session: Session, name: Name, site: Annotated[str, typer.Argument(help="Whose.")]) -> None:
    """One site's part: why it is where it is, and each attempt with its times, cause and last lines."""
    found = session.get(at("/v1/strategies/{}/steps/{}", name, site))
    session.screen.card(_with_name(found, _stage_names(session, name)), STEPS)
    if session.screen.as_json:
        return
    session.screen.note("")
    session.screen.table(found["attempts"], ATTEMPTS, "no operation was begun for it")
    for attempt in found["attempts"]:
        if lines := attempt["last_lines"]:
            session.screen.note(Text(f"\nlast lines of attempt {attempt['attempt']}:"))
            session.screen.note(Text("\n".join(lines)))


def _stage_names(session: Session, strategy: str) -> dict[int, str]:
    stages = session.get(at("/v1/strategies/{}", strategy))["stages"]
    return {stage["position"]: stage["name"] for stage in stages}


def _with_name(item: dict[str, Any], names: dict[int, str]) -> dict[str, Any]:
    """A step or event with the name of its stage beside its number."""
    return item | {"stage_name": names.get(item["stage"], "")}


@app.verb()
def timeline(session: Session, name: Name) -> None:
    """What happened to it, in order."""
    names = _stage_names(session, name)
    found = (_with_name(one, names) for one in session.pages(at("/v1/strategies/{}/timeline", name)))
    session.screen.table(found, TIMELINE, "nothing has happened yet")


@app.verb()
def delete(session: Session, name: Name) -> None:
    """Put away a strategy that does not run. Its history stays, its name becomes free."""
    path = at("/v1/strategies/{}", name)
    with or_say_what(session, "strategy", path):
        answer = session.command("DELETE", path)
    session.screen.done(f"strategy {name} is put away", answer)
