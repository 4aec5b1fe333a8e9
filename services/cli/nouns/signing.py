"""`belay bundle keygen`, `sign`, `trust` and what belongs to them: whose bundles an app takes."""

import os
from pathlib import Path
from typing import Annotated

import typer

from services.cli.errors import CliError, Status, usage
from services.cli.screen import Column
from services.cli.session import Session, at

COLUMNS: tuple[Column, ...] = (
    ("key", "name"), ("public key", "public_key"), ("expires", "expires_at"), ("set", "set_at"), ("by", "set_by"),
)  # fmt: skip

App = Annotated[str, typer.Argument(help="The app.")]
Key = Annotated[str, typer.Argument(help="What the key is called.")]


def keygen(session: Session, name: Annotated[Path, typer.Argument(help="NAME.key and NAME.pub are written.")]) -> None:
    """Make a pair of keys that sign bundles: keep NAME.key to yourself, and NAME.pub for `belay bundle trust`."""
    from shared.bundle.signing import new_key

    private, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    made = new_key()
    try:
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made[0] + "\n")
        public.write_text(made[1] + "\n")
    except FileExistsError as error:
        raise usage(f"{private} is there already; a key is never written over") from error
    except OSError as error:
        raise usage(f"{error.filename}: {error.strerror}") from error
    session.screen.card({"private": str(private), "public": str(public), "public_key": made[1]}, ("private", "public"))


def sign(
    session: Session,
    file: Annotated[Path, typer.Argument(help="A bundle, or an application tarball of StarlingX.", dir_okay=False)],
    key: Annotated[Path, typer.Option("--key", "-k", help="The private key.", exists=True, dir_okay=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; default: the file itself.")] = None,
) -> None:
    """Sign a bundle: every file of it is under the signature. Signed again with another key it has both."""
    from shared.bundle import BundleRefused, digest_of
    from shared.bundle.signer import sign_file
    from shared.bundle.signing import BadKey

    private = _key(key)
    try:
        sign_file(file, output or file, private)
    except BadKey as error:
        raise usage(f"{key}: {error}") from error
    except BundleRefused as refused:
        raise CliError(
            Status.FAILED, f"{file} cannot be signed", code="bundle_refused", faults=refused.faults
        ) from refused
    except OSError as error:
        raise usage(f"{file}: {error.strerror or error}") from error
    made = output or file
    session.screen.done(f"{made} is signed", {"path": str(made), "sha256": digest_of(made)})


def keys(session: Session, of: App) -> None:
    """The keys of an app: one of them must have signed each of its bundles."""
    found = session.get(at("/v1/apps/{}/keys", of))["items"]
    session.screen.table(found, COLUMNS, f"{of} has no key, and takes what is not signed: `belay bundle trust`")


def trust(
    session: Session,
    of: App,
    key: Key,
    public: Annotated[Path, typer.Argument(help="The public key, NAME.pub.", exists=True, dir_okay=False)],
    expires: Annotated[str, typer.Option(help="When it ends, such as 2027-01-31T00:00:00Z.")] = "",
) -> None:
    """Trust a key for an app: from the first one on it takes signed bundles only. Several make a rotation."""
    body = {"public_key": _key(public)} | ({"expires_at": expires} if expires else {})
    answer = session.command("PUT", at("/v1/apps/{}/keys/{}", of, key), body)
    session.screen.done(f"{of} takes what {key} has signed", answer)


def distrust(session: Session, of: App, key: Key) -> None:
    """Trust a key no more. What it signed before stays published."""
    answer = session.command("DELETE", at("/v1/apps/{}/keys/{}", of, key), {})
    session.screen.done(f"{of} does not take any more what {key} signs", answer)


def _key(path: Path) -> str:
    """The text of a file with a key. Raises a usage error, also for one in another form than ours."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        advice = "a key is one line of base64, as `belay bundle keygen` writes it"
        raise usage(f"{path} holds no key of Belay: byte {error.start} is no text", advice) from error


VERBS = (keygen, sign, keys, trust, distrust)
