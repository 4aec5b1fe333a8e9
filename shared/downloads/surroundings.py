"""Mirrors, proxies and certificate authorities of this machine, out of the usual variables.

Each tool reads variables of its own: pip not SSL_CERT_FILE, uv neither PIP_INDEX_URL nor REQUESTS_CA_BUNDLE. Who set
one of them has told all; what a tool is told in its own words is left alone.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

Environment = Mapping[str, str]

CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""Variables that name a file of certificate authorities, of OpenSSL and uv, requests, curl, pip."""
INDEXES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
MAVEN = "BELAY_MAVEN_URL"


def certificates(environment: Environment) -> str | None:
    """The file (or folder) of certificate authorities that somebody named, in whatever tool's words."""
    return _first(environment, CERTIFICATES)


def index(environment: Environment) -> str | None:
    """The package index that somebody named; None: the tools' default."""
    found = _first(environment, INDEXES)
    # uv takes NAME=URL too.
    return found.partition("=")[2] if found and "=" in found.partition("://")[0] else found


def for_pip(environment: Environment) -> dict[str, str]:
    """The environment for pip.

    A pip without the system's trust store (before 24.2) is told where it is, unless its own settings name another.
    """
    told = dict(environment)
    named = certificates(environment)
    if named and not _first(environment, CERTIFICATES[1:]):
        told["PIP_CERT"] = named
    if found := index(environment):
        told.setdefault("PIP_INDEX_URL", found)
    return told


def for_uv(environment: Environment) -> dict[str, str]:
    """The environment for uv: it trusts what this system trusts, which is not its default."""
    told = {"UV_SYSTEM_CERTS": "true", **environment}
    if named := certificates(environment):
        told.setdefault("SSL_CERT_FILE", named)
    if (found := index(environment)) and not _first(environment, INDEXES[1:]):
        told["UV_DEFAULT_INDEX"] = found
    return told


def system_certificates() -> str | None:
    """The trust store of this system as OpenSSL knows it, if it has any."""
    paths = ssl.get_default_verify_paths()
    return next((path for path in (paths.cafile, paths.capath) if path and Path(path).exists()), None)


def proxy_to(url: str) -> str | None:
    """The proxy that the variables of this process name for that address; None: directly."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def shown(url: str) -> str:
    """An address as it may be shown: without password, and without what its parameters say, such as a signature."""
    parts = urlsplit(url)
    if parts.password:
        parts = parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}")
    names = [part.partition("=")[0] for part in parts.query.split("&") if part]
    return parts._replace(query="&".join(f"{name}=***" for name in names), fragment="").geturl()


def _first(environment: Environment, names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)
