"""What can be wrong with a connection, a chart and a cluster: each ends with its code, and nothing is left pending."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from pydantic import SecretStr

from services.deployer.drivers import Broken, Done, Order, Running
from services.deployer.drivers.durable.driver import DurableDriver
from tests.support.kubernetes import sites
from tests.support.kubernetes.cluster import Cluster
from tests.support.kubernetes.lab import Lab
from tests.support.kubernetes.line import Line
from tests.support.kubernetes.sites import Make, broken, done, finish

pytestmark = pytest.mark.kubernetes

HISTORY = [(1, "deployed")]


def changed(lab: Lab, change: Callable[[dict[str, Any]], object]) -> str:
    config = lab.config
    change(config)
    return yaml.safe_dump(config)


def server(url: str) -> Callable[[dict[str, Any]], object]:
    return lambda config: config["clusters"][0]["cluster"].update(server=url)


# -- the connection ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kubeconfig", "word"),
    [
        ("{", "no plain YAML"),
        ("just words", "is none"),
        ("clusters: []", "current-context"),
        ("{clusters: [], current-context: a}", "no context a"),
    ],
)
async def test_a_kubeconfig_that_is_none_is_refused(
    driver: DurableDriver, cluster: Cluster, kubeconfig: str, word: str
) -> None:
    order = replace(cluster.order("o1"), connection={"kubeconfig": SecretStr(kubeconfig)})
    found = await broken(driver, order)
    assert (found.code, word in found.message) == ("bad_connection", True)


async def test_every_fault_of_a_connection_is_named(driver: DurableDriver, cluster: Cluster) -> None:
    order = replace(cluster.order("o1"), connection={"namespace_prefix": "No!", "cluster": "x"})
    found = await broken(driver, order)
    assert found.code == "bad_connection"
    assert all(word in found.message for word in ("kubeconfig", "namespace_prefix", "cluster"))


async def test_a_wrong_token_is_told(driver: DurableDriver, cluster: Cluster) -> None:
    kubeconfig = changed(cluster.lab, lambda config: config["users"][0]["user"].update(token="wrong-token"))
    found = await broken(driver, replace(cluster.order("o1"), connection={"kubeconfig": SecretStr(kubeconfig)}))
    assert found.code == "unauthorized"
    assert "wrong-token" not in found.message


def encoded(blob: trustme.Blob) -> str:
    return base64.b64encode(blob.bytes()).decode()


def user(lab: Lab, name: str, until: datetime | None = None, **more: str) -> dict[str, str]:
    """A user with a client certificate that is good until then."""
    made = lab.authority.issue_cert(f"{name}.example", not_after=until, common_name=name, **more)
    key, certificate = encoded(made.private_key_pem), encoded(made.cert_chain_pems[0])
    return {"client-certificate-data": certificate, "client-key-data": key}


def administrator(lab: Lab, until: datetime) -> dict[str, str]:
    return user(lab, "ops", until, organization_name="system:masters")


async def test_a_client_certificate_serves_and_an_expired_one_is_told(driver: DurableDriver, cluster: Cluster) -> None:
    good, expired = (
        changed(cluster.lab, lambda config, u=until: config["users"][0].update(user=administrator(cluster.lab, u)))
        for until in (datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) - timedelta(days=1))
    )
    connection = cluster.order("o1").connection
    with_good = replace(cluster.order("o1"), connection={**connection, "kubeconfig": SecretStr(good)})
    await done(driver, with_good)
    with_expired = replace(with_good, key="o2", connection={**connection, "kubeconfig": SecretStr(expired)})
    assert (await broken(driver, with_expired)).code in ("unauthorized", "bad_certificate")
    assert cluster.history() == HISTORY


@contextmanager
def stranger_with(certificate: trustme.LeafCert) -> Iterator[str]:
    """A server that is none of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    here = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    here.socket = context.wrap_socket(here.socket, server_side=True)
    thread = threading.Thread(target=here.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{here.server_port}"
    finally:
        here.shutdown()
        thread.join()
        here.server_close()


async def test_an_api_server_whose_certificate_has_expired_or_is_anothers_is_not_trusted(
    driver: DurableDriver, cluster: Cluster
) -> None:
    authority = trustme.CA()
    expired = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    trusted = encoded(authority.cert_pem)
    with stranger_with(expired) as url:
        for key, more in (("o1", {}), ("o2", {"certificate-authority-data": trusted})):
            kubeconfig = changed(
                cluster.lab, lambda config, m=more, u=url: config["clusters"][0]["cluster"].update(server=u, **m)
            )
            order = replace(cluster.order(key), connection={"kubeconfig": SecretStr(kubeconfig)})
            assert (await broken(driver, order)).code == "bad_certificate"


async def test_a_user_who_may_not_is_told_so(driver: DurableDriver, cluster: Cluster) -> None:
    kubeconfig = changed(cluster.lab, lambda config: config["users"][0].update(user=user(cluster.lab, "nobody")))
    found = await broken(driver, replace(cluster.order("o1"), connection={"kubeconfig": SecretStr(kubeconfig)}))
    assert (found.code, "secrets" in found.message) == ("forbidden", True)


async def test_an_api_server_that_stays_away_is_told(another: Make, cluster: Cluster) -> None:
    driver = another(unreachable_seconds=1)
    kubeconfig = changed(cluster.lab, server("https://127.0.0.1:1"))
    order = replace(cluster.order("o1"), connection={"kubeconfig": SecretStr(kubeconfig)})
    assert (await broken(driver, order)).code == "unreachable"
    assert await driver.has_revision([replace(order, revision="1")]) == [None]


async def test_a_host_without_helm_says_what_to_install(another: Make, cluster: Cluster) -> None:
    driver = another(binary="no-such-helm")
    found = await broken(driver, cluster.order("o1"))
    assert (found.code, "BELAY_HELM_BINARY" in found.message) == ("tool_missing", True)


# -- an API server that goes away -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["renders the chart", "helm sends it", "deployment/web"])
async def test_an_api_server_that_goes_away_in_mid_upgrade_is_waited_for(
    driver: DurableDriver, cluster: Cluster, moment: str
) -> None:
    async with Line.to(cluster.lab) as line:
        connection = {**cluster.order("o1").connection, "kubeconfig": SecretStr(line.kubeconfig(cluster.lab))}
        await done(driver, replace(cluster.order("o1"), connection=connection))
        values = {"image": "registry.example/unready", "hooks": {"pre-upgrade": "registry.example/hook"}}
        order = replace(cluster.order("o2", "2.0", values), connection=connection)
        await driver.start([order])
        await told(driver, order, moment)
        await line.cut()
        await told(driver, order, "waits for the API server")
        await line.mend()
        await told(driver, order, "deployment/web")
        well = {"containers": [{"name": "app", "image": "well"}]}
        cluster.patch("deployment", "web", {"spec": {"template": {"spec": well}}})
        assert isinstance((await finish(driver, order, begin=False))[0], Done)
        assert cluster.history() == [(1, "superseded"), (2, "deployed")]


async def test_a_control_plane_that_dies_and_comes_back_in_mid_upgrade_is_waited_for(
    driver: DurableDriver, cluster: Cluster, kubernetes: Lab
) -> None:
    await done(driver, cluster.order("o1"))
    order = cluster.order("o2", "2.0", {"image": "registry.example/unready"})
    await driver.start([order])
    await told(driver, order, "deployment/web")
    kubernetes.stop()
    await told(driver, order, "waits for the API server")
    await asyncio.to_thread(kubernetes.start)
    await told(driver, order, "deployment/web")
    well = {"containers": [{"name": "app", "image": "well"}]}
    cluster.patch("deployment", "web", {"spec": {"template": {"spec": well}}})
    assert isinstance((await finish(driver, order, begin=False))[0], Done)
    assert cluster.history() == [(1, "superseded"), (2, "deployed")]


async def test_an_api_server_that_is_away_for_half_a_minute_costs_no_upgrade_rollback_or_removal(
    driver: DurableDriver, kubernetes: Lab
) -> None:
    async with Line.to(kubernetes) as one, Line.to(kubernetes) as two, Line.to(kubernetes) as three:
        first, second, third = (behind(line, kubernetes) for line in (one, two, three))
        found = await finish(driver, first, second, third)
        assert all(isinstance(each, Done) for each in found), found
        await done(driver, replace(second, key=f"{second.key}-newer", version="2.0", component=sites.component()))
        upgrade = replace(first, key="upgrade", version="2.0", component=sites.component({"version": "2.0"}))
        await asyncio.gather(
            away_for(30, one, driver, upgrade, "helm sends it"),
            away_for(30, two, driver, sites.rollback("rollback", second, "1"), "helm sends it"),
            away_for(30, three, driver, sites.remove("removal", third), "helm uninstalls it"),
        )
    assert history_at(kubernetes, first) == [(1, "superseded"), (2, "deployed")]
    assert history_at(kubernetes, second) == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert "not found" in str(history_at(kubernetes, third))


def behind(line: Line, lab: Lab) -> Order:
    """An apply on a site of its own, whose cluster is reached by the line."""
    prefix = f"{lab.namespace()}-"
    order = sites.order(lab, f"apply-{prefix}", "1.0", prefix, site=prefix)
    return replace(order, connection={**order.connection, "kubeconfig": SecretStr(line.kubeconfig(lab))})


def history_at(lab: Lab, order: Order) -> object:
    try:
        return sites.history(lab, f"{order.connection['namespace_prefix']}shop")
    except AssertionError as missing:  # as Helm says it
        return missing


async def away_for(seconds: float, line: Line, driver: DurableDriver, order: Order, says: str) -> None:
    """The order is carried out all the same. What is tried is the time itself."""
    await driver.start([order])
    await told(driver, order, says)
    await line.cut()
    since = time.monotonic()
    await told(driver, order, "waits for the API server")
    while time.monotonic() - since < seconds:
        assert isinstance((await driver.poll([order]))[0], Running)
        await driver.wait(1)
    await line.mend()
    assert isinstance((await finish(driver, order, begin=False))[0], Done)


async def told(driver: DurableDriver, order: Any, begins: str) -> None:
    """Until the order says so of itself."""
    while True:
        [progress] = await driver.poll([order])
        assert isinstance(progress, Running), progress
        if progress.detail.startswith(begins):
            return
        await driver.wait(0.01)


# -- the chart --------------------------------------------------------------------------------------------------------

CHARTS = {
    "renders_nothing": {"templates/empty.yaml": "{{ if false }}a: b{{ end }}\n"},
    "bad_template": {"templates/bad.yaml": "{{ .Values.a.b.c }}\n"},
    "bad_manifest": {"templates/bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n  data: [\n"},
    "bad_chart": {"Chart.yaml": "name: web\nversion: not-a-version\napiVersion: v2\n"},
    "bad_values": {
        "templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        "values.schema.json": '{"type": "object", "required": ["colour"]}',
    },
}
KINDS = {
    "unknown": ("bad_manifest", "apiVersion: example.com/v1\nkind: Nothing\nmetadata: {name: a}\n"),
    "invalid": (
        "invalid_object",
        "apiVersion: v1\nkind: Service\nmetadata: {name: UPPER}\nspec: {ports: [{port: 80}]}\n",
    ),
}


def chart_of(files: dict[str, str]) -> Callable[[str, Path], Any]:
    async def unpack(_: str, target: Path) -> None:
        shutil.copytree(sites.CHART, target / "chart", ignore=lambda *_: ["templates", "values.yaml"])
        (target / "chart/templates").mkdir()
        for name, text in files.items():
            (target / "chart" / name).write_text(text)

    return unpack


@pytest.mark.parametrize("code", CHARTS)
async def test_a_chart_that_cannot_be_deployed_leaves_the_release_alone(
    another: Make, driver: DurableDriver, cluster: Cluster, code: str
) -> None:
    await done(driver, cluster.order("o1"))
    other = another(unpack=chart_of(CHARTS[code]))
    found = await broken(other, cluster.order("o2", "2.0"))
    assert found.code == code
    assert found.message
    assert cluster.history() == HISTORY


@pytest.mark.parametrize("case", KINDS)
async def test_what_the_cluster_does_not_take_is_told(another: Make, cluster: Cluster, case: str) -> None:
    code, text = KINDS[case]
    driver = another(unpack=chart_of({"templates/a.yaml": text}))
    assert (await broken(driver, cluster.order("o1"))).code == code


# -- the cluster ------------------------------------------------------------------------------------------------------


async def test_a_namespace_that_is_being_deleted_is_left_alone(driver: DurableDriver, cluster: Cluster) -> None:
    cluster.create_namespace()
    cluster.create("configmap", {"metadata": {"name": "stays", "finalizers": ["example.com/stays"]}})
    cluster.delete_namespace()
    assert (await broken(driver, cluster.order("o1"))).code == "namespace_terminating"
    cluster.patch("configmap", "stays", {"metadata": {"finalizers": []}})


async def test_a_namespace_deleted_in_mid_order_is_told(driver: DurableDriver, cluster: Cluster) -> None:
    order = cluster.order("o1", values={"image": "registry.example/unready"})
    await driver.start([order])
    await told(driver, order, "deployment/web: 0 of 1")
    cluster.delete_namespace()
    found = (await finish(driver, order, begin=False))[0]
    assert isinstance(found, Broken)
    assert found.code in ("gone", "namespace_terminating")


async def test_a_namespace_that_nobody_is_to_make_must_be_there(driver: DurableDriver, cluster: Cluster) -> None:
    found = await broken(driver, cluster.order("o1", create_namespace=False))
    assert (found.code, cluster.namespace in found.message) == ("no_namespace", True)


async def test_a_quota_that_is_exceeded_is_told_with_its_words(driver: DurableDriver, cluster: Cluster) -> None:
    await done(driver, cluster.order("o1"))
    cluster.create("resourcequota", {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    found = await broken(driver, cluster.order("o2", "2.0", rollout={"seconds": 2}))
    assert (found.code, "few" in found.message) == ("quota_exceeded", True)


@pytest.mark.parametrize(
    ("image", "code"),
    [("broken", "image_not_pulled"), ("crashing", "crashing"), ("unready", "not_ready")],
)
async def test_a_pod_that_never_gets_ready_is_told_with_its_reason(
    driver: DurableDriver, cluster: Cluster, image: str, code: str
) -> None:
    await done(driver, cluster.order("o1"))
    values = {"image": f"registry.example/{image}"}
    found = await broken(driver, cluster.order("o2", "2.0", values, rollout={"seconds": 1}))
    assert found.code == code
    assert any("pod web-" in line for line in found.last_lines)
    assert cluster.get("deployment", "web")["status"]["availableReplicas"] == 1  # the old one serves


async def test_a_pod_that_fits_on_no_node_is_told(driver: DurableDriver, cluster: Cluster) -> None:
    found = await broken(driver, cluster.order("o1", values={"cpu": "1000"}, rollout={"seconds": 2}))
    assert found.code == "unschedulable"


async def test_an_immutable_field_that_changed_is_told(driver: DurableDriver, cluster: Cluster) -> None:
    await done(driver, cluster.order("o1"))
    found = await broken(driver, cluster.order("o2", "2.0", {"selector": "other"}))
    assert found.code == "immutable_field"
    assert cluster.history() == [(1, "deployed"), (2, "failed")]
    assert await driver.has_revision([replace(cluster.order("o3"), revision=number) for number in "12"]) == [
        True,
        False,
    ]
    await done(driver, sites.rollback("o3", cluster.order("o1"), "1"))


async def test_what_another_release_owns_is_not_taken(driver: DurableDriver, cluster: Cluster) -> None:
    await done(driver, cluster.order("o1"))
    assert (await broken(driver, cluster.order("o2", release="other"))).code == "owned_by_another"


# -- hooks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["pre-upgrade", "post-upgrade"])
async def test_a_hook_that_fails_ends_the_order(driver: DurableDriver, cluster: Cluster, event: str) -> None:
    await done(driver, cluster.order("o1"))
    hooks = {"hooks": {event: "registry.example/crashing"}}
    found = await broken(driver, cluster.order("o2", "2.0", hooks))
    assert found.code == "hook_failed"
    assert cluster.history() == [(1, "deployed"), (2, "failed")]


async def test_a_rollbacks_hook_that_fails_leaves_nothing_pending(driver: DurableDriver, cluster: Cluster) -> None:
    first = cluster.order("o1", values={"hooks": {"pre-rollback": "registry.example/crashing"}})
    await done(driver, first)
    await done(driver, cluster.order("o2", "2.0"))
    found = await broken(driver, sites.rollback("o3", first, "1"))
    assert found.code == "hook_failed", found
    assert [status for _, status in cluster.history()] == ["superseded", "deployed", "failed"]


async def test_hooks_that_are_not_allowed_are_not_run(driver: DurableDriver, cluster: Cluster) -> None:
    hooks = {"hooks": {"pre-install": "registry.example/crashing"}}
    await done(driver, cluster.order("o1", values=hooks, hooks=False))
    assert cluster.names("job") == []


async def test_a_hook_after_the_rollout_waits_for_it(driver: DurableDriver, cluster: Cluster) -> None:
    values = {"hooks": {"post-install": "registry.example/hook"}, "image": "registry.example/unready"}
    found = await broken(driver, cluster.order("o1", values=values, helm_seconds=2))
    assert found.code == "timeout"
    assert cluster.names("job") == []
