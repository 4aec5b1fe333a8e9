"""The version that a deployed thing says it is: by its pods' label, and by HTTP through the API server's proxy."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil
import pytest

from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.sites import broken, done
from tests.support.lacking import left_out

pytestmark = pytest.mark.kubernetes

LABEL = {"label": {"workload": "deployment/web"}}


async def test_the_pods_label_is_the_version(driver: DurableDriver, cluster: Cluster) -> None:
    found = await done(driver, cluster.order("o1", "1.0", version_check=LABEL))
    assert found.detail.endswith("version 1.0")


async def test_another_label_than_the_release_is_the_wrong_version(driver: DurableDriver, cluster: Cluster) -> None:
    found = await broken(driver, cluster.order("o1", "1.0", {"version": "0.9"}, version_check=LABEL))
    assert (found.code, "says 0.9" in found.message) == ("wrong_version", True)


async def test_a_workload_that_is_not_there_says_no_version(driver: DurableDriver, cluster: Cluster) -> None:
    check = {"label": {"workload": "deployment/other"}}
    assert (await broken(driver, cluster.order("o1", version_check=check))).code == "no_version"


class Program(BaseHTTPRequestHandler):
    """What would run in the pod."""

    def do_GET(self) -> None:
        body = json.dumps({"build": {"version": "1.0"}}).encode() if self.path == "/version.json" else b"no"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def program() -> Iterator[dict[str, Any]]:
    """Values by which the pod's address is this machine's: the API server takes no loopback address for a pod's."""
    ours = [a.address for each in psutil.net_if_addrs().values() for a in each if a.family == socket.AF_INET]
    outward = [address for address in ours if not address.startswith("127.")]
    if not outward:
        left_out("this machine has only loopback addresses, and no pod may have one of these")
    server = ThreadingHTTPServer((outward[0], 0), Program)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield {"also": ["Service"], "port": server.server_port, "annotations": {"kubelab/address": outward[0]}}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_http(**more: Any) -> dict[str, Any]:
    return {"http": {"service": "web", "port": "http", "path": "/version.json", "pointer": "/build/version", **more}}


async def test_a_service_is_asked_through_the_proxy(
    driver: DurableDriver, cluster: Cluster, program: dict[str, Any]
) -> None:
    found = await done(driver, cluster.order("o1", "1.0", program, version_check=by_http()))
    assert found.detail.endswith("version 1.0")
    other = await broken(driver, cluster.order("o2", "2.0", program, version_check=by_http()))
    assert (other.code, "says 1.0" in other.message) == ("wrong_version", True)


@pytest.mark.parametrize("more", [{"path": "/other"}, {"pointer": "/nothing"}, {"port": 81}, {"service": "nobody"}])
async def test_what_answers_no_version_is_told(
    driver: DurableDriver, cluster: Cluster, program: dict[str, Any], more: dict[str, Any]
) -> None:
    assert (
        await broken(driver, cluster.order("o1", "1.0", program, version_check=by_http(**more)))
    ).code == "no_version"
