"""`belay site check`, `maintain`, `manage` and their opposites: whether sites answer, and are left alone."""

import time
from typing import Annotated, Any

import typer

from services.cli.noun import Noun
from services.cli.screen import moment, size
from services.cli.session import Session, at

WAIT_SECONDS = 30.0
"""A site is asked for ten seconds, and then each of its drivers alone once more."""

LOOK_SECONDS = 0.25

Names = Annotated[list[str], typer.Argument(metavar="SITE...", help="The sites.")]


def standing(item: Any) -> list[str]:
    """`online`, and whatever stands in the way of changing it. A gateway of an older version says less."""
    words = [_answers(item), *(["unmanaged"] if not item.get("managed", True) else [])]
    words += ["in maintenance"] if item.get("maintenance") else []
    if count := len(item.get("alarms", ())):
        words.append(f"{count} alarm{'s' if count > 1 else ''}")
    return [word for word in words if word]


def _answers(item: Any) -> str:
    answers = str(item.get("availability", ""))
    if answers == "offline" and item.get("since"):
        return f"{answers} since {moment(item['since'])}"
    return f"{answers}, did not answer last" if answers == "online" and item.get("cause") else answers


def cause(item: Any) -> str | None:
    """Why it does not answer."""
    said = item.get("cause")
    return f"{said['message']} [{said['code']}]" if said else None


def room(item: Any) -> str | None:
    """`12.3 GiB`."""
    free = item.get("free_bytes")
    return None if free is None else size(free)


def alarms(item: Any) -> list[str]:
    """`disk-full (major, affects management) since …: 97 % used`, for each."""
    return [
        f"{a['alarm']} ({a['severity']}{', affects management' if a['management_affecting'] else ''})"
        f" since {moment(a['raised_at'])}{': ' + a['text'] if a['text'] else ''}"
        for a in item.get("alarms", ())
    ]


def add_to(app: Noun) -> None:
    """Make these commands of `belay site`."""
    app.verb("maintain")(maintain)
    app.verb("unmaintain")(unmaintain)
    app.verb("manage")(manage)
    app.verb("unmanage")(unmanage)


def maintain(session: Session, names: Names) -> None:
    """Somebody works on these sites: nothing is begun there meanwhile."""
    _set(session, names, "in maintenance", maintenance=True)


def unmaintain(session: Session, names: Names) -> None:
    """Nobody works on these sites any more."""
    _set(session, names, "out of maintenance", maintenance=False)


def manage(session: Session, names: Names) -> None:
    """Strategies may change these sites."""
    _set(session, names, "managed", managed=True)


def unmanage(session: Session, names: Names) -> None:
    """Strategies leave these sites alone."""
    _set(session, names, "unmanaged", managed=False)


def _set(session: Session, names: list[str], words: str, **facts: bool) -> None:
    answer = session.command("PATCH", "/v1/sites", {"selection": {"sites": names}, **facts})
    session.screen.done(f"{words}: {', '.join(names)}", answer)


def checked(session: Session, name: str) -> dict[str, Any]:
    """The site once it was asked; as it is known after WAIT_SECONDS."""
    path = at("/v1/sites/{}", name)
    before = session.get(path)["checked_at"]
    session.command("POST", f"{path}/check", {})
    until = time.monotonic() + WAIT_SECONDS
    while (found := session.get(path))["checked_at"] == before and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return found
