"""Whatever a client of sysinv sends, it is told what is wrong, as its command line reads it; and nothing is done."""

import gzip
import json
import random
from typing import Any
from xml.etree.ElementTree import fromstring

import aiohttp
import pytest

from tests.service.gateway.doors.sysinv_door import APPS, SITE, DoorClient, everything, only_the_door, sending, tarball
from tests.service.gateway.test_uploads import CHARSETS
from tests.support.bundles import bundle, member, tar
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]
PATCH, CHART = f"{APPS}/shop?directive=", "/v1/helm_charts/shop?name=web&namespace=default"
FILE = "/home/sysadmin/shop.tgz"
NO_NAME = gzip.compress(tar([member("metadata.yaml", b"upgrades: {}")]))
TABLE: list[tuple[str, str, Any, int, str]] = [
    ("POST", APPS, b"abc", 400, "Request body is malformed"),
    ("POST", APPS, b"[]", 400, "must be a JSON object"),
    ("POST", APPS, b"\xff\xfe", 400, "Request body is malformed"),
    ("POST", APPS, b"[" * 5000, 400, "Request body is malformed"),
    ("POST", APPS, {}, 400, "Application-upload rejected: tar file must be specified."),
    ("POST", APPS, {"binary_data": "AAAA"}, 400, "failed to extract tar file"),
    ("POST", APPS, {"tarfile": "/x/a.zip"}, 400, "unrecognizable tar file extension. Supported extensions are: .tgz"),
    ("POST", APPS, {"tarfile": FILE}, 400, "does not exist here"),
    ("POST", APPS, {"tarfile": FILE, "binary_data": ""}, 400, "does not exist here"),
    ("POST", APPS, {"tarfile": FILE, "binary_data": "!!!"}, 400, "not base64"),
    ("POST", APPS, sending(b"no tarball"), 400, "Application-upload rejected: failed to extract tar file"),
    ("POST", APPS, sending(b"\x1f\x8b no gzip"), 400, "Application-upload rejected: failed to extract tar file"),
    ("POST", APPS, sending(NO_NAME), 400, "Please specify the application name via --app-name"),
    ("POST", APPS, sending(bundle({"bundle.yaml": b"app: bag\nversion: '9'\n"})), 400, "components"),
    ("POST", APPS, sending(tarball("1.0.0")), 400, "application shop already exists"),
    ("POST", f"{APPS}/update", {}, 400, "Application-update rejected: tar file must be specified."),
    ("POST", f"{APPS}/update", {"tarfile": FILE + "x"}, 400, "unrecognizable tar file extension"),
    ("POST", f"{APPS}/update", {"tarfile": "/x/unknown.tgz"}, 400, "does not exist here"),
    ("POST", f"{APPS}/update", sending(tarball("2.0.0"), reuse_attributes="1"), 400, "invalid reuse_attributes"),
    ("POST", f"{APPS}/update", sending(tarball("2.0.0", "other")), 400, "update rejected: application not found."),
    ("POST", f"{APPS}/update", {"tarfile": "https://example.org/a.tgz"}, 400, "application not found."),
    ("POST", f"{APPS}/update", sending(tarball("2.0.0")), 400, "not allowed while the current status is uploaded."),
    ("PATCH", f"{PATCH}apply", {}, 400, 'Missing argument: "values"'),
    ("PATCH", f"{PATCH}apply", {"values": []}, 400, "values"),
    ("PATCH", f"{PATCH}apply", {"values": {}, "more": 1}, 400, 'Unknown argument: "more"'),
    ("PATCH", f"{PATCH}apply", {"values": {"mode": "normal"}}, 400, "Mode is not supported for app shop."),
    ("PATCH", f"{APPS}/shop", {"values": {}}, 400, 'Missing argument: "directive"'),
    ("PATCH", f"{PATCH}rollback", {"values": {}}, 403, "Operation not permitted."),
    ("PATCH", f"{PATCH}remove&force=True", {"values": {}}, 400, "not allowed while the current status is uploaded."),
    ("PATCH", f"{PATCH}abort", {"values": {}}, 400, "Application-abort rejected: operation is not allowed"),
    ("PATCH", f"{APPS}/other?directive=apply", {"values": {}}, 400, "Application-apply rejected: application not"),
    ("PATCH", f"{APPS}/other?directive=remove", {"values": {}}, 400, "Application-remove rejected: application not"),
    ("PATCH", f"{APPS}/other?directive=abort", {"values": {}}, 400, "Application-abort rejected: application not"),
    ("DELETE", f"{APPS}/other", None, 400, "Application-delete rejected: application not found."),
    ("GET", f"{APPS}/other", None, 404, "No application with name other."),
    ("GET", f"{APPS}/get_all_apps_by_status", None, 400, 'Missing argument: "status"'),
    ("GET", f"{APPS}/get_all_apps_by_status?status=done", None, 400, "status done is not valid."),
    ("GET", f"{APPS}/kube_app_get_by_id?id=77", None, 404, "No application with id 77."),
    ("GET", f"{APPS}/kube_app_get_by_id?id=x", None, 404, "No application with id x."),
    ("POST", "/v1/evaluate_apps_reapply", {}, 400, "missing 'type' field"),
    ("GET", "/v1/ihosts", None, 404, ""),
    ("PUT", APPS, None, 405, ""),
]  # fmt: skip
"""Of an app that is uploaded: what is not taken, with the status and a part of the text."""


