"""What webhooks get: the ready templates by the rules of who shows them, and templates that people write."""

import json
import re
import time
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notifier.domain import DeliveryRequest
from services.notifier.payloads import payload_of, samples
from services.notifier.payloads.template import (
    FILLED_BYTES,
    TEMPLATE_BYTES,
    Template,
    TemplateFailed,
    faults_of_template,
)
from services.notifier.payloads.variables import SAMPLE_AT, SAMPLE_FAILURE
from shared.messages.deployer import Cause
from shared.messages.notifier import FailedOperation, WebhookFormat
from shared.messages.words import NotificationTopic
from shared.webhook_formats import ready
from tests.unit.notifier.chat_rules import MATTERMOST, SLACK, TEAMS, TEAMS_BYTES

PAGE = "https://belay.example.org"
RULES = {WebhookFormat.SLACK: SLACK, WebhookFormat.TEAMS: TEAMS, WebhookFormat.MATTERMOST: MATTERMOST}
CALLS = '<!channel> <@U123> @all @channel @here <at>everyone</at> [a](javascript:x) **b** `c` ```d``` & \\ " \n'
LONGEST = FailedOperation(
    **{
        **SAMPLE_FAILURE.model_dump(),
        "operation_id": "o" * 200, "site": "s" * 100, "app": "a" * 100, "from_version": "1" * 100,
        "to_version": "2" * 100, "version": "3" * 100, "cause": Cause(code="x", message="&<>`*_\"" * 600),
        "last_lines": ("ü<&`@\"" * 80,) * 33,
    }
)  # fmt: skip


def request(
    form: WebhookFormat, message: str = "It failed", *failures: FailedOperation, **more: Any
) -> DeliveryRequest:
    return DeliveryRequest(
        delivery_id="1:ops", notification_id=1, message_id="msg_1", topic=NotificationTopic.ERROR, message=message,
        about="op-1", link="/v1/operations/op-1", raised_at=SAMPLE_AT, subscription="ops", channel="webhook", url="",
        sealed_secret=None, tries=0, first_tried_at=None, last_success_at=None, format=form, failures=failures, **more,
    )  # fmt: skip


def posted(form: WebhookFormat, message: str, *failures: FailedOperation, page: str = PAGE) -> Any:
    return json.loads(payload_of(request(form, message, *failures), page))


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts(each)]


@pytest.mark.parametrize("form", RULES)
@pytest.mark.parametrize("topic", NotificationTopic)
@pytest.mark.parametrize("page", ["", PAGE])
@pytest.mark.parametrize("failures", [(), (SAMPLE_FAILURE,), (LONGEST,) * 3])
@pytest.mark.parametrize("message", ["It failed", '&<>*`@"\\' * 1_000, "ü" * 9_000])
def test_a_ready_template_keeps_the_rules_whatever_is_told(
    form: WebhookFormat, topic: NotificationTopic, page: str, failures: tuple[FailedOperation, ...], message: str
) -> None:
    raw = payload_of(replace(request(form, message, *failures), topic=topic), page)
    jsonschema.validate(json.loads(raw), RULES[form])
    assert len(raw) <= TEAMS_BYTES
    assert (PAGE in raw.decode()) == bool(page)


@pytest.mark.parametrize("form", RULES)
def test_a_failure_is_told_with_its_site_its_cause_its_last_lines_and_the_command_that_shows_more(
    form: WebhookFormat,
) -> None:
    told = " ".join(texts(posted(form, "It failed", SAMPLE_FAILURE)))
    for part in ("oslo", "shop", "exited with status 1", "web: begins", "belay operation show", "/#/operations/op-1"):
        assert part in told.replace("\\", "")


@given(st.text(max_size=300).map(lambda text: text + CALLS))
@settings(max_examples=50, deadline=None)
def test_no_text_from_outside_calls_anybody_or_becomes_a_link_in_a_chat(text: str) -> None:
    failure = SAMPLE_FAILURE.model_copy(update={"last_lines": (text,), "cause": Cause(code="x", message=text)})
    slack = texts(posted(WebhookFormat.SLACK, text, failure))
    assert not [text for text in slack if re.search(r"<[!@#a-z]", text, re.IGNORECASE)]
    assert all(text.count("```") in (0, 2) for text in slack)
    for told in _markdown(text, failure):
        assert not re.search(r"@(all|channel|here|everyone)", told)
        assert told.count("```") in (0, 2)
        outside_of_code = re.sub("```.*?```", "", told, flags=re.DOTALL)
        assert "](javascript" not in outside_of_code.replace("\\]", "")


def _markdown(text: str, failure: FailedOperation) -> list[str]:
    """What Mattermost reads as Markdown; `fallback` and `footer` are plain text."""
    (attachment,) = posted(WebhookFormat.MATTERMOST, text, failure)["attachments"]
    return [attachment["text"], *(field["value"] for field in attachment["fields"])]


def test_teams_gets_text_from_outside_as_plain_runs_only() -> None:
    """A TextRun knows no Markdown and no mention, other than a TextBlock."""
    assert '"TextBlock"' not in json.dumps(ready(WebhookFormat.TEAMS))


