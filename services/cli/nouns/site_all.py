"""`belay site update-all` and `rollback-all`: every app of a site, one after the other, with one report."""

from typing import Annotated, Any

import typer

from services.cli.errors import CliError, Status
from services.cli.feed import Feed, views
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

ENDED = ("done", "failed", "aborted")

ITEMS: tuple[Column, ...] = (
    "app", "state", ("from", "from_version"), ("to", "to_version"), ("why", "cause.message"),
    ("operation", "operation_id"),
)  # fmt: skip
RUNS: tuple[Column, ...] = (
    ("run", "run_id"), "site", "kind", "state", ("requested", "started_at"), ("finished", "finished_at"),
    ("by", "requested_by"), ("cause", "cause.message"),
)  # fmt: skip

Site = Annotated[str, typer.Argument(help="The site.")]
Apps = Annotated[list[str], typer.Option("--app", help="Only this app; repeatable. All unless said.")]
GoOn = Annotated[bool, typer.Option("--go-on", help="Go on with the others where one fails, instead of stopping.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until it has ended, and show the report.")]


def add_to(app: Noun) -> None:
    """Make these commands of `belay site`."""
    app.verb("update-all")(update_all)
    app.verb("rollback-all")(rollback_all)
    app.verb("runs")(runs)
    app.verb("run")(show)
    app.verb("cancel-run")(cancel)


def update_all(
    session: Session,
    site: Site,
    app: Apps = [],  # noqa: B006
    *,
    go_on: GoOn = False,
    prereleases: Annotated[bool, typer.Option(help="Pre-releases count, too.")] = False,
    wait: Wait = True,
) -> None:
    """Update every app of a site to its newest allowed release: critical ones first, and what others need before them.
    Strategies that hold the site refuse it."""
    _run(session, site, {"kind": "update", "apps": app, "prereleases": prereleases}, go_on, wait)


def rollback_all(
    session: Session,
    site: Site,
    app: Apps = [],  # noqa: B006
    *,
    go_on: GoOn = False,
    wait: Wait = True,
) -> None:
    """Take every app of a site back to the release before, in the reverse order of an update."""
    _run(session, site, {"kind": "rollback", "apps": app}, go_on, wait)


def _run(session: Session, site: str, body: dict[str, Any], go_on: bool, wait: bool) -> None:
    body |= {"on_failure": "go_on" if go_on else "stop"}
    feed = Feed(session, types="site_run_changed") if wait else None
    answer = session.command("POST", at("/v1/sites/{}/run-all", site), body)
    run_id = answer["result"].get("run_id", answer["command_id"])
    if not wait:
        return session.screen.done(f"run {run_id} goes on: `belay site run {run_id}` shows it", answer)
    with session.screen.busy(f"{site}: {body['kind']} of all apps"):
        *_, report = views(session, at("/v1/site-runs/{}", run_id), lambda run: run["state"] in ENDED, feed)
    _show(session, report)
    if report["state"] != "done":
        why = (report["cause"] or {}).get("message", report["state"])
        raise CliError(Status.FAILED, f"{site}: not all was done: {why}", code=f"run_{report['state']}")
    return None


def _show(session: Session, run: dict[str, Any]) -> None:
    if session.screen.as_json:
        return session.screen.json(run)
    session.screen.card(run, RUNS)
    session.screen.table(run["items"], ITEMS, "there was nothing to do")
    return None


def runs(session: Session, site: Annotated[str | None, typer.Option(help="Only of this site.")] = None) -> None:
    """Runs over all apps of sites, the newest first."""
    session.screen.table(session.pages("/v1/site-runs", site=site), RUNS, "no run yet: `belay site update-all`")


def show(session: Session, run: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """One run: what was updated, what failed and why, what was left and why."""
    _show(session, session.get(at("/v1/site-runs/{}", run)))


def cancel(
    session: Session,
    run: Annotated[str, typer.Argument(help="Its id.")],
    reason: Annotated[str, typer.Option(help="Why, for others.")] = "",
) -> None:
    """Stop a run: what it does now is turned back, and nothing more is begun."""
    answer = session.command("POST", at("/v1/site-runs/{}/cancel", run), {"reason": reason})
    session.screen.done(f"run {run} is being stopped", answer)
