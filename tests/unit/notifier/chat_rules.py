"""What Slack, Teams and Mattermost take, as JSON Schema: written from their published rules.

Slack: Block Kit reference (blocks, section, actions, context, text object: limits of characters and elements).
Teams: "Create and send messages with incoming webhooks / Workflows" (28 kB, one adaptive card), Adaptive Cards 1.4.
Mattermost: "Incoming webhooks" and "Message attachments" (fields, colours), post length of 16,383 characters.
"""

from typing import Any

TEAMS_BYTES = 28 * 1024

_MRKDWN = {
    "type": "object", "required": ["type", "text"], "additionalProperties": False,
    "properties": {"type": {"const": "mrkdwn"}, "text": {"type": "string", "minLength": 1, "maxLength": 3000}},
}  # fmt: skip
_FIELD = {
    **_MRKDWN,
    "properties": {**_MRKDWN["properties"], "text": {"type": "string", "minLength": 1, "maxLength": 2000}},
}  # type: ignore[dict-item]
_SECTION = {
    "required": ["type"], "additionalProperties": False, "anyOf": [{"required": ["text"]}, {"required": ["fields"]}],
    "properties": {
        "type": {"const": "section"}, "text": _MRKDWN,
        "fields": {"type": "array", "minItems": 1, "maxItems": 10, "items": _FIELD},
    },
}  # fmt: skip
_BUTTON = {
    "type": "object", "required": ["type", "text"], "additionalProperties": False,
    "properties": {
        "type": {"const": "button"}, "url": {"type": "string", "minLength": 1, "maxLength": 3000},
        "text": {
            "type": "object", "required": ["type", "text"], "additionalProperties": False,
            "properties": {
                "type": {"const": "plain_text"}, "text": {"type": "string", "minLength": 1, "maxLength": 75}
            },
        },
    },
}  # fmt: skip
_ACTIONS = {
    "required": ["type", "elements"], "additionalProperties": False,
    "properties": {
        "type": {"const": "actions"}, "elements": {"type": "array", "minItems": 1, "maxItems": 25, "items": _BUTTON}
    },
}  # fmt: skip
_CONTEXT = {
    "required": ["type", "elements"], "additionalProperties": False,
    "properties": {
        "type": {"const": "context"}, "elements": {"type": "array", "minItems": 1, "maxItems": 10, "items": _MRKDWN}
    },
}  # fmt: skip
SLACK: dict[str, Any] = {
    "type": "object", "required": ["text"], "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 4000},
        "blocks": {
            "type": "array", "minItems": 1, "maxItems": 50,
            "items": {"type": "object", "oneOf": [_SECTION, _ACTIONS, _CONTEXT]},
        },
    },
}  # fmt: skip

_RUN = {
    "type": "object", "required": ["type", "text"], "additionalProperties": False,
    "properties": {
        "type": {"const": "TextRun"}, "text": {"type": "string"}, "weight": {"enum": ["Lighter", "Default", "Bolder"]},
        "size": {"enum": ["Small", "Default", "Medium", "Large", "ExtraLarge"]}, "isSubtle": {"type": "boolean"},
        "fontType": {"enum": ["Default", "Monospace"]},
    },
}  # fmt: skip
_RICH = {
    "required": ["type", "inlines"], "additionalProperties": False,
    "properties": {"type": {"const": "RichTextBlock"}, "inlines": {"type": "array", "minItems": 1, "items": _RUN}},
}  # fmt: skip
_CONTAINER = {
    "required": ["type", "items"], "additionalProperties": False,
    "properties": {
        "type": {"const": "Container"}, "bleed": {"type": "boolean"},
        "style": {"enum": ["default", "emphasis", "good", "attention", "warning", "accent"]},
        "items": {"type": "array", "minItems": 1, "items": {"type": "object", "oneOf": [_RICH]}},
    },
}  # fmt: skip
_CARD = {
    "type": "object", "required": ["$schema", "type", "version", "body"], "additionalProperties": False,
    "properties": {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"}, "type": {"const": "AdaptiveCard"},
        "version": {"enum": ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]}, "fallbackText": {"type": "string"},
        "msteams": {"type": "object", "properties": {"width": {"const": "Full"}}, "additionalProperties": False},
        "body": {"type": "array", "minItems": 1, "items": {"type": "object", "oneOf": [_RICH, _CONTAINER]}},
        "actions": {
            "type": "array", "maxItems": 6,
            "items": {
                "type": "object", "required": ["type", "url"], "additionalProperties": False,
                "properties": {
                    "type": {"const": "Action.OpenUrl"}, "title": {"type": "string", "minLength": 1},
                    "url": {"type": "string", "pattern": "^https?://"},
                },
            },
        },
    },
}  # fmt: skip
TEAMS: dict[str, Any] = {
    "type": "object", "required": ["type", "attachments"], "additionalProperties": False,
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array", "minItems": 1, "maxItems": 1,
            "items": {
                "type": "object", "required": ["contentType", "content"], "additionalProperties": False,
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"}, "content": _CARD,
                },
            },
        },
    },
}  # fmt: skip

MATTERMOST: dict[str, Any] = {
    "type": "object", "required": ["attachments"], "additionalProperties": False,
    "properties": {
        "text": {"type": "string", "maxLength": 16_383}, "username": {"type": "string", "maxLength": 64},
        "attachments": {
            "type": "array", "minItems": 1,
            "items": {
                "type": "object", "required": ["fallback"], "additionalProperties": False,
                "properties": {
                    "fallback": {"type": "string", "minLength": 1},
                    "color": {"type": "string", "pattern": "^#[0-9a-f]{6}$"},
                    "text": {"type": "string", "maxLength": 14_000}, "footer": {"type": "string", "maxLength": 300},
                    "fields": {
                        "type": "array",
                        "items": {
                            "type": "object", "required": ["title", "value"], "additionalProperties": False,
                            "properties": {
                                "short": {"type": "boolean"}, "title": {"type": "string", "minLength": 1},
                                "value": {"type": "string"},
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
"""The text of an attachment and its fields together stay below what one post takes."""
