"""What a site says of its engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

DEFAULT_SOCKET = "/run/docker.sock"
SCHEMES = ("unix", "tcp", "ssh")
PORTS = {"tcp": 2376, "ssh": 22}
"""Where a URL names none."""
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class BadConnection(ValueError):
    """The connection cannot be used; the message names every fault."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tls(_Part):
    """PEM texts. Without `certificate` and `key` the engine is checked, but not shown who asks."""

    ca: SecretStr
    certificate: SecretStr | None = None
    key: SecretStr | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class Ssh(_Part):
    """How the host of the engine is reached: the key of the user, and the keys that the host may have."""

    key: SecretStr
    host_keys: tuple[str, ...] = Field(min_length=1, description="as ssh-keyscan says them, without the host's name")


class Login(_Part):
    """Who asks a registry."""

    username: str
    password: SecretStr


class Connection(BaseModel):
    """How the engine of a site is reached, and what the site says to its components; all else in it does not matter."""

    model_config = ConfigDict(frozen=True)

    url: str = f"unix://{DEFAULT_SOCKET}"
    tls: Tls | None = None
    ssh: Ssh | None = None
    registries: dict[str, Login] = Field(default_factory=dict)
    ports: dict[str, PortNumber] = Field(default_factory=dict)
    values: dict[str, str | SecretStr] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _known_kind(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            raise ValueError("must begin with unix:///, tcp:// or ssh://")
        if parts.scheme == "unix" and (parts.netloc or not parts.path):
            raise ValueError("must name a socket: unix:///run/docker.sock")
        if parts.scheme != "unix" and not parts.hostname:
            raise ValueError(f"must name a host: {parts.scheme}://host")
        if parts.scheme in PORTS and not _is_port(parts):
            raise ValueError(f"must name a port from 1 to 65535, or none: {parts.scheme}://host:{PORTS[parts.scheme]}")
        if parts.password:
            raise ValueError("holds a password: name a secret in its place")
        return url

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.scheme == "tcp" and self.tls is None:
            raise ValueError("tls: an engine that is reached over the network must be reached with TLS")
        if self.scheme == "ssh" and self.ssh is None:
            raise ValueError("ssh: the key and host_keys are missing")
        return self

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    def plain(self, key: str) -> str:
        """A value that the site says, in clear. Raises KeyError."""
        value = self.values[key]
        return value.get_secret_value() if isinstance(value, SecretStr) else value


def _is_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def connection_of(params: Mapping[str, Any]) -> Connection:
    """Read a connection. Raises BadConnection with every fault; no value of it is told, since it may be a secret."""
    try:
        return Connection.model_validate(params)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".lstrip(": ") for fault in error.errors())
        raise BadConnection("; ".join(faults)) from None
