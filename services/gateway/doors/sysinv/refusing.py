"""Refusals in the words that scripts look for: `Application-apply rejected: …`."""

from collections.abc import Iterable, Mapping

from services.gateway.commands.ask import Answer
from services.gateway.doors.errors import Refused
from services.gateway.doors.sysinv import words
from services.gateway.doors.sysinv.standing import Standing
from shared.messages.base import Fault

_UNREADABLE, _CHECKSUMS = "failed to extract tar file.", "checksum validation failed."

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("not_gzip", "not_tar", "truncated", "corrupt"), _UNREADABLE),
    **dict.fromkeys(
        ("wrong_checksum", "bad_checksums", "unlisted_file", "missing_file", "missing_checksums"), _CHECKSUMS
    ),
    "no_charts": "tar file contains no Helm charts.",
    "missing_manifest": "FluxCD manifest structure is not present.",
    "two_manifests": "manifest file is corrupted.",
}
"""What theirs says of a kind of fault, by the code of Belay."""

METADATA = "metadata validation failed."


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
        before = _before(fault)
        text = fault.in_words
        found.append(f"{before} {text}" if before and not any(one.startswith(before) for one in found) else text)
    return found or ["it was refused without a reason"]


def _before(fault: Fault) -> str | None:
    return WORDS.get(fault.code) or (METADATA if fault.field.startswith("metadata.yaml") else None)


def require(op: str, app: Standing | None) -> Standing:
    """The app, if it stands so that this may be asked for. Raises Refused 400, for one that is not there as well."""
    if app is None:
        raise rejected(op, "application not found.")
    if app.status not in words.MAY[op]:
        status = f"operation is not allowed while the current status is {app.status}."
        raise rejected(op, words.UNDER_WAY.get((op, app.status), status))
    return app
