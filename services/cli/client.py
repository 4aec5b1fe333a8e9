"""The typed HTTP client of Belay: what the command line, the tests and other programs talk to the gateway with.

A command carries an `Idempotency-Key`, so a lost connection is answered by sending the same request again: it has
one effect, however often it is sent.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from services.cli.answers import ProblemError, StreamEvent, Unreachable, Unsendable, paged
from shared.core.ids import new_id

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # its command line, slower to import than all of it
sys.modules.setdefault("trio", None)  # type: ignore[arg-type]  # httpcore imports it where it is installed, for nobody
import httpcore  # noqa: E402, F401
import httpx  # noqa: E402
import httpx_sse  # noqa: E402

if sys.modules["trio"] is None:
    del sys.modules["trio"]  # whoever else imports it gets it

__all__ = ["Client", "ProblemError", "StreamEvent", "Unreachable", "Unsendable", "paged"]

RETRY_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits between tries when no gateway can be reached, before the error is raised: as long as a restart takes."""

AWAY = frozenset({502, 503, 504})
"""Answers of a gateway that stops or is too busy, or of what stands before it: the same request may do later."""

UPLOAD_SECONDS = 300
"""For one part: with the last one the whole file is read once more, before it is answered."""

UPLOAD_CHUNK = 256 * 1024
STREAM_SILENCE_SECONDS = 45
"""Three missed heartbeats: the stream is taken for dead and opened anew."""

LIKE = "such as http://127.0.0.1:8080"
MOST_PORT = 65535
MOST_TOLD = 10
"""Values that cannot be sent, in one error."""

LOST = (httpx.RequestError, httpx_sse.SSEError)


