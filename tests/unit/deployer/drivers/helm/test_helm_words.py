"""Names, arguments, manifests and causes: what the helm driver makes of what it is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

import services.deployer.drivers.helm as package
from services.deployer.drivers import Component, Order
from services.deployer.drivers.failed import Failed
from services.deployer.drivers.helm import calls, causes, manifest, trouble
from services.deployer.drivers.helm.calls import Paths
from services.deployer.drivers.helm.connection import Connection, access_of
from services.deployer.drivers.helm.manifest import Workload
from services.deployer.drivers.helm.place import LONGEST_RELEASE, Place, mark_of, place_of
from services.deployer.drivers.helm.settings import HelmSettings
from shared.components.helm import HelmSpec
from shared.messages.words import NAME_PATTERN

README = Path(package.__file__).with_name("README.md").read_text()
SPEC = HelmSpec(chart="chart", namespace="shop", values={"password": "of-the-spec"})
PATHS = Paths("/proc/self/fd/5", "lab", "/proc/self/fd/6")
names = st.from_regex(NAME_PATTERN, fullmatch=True)


def place(app: str, component: str, prefix: str = "") -> Place:
    order = Order("o", "s1", {}, app, "apply", Component(component, "helm", SPEC), "1.0", None)
    return place_of(order, Connection(kubeconfig=SecretStr("x"), namespace_prefix=prefix))


@given(names, names)
def test_every_app_and_component_has_a_release_that_helm_takes(app: str, component: str) -> None:
    release = place(app, component).release
    assert len(release) <= LONGEST_RELEASE
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", release)


@given(st.lists(st.tuples(names, names), max_size=20, unique_by=lambda pair: f"{pair[0]}-{pair[1]}"))
def test_no_two_share_one(pairs: list[tuple[str, str]]) -> None:
    assert len({place(*pair).release for pair in pairs}) == len(pairs)


def test_a_plain_name_is_left_as_it_is() -> None:
    assert place("shop", "web", "oslo-") == Place("oslo-shop", "shop-web")


def test_a_prefix_that_makes_a_namespace_too_long_is_named() -> None:
    order = Order(
        "o", "s1", {}, "a", "apply", Component("b", "helm", SPEC.model_copy(update={"namespace": "n" * 40})), "1", None
    )
    with pytest.raises(Failed, match="namespace_prefix"):
        place_of(order, Connection(kubeconfig=SecretStr("x"), namespace_prefix="p" * 40))


@given(st.text(min_size=1, max_size=300))
def test_a_mark_is_a_label(key: str) -> None:
    assert re.fullmatch(r"[a-z0-9]{1,63}", mark_of(key))


def test_nothing_of_a_spec_that_may_be_secret_is_an_argument() -> None:
    upgrade = calls.upgrade(Place("shop", "web"), SPEC, "/c", ["/v"], "o1", "about")
    for arguments in (upgrade.rendered(PATHS), upgrade.sent(PATHS, wait=True, overrule=True)):
        assert not [word for word in arguments if "of-the-spec" in word]
        assert arguments[arguments.index("--values") : arguments.index("--reset-values")] == (
            "--values", "/v", "--values", PATHS.values,
        )  # fmt: skip


def test_helm_never_undoes_by_itself_what_belay_recovers() -> None:
    arguments = " ".join(
        calls.upgrade(Place("n", "r"), SPEC, "c", [], "k", "a").sent(PATHS, wait=False, overrule=False)
    )
    assert "atomic" not in arguments
    assert "rollback-on-failure" not in arguments
    assert "--wait" not in arguments


def test_hooks_and_definitions_are_left_out_where_the_spec_says_so() -> None:
    spec = SPEC.model_copy(update={"hooks": False, "crds": False})
    arguments = calls.upgrade(Place("n", "r"), spec, "c", [], "k", "a").sent(PATHS, wait=False, overrule=False)
    assert {"--no-hooks", "--skip-crds"} <= set(arguments)


@pytest.mark.parametrize("overrule", [True, False])
def test_what_others_have_set_is_overruled_only_where_the_api_server_would_refuse_it(overrule: bool) -> None:
    upgrade = calls.upgrade(Place("n", "r"), SPEC, "c", [], "k", "a").sent(PATHS, wait=False, overrule=overrule)
    back = calls.rollback(Place("n", "r"), SPEC, "1", PATHS, wait=False, overrule=overrule)
    assert ("--force-conflicts" in upgrade, "--force-conflicts" in back) == (overrule, overrule)


MANIFEST = """
---
# Source: web/templates/a.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 3}
data: {when: 2020-01-01, sign: =}
---
---
apiVersion: v1
kind: List
items:
  - {kind: Job, metadata: {name: migrate, namespace: other}}
  - {kind: StatefulSet, metadata: {name: left-to-an-autoscaler}}
  - {kind: ConfigMap, metadata: {name: c}}
