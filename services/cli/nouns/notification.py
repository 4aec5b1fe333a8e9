"""`belay notification`: what people should know."""

from itertools import islice
from typing import Annotated, Any

import typer

from services.cli.errors import usage
from services.cli.noun import Noun
from services.cli.screen import Column
from services.cli.session import Session

app = Noun("Notifications: what happened that people should know.")


def _failed(item: Any) -> list[str]:
    """The operations to look at: `belay operation show`."""
    return [failed["operation_id"] for failed in item.get("failed", ())]


COLUMNS: tuple[Column, ...] = (
    ("id", "notification_id"), "topic", "message", "about", ("failed operations", _failed), ("raised", "raised_at"),
    "read",
)  # fmt: skip


@app.verb("list")
def list_notifications(
    session: Session,
    unread: Annotated[bool, typer.Option("--unread", help="Only those nobody has read.")] = False,
    topic: Annotated[str | None, typer.Option(help="discover, done, error, warning or release.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
) -> None:
    """Notifications, the newest first."""
    found = session.pages("/v1/notifications", unread="true" if unread else None, topic=topic)
    session.screen.table(islice(found, limit), COLUMNS, "nothing to know")


@app.verb()
def read(
    session: Session,
    ids: Annotated[list[int] | None, typer.Argument(help="Ids of notifications.")] = None,
    up_to: Annotated[int | None, typer.Option(help="All up to and including this id.")] = None,
) -> None:
    """Mark notifications as read."""
    if not ids and up_to is None:
        raise usage("name the notifications to mark as read", "give their ids, or --up-to ID for all up to one")
    body = {"ids": ids or []} | ({} if up_to is None else {"up_to": up_to})
    session.screen.done("marked as read", session.command("POST", "/v1/notifications/read", body))