class Client:
    """Speaks to the gateway with one token. Paths are those of the API, such as `/v1/sites`.

    `url` may name several replicas, separated by commas: when one is away, the next is asked.

    Every call raises ProblemError when the gateway refuses, Unreachable when there is none, or something else answers
    at its address, Unsendable for what cannot be sent. Raises ValueError for what can be no token or no address.
    """

    def __init__(self, url: str, token: str = "", *, timeout: float = 30) -> None:
        self._urls = [_address(one.strip().rstrip("/")) for one in url.split(",")]
        headers = {"Authorization": f"Bearer {_sendable(token)}"} if token else {}
        self._http = httpx.Client(headers=headers, timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    @property
    def url(self) -> str:
        """Address of the replica that is asked now."""
        return self._urls[0]

    def _tx(self) -> None:
        """Ask the next replica from now on."""
        self._urls.append(self._urls.pop(0))

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Read a resource; parameters that are None are left out."""
        return self._json("GET", path, params=_given(params))

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a paged resource, page by page as they are asked for."""
        return paged(self.get, path, params)

    def command(
        self, method: str, path: str, body: Any = None, key: str | None = None, *, wait: bool = True
    ) -> dict[str, Any]:
        """Send a command: `{"command_id", "state": "accepted" | "sent", "result"}`.

        `key` is the id of the command; without one a fresh id is made. `wait=False` does not wait for the answer.
        """
        headers = {"Idempotency-Key": key or new_id()} | ({} if wait else {"Prefer": "respond-async"})
        content = {} if body is None else {"json": body}
        return self._json(method, path, headers=headers, **content)

    def answer(self, command_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """The answer to a command that was only `sent`, once it is there. Raises TimeoutError after `seconds`."""
        path, until = f"/v1/commands/{quote(command_id, safe='')}", time.monotonic() + seconds
        while (command := self.get(path))["state"] == "sent":
            if time.monotonic() > until:
                raise TimeoutError(f"command {command_id} has no answer after {seconds:g} s")
            time.sleep(0.1)
        return command

    def upload(self, path: Path | str, *, key: str | None = None) -> dict[str, Any]:
        """Send a bundle; the answer's `result.bundle_sha256` is what `/v1/bundles/{sha256}` tells the outcome of."""
        file = Path(path)
        key = key or new_id()
        headers = {"Idempotency-Key": key, "Content-Type": "application/gzip"}
        headers["Content-Length"] = str(file.stat().st_size)  # so that one that is too large is refused at once
        params = {"file_name": file.name}
        return self._checked(
            self._tried(
                lambda: self._request("POST", "/v1/releases", content=_chunks(file), headers=headers, params=params)
            )
        )

    def begin_upload(self, headers: Mapping[str, str]) -> str:
        """Announce a file that comes in parts; the path of its upload."""
        response = self._tried(lambda: self._request("POST", "/v1/uploads", headers=dict(headers)))
        self._checked(response)
        return self._header(response, "Location")

    def send_part(self, path: str, offset: int, content: Iterable[bytes]) -> int:
        """Send what follows after `offset`, once; where the upload is then. It is for the caller to go on."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        try:
            request = self._request("PATCH", path, content=content, headers=headers, timeout=UPLOAD_SECONDS)
            response = self._http.send(request)
        except httpx.RequestError as error:
            self._tx()
            raise Unreachable(self.url, error) from error
        self._checked(response)
        return int(self._header(response, "Upload-Offset"))

    def stream(self, *, last_event_id: str | None = None, **params: Any) -> Iterator[StreamEvent]:
        """Events as they happen (`strategy=`, `types=`), for ever; a lost connection resumes where it was.

        After an event of type "reset" what was read before is out of date. Raises ProblemError, and Unreachable when
        the gateway stays away.
        """
        waits = iter(RETRY_SECONDS)
        while True:
            try:
                for event in self._listen(last_event_id, _given(params)):
                    waits, last_event_id = iter(RETRY_SECONDS), event.position
                    yield event
                reason: Exception = httpx.RemoteProtocolError("the stream ended")
            except LOST as error:
                reason = error
            except ProblemError as error:
                if error.status not in AWAY:
                    raise
                reason = error
            if (wait := next(waits, None)) is None:
                raise Unreachable(self.url, reason) from reason
            self._tx()
            time.sleep(wait)

    def _listen(self, last_event_id: str | None, params: dict[str, Any]) -> Iterator[StreamEvent]:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        timeout = httpx.Timeout(10, read=STREAM_SILENCE_SECONDS)
        request = {"headers": headers, "params": params, "timeout": timeout}
        with httpx_sse.connect_sse(self._http, "GET", self.url + "/v1/events", **request) as source:
            if source.response.is_error:
                source.response.read()
                self._checked(source.response)
            for sse in source.iter_sse():
                if not sse.data:
                    continue  # a heartbeat
                facts = _event(sse)
                named = {name: facts.get(name) or "" for name in ("id", "time", "subject")}
                yield StreamEvent(type=sse.event, position=sse.id, data=facts.get("data"), **named)

    def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        return self._checked(self._tried(lambda: self._request(method, path, **request)))

    def _request(self, method: str, path: str, **parts: Any) -> httpx.Request:
        """A request that can be sent. Raises Unsendable for one that cannot."""
        try:
            return self._http.build_request(method, self.url + path, **parts)
        except (httpx.InvalidURL, ValueError, TypeError, RecursionError) as error:
            deep = isinstance(error, RecursionError)  # so is a walk through it
            said = "" if deep else "; ".join(islice(_no_json(parts.get("json")), MOST_TOLD))
            said = said or ("it is nested too deep" if deep else str(error))
            raise Unsendable(f"this cannot be sent to Belay: {said}") from error

    def _tried(self, request: Callable[[], httpx.Request]) -> httpx.Response:
        """The answer; while there is none, or one that says later, the same request again."""
        for wait in RETRY_SECONDS:
            try:
                response = self._http.send(request())
                if response.status_code not in AWAY:
                    return response
            except httpx.RequestError:
                pass  # the last try tells
            self._tx()
            time.sleep(wait)
        try:
            return self._http.send(request())
        except httpx.RequestError as error:
            raise Unreachable(self.url, error) from error

    def _checked(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            raise ProblemError(response.status_code, _problem(response))
        facts = (_object(response) if response.content else {}) if response.is_success else None
        if facts is None:
            raise Unreachable(self.url, ValueError(_foreign(response)))
        return facts

    def _header(self, response: httpx.Response, name: str) -> str:
        if name not in response.headers:
            raise Unreachable(self.url, ValueError(_foreign(response)))
        return str(response.headers[name])


def _sendable(token: str) -> str:
    """A token as a header may carry it. Files and variables often end it with a new line; whatever else no header takes
    is refused here, for the error of the HTTP library repeats the whole header."""
    token = token.strip()
    if not (token.isascii() and token.isprintable()):
        raise ValueError("the token holds characters that no token has; take it anew, as it was shown when it was made")
    return token


def _address(url: str) -> str:
    """The address of a gateway. Raises ValueError for what is none, of which each call would raise something else."""
    try:
        found = httpx.URL(url)
        looked_up = found.host.encode("idna")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"{url!r} is no address of Belay, {LIKE}: {error}") from error
    if found.scheme not in ("http", "https") or not looked_up or (found.port or 0) > MOST_PORT:
        raise ValueError(f"{url!r} is no address of Belay, {LIKE}")
    return url


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem in an answer; whatever stands between us and the gateway may answer in other words."""
    text = {"title": response.reason_phrase, "detail": response.text[:500]}
    return _object(response) or text


def _object(response: httpx.Response) -> dict[str, Any] | None:
    """The JSON object in an answer; None where it holds none."""
    try:
        facts = response.json()
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None


def _no_json(value: Any, field: str = "") -> Iterator[str]:
    """Each value of a body that JSON has no form for, by its field."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _no_json(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _no_json(inner, f"{field}.{number}")
    elif not isinstance(value, str | int | float | None) or (isinstance(value, float) and not isfinite(value)):
        yield f"{field}: {value} is neither a text nor a number; put it in quotes"
    elif isinstance(value, str) and not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value):
        yield f"{field}: {value!r} is not text in UTF-8"


def _foreign(response: httpx.Response) -> str:
    """What no gateway says."""
    kind = response.headers.get("Content-Type", "nothing")
    said = f"leads to {response.headers['Location']}" if "Location" in response.headers else f"answers with {kind}"
    return f"what is there is not Belay, or stands before it: it {said} ({response.status_code})"


def _event(sse: httpx_sse.ServerSentEvent) -> dict[str, Any]:
    """What an event says. Raises SSEError for one that is none of Belay's."""
    try:
        facts = sse.json()
    except (ValueError, RecursionError) as error:
        raise httpx_sse.SSEError(f"an event is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise httpx_sse.SSEError("an event is no JSON object")
    return facts


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _chunks(file: Path) -> Iterable[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(UPLOAD_CHUNK):
            yield chunk
