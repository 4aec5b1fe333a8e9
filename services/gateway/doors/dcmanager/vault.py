"""A password that a client sends is sealed at once, and kept as a secret that connections of sites may name."""

from typing import NamedTuple

from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.errors import Refused
from shared.messages.deployer import SetSecret


class SealedPassword(NamedTuple):
    """A password that nobody but the deployer can read, and what stands for it."""

    command: SetSecret
    fingerprint: bytes


async def seal(call: Call, password: str) -> SealedPassword:
    """Seal it under the name that the door's settings say. Raises NoKeyYet."""
    name, sealing = call.parts.own.secret, call.gateway.sealing
    sealed = await sealing.seal(SetSecret.OWNER, password)
    fingerprint = sealing.fingerprint("", SetSecret.TYPE, name, password)
    return SealedPassword(SetSecret(name=name, sealed=sealed), fingerprint)


async def keep(call: Call, password: SealedPassword) -> None:
    """Set it, in place of what was there. Raises Refused 422."""
    answer = await call.ask(password.command, password.fingerprint)
    if answer.state == "rejected":
        raise Refused(422, f"the password cannot be kept: {'; '.join(fault.message for fault in answer.faults)}")