def test_the_standard_form_carries_the_evidence() -> None:
    body = posted(WebhookFormat.STANDARD, "It failed", SAMPLE_FAILURE)
    assert body["type"] == "belay.notifier.notification_raised.v1"
    failure = body["data"]["failures"][0]
    assert failure["last_lines"] == list(SAMPLE_FAILURE.last_lines)
    assert failure["plan"][0]["component"] == failure["phases"][0]["component"] == "web"


# -- templates that people write ----------------------------------------------------------------------------------


def faults(document: dict[str, Any]) -> dict[str, str]:
    return {fault.field: fault.message for fault in faults_of_template(document, samples())}


@pytest.mark.parametrize("form", RULES)
def test_the_ready_templates_would_be_taken_as_somebodys_own(form: WebhookFormat) -> None:
    assert faults(dict(ready(form))) == {}


@given(
    st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=500)
)  # which Liquid makes a line feed
@settings(max_examples=100, deadline=None)
def test_whatever_is_filled_in_becomes_one_json_text_and_adds_nothing(message: str) -> None:
    document = {"a": "{{ message }}", "b": [{"c": "x {{ message }} y"}], "n": 7}
    filled = json.loads(Template.of(document).fill({**samples()[0], "message": message}))
    assert filled == {"a": message, "b": [{"c": f"x {message} y"}], "n": 7}


def test_an_object_is_left_out_where_its_condition_comes_out_empty() -> None:
    document = {"items": [{"$if": "{{ failure.site }}", "site": "{{ failure.site }}"}, {"always": "{{ topic }}"}]}
    bare, full = samples()
    assert json.loads(Template.of(document).fill(bare)) == {"items": [{"always": "done"}]}
    assert json.loads(Template.of(document).fill(full))["items"][0] == {"site": "oslo-1"}


def test_every_mistake_of_a_template_is_told_at_once_with_its_place() -> None:
    document = {
        "text": "{{ mesage }}",
        "blocks": [{"text": "{{ message | shout }}"}, {"text": "{% if message %}"}, {"text": "{{ failure.sit }}"}],
        "fine": "{{ message | upcase }}",
    }
    found = faults(document)
    assert set(found) == {"template.text", "template.blocks.0.text", "template.blocks.1.text", "template.blocks.2.text"}
    assert "there is no 'mesage'; there are about, " in found["template.text"]
    assert "shout" in found["template.blocks.0.text"]
    assert "sit" in found["template.blocks.2.text"]


DEEP: Any = "{{ message }}"
for _ in range(40):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "holds no text"),
        ({"number": 1}, "holds no text"),
        ({"text": "x" * TEMPLATE_BYTES}, "bytes"),
        ({"texts": ["x"] * 201}, "201 texts"),
        ({"deep": DEEP}, "nested"),
        ({"texts": ["{{ message }}" * 15] * 190}, "at most"),
    ],
)
def test_a_template_out_of_bounds_is_refused(document: dict[str, Any], why: str) -> None:
    ((place, message),) = faults(document).items()
    assert place == "template"
    assert why in message


HOSTILE = [
    "{% for a in (1..99999999) %}{% for b in (1..99999999) %}x{% endfor %}{% endfor %}",
    "{% for a in (1..1000) %}{% for b in (1..1000) %}{% endfor %}{% endfor %}",
    "{% assign a = message %}" + "{% assign a = a | append: a %}" * 60 + "{{ a }}",
    "{{ message" + " | append: message" * 800 + " }}",
    "{{ message | replace: 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaa' }}",
    "{{ message | date: '%999999999d' }}",
    "{% include 'x' %}",
    "{% render 'x' %}",
    "{% capture x %}{{ message }}{% endcapture %}",
    "{{ message.__class__.__mro__ }}",
    "{{ failures.__len__ }}",
    "{% if a %}" * 200 + "{% endif %}" * 200,
    "{% if " + " or ".join(["count"] * 1_200) + " %}x{% endif %}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_template_ends_soon_and_is_refused(text: str) -> None:
    began = time.perf_counter()
    assert faults({"text": text})
    assert time.perf_counter() - began < 5


def test_a_template_that_fills_too_much_when_it_is_used_fails_with_a_sentence() -> None:
    template = Template.of({"texts": ["{{ message }}"] * 100})
    with pytest.raises(TemplateFailed, match=f"at most {FILLED_BYTES:,}"):
        template.fill({**samples()[0], "message": "x" * 1_000})


@pytest.mark.parametrize(
    "text",
    [
        "{{ (1..999999999) | join }}",
        "{{ (1..999999999) | slice: 1, 9 }}",
        "{% for x in (1..999999999) reversed %}x{% endfor %}",
        "{% for f in failures %}{% if f.site %}{{ message | default: (1..999999999) | join }}{% endif %}{% endfor %}",
        "{% case message %}{% when 'a' %}{% else %}{% assign a = (1..999999999) %}{% endcase %}",
    ],
)
def test_a_range_that_would_fill_the_memory_is_refused_unseen(text: str) -> None:
    (fault,) = faults_of_template({"text": text}, samples())
    assert fault.field == "template.text"
    assert "ranges" in fault.message
    with pytest.raises(TemplateFailed, match="ranges"):
        Template.of({"text": text})


def test_what_only_looks_like_a_range_is_text() -> None:
    assert faults_of_template({"text": '{{ message }} (1..3) {{ "(1..3)" }}'}, samples()) == []