def text_of(body: Any) -> str:
    """As their command line reads it."""
    inner = json.loads(body["error_message"])
    return str(inner["faultstring"])


async def test_every_wrong_request_gets_the_status_and_the_words_of_sysinv_and_changes_nothing(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        await door.upload("1.0.0")
        before = await door.shows("uploaded")
        wrong = []
        for method, path, body, status, words in TABLE:
            refused = await door.ask(method, path, body)
            assert "error_message" in refused.body, (method, path, refused)
            inner = json.loads(refused.body["error_message"])
            if refused.status != status or words not in inner["faultstring"]:
                wrong.append((method, path, refused.status, inner))
            if bool(words) == bool({"debuginfo", "faultcode"} - inner.keys()):
                wrong.append((method, path, refused.status, inner))
        assert not wrong
        assert await door.get(APPS) == {"apps": [{k: v for k, v in before.items() if not k.endswith("_at")}]}
        assert len((await door.api.get("/v1/releases"))["items"]) == 1


async def test_who_may_not_is_told_so_as_its_command_line_reads_it(world: World) -> None:
    async with only_the_door(world) as door:
        for token in ("", "wrong"):
            refused = await door.ask("GET", APPS, X_Auth_Token=token)
            assert refused.status == 401
            assert refused.headers["WWW-Authenticate"].startswith("Keystone uri=")
            assert "token" in text_of(refused.body)
        made = await door.api.ask("POST", "/v1/tokens", {"name": "eve", "role": "viewer"})
        viewer = made.body["token"]
        assert (await door.ask("GET", APPS, X_Auth_Token=viewer)).status == 200
        refused = await door.ask("POST", f"{APPS}/update_all", X_Auth_Token=viewer)
        assert (refused.status, json.loads(refused.body["error_message"]).keys()) == (403, {"faultstring"})


async def test_a_client_that_likes_xml_gets_xml(world: World) -> None:
    async with only_the_door(world) as door:
        listed = await door.ask("GET", APPS, Accept="application/xml")
        assert (listed.headers["Content-Type"], listed.body) == ("application/xml", "<result><apps /></result>")
        refused = await door.ask("GET", f"{APPS}/a<b", Accept="application/xml")
        root = fromstring(refused.body)  # noqa: S314 - our own answer
        assert (refused.status, root.tag) == (404, "error_message")
        assert root.findtext("error/faultstring") == "No application with name a<b."
        both = await door.ask("GET", f"{APPS}/x", Accept="application/json, application/xml")
        assert text_of(both.body) == "No application with name x."


async def test_a_text_that_their_client_would_take_for_one_more_layer_is_none(world: World) -> None:
    async with only_the_door(world) as door:
        refused = await door.ask("GET", f"{APPS}/error_message")
        assert "error_message" not in refused.body["error_message"]


def anything(seed: random.Random, depth: int = 0) -> Any:
    """A value of any kind that JSON has."""
    plain: list[Any] = [
        None,
        True,
        False,
        0,
        -1,
        10**30,
        0.5,
        "",
        "true",
        "a",
        "9",
        "/x.tgz",
        "\u00e9\u2028",
        "x" * 300,
    ]
    if depth > 2 or seed.random() < 0.6:
        return seed.choice(plain)
    inner = [anything(seed, depth + 1) for _ in range(seed.randint(0, 3))]
    return inner if seed.random() < 0.5 else {str(n): value for n, value in enumerate(inner)}


PLACES: list[tuple[str, str, tuple[str, ...]]] = [
    ("POST", APPS, ("tarfile", "name", "app_version", "images", "binary_data")),
    ("POST", f"{APPS}/update", ("tarfile", "name", "reuse_user_overrides", "reuse_attributes", "binary_data")),
    ("PATCH", f"{PATCH}apply", ("values", "mode")),
    ("PATCH", f"{PATCH}remove", ("values",)),
    ("PATCH", f"{PATCH}abort", ("values",)),
    ("PATCH", CHART, ("flags", "values", "attributes")),
    ("DELETE", CHART, ()),
    ("POST", "/v1/evaluate_apps_reapply", ("type", "filters")),
    ("POST", "/v3/auth/tokens", ("auth", "identity", "scope")),
]  # fmt: skip


async def test_random_bodies_and_paths_never_find_a_defect(world: World) -> None:
    seed = random.Random(20190522)  # noqa: S311 - not for secrets
    async with everything(world) as door:
        await door.sites(SITE)
        await door.upload("1.0.0")
        await door.shows("uploaded")
        broken = []
        for method, path, fields in PLACES * 15:
            body: Any = {field: anything(seed) for field in fields if seed.random() < 0.7}
            body = body if seed.random() < 0.9 else json.dumps(anything(seed)).encode()
            reply = await door.ask(method, path, body)
            if reply.status >= 500:
                broken.append((method, path, body, reply.status, reply.body))
        for odd in ("%00", "%ff", "a%2fb", "9" * 30, "%0a", "\u00e9", "-1", "'", "update"):
            for path in (
                f"{APPS}/{odd}",
                f"{APPS}/kube_app_get_by_id?id={odd}",
                f"{APPS}/get_all_apps_by_status?status={odd}",
                f"/v1/helm_charts/{odd}?name=a&namespace=b",
                f"/v1/helm_charts?app_name={odd}",
            ):
                reply = await door.ask("GET", path)
                if reply.status >= 500 or reply.status == 200:
                    broken.append(("GET", path, None, reply.status, reply.body))
        assert not broken


async def test_odd_forms_are_refused_and_a_sound_one_is_taken(world: World) -> None:
    async with everything(world) as door:
        await door.sites(SITE)
        for raw, kind in (
            (b"abc", "multipart/form-data; boundary=x"),
            (b"--x\r\n\r\nabc", "multipart/form-data; boundary=x"),
            (b"--x\r\n", "multipart/form-data"),
            *((raw, kind) for kind, raw in CHARSETS),
        ):
            refused = await door.ask("POST", APPS, raw, Content_Type=kind)
            assert refused.status == 400, refused.body
        assert (await form(door, {"file": tarball("1.0.0")})).status == 200
        assert (await door.shows("uploaded"))["app_version"] == "1.0.0"
        twice = await form(door, {"file": tarball("1.0.0"), "bundle": tarball("1.0.0")})
        assert "more than one file" in text_of(twice.body)


async def form(door: DoorClient, files: dict[str, bytes]) -> Any:
    """Send files in a form, as `curl -F` does."""
    data = aiohttp.FormData()
    data.add_field("images", "false")
    for name, content in files.items():
        data.add_field(name, content, filename="shop.tgz")
    return await door.ask("POST", APPS, data)
