"""Media types of what is sent: a body of another kind is refused before it is read."""

from aiohttp import hdrs, web

from services.gateway.http.problems import Problem

JSON = ("application/json",)
BUNDLE = ("application/gzip", "application/x-gzip", "application/octet-stream", "multipart/form-data")

ENCODINGS = frozenset({"identity", "gzip", "deflate"})
"""What aiohttp itself unpacks; the limit of size is that of what comes out."""


def check(request: web.Request, taken: tuple[str, ...], *, packed: bool) -> None:
    """Raises Problem 415 for a body of another kind. Without a Content-Type it is taken for the right one.

    `packed`: it may come compressed. A bundle may not, for it is known by the digest of its bytes.
    """
    if not request.can_read_body:
        return
    if hdrs.CONTENT_TYPE in request.headers and request.content_type not in taken:
        raise _unsupported(f"Content-Type must be {_either(taken)}, not {request.content_type}", taken)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding not in (ENCODINGS if packed else {"identity"}):
        raise _unsupported(f"Content-Encoding must not be {encoding}: send the body as it is", taken)


def _either(taken: tuple[str, ...]) -> str:
    return " or ".join(taken)


def _unsupported(message: str, taken: tuple[str, ...]) -> Problem:
    return Problem(415, "unsupported_media_type", message, headers={"Accept-Post": ", ".join(taken)})
