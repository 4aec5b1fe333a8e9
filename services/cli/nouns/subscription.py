"""`belay subscription`: notifications delivered to webhooks."""

import json
import os
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.errors import failed, usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session, at

app = Noun("Subscriptions: have notifications delivered to a webhook or a chat.")

COLUMNS: tuple[Column, ...] = ("name", "url", "format", "topics", "state", "reason")
DELIVERIES: tuple[Column, ...] = (
    ("id", "delivery_id"), "topic", "message", "state", "tries", "status", ("ms", "milliseconds"), "reason",
    ("next try", "next_try_at"), ("moved", "at"),
)  # fmt: skip

SECRET = "BELAY_WEBHOOK_SECRET"  # noqa: S105  the name of a variable

Name = Annotated[str, typer.Argument(help="Its name.")]


@app.verb("list")
def list_subscriptions(session: Session) -> None:
    """Every subscription."""
    session.screen.table(session.pages("/v1/subscriptions"), COLUMNS, "no subscription: `belay subscription add`")


@app.verb()
def show(session: Session, name: Name) -> None:
    """One subscription."""
    session.screen.card(session.get(at("/v1/subscriptions/{}", name)), (*COLUMNS, "template"))


@app.verb()
def add(
    session: Session,
    name: Name,
    target: Annotated[str, typer.Argument(metavar="WEBHOOK", help="Where to deliver to.")],
    topic: Annotated[list[str], typer.Option(help="Only this topic; may be repeated.")] = [],  # noqa: B006
    form: Annotated[
        str | None, typer.Option("--format", help="standard, slack, teams, mattermost or custom.", show_default=False)
    ] = None,
    template: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own template, as JSON; its format is custom.")
    ] = None,
) -> None:
    """Deliver notifications to a webhook; those without --topic get all topics.

    The key that deliveries are signed with is read from BELAY_WEBHOOK_SECRET, so that no shell history keeps it.
    """
    body: dict[str, Any] = {"name": name, "url": target} | ({"topics": topic} if topic else {})
    if template:
        body |= {"format": "custom", "template": _read(template)}
    if form:
        body["format"] = form
    if secret := os.environ.get(SECRET):
        body["secret"] = secret
    session.screen.done(f"subscription {name} is added", session.command("POST", "/v1/subscriptions", body))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        advice = "`belay subscription formats slack` prints a template to begin with"
        raise usage(f"{path} is not JSON: {error}", advice) from error


@app.verb()
def formats(
    session: Session, form: Annotated[str | None, typer.Argument(metavar="FORMAT", help="Print its template.")] = None
) -> None:
    """The formats that have a template, or the template of one: take it as the beginning of your own."""
    found = {item["format"]: item["template"] for item in session.get("/v1/webhook-formats")["items"]}
    if form is None:
        return session.screen.table([{"format": name} for name in found], ("format",), "no formats")
    if form not in found:
        raise usage(f"there is no template for {form!r}", f"there are {', '.join(found)}")
    return typer.echo(json.dumps(found[form], indent=2, ensure_ascii=False))


@app.verb()
def remove(session: Session, name: Name) -> None:
    """Stop delivering to a webhook."""
    answer = session.command("DELETE", at("/v1/subscriptions/{}", name))
    session.screen.done(f"subscription {name} is removed", answer)


@app.verb()
def enable(session: Session, name: Name) -> None:
    """Deliver again to a webhook that was found dead."""
    answer = session.command("POST", at("/v1/subscriptions/{}/enable", name))
    missed = answer["result"].get("missed", 0)
    more = f"; `belay subscription redeliver {name} --undelivered` sends the {missed} that it missed" if missed else ""
    session.screen.done(f"subscription {name} is enabled{more}", answer)


@app.verb()
def test(session: Session, name: Name) -> None:
    """Send a sample and say what the webhook answered; exit status 1 if it did not take it."""
    answer = session.command("POST", at("/v1/subscriptions/{}/test", name))
    result = answer["result"]
    if result.get("state") == "dead":
        status = f" (HTTP {result['status']})" if result.get("status") else ""
        raise failed(f"{name} did not take it{status}: {result['reason']}", f"`belay subscription deliveries {name}`")
    if result.get("state") == "delivered":
        sentence = f"{name} took it: HTTP {result['status']} after {result['milliseconds']} ms"
    else:
        sentence = f"it is under way: `belay subscription deliveries {name}` shows what comes of it"
    session.screen.done(sentence, answer)


@app.verb()
def deliveries(
    session: Session,
    name: Name,
    state: Annotated[str | None, typer.Option(help="waiting, queued, delivered, dead or dropped.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """What was delivered to a webhook, the newest first: tries, answers, and why the last try failed."""
    found = session.pages(at("/v1/subscriptions/{}/deliveries", name), state=state)
    session.screen.table(islice(found, limit), DELIVERIES, "nothing was delivered yet")


@app.verb()
def redeliver(
    session: Session,
    name: Name,
    ids: Annotated[list[str] | None, typer.Argument(metavar="DELIVERY...", help="Ids of deliveries.")] = None,
    undelivered: Annotated[bool, typer.Option("--undelivered", help="All that never arrived.")] = False,
) -> None:
    """Deliver again, under the ids they had: receivers recognise what they have already."""
    if not ids and not undelivered:
        raise usage("name the deliveries, or all that never arrived", "give their ids, or --undelivered")
    body = {"deliveries": ids or [], "undelivered": undelivered}
    answer = session.command("POST", at("/v1/subscriptions/{}/redeliver", name), body)
    session.screen.done(f"{answer['result'].get('deliveries', 'they')} are delivered again", answer)
