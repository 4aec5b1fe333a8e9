"""As much of Keystone (v3) as clients need to come in: a Belay token is what it gives out, and what it takes.

A client that logs in with user and password has the name of a token for the user, and the token for the password.
Nothing is kept of it: what it gets as `X-Subject-Token` is that token.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from services.gateway.domain import Identity, Role
from services.gateway.doors.call import admitted, as_json
from services.gateway.doors.errors import IDENTITY, Refused
from services.gateway.http.bodies import parsed
from services.gateway.http.problems import Problem
from services.gateway.http.routing import GATEWAY

ROLES = {
    Role.VIEWER: ("reader",),
    Role.OPERATOR: ("reader", "operator", "configurator"),
    Role.APPROVER: ("reader", "operator", "configurator"),
    Role.ADMIN: ("reader", "member", "operator", "configurator", "admin"),
}
"""What a token may do, in the words of StarlingX."""

PROJECTS = ("admin", "services")
"""Those that the APIs of StarlingX let in."""

REGIONS = ("RegionOne", "SystemController")
INTERFACES = ("public", "internal", "admin")
DOMAIN = {"id": "default", "name": "Default"}
VERSIONS = {
    "id": "v3.14",
    "status": "stable",
    "updated": "2020-04-07T00:00:00Z",
    "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What the catalog says of a door: the service that it is, and where that lies below its own address."""

    name: str
    type: str
    path: str
    url: str
    """Where clients reach the door; empty = where they did."""

    token_hours: float


OFFER: web.AppKey[Offer] = web.AppKey("offer", Offer)


def base_of(request: web.Request) -> str:
    """Where clients reach this door."""
    return request.app[OFFER].url.rstrip("/") or str(request.url.origin())


def links_to(href: str) -> list[dict[str, str]]:
    """As versions tell where they are."""
    return [{"rel": "self", "href": href}]


def as_version(base: str) -> dict[str, Any]:
    """Keystone's version among those that a door offers."""
    return {**VERSIONS, "links": links_to(f"{base}{IDENTITY}/")}


async def version(request: web.Request) -> web.Response:
    """GET /v3: for everybody."""
    return as_json({"version": as_version(base_of(request))})


async def log_in(request: web.Request) -> web.Response:
    """POST /v3/auth/tokens. Raises Refused 400 for what is no such request, 401 for who does not prove who they are."""
    try:
        auth = _inside(parsed(await request.read()), "auth")
    except Problem as problem:
        raise Refused(400, problem.detail) from None
    methods = _inside(auth, "identity").get("methods")
    method = methods[0] if isinstance(methods, list) and len(methods) == 1 else None
    if method not in ("password", "token"):
        raise Refused(400, 'auth.identity.methods must be ["password"] or ["token"]')
    proof = _inside(_inside(auth, "identity"), method)
    token, named = _by_password(proof) if method == "password" else (_text(proof, "id"), None)
    who = await request.app[GATEWAY].verifier.verify(token)
    if who is None or (named is not None and named not in (who.name, who.token_id)):
        raise Refused(401, "the user is the name of a Belay token, and the password is that token")
    body = _token(request, who, method, _project(auth.get("scope")))
    return as_json(body, 201, {"X-Subject-Token": token, "Vary": "X-Auth-Token"})


async def show(request: web.Request) -> web.Response:
    """GET /v3/auth/tokens: what `X-Subject-Token` is."""
    await admitted(request)
    token = request.headers.get("X-Subject-Token", "")
    who = await request.app[GATEWAY].verifier.verify(token)
    if who is None:
        raise Refused(404, "this token is not valid, or was deleted")
    return as_json(_token(request, who, "password", PROJECTS[0]), 200, {"X-Subject-Token": token})


async def catalog(request: web.Request) -> web.Response:
    """GET /v3/auth/catalog."""
    await admitted(request)
    return as_json({"catalog": _catalog(request), "links": {"self": str(request.url)}})


def add(app: web.Application, offer: Offer) -> None:
    """Serve it."""
    app[OFFER] = offer
    for path, handle in ((IDENTITY, version), (f"{IDENTITY}/auth/tokens", show), (f"{IDENTITY}/auth/catalog", catalog)):
        app.router.add_get(path + "{slash:/?}", handle)
    app.router.add_post(f"{IDENTITY}/auth/tokens" + "{slash:/?}", log_in)


def _inside(outer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = outer.get(name)
    if not isinstance(inner, Mapping):
        raise Refused(400, f"{name} must be an object")
    return inner


def _text(outer: Mapping[str, Any], name: str) -> str:
    found = outer.get(name)
    if not isinstance(found, str):
        raise Refused(400, f"{name} must be text")
    return found


def _by_password(proof: Mapping[str, Any]) -> tuple[str, str]:
    user = _inside(proof, "user")
    return _text(user, "password"), _text(user, "name" if "name" in user else "id")


def _project(scope: Any) -> str:
    """The project that is asked for; without any it is the first. Raises Refused 401 for one that nobody has."""
    project = scope.get("project") if isinstance(scope, Mapping) else None
    asked = (project.get("name") or project.get("id")) if isinstance(project, Mapping) else None
    if asked is None:
        return PROJECTS[0]
    found = next((name for name in PROJECTS if asked in (name, _id_of(name))), None)
    if found is None:
        raise Refused(401, f"the project must be {' or '.join(PROJECTS)}")
    return found


def _id_of(name: str) -> str:
    """As long and as random as an id of Keystone, and the same at every replica."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _token(request: web.Request, who: Identity, method: str, project: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    ends = now + timedelta(hours=request.app[OFFER].token_hours)
    facts: dict[str, Any] = {
        "methods": [method],
        "user": {"id": who.token_id, "name": who.name, "domain": DOMAIN, "password_expires_at": None},
        "project": {"id": _id_of(project), "name": project, "domain": DOMAIN},
        "is_domain": False,
        "roles": [{"id": _id_of(role), "name": role} for role in ROLES[who.role]],
        "catalog": _catalog(request),
        "audit_ids": [who.token_id],
        "issued_at": _moment(now),
        "expires_at": _moment(ends),
    }
    return {"token": facts}


def _catalog(request: web.Request) -> list[dict[str, Any]]:
    base, offer = base_of(request), request.app[OFFER]
    return [
        _service("keystone", "identity", f"{base}{IDENTITY}"),
        _service(offer.name, offer.type, f"{base}{offer.path}"),
    ]


def _service(name: str, kind: str, url: str) -> dict[str, Any]:
    places = [(region, interface) for region in REGIONS for interface in INTERFACES]
    endpoints = [
        {"id": _id_of(f"{kind} {r} {i}"), "interface": i, "region": r, "region_id": r, "url": url} for r, i in places
    ]
    return {"id": _id_of(kind), "name": name, "type": kind, "endpoints": endpoints}


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
