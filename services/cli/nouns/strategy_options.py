"""The options of `belay strategy create`, and the parts of a spec that several of them make together."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from services.cli import spec as specs
from services.cli.errors import fault, usage

Many = list[str] | None

Name = Annotated[str | None, Argument(help="Its name; default: that in the file.")]
File = Annotated[Path | None, Option("--file", "-f", help="A YAML file with the spec; options win over it.")]
App = Annotated[str | None, Option(help="What to roll out.")]
Version = Annotated[str | None, Option(help="The release to reach.")]
Publication = Annotated[
    str | None,
    Option(metavar="ID", help="Wait for the release that this publication makes available, in place of --version."),
]
Type = Annotated[str | None, Option("--type", help="prestage, apply, update, rollback or remove.")]
Sites = Annotated[
    Many,
    Option("--site", metavar="SITE", help="Only this site; repeated: any of these. With --group or --select: both."),
]
Groups = Annotated[
    Many, Option("--group", metavar="GROUP", help="Only sites of this group; repeated: of any. With --select: both.")
]
Labels = Annotated[
    Many, Option("--select", metavar="LABEL=VALUE", help="Only sites with this label; repeated: with all of them.")
]
All = Annotated[bool, Option("--all", help="The whole fleet.")]
Exclude = Annotated[
    Many,
    Option("--exclude", metavar="SITE|LABEL=VALUE", help="Not this site, or none with this label; may be repeated."),
]
ExcludeGroups = Annotated[Many, Option("--exclude-group", metavar="GROUP", help="None of this group; may be repeated.")]
Spread = Annotated[
    str | None,
    Option(metavar="LABEL", help="Stages take sites by the share of each value of it; default: of each group."),
]
Stages = Annotated[Many, Option("--stage", metavar="STAGE", help=f"{specs.STAGE_HELP}.")]
MaxParallel = Annotated[str | None, Option(metavar="LIMIT", help="1 to 5000, or a per cent such as 20%.")]
Serial = Annotated[bool, Option("--serial", help="One site after another.")]
Threshold = Annotated[
    str | None,
    Option(
        metavar="LIMIT", help="3: stop at the third failure of a stage; 20%: once more than 20% of its sites failed."
    ),
]
NeverStop = Annotated[
    bool, Option("--never-stop", help="No failure stops it, but a stage in which every site failed does.")
]
MinSample = Annotated[int | None, Option(help="Finished sites before a per cent stops a stage that still runs.")]
PauseOnFailure = Annotated[bool, Option("--pause-on-failure", help="Then wait for a person instead of ending.")]
StepTimeout = Annotated[str | None, Option(metavar="TIME", help="The longest one site may take: 90s, 5m, 2h.")]
Timeout = Annotated[
    str | None, Option(metavar="TIME", help="The longest it may take as a whole; then it aborts: 8h, 2d.")
]
CatchUp = Annotated[
    str | None,
    Option(metavar="TIME", help="Sites that were offline are tried again, once back, so long after its end: 7d."),
]
Recover = Annotated[
    str | None,
    Option(help="What becomes of a site that fails: always turned back, or never; else as the release says."),
]
OnlyChanges = Annotated[
    bool,
    Option("--only-changes", help="apply: also sites that run it; what is unchanged there is left as it is (reapply)."),
]
ResetOverrides = Annotated[
    bool | None, Option(help="Drop values set for single sites.", show_default="as the release says")
]
ResetAttributes = Annotated[
    bool | None, Option(help="Drop what is switched for single sites.", show_default="as the release says")
]
Force = Annotated[
    bool,
    Option("--force", help="Also sites that run the release already, or have alarms."),
]
Description = Annotated[str | None, Option(help="For people.")]
Undo = Annotated[
    str | None,
    Option("--undo", metavar="STRATEGY", help="Rollback of what it changed; `strategy undo` also takes its stages."),
]
Yes = Annotated[
    bool, Option("--yes", "-y", help="Ask nothing: a rollback may lead different sites to different releases.")
]
NewName = Annotated[str | None, Option("--name", help="Of the new strategy; default: undo-<name>.")]
ApplyNow = Annotated[bool, Option("--apply", help="Start it at once.")]


VERSIONLESS = ("rollback", "remove")
"""Types that need no release to reach."""


def refuse_gaps(spec: Mapping[str, Any]) -> None:
    """Raises a usage error that names every option without which there is no strategy, all at once."""
    selected = any((spec.get("selection") or {}).get(part) for part in ("sites", "groups", "labels", "all"))
    stays = spec.get("type") in VERSIONLESS or spec.get("only_changes") or spec.get("publication")
    needed = {
        "NAME": (spec.get("name"), "name the strategy, as the first argument"),
        "--app": (spec.get("app"), "say what to roll out"),
        "--type": (spec.get("type"), "say what is done to each site: prestage, apply, update, rollback or remove"),
        "--version": (spec.get("version") or stays, "say which release to reach, or --publication, what makes it"),
        "--site, --group, --select or --all": (selected or spec.get("undo"), "say which sites take part"),
    }
    faults = [fault("missing_field", option, message) for option, (value, message) in needed.items() if not value]
    if faults:
        raise usage("these are missing", "give them as options, or in a file with --file", faults)


def selection(
    sites: Many, groups: Many, labels: Many, everything: bool, exclude: Many, exclude_groups: Many
) -> dict[str, Any]:
    """What was selected; empty parts are None, so that those of a file stay."""
    chosen = {"sites": sites, "groups": groups, "labels": specs.pairs(labels or (), "--select")}
    not_labels = [one for one in exclude or () if "=" in one]  # no site's name holds one
    not_sites = [one for one in exclude or () if "=" not in one]
    without = {"sites": not_sites, "groups": exclude_groups, "labels": specs.pairs(not_labels, "--exclude")}
    return {**chosen, "all": everything or None, "exclude": without}


def on_failure(threshold: str | None, never: bool, min_sample: int | None, pause: bool) -> dict[str, Any]:
    """When failures stop it; a threshold means that the first one does not. Raises a usage error for contradictions."""
    if never and threshold:
        raise usage("--never-stop and --threshold contradict each other", "give one of them")
    stop, then = (False if threshold or never else None), ("pause" if pause else None)
    return {"stop_on_failure": stop, "threshold": threshold, "min_sample": min_sample, "then": then}


def unstopped(spec: dict[str, Any], never: bool) -> dict[str, Any]:
    """The spec without the threshold that a file may set, where `--never-stop` was given: options win over files."""
    if not never:
        return spec
    kept = {key: value for key, value in spec["on_failure"].items() if key != "threshold"}
    return spec | {"on_failure": kept}
