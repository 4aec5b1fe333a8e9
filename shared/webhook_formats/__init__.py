"""Templates of what chats are sent, as the notifier fills them in and the gateway shows them to begin with."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson

from shared.messages.notifier import WebhookFormat

READY = (WebhookFormat.SLACK, WebhookFormat.TEAMS, WebhookFormat.MATTERMOST)


def ready(form: WebhookFormat) -> Mapping[str, Any]:
    """The template of a format that has one."""
    document: Mapping[str, Any] = orjson.loads(files("shared.webhook_formats").joinpath(f"{form}.json").read_text())
    return document
