"""The table of all commands. Wiring only."""

from importlib.metadata import version
from typing import Annotated

import typer

from services.gateway.cli.demo.command import demo
from services.gateway.cli.noun import Noun
from services.gateway.cli.nouns import (
    app as apps,
)
from services.gateway.cli.nouns import (
    audit,
    bundle,
    completion,
    deployment,
    dlq,
    doctor,
    group,
    machine,
    notification,
    operation,
    release,
    site,
    strategy,
    subscription,
    token,
)
from services.gateway.cli.outcome import EXIT_HELP

root = Noun("Belay: fleet upgrades with a rope on.", epilog=EXIT_HELP)

NOUNS = {
    "app": apps.app, "release": release.app, "bundle": bundle.app, "site": site.app, "group": group.app,
    "strategy": strategy.app, "operation": operation.app, "deployment": deployment.app,
    "notification": notification.app, "subscription": subscription.app, "dlq": dlq.app,
    "token": token.app, "audit": audit.app,
}  # fmt: skip

HERE = "On this machine"

for verb in (machine.up, machine.down, machine.status, demo, doctor.doctor, completion.completion):
    root.verb(rich_help_panel=HERE)(verb)
root.verb()(machine.command)
for name, noun in NOUNS.items():
    root.add_typer(noun, name=name)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"belay {version('belay')}")
        raise typer.Exit


@root.callback()
def _everywhere(
    _: Annotated[bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show it.")] = False,
) -> None:
    """Fleet upgrades with a rope on: staged roll-outs over thousands of sites, every fall caught."""
