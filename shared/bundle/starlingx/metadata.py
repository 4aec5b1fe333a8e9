"""`metadata.yaml`: what each of its keys means here, or why it means nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from shared import patterns
from shared.messages import triggers
from shared.messages.rules import Action, Importance, Rules
from shared.safe_yaml import BadYaml, Document, documents
from shared.versions import EXPRESSION

from .findings import Findings
from .sections import Section

FILE = "metadata.yaml"

MEANINGS: Mapping[str, str] = {
    "app_name": "`app`; the name asked for at publication wins",
    "app_version": "`version`, of the scheme `natural`; the version asked for at publication wins",
    "supported_k8s_version.minimum": "`site.facts.kubernetes`, `>=`",
    "supported_k8s_version.maximum": "`site.facts.kubernetes`, `<=`",
    "supported_releases": "`site.releases`",
    "patch_dependencies": "`site.patches`",
    "upgrades.from_versions": "`upgrades_from`, expressions (`re:`); an empty list = from none",
    "upgrades.auto_update": "`behaviour.auto_update`; not said = false",
    "upgrades.update_failure_no_rollback": "`recover: never`",
    "downgrades.auto_downgrade": "`behaviour.auto_downgrade`; not said = false",
    "disabled_charts": "`enabled: false` of these components",
    "maintain_user_overrides": "`keep_overrides`; not said = true",
    "maintain_attributes": "`keep_attributes`; not said = true",
    "behavior.desired_state": "`behaviour.desired_state`: `applied` = deployed, `uploaded` = absent",
    "behavior.evaluate_reapply.triggers": "`behaviour.reapply_on`: `type` = event; told: unknown ones, vain filters",
    "behavior.forbidden_manual_operations": "`behaviour.forbidden`",
    "class": "`importance`",
    "dependent_apps": "`depends_on`; a list in the list = exactly one of them",
}
"""The keys that have a meaning here. The table of BUNDLES.md is tested against it."""

NO_MEANING: Mapping[str, str] = {
    "helm_repo": "charts are taken from the tarball itself, so there is no repository",
    "repo": "charts are taken from the tarball itself, so there is no repository",
    "apply_progress_adjust": "progress counts components",
    "upgrades.failed_versions": "which releases failed where is remembered by the deployer, until a person clears it",
    "k8s_upgrades": "Belay does not upgrade Kubernetes, so nothing goes before or after it; see reapply_on",
    "behavior.platform_managed_app": "no app is the platform's own; desired_state says what an audit keeps",
    "behavior.evaluate_reapply.after": "apps are applied again in the order of their importance and dependencies",
    "behavior.evaluate_reapply.triggers.filter_field": "filters look at the fields of the event themselves",
    "dependent_parent_exceptions": "an app never waits for those that need it",
}
"""The keys that have none, and why: told as notices."""

UNKNOWN = "is no key of StarlingX that is known here, so it means nothing; see to its spelling"

NEVER_HOLDS = (
    "never holds for what Belay sees itself, as its events are of sites and not of hosts: only for who tells it at the "
    "door of sysinv, and where a fact of the site has that name"
)

OPERATIONS: Mapping[str, str | None] = {
    "apply": "apply",
    "update": "update",
    "remove": "remove",
    "upload": None,
    "delete": None,
    "abort": None,
}
"""What people may be forbidden; None = it is nothing that is done to a site."""

SAID_BY: Mapping[str, tuple[str, ...]] = {
    "app": ("app_name",),
    "version": ("app_version",),
    "scheme": ("app_version",),
    "depends_on": ("dependent_apps",),
    "upgrades_from": ("upgrades", "from_versions"),
    "site": ("supported_releases",),
    "behaviour": ("behavior",),
    "importance": ("class",),
}
"""Fields of Belay's manifest by the keys that say them."""

STATES = {"applied": "deployed", "uploaded": "absent"}
_KUBERNETES = re.compile(r"\d{1,2}\.\d{1,3}(\.\d{1,3})?")


@dataclass(slots=True)
class Metadata:
    """What the file says, in Belay's words."""

    app: str | None = None
    version: str | None = None
    upgrades_from: tuple[str, ...] | None = None
    rules: dict[str, Any] = field(default_factory=dict)
    disabled: list[tuple[str, str]] = field(default_factory=list)
    """Charts that are off by default, with where it is said."""
    top: Section | None = None
    """The file itself; None = there is none that can be read."""

    def place(self, *key: str | int) -> str:
        """File and line of a key; of one that is not there, where it would stand."""
        return self.top.place(*key) if self.top else ":".join([FILE, ".".join(map(str, key))]).rstrip(":")

    def place_of(self, field_: str) -> str:
        """The same by the name that Belay's manifest has for it."""
        return self.place(*SAID_BY.get(field_, ()))

    def places(self) -> dict[str, str]:
        """File and line of what is said of each field of the manifest."""
        return {name: self.place_of(name) for name in SAID_BY}


