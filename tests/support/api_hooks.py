"""What schemathesis must know of Belay's API to ask it, and what else it must hold; see schemathesis.toml."""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response, SerializationContext

from tests.support.bundles import bundle

MANIFEST = b"app: lamp\nversion: '%d.0'\ncomponents:\n  - {driver: simulated, name: web, seconds: [0, 0]}\n"
BUNDLES = st.one_of(
    st.binary(min_size=1, max_size=2_000),
    st.integers(0, 99).map(lambda number: bundle({"bundle.yaml": MANIFEST % number})),
)
SHAPE = {"invalid_field", "unknown_field", "unreadable"}
"""Refusals that are about the shape of a request. What is shaped as described must not be refused for these."""

UNDESCRIBED = "x-schemathesis-unknown-property"
"""What schemathesis adds to headers that are otherwise as described, and expects to be refused."""

NOT_IN_A_SCHEMA = {
    "cursor": "only an answer before can say it",
    "stages": "their names differ",
    "version": "some kinds of operations take none",
    "template": "only the format `custom` takes one",
    "as_released": "not what the same command sets",
    "Upload-Checksum": "schemathesis sends 0 in spite of its pattern",
    "only_changes": "some kinds of operations do as they must",
    "reset_overrides": "some kinds of operations do as they must",
    "reset_attributes": "some kinds of operations do as they must",
    "recover": "some kinds of operations have no way back",
    "publication": "only with `apply` and `update`, and not in a preview",
    "connections": "not beside the old `driver` and `params`",
}
"""What a field takes beyond what a schema can say; a fault of a whole object begins with the field's name."""

TRIGGERS = "switches.reapply_on."
"""Events that are known, and of each what it carries: also more than a schema can say."""

for kind in ("application/gzip", "application/x-gzip", "application/octet-stream", "application/offset+octet-stream"):
    schemathesis.openapi.media_type(kind, BUNDLES)


@schemathesis.serializer("application/gzip", "application/x-gzip", "application/offset+octet-stream")
def as_it_is(_: SerializationContext, value: Any) -> Any:
    """The bytes of a bundle."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def filter_case(_: HookContext, case: Case) -> bool:
    """Headers that nobody described are no fault of a request: any proxy adds some, and they are left alone."""
    return UNDESCRIBED not in (case.headers or {})


@schemathesis.hook
def before_call(_: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """The stream is read until its first event (max-stream-events): from the beginning, whatever else is asked."""
    if case.operation.path == "/v1/events" and case.meta and case.meta.generation.mode == GenerationMode.POSITIVE:
        case.query = {"last_event_id": "0"}
        case.headers.pop("Last-Event-ID", None)


@schemathesis.check
def what_fits_the_description_is_not_refused_for_its_shape(_: CheckContext, response: Response, case: Case) -> None:
    """A refusal may be for what there is and is not; everything else the description must say."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 422:
        return
    faults = response.json()["faults"]
    shape = [f for f in faults if f["code"] in SHAPE and f["field"] and not f["message"].endswith("U+0000")]
    said = [f for f in shape if not {f["field"], f["message"].partition(":")[0]} & NOT_IN_A_SCHEMA.keys()]
    said = [f for f in said if not f["field"].startswith(TRIGGERS)]
    wrong = [f for f in said if not _quoted_anew(f, case)]
    assert not wrong, f"the description allows what is refused: {wrong}"


def _quoted_anew(fault: dict[str, Any], case: Case) -> bool:
    """Of a `%` in a path schemathesis makes another value than it generated: `%E1` arrives as U+FFFD."""
    meant = (case.path_parameters or {}).get(fault["field"])
    return meant is not None and "%" in str(meant) and fault["value"] != meant


@schemathesis.check
def a_refusal_is_a_problem_that_says_why(_: CheckContext, response: Response, case: Case) -> None:
    """Also where the description does not reach: other methods, other paths."""
    if response.status_code < 400 or case.method == "HEAD" or case.operation.path in {"/readyz", "/metrics"}:
        return
    assert response.headers["content-type"][0] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["detail"]
    assert problem["code"]
