"""The options of one job on one site, the same for a plan of it and for doing it."""

from typing import Annotated, Any

from typer import Argument, Option

from services.cli import spec

Site = Annotated[str, Argument(help="Where.")]
App = Annotated[str, Argument(help="What.")]
Kind = Annotated[str, Argument(help="apply, update, rollback, recover, remove or prestage.")]
Version = Annotated[str | None, Option(help="The release to reach.")]
Recover = Annotated[
    str | None, Option(help="What becomes of it when it fails: always turned back, or never; else as the release says.")
]
ResetOverrides = Annotated[
    bool | None, Option(help="Drop the values set for the site alone.", show_default="as the release says")
]
ResetAttributes = Annotated[
    bool | None, Option(help="Drop what is switched for the site alone.", show_default="as the release says")
]
OnlyChanges = Annotated[bool | None, Option("--only-changes", help="apply: leave what is unchanged (reapply).")]
Timeout = Annotated[str | None, Option(metavar="TIME", help="It ends by then: 90s, 5m, 2h.")]
Force = Annotated[bool | None, Option("--force", help="prestage: in spite of alarms.")]


def order(site: str, app: str, kind: str, *, timeout: str | None = None, **said: Any) -> dict[str, Any]:
    """The request as the API takes it; what was not said the release decides. Raises a usage error for a bad time."""
    said["timeout_seconds"] = spec.seconds(timeout, "--timeout")
    return {"site": site, "app": app, "kind": kind} | {name: value for name, value in said.items() if value is not None}