def read_metadata(content: bytes | None, findings: Findings) -> Metadata:
    """All of it; what is wrong or has no meaning is in the findings. Without a file nothing is said."""
    if content is None:
        return Metadata()
    try:
        found = documents(content)
    except BadYaml as error:
        findings.blame_yaml(FILE, error)
        return Metadata()
    if len(found) != 1 or not isinstance(found[0].value, dict):
        place = f"{FILE}:{found[-1].line if found else 1}"
        findings.blame("bad_yaml", place, "must be one mapping of keys such as app_name, app_version")
        return Metadata()
    return _read(found[0], findings)


def _read(document: Document, findings: Findings) -> Metadata:
    top = Section(FILE, document, findings)
    result = Metadata(top=top)
    result.app, result.version = _named(top, "app_name"), _named(top, "app_version")
    result.rules = {"site": _site(top), "depends_on": _dependencies(top), "behaviour": _behaviour(top)}
    if (importance := top.word("class", get_args(Importance))) is not None:
        result.rules["importance"] = importance
    for key, rule in (("maintain_user_overrides", "keep_overrides"), ("maintain_attributes", "keep_attributes")):
        if (kept := top.flag(key)) is not None:
            result.rules[rule] = kept
    _upgrades(top, result)
    result.disabled = [(name, top.place("disabled_charts", n)) for n, name in enumerate(top.names("disabled_charts"))]
    _downgrades(top, result)
    _kubernetes_upgrades(top)
    _tell_rest(top, "")
    return result


def _named(top: Section, key: str) -> str | None:
    text = top.text(key)
    if text is None and key in top and top.any(key) in (None, ""):
        top.blame(key, "is empty; leave it out where the request says it, or fill it in")
    return text


def _site(top: Section) -> dict[str, Any]:
    facts: dict[str, str] = {}
    if (section := top.section("supported_k8s_version")) is not None:
        if section.any("minimum") is None:
            section.blame("minimum", "is missing: say the oldest Kubernetes that the app runs on", code="missing_field")
        bounds = [(sign, _kubernetes(section, key)) for sign, key in ((">=", "minimum"), ("<=", "maximum"))]
        if wanted := ",".join(f"{sign}{version}" for sign, version in bounds if version):
            facts["kubernetes"] = wanted
        section.note_unread(UNKNOWN)
    return {"facts": facts, "patches": tuple(top.names("patch_dependencies")), "releases": _releases(top)}


def _kubernetes(section: Section, key: str) -> str | None:
    text = (section.text(key) or "").removeprefix("v")
    if text and not _KUBERNETES.fullmatch(text):
        section.blame(key, "must be a version of Kubernetes such as 1.27 or v1.27.5")
        return None
    return text or None


def _releases(top: Section) -> dict[str, tuple[str, ...]]:
    if (section := top.section("supported_releases")) is None:
        return {}
    return {release: tuple(section.names(release)) for release in top.keys("supported_releases")}


def _upgrades(top: Section, result: Metadata) -> None:
    if (section := top.section("upgrades")) is None:
        return
    if section.flag("update_failure_no_rollback"):
        result.rules["recover"] = "never"
    if section.flag("auto_update"):
        result.rules["behaviour"]["auto_update"] = True
    if "from_versions" in section:
        names = enumerate(section.names("from_versions"))
        result.upgrades_from = tuple(
            f"{EXPRESSION}{text}" for n, text in names if _expression(section, "from_versions", text, n)
        )
    _tell_rest(section, "upgrades.")


def _expression(section: Section, key: str, text: str, *more: str | int) -> bool:
    try:
        patterns.compiled(text)
    except ValueError as error:
        section.blame(key, str(error), *more)
        return False
    return True


def _downgrades(top: Section, result: Metadata) -> None:
    if (section := top.section("downgrades")) is None:
        return
    if section.flag("auto_downgrade"):
        result.rules["behaviour"]["auto_downgrade"] = True
    section.note_unread(UNKNOWN)


