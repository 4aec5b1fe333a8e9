"""What a site must say to be reached: a kubeconfig by secret, its context, a prefix for namespaces. Pure.

A kubeconfig that names files or commands is refused: they would be the deployer's files, read, and commands, run, for
whoever may set a secret.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.deployer.drivers.failed import Failed
from shared import safe_yaml

_OF_THE_HOST = {
    "cluster": {"certificate-authority": "certificate-authority-data"},
    "user": {
        "client-certificate": "client-certificate-data",
        "client-key": "client-key-data",
        "tokenFile": "token",
        "exec": "token or client-certificate-data",
        "auth-provider": "token or client-certificate-data",
    },
}
"""Keys that point to files and commands of this host, and what to say instead."""


_IDENTIFYING = ("server", "proxy-url", "tls-server-name", "certificate-authority-data")


class Registry(BaseModel):
    """How charts are pulled from the site's OCI registry."""

    model_config = ConfigDict(extra="forbid")

    username: str | None = None
    password: SecretStr | None = None
    plain_http: bool = Field(default=False, description="without TLS, for a registry on a network of its own")


class Connection(BaseModel):
    """What a site says to this driver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kubeconfig: SecretStr = Field(min_length=1)
    context: str | None = Field(default=None, description="null = the kubeconfig's current one")
    namespace_prefix: str = Field(default="", max_length=40, pattern=r"^([a-z0-9][a-z0-9-]*)?$")
    registry: Registry = Registry()
    images: Literal["ahead", "require", "never"] | None = Field(
        default=None, description="null = as each component says; else whether nodes pull images before an update"
    )


@dataclass(frozen=True, slots=True)
class Access:
    """A connection that can be tried: its kubeconfig read, with the one context that counts."""

    connection: Connection
    kubeconfig: Mapping[str, Any] = field(repr=False)
    context: str

    @property
    def cluster(self) -> Mapping[str, Any]:
        """The cluster of that context, as the kubeconfig has it."""
        used = _entry(self.kubeconfig, "context", self.context) or {}
        return _entry(self.kubeconfig, "cluster", str(used.get("cluster"))) or {}

    @property
    def identity(self) -> str:
        """Which cluster it is. The address alone does not say: behind proxies many clusters have the same."""
        return hashlib.sha256(repr([self.cluster.get(key) for key in _IDENTIFYING]).encode()).hexdigest()[:16]


def access_of(connection: Mapping[str, Any]) -> Access:
    """Read a connection. Raises Failed `bad_connection` with every fault."""
    try:
        said = Connection.model_validate(dict(connection))
    except ValidationError as error:
        raise Failed("bad_connection", "; ".join(_sentence(fault) for fault in error.errors())) from None
    config = _mapping(said.kubeconfig.get_secret_value())
    context = said.context or config.get("current-context")
    if faults := list(_faults(config, context)):
        raise Failed("bad_connection", "; ".join(faults))
    return Access(said, config, str(context))


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}"  # never the value: it may be a secret in the wrong place


def _mapping(text: str) -> Mapping[str, Any]:
    try:
        config = safe_yaml.load(text.encode())
    except safe_yaml.BadYaml as error:
        where = str(error).partition(":")[0] if str(error).startswith("line ") else "somewhere"
        raise Failed("bad_connection", f"kubeconfig: is no plain YAML ({where})") from None  # its words may be secret
    if not isinstance(config, dict) or not isinstance(config.get("clusters"), list):
        raise Failed("bad_connection", "kubeconfig: is none: it must have clusters, contexts and users")
    return config


def _faults(config: Mapping[str, Any], context: str | None) -> Iterator[str]:
    if not context:
        yield "context: neither the connection nor the kubeconfig (current-context) names one"
        return
    if (used := _entry(config, "context", context)) is None:
        known = ", ".join(sorted(str(each.get("name")) for each in _entries(config, "context"))) or "none"
        yield f"context: the kubeconfig has no context {context}; it has: {known}"
        return
    for kind in ("cluster", "user"):
        name = str(used.get(kind, ""))
        if (entry := _entry(config, kind, name)) is None:
            yield f"kubeconfig: the context {context} needs the {kind} {name!r}, which is not there"
            continue
        for key in _OF_THE_HOST[kind].keys() & entry.keys():
            instead = _OF_THE_HOST[kind][key]
            yield f"kubeconfig: {kind} {name}: `{key}` points to the deployer's own host; give {instead}"
        if kind == "cluster" and not str(entry.get("server", "")).startswith(("https://", "http://")):
            yield f"kubeconfig: cluster {name}: `server` must be an http(s) URL"


def _entries(config: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    found = config.get(f"{kind}s")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _entry(config: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any] | None:
    for each in _entries(config, kind):
        if each.get("name") == name and isinstance(each.get(kind), dict):
            return dict(each[kind])
    return None
