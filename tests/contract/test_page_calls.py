"""Everything that the API can do, a person can do on the page: what the page calls is compared with what there is."""

import json
import re
from pathlib import Path

from shared.messages.rules import Trigger

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "services" / "web"
EXAMPLE = re.compile(r'const EXAMPLE = "(\w+) ([^"=]+)=([^"]+)"')
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

CALL = re.compile(r'"(?:(POST|PUT|PATCH|DELETE)",\s*(?:at\(\s*)?")?(/v1/[^"]*)"(?:, \{ method: "(\w+)")?')
"""A path as the page names it, behind its method; one without a method is read."""

HIDDEN = re.compile(r"`/v1/[^`]*\$\{")

NOT_OFFERED = {
    "GET /healthz": "for what supervises processes",
    "GET /readyz": "the same; its findings are the view System",
    "GET /metrics": "for Prometheus",
    "GET /openapi.json": "for programs",
    "POST /v1/releases": "the page sends files in parts (/v1/uploads), so that they go on where they stopped",
    "GET /v1/uploads/{id}": "read and sent on at the address that the announcement answered (sending.js)",
    "PATCH /v1/uploads/{id}": "the same",
    "DELETE /v1/uploads/{id}": "one that nobody goes on with is forgotten by itself",
    "GET /v1/secrets/{name}": "the list of secrets says all of each",
    "GET /v1/subscriptions/{name}/deliveries/{delivery_id}": "the list of deliveries says all of each",
    "GET /v1/dlq/{topic}/{offset}": "byte by byte, for a file of the command line; the list shows what each says",
    "GET /v1/commands/{command_id}": "for programs; the page hears the answer in the stream, and the audit keeps it",
    "GET /v1/tokens": "tokens are for machines and made where they are put, with the command line",
    "POST /v1/tokens": "the same: a token is shown once and shall not stand on a screen",
    "DELETE /v1/tokens/{id}": "the same",
}


def test_each_operation_of_the_api_is_called_by_the_page_or_has_its_reason() -> None:
    called, offered = calls(), operations()
    assert sorted(called - offered) == [], "the page calls what there is not"
    assert sorted(offered - called - NOT_OFFERED.keys()) == [], "no form: offer it, or say why not in NOT_OFFERED"
    assert sorted(NOT_OFFERED.keys() & called) == [], "the page offers it: its reason is out of date"
    assert sorted(NOT_OFFERED.keys() - offered) == [], "it is gone"


def test_paths_are_not_put_together_where_this_test_cannot_see_them() -> None:
    hidden = [path.name for path in sources() if HIDDEN.search(path.read_text())]
    assert hidden == [], 'write at("/v1/sites/{name}", name): it is read here, and makes each part safe'


def test_the_event_that_the_page_gives_as_an_example_is_one_that_may_be_set() -> None:
    (event, name, value), *others = EXAMPLE.findall((PAGE / "model" / "behaviour.js").read_text())
    assert others == []
    assert Trigger.model_validate({"event": event, "filters": {name: value}}).event == event


def calls() -> set[str]:
    found = [match for path in sources() for match in CALL.finditer(path.read_text())]
    return {f"{before or after or 'GET'} {path}" for before, path, after in (match.groups() for match in found)}


def operations() -> set[str]:
    paths = json.loads((ROOT / "schemas" / "openapi.json").read_text())["paths"]
    return {f"{m} {path}" for path, known in paths.items() for m in METHODS if m.lower() in known}


def sources() -> list[Path]:
    return sorted(PAGE.rglob("*.js"))
