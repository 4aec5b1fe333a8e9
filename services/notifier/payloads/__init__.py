"""What is posted to a webhook: the standard form, or a template filled in."""

from dataclasses import replace
from functools import cache
from typing import Any

import orjson

from services.notifier.domain import DeliveryRequest
from services.notifier.payloads.template import Template
from services.notifier.payloads.variables import SAMPLE_AT, SAMPLE_FAILURE, variables_of
from shared.messages.notifier import NotificationRaised, WebhookFormat
from shared.messages.words import NotificationTopic
from shared.webhook_formats import ready


def payload_of(request: DeliveryRequest, public_url: str) -> bytes:
    """The JSON that is posted. Raises TemplateFailed when a custom template cannot be filled in."""
    if request.format is WebhookFormat.STANDARD:
        return standard(request)
    template = Template.of(request.template or {}) if request.format is WebhookFormat.CUSTOM else _ready(request.format)
    return template.fill(variables_of(request, public_url))


def standard(request: DeliveryRequest) -> bytes:
    """By Standard Webhooks: `type`, `timestamp`, and in `data` the fields of `notification_raised`."""
    data = NotificationRaised(
        notification_id=request.notification_id or 0,
        topic=request.topic,
        message=request.message,
        about=request.about,
        link=request.link,
        raised_at=request.raised_at,
        message_id=request.message_id,
        count=request.count,
        failures=request.failures,
    )
    timestamp = request.raised_at.isoformat()
    return orjson.dumps({"type": data.TYPE, "timestamp": timestamp, "data": data.model_dump(mode="json")})


@cache
def _ready(form: WebhookFormat) -> Template:
    return Template.of(ready(form))


def samples() -> list[dict[str, Any]]:
    """What a template is tried with: the barest notification, and one with all that there may be, awkward and long."""
    bare = DeliveryRequest(
        delivery_id="1:sample", notification_id=1, message_id="msg_sample", topic=NotificationTopic.DONE,
        message="Strategy spring is complete", about="spring", link="", raised_at=SAMPLE_AT, subscription="sample",
        channel="webhook", url="", sealed_secret=None, tries=0, first_tried_at=None, last_success_at=None,
    )  # fmt: skip
    awkward = 'It says "no" & <!channel> @all \\ {{ message }} ' * 20
    full = replace(bare, topic=NotificationTopic.ERROR, message=awkward, link="/v1/operations/1", count=3)
    full = replace(full, failures=(SAMPLE_FAILURE, SAMPLE_FAILURE, SAMPLE_FAILURE))
    return [variables_of(bare, ""), variables_of(full, "https://belay.example.org")]
