"""What an API server, or whatever stands before it, answers: lost, twice, as a page, or for ever the same.

The cluster is ours down to its connection, which answers from a table.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import clearing, history
from services.deployer.drivers.helm.cluster import Cluster
from services.deployer.drivers.helm.place import Place
from services.deployer.drivers.helm.releases import Releases
from shared.components.helm import Deletion

PLACE = Place("shop", "web")
SECRET = "sh.helm.release.v1.web.v2"
Answer = Callable[[httpx.Request], httpx.Response]


def cluster(answer: Answer, patience: float = 5) -> Cluster:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="https://c")
    return Cluster(http, patience, lambda _: None)


async def code(answer: Answer) -> str:
    with pytest.raises(Failed) as found:
        await cluster(answer, patience=0).get("/api")
    return found.value.broken.code


class Record:
    """The Secret of a revision, whose version grows with each change; the answer to the first one is lost."""

    def __init__(self, *, after: str | None) -> None:
        self.status, self.version = "pending-upgrade", 1
        self.after = after
        """What becomes of it before the patch comes again; None = what the patch said."""
        self.patches = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.status == "gone":
            return httpx.Response(404, json={})
        if request.method == "PATCH":
            return self._patched(json.loads(request.content))
        labels = {"owner": "helm", "version": "2", "status": self.status}
        metadata = {"name": SECRET, "resourceVersion": str(self.version), "labels": labels}
        return httpx.Response(200, json={"metadata": metadata, "data": {"release": history.encode({"info": {}})}})

    def _patched(self, patch: dict[str, Any]) -> httpx.Response:
        self.patches += 1
        if patch["metadata"]["resourceVersion"] != str(self.version):
            return httpx.Response(409, json={"message": "the object has been modified"})
        self.status, self.version = patch["metadata"]["labels"]["status"], self.version + 1
        if self.patches == 1:
            self.status = self.after or self.status
            raise httpx.ReadError("cut off")
        return httpx.Response(200, json={})

    async def give_up(self) -> None:
        revision = history.Revision(2, "pending-upgrade", secret=SECRET, version="1")
        await Releases(cluster(self), PLACE).give_up(revision, "its helm was ended")


@pytest.mark.parametrize(
    ("after", "ends", "patches"), [(None, "failed", 2), ("pending-upgrade", "failed", 3), ("gone", "gone", 1)]
)
async def test_a_revision_is_given_up_though_the_answer_was_lost(after: str | None, ends: str, patches: int) -> None:
    record = Record(after=after)
    await record.give_up()
    assert (record.status, record.patches) == (ends, patches)


async def test_a_revision_that_somebody_else_brought_to_an_end_is_not_given_up() -> None:
    record = Record(after="deployed")
    with pytest.raises(Failed) as found:
        await record.give_up()
    assert (found.value.broken.code, record.status) == ("changed_meanwhile", "deployed")
    assert "revision 2 of web is deployed now" in found.value.broken.message


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize("page", ["", "<html>maintenance</html>", '"maintenance"'])
async def test_who_answers_with_a_page_is_no_api_server_for_now(status: int, page: str) -> None:
    assert await code(lambda _: httpx.Response(status, text=page)) == "unreachable"


async def test_a_date_that_nobody_can_read_is_passed_by() -> None:
    headers = {"date": "yesterday, about noon"}
    assert await cluster(lambda _: httpx.Response(200, json={"a": 1}, headers=headers)).get("/api") == {"a": 1}


async def test_an_address_that_is_none_is_a_fault_of_the_connection() -> None:
    def refuses(_: httpx.Request) -> httpx.Response:
        raise httpx.InvalidURL("Invalid port: 'x'")

    assert await code(refuses) == "bad_connection"


async def test_what_is_to_go_before_an_upgrade_and_stays_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clearing, "PAUSE_SECONDS", 0.01)
    kept = {"metadata": {"name": "migrate", "finalizers": ["example.org/audit"]}}
    told: list[str] = []
    stays = cluster(lambda request: httpx.Response(200, json={"items": [kept]} if request.method == "GET" else {}))
    with pytest.raises(Failed) as found:
        await clearing.clear(stays, PLACE, [Deletion(kind="job", labels={"app": "shop"})], told.append, 0.05)
    assert found.value.broken.code == "still_there"
    for said in (found.value.broken.message, told[0]):
        assert "job migrate (kept by its finalizers example.org/audit)" in said
