"""A password that a client sends is sealed at once, and kept as a secret that connections of sites may name."""

from collections.abc import Sequence
from typing import NamedTuple

from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.errors import Refused
from services.gateway.resources.secrets import store as secrets
from shared.messages.base import Fault
from shared.messages.deployer import RemoveSecret, SetSecret


class SealedPassword(NamedTuple):
    """A password that nobody but the deployer can read, and what stands for it."""

    command: SetSecret
    fingerprint: bytes


async def seal(call: Call, password: str) -> SealedPassword:
    """Seal it under the name that the door's settings say. Raises NoKeyYet."""
    name, sealing = call.own.secret, call.gateway.sealing
    sealed = await sealing.seal(SetSecret.OWNER, password)
    fingerprint = sealing.fingerprint("", SetSecret.TYPE, name, password)
    return SealedPassword(SetSecret(name=name, sealed=sealed), fingerprint)


async def is_kept(call: Call) -> bool:
    """Whether there is one, whatever it is."""
    async with call.gateway.pool.acquire() as conn:
        return bool(await secrets.known_secrets(conn, [call.own.secret]))


async def forget(call: Call, version: int) -> None:
    """Take away what was set for nothing, unless another has been set since; one that connections name stays."""
    name = call.own.secret
    async with call.gateway.pool.acquire() as conn:
        rows = await secrets.list_secrets(conn, after="", limit=1, name=name)
    if rows and rows[0]["version"] == version:
        await call.ask(RemoveSecret(name=name))


async def keep(call: Call, password: SealedPassword) -> int:
    """Set it, in place of what was there; returns its version. Raises Refused 422."""
    answer = await call.ask(password.command, password.fingerprint)
    if answer.state == "rejected":
        raise Refused(422, f"the password cannot be kept: {'; '.join(fault.message for fault in answer.faults)}")
    return int(answer.result.get("version", 0))


def lacks_only(faults: Sequence[Fault], name: str) -> bool:
    """Whether nothing is wrong but that there is no secret of this name."""
    return bool(faults) and all(fault.code == "unknown_secret" and f"'{name}'" in fault.message for fault in faults)