def _kubernetes_upgrades(top: Section) -> None:
    if (section := top.section("k8s_upgrades")) is None:
        return
    section.flag("auto_update")
    section.word("timing", ("pre", "post"))
    for key, other in (("auto_update", "timing"), ("timing", "auto_update")):
        if key in section and other not in section:
            section.blame(other, f"is missing beside {key}: say both, or neither", code="missing_field")
    section.note_unread(UNKNOWN)
    top.note("k8s_upgrades", NO_MEANING["k8s_upgrades"])


def _behaviour(top: Section) -> dict[str, Any]:
    behaviour: dict[str, Any] = {}
    if (section := top.section("behavior")) is None:
        return behaviour
    if (state := section.word("desired_state", STATES)) is not None:
        behaviour["desired_state"] = STATES[state]
    if section.flag("platform_managed_app") is not None:
        section.note("platform_managed_app", NO_MEANING["behavior.platform_managed_app"])
    behaviour["forbidden"] = _forbidden(section)
    if (reapply := section.section("evaluate_reapply")) is not None:
        found = [_trigger(trigger) for trigger in reapply.sections("triggers")]
        behaviour["reapply_on"] = tuple(trigger for trigger in found if trigger)
        _tell_rest(reapply, "behavior.evaluate_reapply.")
    _tell_rest(section, "behavior.")
    return behaviour


def _forbidden(section: Section) -> tuple[str, ...]:
    key, found = "forbidden_manual_operations", []
    for position, word in enumerate(section.names(key)):
        if word not in OPERATIONS:
            section.blame(key, f"must be one of {', '.join(OPERATIONS)}", position)
        elif (kind := OPERATIONS[word]) is None:
            section.note(key, f"'{word}' is nothing that is done to a site, so it is not forbidden by it")
        else:
            found.append(kind)
    return tuple(found)


def _trigger(section: Section) -> dict[str, Any] | None:
    event = section.text("type")
    if event is None:
        section.blame("type", "is missing: say the event", code="missing_field")
    filters = _filters(section)
    if "filter_field" in section:
        section.note("filter_field", NO_MEANING["behavior.evaluate_reapply.triggers.filter_field"])
    section.note_unread(UNKNOWN)
    if event and not triggers.is_known(event):
        section.note("type", f"'{event}' is no event that is known here, so nothing follows from it; see its spelling")
        return None
    if event:
        _tell_what_never_happens(section, event, filters)
    return {"event": event, "filters": filters} if event else None


def _filters(section: Section) -> dict[str, str]:
    filters: dict[str, str] = {}
    for number, pair in enumerate(section.sections("filters")):
        for name in pair.unread():
            value = pair.text(name) if not isinstance(pair.any(name), bool) else str(pair.any(name)).lower()
            if value is not None and filters.setdefault(name, value) != value:
                section.blame("filters", f"asks for two values of {name}, which never hold together", number)
    return filters


def _tell_what_never_happens(section: Section, event: str, filters: Mapping[str, str]) -> None:
    if triggers.STARLINGX.get(event, event) is None:
        section.note("type", f"'{event}' is told by nobody but who tells it at the door of sysinv")
    for name in triggers.of_a_fact(event, filters):
        section.note("filters", f"{name}: {filters[name]} {NEVER_HOLDS}")


def _dependencies(top: Section) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for position, one in enumerate(top.nested("dependent_apps")):
        if isinstance(one, Section):
            found += [dependency] if (dependency := _dependency(one)) else []
        elif len(one) < 2:
            top.blame("dependent_apps", "alternatives are two or more; write a single one without a list", position)
        else:
            found.append({"any_of": tuple(dependency for inner in one if (dependency := _dependency(inner)))})
    return tuple(found)


def _dependency(section: Section) -> dict[str, Any] | None:
    name, version = section.text("name"), section.text("version")
    if "name" not in section:
        section.blame("name", "is missing: say which app", code="missing_field")
    action = section.word("action", get_args(Action))
    section.note_unread(UNKNOWN)
    if name is None or (version is not None and not _expression(section, "version", version)):
        return None
    versions = f"{EXPRESSION}{version}" if version else None
    return {"app": name, "versions": versions, **({"action": action} if action else {})}


def _tell_rest(section: Section, prefix: str) -> None:
    """Every key that nothing above has asked for: known without a meaning here, or not known at all."""
    for key in section.unread():
        section.note(str(key), NO_MEANING.get(f"{prefix}{key}", UNKNOWN))


def rules_of(metadata: Metadata) -> Rules:
    """The same as the release will say it. Raises pydantic's ValidationError."""
    return Rules.model_validate(metadata.rules)
