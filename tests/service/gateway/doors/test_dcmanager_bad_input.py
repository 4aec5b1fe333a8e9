"""Whatever a client of dcmanager sends, it is told what is wrong: never a defect of ours, and nothing is done."""

import json
import random
from typing import Any

import pytest

from tests.service.gateway.doors.dcmanager_door import SECRET, STRATEGY, DoorClient, everything
from tests.support.world import World

pytestmark = pytest.mark.service
PRESTAGE = {"type": "prestage", "sysadmin_password": SECRET}
DEPLOY = {"type": "sw-deploy", "release_id": "2.0.0"}
TABLE: list[tuple[Any, int]] = [
    (b"abc", 400),
    (b"[]", 400),
    (b"[1]", 400),
    (b"7", 400),
    (b'"text"', 400),
    (b"null", 400),
    (b"", 400),
    (b"\xff\xfe", 400),
    (b"[" * 5000, 400),
    (b'{"a":' * 500 + b"1" + b"}" * 500, 400),
    (b'{"type": "pre\\u0000stage"}', 400),
    ({}, 400),
    ({**PRESTAGE, "force": "abc"}, 400),
    ({**PRESTAGE, "force": 1}, 400),
    ({**PRESTAGE, "subcloud-apply-type": "all"}, 400),
    ({**PRESTAGE, "cloud_name": "a", "subcloud_group": "Default"}, 400),
    ({**PRESTAGE, "subcloud_group": "Default", "max-parallel-subclouds": 2}, 400),
    ({**PRESTAGE, "subcloud_group": "nowhere"}, 400),
    ({**PRESTAGE, "subcloud_group": "77"}, 400),
    ({**PRESTAGE, "subcloud_group": 1}, 400),
    ({**PRESTAGE, "max-parallel-subclouds": "x"}, 400),
    ({**PRESTAGE, "max-parallel-subclouds": 0}, 400),
    ({**PRESTAGE, "max-parallel-subclouds": "0"}, 400),
    ({**PRESTAGE, "max-parallel-subclouds": 5001}, 400),
    ({**PRESTAGE, "max-parallel-subclouds": [2]}, 400),
    ({"sysadmin_password": SECRET}, 400),
    ({**PRESTAGE, "type": "patch"}, 400),
    ({**PRESTAGE, "type": "firmware"}, 400),
    ({**PRESTAGE, "release": "abc"}, 400),
    ({**PRESTAGE, "release": "9.9"}, 400),
    ({"type": "prestage"}, 400),
    ({**PRESTAGE, "sysadmin_password": "abc"}, 400),
    ({**PRESTAGE, "sysadmin_password": "YWJj!"}, 400),
    ({**PRESTAGE, "stop-on-failure": "maybe"}, 400),
    ({**DEPLOY, "sysadmin_password": SECRET}, 400),
    ({"type": "sw-deploy"}, 400),
    ({**DEPLOY, "release_id": "9.9.9"}, 400),
    ({**DEPLOY, "rollback": True}, 400),
    ({**PRESTAGE, "cloud_name": "zzz"}, 422),
    ({**DEPLOY, "release_id": "1.0.0", "cloud_name": "a"}, 422),
    ({**DEPLOY, "release_id": "1.0.0"}, 422),
    ({"type": "sw-deploy", "rollback": True}, 422),
]
"""Rows of what is not taken, with the status; the other half of it is in the tests of the request."""


async def fleet(door: DoorClient) -> None:
    await door.release("1.0.0")
    await door.release("2.0.0")
    await door.sites("a")


async def test_every_wrong_request_for_a_strategy_gets_its_status_and_creates_nothing(world: World) -> None:
    async with everything(world) as door:
        await fleet(door)
        wrong = []
        for body, status in TABLE:
            for accept in ("application/json", "text/html"):
                refused = await door.ask("POST", STRATEGY, body, Accept=accept)
                told = refused.body["description"] if accept == "application/json" else refused.body
                if refused.status != status or not told or SECRET in told:
                    wrong.append((body, status, refused.status, told))
        assert not wrong
        assert (await door.ask("GET", STRATEGY)).status == 404
        assert (await door.api.get("/v1/secrets"))["items"] == []


def anything(seed: random.Random, depth: int = 0) -> Any:
    """A value of any kind that JSON has."""
    plain: list[Any] = [None, True, False, 0, -1, 10**30, 0.5, "", "true", "a", "9", "\u00e9\u2028", "x" * 300]
    if depth > 2 or seed.random() < 0.7:
        return seed.choice(plain)
    inner = [anything(seed, depth + 1) for _ in range(seed.randint(0, 3))]
    return inner if seed.random() < 0.5 else {str(n): value for n, value in enumerate(inner)}


PLACES: list[tuple[str, str, tuple[str, ...]]] = [
    ("POST", STRATEGY, ("type", "force", "stop-on-failure", "subcloud_group", "group", "cloud_name", "release",
                        "max-parallel-subclouds", "subcloud-apply-type", "sysadmin_password", "release_id", "rollback",
                        "delete", "with_prestage", "snapshot", "cleanup", "kube_upgrade")),
    ("POST", f"{STRATEGY}/actions", ("action",)),
    ("PATCH", "/v1.0/subclouds/a", ("description", "location", "management-state", "group_id", "force")),
    ("PATCH", "/v1.0/subclouds/a/prestage", ("sysadmin_password", "force", "release", "for_install")),
    ("POST", "/v1.0/subcloud-groups", ("name", "description", "update_apply_type", "max_parallel_subclouds")),
    ("PATCH", "/v1.0/subcloud-groups/1", ("name", "description", "update_apply_type", "max_parallel_subclouds")),
    ("POST", "/v1.0/sw-update-options/a", ("storage-apply-type",)),
    ("POST", "/v3/auth/tokens", ("auth", "identity", "scope")),
]  # fmt: skip


async def test_random_bodies_and_paths_never_find_a_defect(world: World) -> None:
    seed = random.Random(20220303)  # noqa: S311 - not for secrets
    async with everything(world) as door:
        await fleet(door)
        broken = []
        for method, path, fields in PLACES * 12:
            body: Any = {field: anything(seed) for field in fields if seed.random() < 0.6}
            body = body if seed.random() < 0.9 else json.dumps(anything(seed)).encode()
            reply = await door.ask(method, path, body)
            if reply.status >= 500:
                broken.append((method, path, body, reply.status, reply.body))
        for odd in ("%00", "%ff", "a%2fb", "..", "9" * 30, "%0a", "\u00e9", "-1", "'"):
            for path in (f"/v1.0/subclouds/{odd}", f"/v1.0/subcloud-groups/{odd}", f"{STRATEGY}/steps/{odd}"):
                reply = await door.ask("GET", path)
                if reply.status >= 500 or reply.status == 200:
                    broken.append(("GET", path, None, reply.status, reply.body))
            reply = await door.ask("GET", f"{STRATEGY}?type={odd}")
            if reply.status not in (400, 404):
                broken.append(("GET", f"?type={odd}", None, reply.status, reply.body))
        assert not broken
