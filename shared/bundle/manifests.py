"""Reading a `bundle.yaml`: every fault of it at once, those of its components' specs and of their order among them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from shared import components
from shared.components import Spec, UnknownDriver
from shared.components.order import cycle_in
from shared.messages import rules
from shared.messages.base import Fault, details_of, fault_in
from shared.messages.manifest import Manifest, nested
from shared.safe_yaml import BadYaml, Document, Where, document, load

from .faults import BundleRefused, fault, printable

MANIFEST = "bundle.yaml"
PUBLISHED_BYTES = 500_000
"""As JSON the components travel in one message, whose limit is twice this."""

TOLD_LATER: tuple[Where, ...] = (
    *(("app",), ("version",), ("scheme",), ("depends_on",), ("requires", "python"), ("requires", "platforms")),
)
"""What may not fit beside other releases, or the hosts: where it stands is remembered."""

OWN_CODES = frozenset({"missing_file", "unpinned_image"})
"""Faults of specs that are told by their own code, and not as `invalid_field`."""

_OF_PYDANTIC = frozenset({rules.ONE, rules.EITHER})
"""Steps of pydantic's paths that do not stand in the file."""

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a bundle.yaml says: the manifest, unless something is wrong, and as much of it as can be read."""

    document: Document
    manifest: Manifest | None
    specs: Mapping[int, Spec]
    faults: list[Fault]

    @property
    def places(self) -> dict[str, str]:
        """Where the fields stand that are judged later, by their names; of one that is not there, where it would."""
        return {".".join(map(str, where)): written(self.document, where) for where in TOLD_LATER}

    def place_of(self, position: int) -> Callable[[Where], str]:
        """How a path in the spec of a component is written: bundle.yaml:4:components[0].spec.chart"""
        return lambda where: written(self.document, ("components", position, "spec", *where))


def manifest_of(content: bytes, files: set[str] | None = None) -> Manifest:
    """The manifest in a `bundle.yaml`; with `files`, the names it uses must be among them.

    Specs come back as their drivers take them: whole, with every default. Raises BundleRefused with every fault.
    """
    reading = read_manifest(content, files)
    if reading.manifest is None:
        raise BundleRefused(reading.faults)
    return reading.manifest


def read_manifest(content: bytes, files: set[str] | None = None) -> Reading:
    """The same with what can be read of a faulty one."""
    try:
        document = document_of(content)
    except BundleRefused as refused:
        return Reading(Document(None), None, {}, list(refused.faults))
    parts = parts_of(document.value)
    manifest, faults = _manifest(document)
    specs, more = _specs(document, parts, files)
    faults += more + list(_faults_of_order(document, parts))
    if manifest is None or faults:
        return Reading(document, None, specs, faults)
    whole = [c.model_copy(update={"spec": specs[n].model_dump(mode="json")}) for n, c in enumerate(manifest.components)]
    manifest = manifest.model_copy(update={"components": tuple(whole)})
    faults = list(faults_of_length(manifest, written(document, ("components",))))
    return Reading(document, None if faults else manifest, specs, faults)


def faults_of_length(manifest: Manifest, place: str) -> Iterator[Fault]:
    """What it says must fit into one message."""
    if len(manifest.model_dump_json(exclude={"annotations"})) > PUBLISHED_BYTES:
        yield fault("file_too_large", place, f"describes more than {PUBLISHED_BYTES} bytes hold")


def requirement_files(manifest: Manifest) -> set[str]:
    """The files by which wheels of the bundle are installed; the manifest was read by `manifest_of`."""
    return {file for c in manifest.components for file in components.read(c.driver, c.spec).requirement_files}


def claimed(content: bytes | None) -> tuple[str | None, str | None]:
    """App and version that a faulty manifest seems to name, for people who look for their bundle."""
    try:
        raw = load(content or b"")
    except BadYaml:
        return None, None
    values = (raw.get("app"), raw.get("version")) if isinstance(raw, dict) else (None, None)
    app, version = (printable(value, 100) if isinstance(value, str) and value else None for value in values)
    return app, version


def document_of(content: bytes) -> Document:
    """The fields of a `bundle.yaml` as they are written, with their lines. Raises BundleRefused."""
    try:
        found = document(content)
    except BadYaml as error:
        place = f"{MANIFEST}:{error.line}" if error.line else MANIFEST
        raise BundleRefused([fault("bad_yaml", place, str(error))]) from error
    if not isinstance(found.value, dict):
        message = "must be a map of fields such as app, version, components"
        raise BundleRefused([fault("bad_yaml", f"{MANIFEST}:{found.line}", message)])
    return found


def parts_of(raw: Raw) -> dict[int, Raw]:
    """The components by their positions, as far as they are maps at all; as they are written."""
    listed = raw.get("components")
    return {n: part for n, part in enumerate(listed if isinstance(listed, list) else ()) if isinstance(part, dict)}


def _manifest(document: Document) -> tuple[Manifest | None, list[Fault]]:
    try:
        return Manifest.model_validate(document.value), []
    except ValidationError as error:
        return None, [_fault_in(document, detail, detail["loc"]) for detail in details_of(error)]


def _specs(document: Document, parts: Mapping[int, Raw], files: set[str] | None) -> tuple[dict[int, Spec], list[Fault]]:
    """The specs by the positions of their components, as their drivers take them, and what is wrong with others."""
    specs: dict[int, Spec] = {}
    faults: list[Fault] = []
    for position, part in parts.items():
        driver, spec = part.get("driver"), nested(part).get("spec")
        if not isinstance(driver, str) or not isinstance(spec, dict):
            continue  # the manifest's own fault
        try:
            specs[position] = components.read(driver, spec, files)
        except UnknownDriver as unknown:
            where = written(document, ("components", position, "driver"))
            faults.append(fault("unknown_driver", where, str(unknown), printable(driver)))
        except ValidationError as error:
            at: Where = ("components", position, "spec") if "spec" in part else ("components", position)
            faults += [_fault_in(document, detail, (*at, *detail["loc"])) for detail in details_of(error)]
    return specs, faults


def _faults_of_order(document: Document, parts: Mapping[int, Raw]) -> Iterator[Fault]:
    """Components that come after one that is not there, and those that wait for each other."""
    named = {part["name"]: _names(part.get("after")) for part in parts.values() if isinstance(part.get("name"), str)}
    for position, part in parts.items():
        for place, name in enumerate(_names(part.get("after"))):
            if name not in named:
                where = written(document, ("components", position, "after", place))
                yield fault("unknown_component", where, "the release has no component of this name", printable(name))
    if cycle := cycle_in(named):
        message = f"these components wait for each other: {' after '.join(cycle)}"
        yield fault("components_in_a_cycle", written(document, ("components",)), message)


def _names(after: Any) -> Sequence[str]:
    return [name for name in after if isinstance(name, str)] if isinstance(after, list) else []


def _fault_in(document: Document, detail: Any, where: Where) -> Fault:
    """Where it stands in bundle.yaml, and what YAML's guesses about unquoted values need to hear."""
    found, kind = fault_in(detail), detail["type"]
    code = kind if kind in OWN_CODES else found.code
    message = found.message
    if kind == "string_type" and not isinstance(found.value, dict | list | None):
        message += "; put the value in quotes, or YAML takes it for a number, a date or a truth value"
    value = printable(found.value) if isinstance(found.value, str) else found.value
    return fault(code, written(document, where), message, value)


def written(document: Document, where: Where) -> str:
    """bundle.yaml:17:components[2].spec.health.path"""
    own = tuple(step for step in where if step not in _OF_PYDANTIC)
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in own)
    return f"{MANIFEST}:{document.line_of(own)}:{''.join(steps).removeprefix('.')}"
