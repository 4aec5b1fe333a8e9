"""The API's description says what is served, no more and no less."""

import json
import re
from pathlib import Path

import orjson
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.gateway.domain import Role
from services.gateway.http import openapi
from services.gateway.http import routing as routes
from services.gateway.http.openapi_responses import OPEN
from services.gateway.resources.table import ROUTES

COMMITTED = Path(__file__).parents[4] / "schemas" / "openapi.json"


def test_the_description_is_valid_openapi_3_1() -> None:
    assert list(OpenAPIV31SpecValidator(openapi.document()).iter_errors()) == []


def test_the_committed_description_is_current() -> None:
    assert json.loads(COMMITTED.read_bytes()) == orjson.loads(orjson.dumps(openapi.document())), "run: make schemas"


def test_every_route_is_described_and_every_described_one_is_served() -> None:
    app = web.Application()
    routes.add(app, ROUTES)
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    paths = openapi.document()["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    heads = {("HEAD", path) for method, path in served if method == "GET"}
    assert described | heads == served | {("GET", path) for path in OPEN}
    assert len(served - heads) == len(ROUTES)


def test_every_route_says_who_may_and_what_it_takes() -> None:
    for route in ROUTES:
        said = openapi.document()["paths"][route.path][route.method.lower()]
        assert said["x-role"] == route.role
        parameters = {(p["in"], p["name"]) for p in said["parameters"]}
        assert {("path", name) for name in re.findall(r"{(\w+)}", route.path)} <= parameters
        assert {("query", name) for name in route.query.model_fields} <= parameters
        assert (("header", "Idempotency-Key") in parameters) == route.command
        assert route.role != Role.VIEWER or route.method == "GET"


def test_operations_have_names_of_their_own() -> None:
    paths = openapi.document()["paths"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_what_belay_sets_itself_is_not_asked_of_people() -> None:
    schemas = openapi.document()["components"]["schemas"]
    assert "strategy_id" not in schemas["RequestOperationBody"]["properties"]
    assert "fleet" not in schemas["CreateGroupBody"]["properties"]
    assert "sealed_secret" not in schemas["SubscriptionBody"]["properties"]


def test_every_tag_of_an_operation_is_described() -> None:
    used = {
        tag for path in openapi.document()["paths"].values() for operation in path.values() for tag in operation["tags"]
    }
    assert {tag["name"] for tag in openapi.document()["tags"]} == used
