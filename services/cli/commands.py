"""The table of all commands. Wiring only; tests/unit/cli/test_start.py holds that each summary is the command's own."""

from typing import Annotated

import typer

from services.cli.errors import EXIT_HELP
from services.cli.lazy import Lazy, lazy_group
from services.cli.noun import Noun

HERE = "On this machine"

COMMANDS = {
    "app": Lazy("nouns.app:app", "Applications: their releases and where they run"),
    "release": Lazy("nouns.release:app", "Releases: publish a bundle, look at what there is, take one out of use"),
    "bundle": Lazy("nouns.bundle:app", "Bundles: make the file a release comes in, sign and check one"),
    "site": Lazy("nouns.site:app", "Sites: register, import, look at and remove what is upgraded as one"),
    "group": Lazy("nouns.group:app", "Groups: named sets of sites with limits of their own"),
    "overrides": Lazy(
        "nouns.overrides:app", "Overrides: values and switches over those of releases, for the fleet, groups and sites"
    ),
    "secret": Lazy("nouns.secret:app", "Secrets: passwords and keys that connections of sites name"),
    "strategy": Lazy("nouns.strategy:app", "Strategies: plan a roll-out in stages, start it, watch it, stop it"),
    "operation": Lazy(
        "nouns.operation:app", "Operations: one job on one site, outside of any strategy, and the history of all"
    ),
    "deployment": Lazy("nouns.deployment:app", "Deployments: which release runs where, and how it is"),
    "notification": Lazy("nouns.notification:app", "Notifications: what happened that people should know"),
    "subscription": Lazy(
        "nouns.subscription:app", "Subscriptions: have notifications delivered to a webhook or a chat"
    ),
    "dlq": Lazy(
        "nouns.dlq:app", "Dead letters: messages that could not be read or handled; look at them, send them again"
    ),
    "token": Lazy("nouns.token:app", "Tokens: let people and programs in, with a role each"),
    "audit": Lazy("nouns.audit:app", "Audit: every command, who sent it, when, and how it was answered"),
    "command": Lazy("nouns.command:command", "What became of a command: sent, accepted or rejected"),
    "up": Lazy(
        "nouns.machine:up",
        "Run Kafka, PostgreSQL and every service here until Ctrl-C; says what is ready, then where page and token are",
        HERE,
    ),
    "down": Lazy("nouns.machine:down", "Stop every service, Kafka and PostgreSQL", HERE),
    "status": Lazy("nouns.machine:status", "Every process of this home; exit status 1 unless all of them run", HERE),
    "demo": Lazy(
        "demo.command:demo",
        "Roll real releases out over twelve sites, let two broken ones fall, and go back: all on this machine",
        HERE,
    ),
    "doctor": Lazy(
        "nouns.doctor:doctor",
        "Look for trouble: disk, processes, readiness and lag of each service, gateway, token",
        HERE,
    ),
    "completion": Lazy(
        "nouns.completion:completion",
        'Print the completion script of a shell; for bash: eval "$(belay completion bash)"',
        HERE,
    ),
}
"""By name, in the order of the help text."""

root = Noun("Belay: fleet upgrades with a rope on.", epilog=EXIT_HELP, kind=lazy_group(COMMANDS))


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # takes as long as all the rest of a help text

        typer.echo(f"belay {version('belay')}")
        raise typer.Exit


@root.callback()
def _everywhere(
    _: Annotated[bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show it.")] = False,
) -> None:
    """Fleet upgrades with a rope on: staged roll-outs over thousands of sites, every fall caught."""
