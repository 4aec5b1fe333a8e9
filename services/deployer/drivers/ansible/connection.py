"""What a site says to this driver: its hosts, and how each is reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from pydantic import Field, SecretStr, ValidationError

from services.deployer.drivers.failed import Failed
from shared.components.ansible import Name, Word
from shared.messages.base import Model, details_of, fault_in

_KINDS = r"ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
_HOST_KEY = rf"^({_KINDS}) [A-Za-z0-9+/]+=*( [ -~]*)?$"
Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\[:][A-Za-z0-9_.:%\]-]*$", max_length=255)]
User = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$", max_length=100)]
HostKey = Annotated[str, Field(pattern=_HOST_KEY, max_length=2_000)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*$", max_length=100)]


class Reach(Model):
    """How a host is reached. What a host does not say itself is taken from the connection around it."""

    local: bool | None = Field(default=None, description="this machine, as the deployer's own user")
    address: Address | None = Field(default=None, description="name or IP address")
    port: int | None = Field(default=None, ge=1, le=65535)
    user: User | None = None
    key: SecretStr | None = Field(default=None, description="private key in OpenSSH's form")
    key_passphrase: SecretStr | None = None
    password: SecretStr | None = Field(default=None, description="of the user, where no key is taken")
    become_password: SecretStr | None = Field(default=None, description="what sudo asks for")
    host_keys: tuple[HostKey, ...] | None = Field(
        default=None, min_length=1, description="public keys of the host, as in its /etc/ssh/ssh_host_*_key.pub"
    )
    python: str | None = Field(default=None, pattern="^/[ -~]*$", description="path of its Python; else looked for")
    content_folder: str | None = Field(
        default=None, pattern="^/[ -~]*[^/]$", max_length=500, description="where content lies on the host"
    )
    vars: dict[Name, Any] = Field(default_factory=dict, description="variables for playbooks; may name secrets")


class Host(Reach):
    """One host of several."""

    groups: tuple[Word, ...] = Field(default=(), description="groups that playbooks know it by")


class Connection(Reach):
    """A site of one host, said here; or of several, each with what differs."""

    hosts: dict[HostName, Host] = Field(default_factory=dict)
    groups: tuple[Word, ...] = ()


def hosts_of(connection: Mapping[str, Any], site: str) -> dict[str, Host]:
    """The hosts of a site by their names in an inventory: the site's, or `<site>.<host>`, so that sites share one.

    Raises Failed(bad_connection) with every fault.
    """
    try:
        read = Connection.model_validate(connection)
    except ValidationError as error:
        wrong = [fault_in(detail) for detail in details_of(error)]
        raise _bad(site, [fault.in_words for fault in wrong]) from None
    around = {name: getattr(read, name) for name in Reach.model_fields} | {"groups": read.groups}
    base = site.replace(":", "-")
    if read.hosts:
        hosts = {f"{base}.{name}": _whole(around, host) for name, host in read.hosts.items()}
    else:
        hosts = {base: Host.model_construct(**around)}
    if faults := [fault for name, host in hosts.items() for fault in _faults(name, host)]:
        raise _bad(site, faults)
    return hosts


def _bad(site: str, faults: list[str]) -> Failed:
    return Failed("bad_connection", f"site {site}: {'; '.join(faults)}", faults)


def _whole(around: Mapping[str, Any], host: Host) -> Host:
    own = {name: getattr(host, name) for name in host.model_fields_set}
    merged = {**around, **own, "vars": {**around["vars"], **host.vars}}
    return Host.model_construct(**merged)


def _faults(name: str, host: Host) -> Iterator[str]:
    """What is missing, or goes not together; said of the host."""
    if taken := [var for var in host.vars if var.startswith(("ansible_", "belay_"))]:
        yield f"host {name}: vars: {', '.join(taken)}: names that begin with ansible_ or belay_ are set by the driver"
    if host.local:
        return
    for field, what in (("address", "its name or IP address"), ("user", "whom to log in as")):
        if not getattr(host, field):
            yield f"host {name}: {field} is missing: {what} (or `local: true` for this machine)"
    if not host.host_keys:
        yield f"host {name}: host_keys is missing: its public keys, as ssh-keyscan tells them, compared by somebody"
    if not host.key and not host.password:
        yield f"host {name}: key is missing: a private key, as a secret (or password)"
    if host.key and (fault := fault_of_key(host.key, host.key_passphrase)):
        yield f"host {name}: key: {fault}"


def fault_of_key(key: SecretStr, passphrase: SecretStr | None) -> str | None:
    """What keeps a private key from being used; None = nothing."""
    secret = passphrase.get_secret_value().encode() if passphrase else None
    try:
        load_ssh_private_key(key.get_secret_value().encode(), secret)
    except UnsupportedAlgorithm:
        return "is of a kind that is not known; use ed25519"
    except (ValueError, TypeError):
        return "is no private key in OpenSSH's form, or its passphrase is another"
    return None


def opened(value: Any) -> Any:
    """The same with the secrets' values in their places: for the runner's memory alone."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: opened(one) for key, one in value.items()}
    return [opened(one) for one in value] if isinstance(value, list | tuple) else value
