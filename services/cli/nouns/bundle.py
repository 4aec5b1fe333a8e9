"""`belay bundle`: from a folder to a file that can be published."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.errors import CliError, Status, usage
from services.cli.noun import Noun
from services.cli.nouns import signing
from services.cli.screen import Column, size
from services.cli.session import Session

if TYPE_CHECKING:
    from shared.bundle import Built, BundleRefused, Host
    from shared.messages.manifest import Manifest

app = Noun(
    "Bundles: make the file a release comes in, sign and check one. Needs no running Belay, but for its hosts and keys."
)

COLUMNS: tuple[Column, ...] = (
    "app", "version", ("size", lambda item: size(item["bytes"])), "sha256", "components", ("file", "path"),
)  # fmt: skip

Folder = Annotated[Path, typer.Argument(help="A folder with a bundle.yaml.", exists=True, file_okay=False)]
Files = Annotated[list[Path], typer.Argument(help="Bundle files (.tar.gz).", exists=True, dir_okay=False)]


@app.verb()
def build(
    session: Session,
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="File or folder to write to.")] = Path(),
) -> None:
    """Make the bundle of a folder. The wheels that its lock names are downloaded once and kept."""
    with session.screen.busy(f"{folder}: building"):
        built = build_one(folder, output, session.home)
    session.screen.card(_facts(built.path, built.manifest, built.sha256), COLUMNS)


@app.verb()
def pin(session: Session, folder: Folder) -> None:
    """Write into bundle.yaml the digests of what the tags of its images mean now: every site gets the same ones."""
    from shared.bundle import BundleRefused
    from shared.bundle import pin as pin_images
    from shared.downloads.registry import digest_of

    _drivers_can_be_used()
    try:
        pinned = pin_images(folder, digest_of)
    except BundleRefused as refused:
        raise _faulty(folder, refused) from refused
    except OSError as error:
        raise usage(f"{folder}: {error.strerror or error}") from error
    rows = [{"image": name, "digest": whole.rpartition("@")[2]} for name, whole in pinned.items()]
    session.screen.table(rows, ("image", "digest"), "every image has its digest")


def _drivers_can_be_used() -> None:
    """Raises CliError with every installed driver that cannot be: no bundle can be judged without them."""
    from shared.components import specs
    from shared.entry_points import BadEntryPoint

    try:
        specs()
    except BadEntryPoint as error:
        advice = "mend or remove the packages that are named"
        raise CliError(Status.FAILED, str(error), advice=advice, code="bad_entry_point") from error


def build_one(folder: Path, output: Path, home: Path) -> "Built":
    """Build a bundle. Raises CliError with every fault of the folder."""
    from shared.bundle import BundleRefused
    from shared.bundle import build as build_bundle
    from shared.process.settings import Settings

    _drivers_can_be_used()
    try:
        return build_bundle(folder, output, home, Settings().max_bundle_bytes)
    except BundleRefused as refused:
        raise _faulty(folder, refused) from refused
    except OSError as error:
        raise usage(f"{folder}: {error.strerror or error}") from error


@app.verb()
def verify(
    session: Session,
    files: Files,
    hosts: Annotated[bool, typer.Option("--hosts", help="Also for the hosts that a running Belay knows.")] = False,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the app, where a tarball does not say it.")] = "",
    version: Annotated[str, typer.Option("--version", "-v", help="Its version, likewise.")] = "",
) -> None:
    """Check bundles as the catalog will: checksums, names, sizes, metadata, and that their wheels can be installed.

    Where: on the platforms and Pythons that a bundle requires itself, else on this machine. The catalog asks the hosts
    of its deployers, and so does --hosts.
    """
    from shared.bundle import BundleRefused

    _drivers_can_be_used()
    known = [_host(one) for one in session.pages("/v1/hosts")] if hosts else []
    rows, faulty = [], {}
    for file in files:
        try:
            rows.append(_verified(session, file, known, (name or None, version or None)))
        except BundleRefused as refused:
            faulty[file] = refused
    session.screen.table(rows, COLUMNS, "no bundle without faults")
    if faulty:
        raise _all_faulty(faulty)


def _host(said: dict[str, Any]) -> "Host":
    from shared.bundle import Host

    return Host(said["host"], said["environment"], tuple(said["abis"]), tuple(said["platforms"]))


def _verified(
    session: Session, file: Path, hosts: "Sequence[Host]", named: tuple[str | None, str | None]
) -> dict[str, Any]:
    from shared.bundle import digest_of
    from shared.bundle import verify as verify_bundle
    from shared.process.settings import Settings

    try:
        manifest = verify_bundle(file, hosts, Settings().max_bundle_bytes, *named)
        for notice in manifest.notices:
            session.screen.note(notice)
        return _facts(file, manifest, digest_of(file))
    except OSError as error:
        raise usage(f"{file}: {error.strerror or error}") from error


def _all_faulty(faulty: "dict[Path, BundleRefused]") -> CliError:
    """The faults of every file; where there are several, each says of which it is."""
    if len(faulty) == 1:
        return _faulty(*next(iter(faulty.items())))
    told = [
        fault.model_copy(update={"field": f"{file}: {fault.field}"})
        for file, refused in faulty.items()
        for fault in refused.faults
    ]
    message = f"{len(faulty)} bundles have {len(told)} faults"
    return CliError(Status.FAILED, message, code="bundle_refused", faults=tuple(told))


def _faulty(path: Path, refused: "BundleRefused") -> CliError:
    count = f"{len(refused.faults)} fault{'s' if len(refused.faults) > 1 else ''}"
    return CliError(Status.FAILED, f"{path}: {count}", code="bundle_refused", faults=refused.faults)


def _facts(path: Path, manifest: "Manifest", sha256: str) -> dict[str, Any]:
    components = [f"{component.name} ({component.driver})" for component in manifest.components]
    facts = {"app": manifest.app, "version": manifest.version, "sha256": sha256, "components": components}
    return facts | {"path": str(path), "bytes": path.stat().st_size}


for verb in signing.VERBS:
    app.verb()(verb)
