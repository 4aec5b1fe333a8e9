"""Revisions of a component on its site: what each one is, which one is current, and what it needs to run."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from services.deployer.drivers import Order
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.process.keeper.folder import Launch, write_json
from services.deployer.drivers.process.place import Place
from shared.components.process import ProcessSpec
from shared.messages.base import Model
from shared.values.merging import secrets_in

PASSED_ON = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""All that a component sees of our environment, which holds passwords."""


class RevisionSpec(Model):
    """Everything that makes a revision. The same content is the same revision."""

    app: str
    version: str
    bundle_sha256: str
    component: ProcessSpec

    @field_validator("component", mode="before")
    @classmethod
    def _of_the_first_form(cls, component: Any) -> Any:
        """Until 0.1 driver and name stood among the fields: such revisions lie on sites, and are returned to."""
        if isinstance(component, dict):
            return {field: value for field, value in component.items() if field not in ("driver", "name")}
        return component

    @property
    def revision(self) -> str:
        return f"{self.version}-{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]}"

    @property
    def expected_version(self) -> str:
        """What the component must answer when it is asked for its version."""
        return self.component.health.version or self.version


def wanted(place: Place, order: Order) -> RevisionSpec:
    """The revision an order shall reach. Raises Failed if the order lacks what it needs."""
    if order.action == "rollback" or order.revision:
        return _recorded(place, order)
    spec = _with_names(order)
    if not order.version or not order.bundle_sha256 or spec is None:
        raise Failed("bad_order", "an apply needs a version, a bundle and a component of the process driver")
    return RevisionSpec(app=order.app, version=order.version, bundle_sha256=order.bundle_sha256, component=spec)


def secrets_of(order: Order) -> dict[str, str]:
    """By variable, the values of the secrets that overrides name: they are in nothing that is kept."""
    named = dict((order.component.named or {}).get("environment", {}))
    return {str(path[0]): order.component.spec.environment[str(path[0])] for path, _ in secrets_in(named)}


def _with_names(order: Order) -> ProcessSpec | None:
    """The spec with secrets by their names, of which revisions and files are made."""
    spec, named = order.component.spec, dict((order.component.named or {}).get("environment", {}))
    if not isinstance(spec, ProcessSpec) or not named:
        return spec if isinstance(spec, ProcessSpec) else None
    told = {str(path[0]): f"secret {name}" for path, name in secrets_in(named)}
    return spec.model_copy(update={"environment": {**spec.environment, **told}})


def _recorded(place: Place, order: Order) -> RevisionSpec:
    spec = read(place, order.revision or "")
    if spec is None:
        raise Failed("revision_missing", f"revision {order.revision or '(none)'} is not on site {place.site} any more")
    return spec


def read(place: Place, revision: str) -> RevisionSpec | None:
    """The spec of a revision of this site; None if there is none of that name that can be understood."""
    if not revision or Path(revision).name != revision:
        return None
    try:
        return RevisionSpec.model_validate_json((place.releases / revision / "spec.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def record(place: Place, spec: RevisionSpec) -> None:
    """Write a revision down, as the one used last. From now on its release stays installed."""
    folder = place.releases / spec.revision
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "spec.json", spec.model_dump(mode="json"))
    os.utime(folder)


PROVEN, UNPROVEN = "proven", "unproven"
"""Files beside a revision's spec: it was healthy here once; it never was so far."""

GOING = ".going-"
"""How the name of a revision begins that is being removed."""


def prove(place: Place, spec: RevisionSpec) -> None:
    """It is healthy: from now on it is one that can be returned to."""
    folder = place.releases / spec.revision
    (folder / PROVEN).touch()
    (folder / UNPROVEN).unlink(missing_ok=True)


def doubt(place: Place, spec: RevisionSpec) -> None:
    """It failed, or was not tried yet: one that never was healthy here must not take the place of one that is needed
    for the way back."""
    folder = place.releases / spec.revision
    if folder.is_dir() and not (folder / PROVEN).exists():
        (folder / UNPROVEN).touch()


def to_go(place: Place, keep: int) -> list[Path]:
    """Revisions that are not needed, and what is left of those that somebody was killed over.

    Needed is the one used last of each of the `keep` versions that were healthy last, however often one of them was
    applied with other values meanwhile; the current one, and the one before it, also of the same version: to that a
    site goes back when another component of the same operation fails.
    """
    newest = sorted(place.releases.glob("[!.]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    sound = [path.name for path in newest if not (path / UNPROVEN).exists()]
    of_versions = {_version_of(name): name for name in reversed(sound)}  # of each version the one used last
    kept = sorted(of_versions.values(), key=sound.index)[:keep]
    staying = {*kept, *sound[:2], current(place)}
    return [*place.releases.glob(f"{GOING}*"), *(path for path in newest if path.name not in staying)]


def _version_of(revision: str) -> str:
    return revision.rpartition("-")[0]


def forget(path: Path) -> None:
    """Of what `to_go` names. First it gets another name: half of a revision would count as the one used last, and a
    whole one would go in its place."""
    away = path if path.name.startswith(GOING) else path.rename(path.with_name(GOING + path.name))
    shutil.rmtree(away)


def current(place: Place) -> str | None:
    """The revision that was switched to last."""
    return place.current.readlink().name if place.current.is_symlink() else None


def switch(place: Place, spec: RevisionSpec, bundle: Path) -> None:
    """Make a revision current in one instant, after its seed files lie in the data folder."""
    _seed(place.folder.data, spec.component.seed, bundle)
    draft = place.folder.root / ".current"
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path("releases") / spec.revision)
    draft.replace(place.current)


def _seed(data: Path, seed: dict[str, str], bundle: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    for name, source in seed.items():
        target = data / name
        if not target.resolve().is_relative_to(data.resolve()):
            raise Failed("bad_seed", f"the seed file {name} would lie outside of the data folder")
        if not target.exists():
            _copy_whole(_file_in(bundle, source), target)


def _file_in(bundle: Path, name: str) -> Path:
    if not (bundle / name).is_file():
        raise Failed("bad_seed", f"the bundle has no file {name} to seed the data folder with")
    return bundle / name


def _copy_whole(source: Path, target: Path) -> None:
    """Copy so that a crash leaves no half file, which would count as the site's own for ever."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    shutil.copyfile(source, draft)
    draft.replace(target)


def launch_of(
    place: Place, spec: RevisionSpec, order: str, port: int, bundle: Path, env: Path, secrets: Collection[str] = ()
) -> Launch:
    """What to run for a revision, with every placeholder filled, but for variables whose values are `secrets`.

    Raises Failed if its program is not installed.
    """
    values = {"{port}": str(port), "{data}": str(place.folder.data), "{release}": str(bundle), "{site}": place.site}
    component = spec.component
    program, *arguments = (_fill(word, values) for word in component.command)
    own = {name: _fill(value, values) for name, value in component.environment.items() if name not in secrets}
    return Launch(
        id=uuid.uuid4().hex,
        order=order,
        revision=spec.revision,
        argv=(_program(program, bundle, env), *arguments),
        env={**_base_environment(env), **own},
        port=port,
        stop_seconds=component.stop_seconds,
        secrets=tuple(sorted(secrets)),
    )


def _fill(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _program(name: str, bundle: Path, env: Path) -> str:
    path = bundle / name if "/" in name else env / "bin" / name
    if not path.is_relative_to(bundle.parent) or not os.access(path, os.X_OK):
        raise Failed("no_such_program", f"the release brings no program {name}")
    return str(path)


def _base_environment(env: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    path = f"{env / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    # Installed releases are shared by all sites of the host and never written to.
    return {**passed, "PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
