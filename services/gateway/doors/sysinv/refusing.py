"""Refusals in the words that scripts look for: `Application-apply rejected: …`."""

from collections.abc import Iterable

from services.gateway.commands.ask import Answer
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import words
from services.gateway.doors.sysinv.standing import Standing
from shared.messages.base import Fault

UNREADABLE = frozenset({"not_gzip", "not_tar", "truncated", "corrupt"})
CHECKSUMS = frozenset({"wrong_checksum", "unlisted_file", "missing_file", "missing_checksums", "bad_checksums"})
SAME_VERSION = frozenset({"already_current"})


def rejected(op: str, *reasons: str) -> Refused:
    """400, for all of these reasons."""
    first, *others = reasons
    return Refused(400, f"Application-{op} rejected: {first}", *others)


def reject_any(op: str, reasons: list[str]) -> None:
    """Raises Refused, if there is any reason to."""
    if reasons:
        raise rejected(op, *reasons)


def reject_answer(op: str, answer: Answer) -> None:
    """Raises Refused for a command that its owner refused."""
    if answer.state == "rejected":
        raise rejected(op, *told(answer.faults))


def told(faults: Iterable[Fault]) -> list[str]:
    """What is wrong; where theirs has words for a kind of fault, they go before the first of that kind."""
    found: list[str] = []
    for fault in faults:
        before = _before(fault.code)
        text = f"{fault.field}: {fault.message}" if fault.field else fault.message
        found.append(f"{before} {text}" if before and not any(one.startswith(before) for one in found) else text)
    return found or ["it was refused without a reason"]


def _before(code: str) -> str | None:
    if code in UNREADABLE:
        return "failed to extract tar file."
    return "checksum validation failed." if code in CHECKSUMS else None


def require(op: str, app: Standing | None) -> Standing:
    """The app, if it stands so that this may be asked for. Raises Refused 400, for one that is not there as well."""
    if app is None:
        raise rejected(op, "application not found.")
    if app.status not in words.MAY[op]:
        status = f"operation is not allowed while the current status is {app.status}."
        raise rejected(op, words.UNDER_WAY.get((op, app.status), status))
    return app
