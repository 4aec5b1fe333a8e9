"""A pending revision called failed, before an API server that says each time that its record has changed."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import history, releases
from services.deployer.drivers.helm.cluster import CHANGED, Cluster
from services.deployer.drivers.helm.history import Revision
from services.deployer.drivers.helm.place import Place
from services.deployer.drivers.helm.releases import Releases
from shared.core import retrying

MOST = 100
"""Requests; far more than somebody asks who gives up."""
PENDING = Revision(2, "pending-upgrade", secret="sh.helm.release.v1.shop.v2", version="7")


class Refusing:
    """Keeps the record of the revision, and says of its first writes that it has changed meanwhile."""

    def __init__(self, conflicts: int) -> None:
        self.conflicts = conflicts
        self.asked: list[str] = []
        self.status = PENDING.status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        assert len(self.asked) < MOST, "it asks for ever"
        if request.method == "GET":
            return httpx.Response(200, json=self.secret())
        if self.asked.count("PATCH") <= self.conflicts:
            return httpx.Response(409, json={"message": "the object has been modified"})
        self.status = history.FAILED
        return httpx.Response(200, json=self.secret())

    def secret(self) -> dict[str, Any]:
        labels = {"owner": "helm", "version": str(PENDING.number), "status": self.status}
        metadata = {"name": PENDING.secret, "resourceVersion": str(len(self.asked)), "labels": labels}
        return {"metadata": metadata, "data": {"release": history.encode({"info": {"status": self.status}})}}

    def releases(self) -> Releases:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="https://c")
        return Releases(Cluster(http, 1, lambda _: None), Place("shop", "shop"))


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "BACK_OFF_SECONDS", (0.001,))


async def test_a_record_that_changed_meanwhile_is_written_as_it_is_then() -> None:
    server = Refusing(conflicts=3)
    await server.releases().give_up(PENDING, "its helm was ended")
    assert (server.status, server.asked.count("PATCH")) == (history.FAILED, 4)


async def test_a_record_that_is_said_to_have_changed_each_time_is_given_up() -> None:
    server = Refusing(conflicts=MOST)
    with pytest.raises(Failed) as found:
        await server.releases().give_up(PENDING, "its helm was ended")
    assert server.asked.count("PATCH") == releases.MORE_TRIES + 1
    assert found.value.broken.code == CHANGED
    assert found.value.broken.message == (
        "revision 2 of shop, which is pending-upgrade, cannot be called failed: "
        "the API server refuses: the object has been modified (its helm was ended)"
    )