"""


def test_the_workloads_of_a_manifest_are_found_also_in_lists_and_other_namespaces() -> None:
    there = manifest.workloads(MANIFEST, "shop")
    left = Workload("StatefulSet", "shop", "left-to-an-autoscaler")
    assert there == (Workload("Deployment", "shop", "web"), Workload("Job", "other", "migrate"), left)
    assert manifest.replicas(MANIFEST, "shop") == {there[0]: 3}
    assert there[0].path == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert manifest.missing(["deployment/web", "job/x"], there) == ["job/x"]


def test_hooks_are_late_when_they_run_after_the_rollout() -> None:
    assert manifest.late_hooks([{"events": ["pre-install", "post-upgrade"]}])
    assert not manifest.late_hooks([{"events": ["pre-upgrade", "post-delete"]}, {}])


def test_hooks_that_run_with_a_change_are_told_from_tests_and_removals() -> None:
    assert manifest.changing_hooks([{"events": ["test", "pre-upgrade"]}])
    assert not manifest.changing_hooks([{"events": ["test", "post-delete"]}, {}])


WORDS = {
    "Error: UPGRADE FAILED: Deployment.apps: spec.selector: Invalid value: field is immutable": "immutable_field",
    'Error: pods "a" is forbidden: exceeded quota: few, requested: pods=1': "quota_exceeded",
    'Error: secrets "x" is forbidden: ... in namespace n because it is being terminated': "namespace_terminating",
    "Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred": "hook_failed",
    'Error: template: web/templates/a.yaml:1:10: executing "a" at <.Values.a>: nil pointer evaluating': "bad_template",
    "Error: YAML parse error on web/templates/a.yaml: error converting YAML to JSON: yaml: line 2": "bad_manifest",
    "Error: values don't meet the specifications of the schema(s) in the following chart(s)": "bad_values",
    "Error: something new": "helm_failed",
}


@pytest.mark.parametrize(("words", "code"), WORDS.items())
def test_helms_words_have_a_code(words: str, code: str) -> None:
    assert causes.code_of(words) == code
    assert not causes.is_outage(words)
    assert causes.cause_in(f"level=WARN msg=x\n{words}\n") == words.removeprefix("Error: ")


@pytest.mark.parametrize(
    "words",
    [
        'Error: UPGRADE FAILED: Get "https://127.0.0.1:1/api": dial tcp 127.0.0.1:1: connect: connection refused',
        'Error: Kubernetes cluster unreachable: Get "https://h/version": EOF',
        "Error: UPGRADE FAILED: Patch: http2: client connection lost",
    ],
)
def test_an_api_server_that_is_away_is_told_from_one_that_refuses(words: str) -> None:
    assert causes.is_outage(words)


@pytest.mark.parametrize(
    "words",
    [
        (
            'Error: UPGRADE FAILED: Internal error occurred: failed calling webhook "x": Post "https://x/": dial tcp'
            " 10.0.0.1:443: connect: connection refused"
        ),
        "db: connection refused\nError: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred",
        (
            "level=WARN orphaned API service: the server is currently unable to handle the request\n"
            "Error: UPGRADE FAILED: Deployment.apps: spec.selector: Invalid value: field is immutable"
        ),
    ],
)
def test_what_pods_and_webhooks_cannot_reach_is_no_outage_of_the_api_server(words: str) -> None:
    assert not causes.is_outage(words)


def test_errors_that_are_listed_below_are_the_cause() -> None:
    words = "Error: 1 error occurred:\n\t* job hook-pre-rollback failed: BackoffLimitExceeded\n"
    assert causes.cause_in(words) == "job hook-pre-rollback failed: BackoffLimitExceeded"
    assert causes.code_of(words) == "hook_failed"


def test_a_certificate_that_is_wrong_does_not_come_right_by_waiting() -> None:
    assert not causes.is_outage(
        "Error: Kubernetes cluster unreachable: tls: failed to verify certificate: x509: expired"
    )


def kubeconfig(**user: str) -> str:
    cluster = {"name": "c", "cluster": {"server": "https://h"}}
    config = {"clusters": [cluster], "users": [{"name": "u", "user": user}]}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    return str({**config, "contexts": [context], "current-context": "x"})


@pytest.mark.parametrize("key", ["exec", "tokenFile", "client-key", "client-certificate", "auth-provider"])
def test_a_kubeconfig_that_would_read_files_or_run_commands_of_the_deployers_host_is_refused(key: str) -> None:
    with pytest.raises(Failed, match=f"`{key}` points to the deployer's own host"):
        access_of({"kubeconfig": SecretStr(kubeconfig(**{key: "/etc/passwd"}))})


def test_clusters_of_one_address_behind_different_proxies_are_told_apart() -> None:
    one, other = (kubeconfig().replace("'https://h'", f"'https://h', 'proxy-url': 'http://{name}'") for name in "ab")
    identities = [access_of({"kubeconfig": SecretStr(each)}).identity for each in (one, other, one)]
    assert identities[0] == identities[2] != identities[1]


def test_an_access_shows_no_secret() -> None:
    access = access_of({"kubeconfig": SecretStr(kubeconfig(token="of-the-cluster"))})
    assert "of-the-cluster" not in repr(access)
    assert access.context == "x"


# -- the README -------------------------------------------------------------------------------------------------------


def test_every_code_is_in_the_readmes_table_and_every_code_there_is_used() -> None:
    table = README[README.index("| code |") :].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    told = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    folder = Path(package.__file__).parent
    files = [*folder.glob("*.py"), *folder.with_name("durable").glob("*.py"), folder.with_name("bundles.py")]
    sources = "".join(path.read_text() for path in files)
    said = {*re.findall(r'(?:Failed|Broken)\("(\w+)"', sources), *causes.CODES, *trouble.REASONS.values()}
    assert said - told == {"not_started", "superseded", "secret_in_revision"}  # every driver's
    assert [code for code in told if f'"{code}"' not in sources] == []


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    for name, field in HelmSettings.model_fields.items():
        default = f"{field.default:g}" if isinstance(field.default, float) else str(field.default)
        assert f"| `BELAY_HELM_{name.upper()}` | {default} |" in README
