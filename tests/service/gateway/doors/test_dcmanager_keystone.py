"""How clients of dcmanager come in: Keystone's tokens, its catalog, and refusals in the form that is asked for."""

from typing import Any

import pytest

from tests.service.gateway.doors.dcmanager_door import STRATEGY, only_the_door
from tests.support.world import World

pytestmark = pytest.mark.service
TOKENS = "/v3/auth/tokens"


def by_password(name: str, password: str, project: str = "admin") -> dict[str, Any]:
    user = {"name": name, "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": project, "domain": {"id": "default"}}}
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


async def test_a_user_with_the_name_of_a_token_and_the_token_for_a_password_gets_a_token_and_the_catalog(
    world: World,
) -> None:
    async with only_the_door(world) as door:
        token = door.api.token
        came = await door.ask("POST", TOKENS, by_password("admin", token), X_Auth_Token="")
        assert came.status == 201
        assert came.headers["X-Subject-Token"] == token
        facts = came.body["token"]
        assert {role["name"] for role in facts["roles"]} >= {"admin", "reader"}
        urls = {e["url"] for s in facts["catalog"] if s["type"] == "dcmanager" for e in s["endpoints"]}
        assert urls == {f"{door.url}/v1.0"}
        by_token = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
        again = await door.ask("POST", TOKENS, by_token, X_Auth_Token="")
        assert (again.status, again.body["token"]["user"]["name"]) == (201, "admin")
        shown = await door.ask("GET", TOKENS, X_Subject_Token=token)
        assert (shown.status, shown.body["token"]["project"]["name"]) == (200, "admin")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (by_password("admin", "belay_000000000000_wrong"), 401),
        (by_password("bob", "the token"), 401),
        (by_password("admin", "the token", "tenant-1"), 401),
        (b"abc", 400),
        (b"", 400),
        ({"auth": []}, 400),
        ({"auth": {"identity": {"methods": ["oauth"]}}}, 400),
        ({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 1, "password": "x"}}}}}, 400),
    ],
)
async def test_who_does_not_prove_who_they_are_gets_none(world: World, body: Any, status: int) -> None:
    async with only_the_door(world) as door:
        if isinstance(body, dict) and "the token" in str(body):
            body["auth"]["identity"]["password"]["user"]["password"] = door.api.token
        refused = await door.ask("POST", TOKENS, body, X_Auth_Token="")
        assert (refused.status, refused.body["error"]["code"]) == (status, status)
        assert "X-Subject-Token" not in refused.headers


async def test_the_versions_are_told_to_everybody_and_nothing_else_is(world: World) -> None:
    async with only_the_door(world) as door:
        versions = (await door.ask("GET", "/", X_Auth_Token="")).body["versions"]
        assert [version["id"] for version in versions] == ["v1.0", "v3.14"]
        assert (await door.ask("GET", "/v3", X_Auth_Token="")).body["version"]["id"] == "v3.14"
        for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD"):
            assert (await door.ask(method, "/")).status == 405
        for token in ("", "belay_000000000000_wrong"):
            refused = await door.ask("GET", STRATEGY, X_Auth_Token=token)
            assert refused.status == 401
            assert refused.headers["WWW-Authenticate"].startswith("Keystone uri=")


async def test_an_error_is_a_page_by_default_and_json_for_who_asks_for_it(world: World) -> None:
    async with only_the_door(world) as door:
        page = await door.ask("GET", f"{STRATEGY}?type=<b>")
        assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        lines = [line.strip() for line in page.body.splitlines()]
        assert "<title>404 Not Found</title>" in lines
        assert "Strategy of type '&lt;b&gt;' not found" in lines
        told = {"code": 404, "title": "Not Found", "description": "Strategy not found"}
        for accept in ("application/json", "application/json, */*;q=0.5"):
            assert (await door.ask("GET", STRATEGY, Accept=accept)).body == told
        for accept in ("*/*", "text/html,application/json;q=0.9"):
            assert isinstance((await door.ask("GET", STRATEGY, Accept=accept)).body, str)


async def test_a_viewer_reads_and_changes_nothing(world: World) -> None:
    async with only_the_door(world) as door:
        viewer = (await door.api.ask("POST", "/v1/tokens", {"name": "vera", "role": "viewer"})).body["token"]
        body = {"action": "apply"}
        assert (await door.ask("GET", STRATEGY, X_Auth_Token=viewer)).status == 404
        for method, path in (("POST", STRATEGY), ("POST", f"{STRATEGY}/actions"), ("DELETE", STRATEGY)):
            assert (await door.ask(method, path, body, X_Auth_Token=viewer)).status == 403
