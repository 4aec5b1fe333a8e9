"""One command's way to Belay: where the gateway is, with which token, and what its refusals mean to a user."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from services.cli.answers import ProblemError, Unreachable, Unsendable, paged
from services.cli.errors import CliError, Status, usage
from services.cli.screen import Screen
from shared.core.ids import new_id

if TYPE_CHECKING:
    from services.cli.client import Client

T = TypeVar("T")

ANSWER_SECONDS = 30
"""The gateway itself waits for ten; an owner that is just being restarted answers within this time."""


class Session:
    """The screen and the client of one command. Errors of the client come out as CliError."""

    def __init__(
        self, screen: Screen, *, url: str = "", token: str = "", home: Path | None = None, patience: float = 0
    ) -> None:
        self.screen = screen
        self.home = home or Path(os.environ.get("BELAY_HOME") or ".belay")
        self.patience = patience
        self._url, self._token = url, token

    @cached_property
    def client(self) -> Client:
        """Made at first use: commands that stay on this machine need no gateway."""
        return self.connect()

    def connect(self) -> Client:
        """A client of its own, for who listens beside."""
        from services.cli.client import Client  # it brings HTTP

        try:
            return Client(self.url, self.token)
        except ValueError as error:
            raise usage(str(error)) from None

    @property
    def url(self) -> str:
        """As given, else as the gateway of this home noted it."""
        return (self._url or _noted_url(self.home)).rstrip("/")

    @property
    def token(self) -> str:
        """As given, else the first administrator's token of this home; empty if there is neither."""
        try:
            return self._token.strip() or (self.home / "admin.token").read_text().strip()
        except OSError:
            return ""

    def close(self) -> None:
        """Give the connections back."""
        self.forget()

    def forget(self) -> None:
        """Look for gateway and token anew at the next call: they appear while Belay starts."""
        if client := self.__dict__.pop("client", None):
            client.close()

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Read a resource."""
        return self._tried(lambda: self.client.get(path, **params))

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list."""
        return paged(self.get, path, params)

    def command(self, method: str, path: str, body: Any = None, key: str | None = None) -> dict[str, Any]:
        """Send a command and return its owner's answer. The same key again has no second effect."""
        key = key or new_id()
        answer = self._tried(lambda: self.client.command(method, path, body, key))
        return self._answered(answer)

    def upload(self, bundle: Path, key: str | None = None) -> dict[str, Any]:
        """Send a bundle and return the catalog's answer."""
        key = key or new_id()
        return self._answered(self._tried(lambda: self.client.upload(bundle, key=key)))

    def upload_in_parts(self, bundle: Path, told: Callable[[int], None], **names: str) -> dict[str, Any]:
        """Send a bundle, from where an earlier try had come to; the upload as it is then."""
        from services.cli.uploading import file_of, upload

        try:
            file = file_of(bundle)
        except OSError as error:
            raise usage(f"{bundle}: {error.strerror or error}") from error
        return self._tried(lambda: upload(self.client, file, told, names))

    def _answered(self, answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("state") == "sent":
            answer = self._late(answer["command_id"])
        if answer.get("state") == "rejected":
            raise refusal(ProblemError(409, {"title": "refused", **answer}))
        return answer

    def _late(self, command_id: str) -> dict[str, Any]:
        try:
            return self._tried(lambda: self.client.answer(command_id, seconds=max(ANSWER_SECONDS, self.patience)))
        except TimeoutError as error:
            raise CliError(
                Status.UNANSWERED,
                f"command {command_id} is stored, but its owner has not answered yet",
                advice=f"it will be done; `belay status` shows which service is down, "
                f"`belay command {command_id}` shows the answer",
                code="unanswered",
            ) from error

    def _tried(self, call: Callable[[], T]) -> T:
        """Call, and again while Belay is away and patience lasts: a service of it may just be restarting."""
        until = time.monotonic() + self.patience
        while True:
            try:
                return call()
            except (ProblemError, Unreachable) as error:
                if time.monotonic() > until or not is_passing(error):
                    raise refusal(error) from error
                time.sleep(0.2)
            except Unsendable as error:
                raise usage(str(error)) from error


def at(path: str, *names: str) -> str:
    """A path of the API with names from outside put into it: `at("/v1/sites/{}", name)`.

    Raises a usage error for a name that is no text, as a shell may give one.
    """
    try:
        return path.format(*(quote(name, safe="") for name in names))
    except UnicodeEncodeError as error:
        raise usage(f"{error.object!r} is not text in UTF-8, as names are") from error


def is_passing(error: ProblemError | Unreachable) -> bool:
    """Whether the same request may succeed later: the gateway is away, or its database is."""
    return isinstance(error, Unreachable) or error.status >= 500


def refusal(error: ProblemError | Unreachable) -> CliError:
    """What the user learns of it, and which exit status the command has."""
    if isinstance(error, Unreachable):
        advice = "start Belay here with `belay up`, or name the gateway with --url or BELAY_URL"
        return CliError(Status.UNREACHABLE, str(error), advice=advice, code="unreachable")
    status, advice = _meaning(error.status, error.code)
    return CliError(status, _sentence(error), advice=advice, code=error.code, faults=error.faults)


def _sentence(error: ProblemError) -> str:
    """Where faults follow, they say it all; the detail would only repeat the first."""
    count = error.count
    return f"refused, for {count} reason{'s' if count > 1 else ''}" if count else str(error)


def _meaning(http_status: int, code: str) -> tuple[Status, str]:
    if code == "operation_forbidden":  # also 403, and no other token may do it
        return Status.REFUSED, "`belay app behaviour` shows what people said; `--forbid none` lets people ask for all"
    if http_status == 401:
        advice = "give a valid token with --token or BELAY_TOKEN; `belay token create` makes one"
        return Status.UNREACHABLE, advice
    if http_status == 403:
        return Status.UNREACHABLE, "use a token with the role that is needed; `belay token list` shows the roles"
    if http_status >= 500:
        return Status.UNREACHABLE, "try again; `belay doctor` shows what is wrong"
    return Status.REFUSED, ""


def _noted_url(home: Path) -> str:
    for note in sorted((home / "run").glob("gateway-*.json")):
        try:
            return str(json.loads(note.read_text())["url"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # being written just now, or left half-written by a crash: another replica may do
    raise CliError(
        Status.UNREACHABLE,
        f"no Belay has run in {home}",
        advice="start it with `belay up`, go to the folder where it runs, or name the gateway with --url or BELAY_URL",
        code="unreachable",
    )
