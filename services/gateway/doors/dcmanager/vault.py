"""A password that a client sends is sealed at once, and kept as a secret that connections of sites may name."""

from services.gateway.doors.dcmanager.call import Call
from services.gateway.doors.dcmanager.errors import Refused
from services.gateway.resources.secrets import store as secrets
from shared.messages.deployer import SetSecret


async def keep_password(call: Call, password: str, *, only_if_new: bool = False) -> bool:
    """Set it, or only if there is none yet; whether that was done. Raises Refused 422, NoKeyYet."""
    name = call.parts.own.secret
    if only_if_new:
        async with call.gateway.pool.acquire() as conn:
            if await secrets.known_secrets(conn, [name]):
                return False
    sealing = call.gateway.sealing
    sealed = await sealing.seal(SetSecret.OWNER, password)
    fingerprint = sealing.fingerprint("", SetSecret.TYPE, name, password)
    answer = await call.ask(SetSecret(name=name, sealed=sealed), fingerprint)
    if answer.state == "rejected":
        raise Refused(422, f"the password cannot be kept: {'; '.join(fault.message for fault in answer.faults)}")
    return True
