"""What templates may speak of. Every name is always there, so that a misspelt one is found when a template is taken."""

from datetime import UTC, datetime
from typing import Any

from services.notifier.domain import DeliveryRequest
from shared.messages.deployer import Cause, ComponentDecision, PhaseResult
from shared.messages.notifier import FailedOperation
from shared.messages.words import NotificationTopic as Topic
from shared.messages.words import OperationKind

COLOURS = {
    Topic.ERROR: "#c0392b",
    Topic.WARNING: "#b7791f",
    Topic.DONE: "#2e7d4f",
    Topic.RELEASE: "#2b6cb0",
    Topic.DISCOVER: "#2b6cb0",
}
SYMBOLS = {Topic.ERROR: "✖", Topic.WARNING: "⚠", Topic.DONE: "✔", Topic.RELEASE: "▲", Topic.DISCOVER: "●"}
STYLES = {Topic.ERROR: "attention", Topic.WARNING: "warning", Topic.DONE: "good"}


def variables_of(request: DeliveryRequest, public_url: str) -> dict[str, Any]:
    """Name -> value, as JSON has them. `failure` is the first of `failures`, or has only empty fields."""
    failures = [_plain(failure) for failure in request.failures]
    return {
        "message": request.message,
        "message_id": request.message_id,
        "notification_id": request.notification_id,
        "topic": str(request.topic),
        "about": request.about,
        "count": request.count,
        "link": request.link,
        "url": address_of(request.link, public_url),
        "raised_at": request.raised_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "subscription": request.subscription,
        "colour": COLOURS[request.topic],
        "symbol": SYMBOLS[request.topic],
        "style": STYLES.get(request.topic, "accent"),
        "failures": failures,
        "failure": failures[0] if failures else dict.fromkeys(FailedOperation.model_fields) | NO_FAILURE,
    }


NO_FAILURE: dict[str, Any] = {"cause": {"code": None, "message": None}, "plan": [], "phases": [], "last_lines": []}


def address_of(link: str, public_url: str) -> str:
    """The page that shows what `link` is about; empty where the address of the page is not known."""
    return f"{public_url.rstrip('/')}/#{link.removeprefix('/v1')}" if public_url and link else ""


def _plain(failure: FailedOperation) -> dict[str, Any]:
    return failure.model_dump(mode="json")


# -- samples, for a template that is taken and for a test call -----------------------------------------------------

SAMPLE_AT = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLE_FAILURE = FailedOperation(
    operation_id="00000000-0000-0000-0000-000000000000",
    site="oslo-1",
    app="shop",
    kind=OperationKind.UPDATE,
    from_version="1.0.0",
    to_version="2.0.0",
    version="1.0.0",
    recovered=True,
    cause=Cause(code="exited", message='web: its process exited with status 1: cannot read "shop.toml"'),
    plan=(ComponentDecision(component="web", driver="process", action="apply", reason="2.0.0 was not here before"),),
    phases=(
        PhaseResult(name="deploy", component="web", outcome="failed", started_at=SAMPLE_AT, finished_at=SAMPLE_AT),
    ),
    last_lines=("web: begins", 'web: cannot read "shop.toml" <missing> & gives up'),
)
