"""The web page: static files, revalidated on each visit, under a policy that lets nothing foreign in."""

import functools
import mimetypes
from pathlib import Path

from aiohttp import web

from services.gateway.http.problems import Problem

FOLDER = Path(__file__).parents[2] / "web"
KINDS = {".html", ".js", ".mjs", ".css", ".svg", ".png", ".ico", ".json", ".webmanifest", ".woff2", ".txt"}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

PLACEHOLDER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Belay</title>
<h1>Belay</h1>
<p>The page is not installed. The API is described at <a href="/openapi.json">/openapi.json</a>.</p></html>
"""


async def index(_: web.Request) -> web.StreamResponse:
    """GET /."""
    if (FOLDER / "index.html").is_file():
        return _file(FOLDER / "index.html")
    return web.Response(text=PLACEHOLDER, content_type="text/html", headers={"Cache-Control": "no-cache"})


async def static(request: web.Request) -> web.StreamResponse:
    """GET /static/{path}: only files of known kinds, only from inside the folder."""
    path = request.match_info["path"]
    if (file := _known().get(path)) is None:
        raise Problem(404, "unknown_file", "there is no such file")
    return _file(file)


@functools.cache
def _known() -> dict[str, Path]:
    """Every file that is served, by its path below /static/. Nothing that a request says reaches the file system."""
    files = (file for file in FOLDER.rglob("*") if file.suffix in KINDS and file.is_file())
    return {file.relative_to(FOLDER).as_posix(): file for file in files}


def _file(path: Path) -> web.FileResponse:
    """The browser keeps it, and asks each time whether it is still the same (ETag): an update shows at once."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return web.FileResponse(path, headers={"Cache-Control": "no-cache", "Content-Type": _with_charset(kind)})


def _with_charset(kind: str) -> str:
    text = kind.startswith("text/") or kind in {"application/json", "image/svg+xml"}
    return f"{kind}; charset=utf-8" if text else kind


async def secure(request: web.Request, response: web.StreamResponse) -> None:
    """Signal before an answer goes out: the same guards on every one; what the API says is not kept anywhere."""
    response.headers.update(SECURITY)
    if request.path.startswith("/v1/"):
        response.headers.setdefault("Cache-Control", "no-store")


def add_files(app: web.Application) -> None:
    """Serve the page at / and its files under /static/."""
    app.router.add_get("/", index)
    app.router.add_get("/static/{path:.+}", static)
    app.on_response_prepare.append(secure)
