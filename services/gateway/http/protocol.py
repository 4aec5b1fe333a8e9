"""What is not even HTTP, and what breaks outside of every route: refused in the same words as everything else.

aiohttp itself answers these in plain text, and logs each with a traceback and the bytes that came, tokens included.
"""

from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from services.gateway.http.files import SECURITY
from services.gateway.http.problems import Problem
from shared.messages.base import ErrorCode

log = structlog.get_logger()


class Protocol(web.RequestHandler):
    """One connection."""

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The last answer of a connection; aiohttp calls it. Raises ConnectionError when another one is half sent."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already; the connection can only be closed")
        if isinstance(exc, HttpProcessingError):
            log.info("not HTTP", action="not_http", kind=type(exc).__name__)
            said = (message or exc.message).partition(":")[0]  # behind it stand the bytes that came
            problem = Problem(status, "not_http", f"this cannot be read as a request: {said}")
        else:
            log.error("a connection broke", action="connection_broke", exc_info=exc)
            problem = Problem(status, ErrorCode.INTERNAL, "Belay could not handle this request; see its log")
        response = problem.response()
        response.headers.update(SECURITY)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What aiohttp could not make sense of in a body was told to its sender, and is no fault of ours."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


class Server(web.Server):
    """Makes a Protocol for each connection."""

    def __call__(self) -> Protocol:
        """As asyncio asks for it."""
        return Protocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind a Server."""

    async def _make_server(self) -> Server:
        plain = await super()._make_server()
        made: dict[str, Any] = {**plain._kwargs, "request_factory": plain.request_factory}  # noqa: SLF001
        return Server(plain.request_handler, handler_cancellation=plain.handler_cancellation, **made)
