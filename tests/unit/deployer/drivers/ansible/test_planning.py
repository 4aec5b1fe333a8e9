"""From orders to a job: who shares a run, what it runs, and what a connection must say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.deployer.drivers import Component, Order
from services.deployer.drivers.ansible import connection as connections
from services.deployer.drivers.ansible import planning
from services.deployer.drivers.ansible.connection import hosts_of
from services.deployer.drivers.ansible.runner import ways
from services.deployer.drivers.ansible.runner.job import Job, Secrets
from services.deployer.drivers.ansible.settings import AnsibleSettings
from services.deployer.drivers.failed import Failed
from shared.components.ansible import AnsibleSpec

BOOKS = {"apply": "a.yml", "remove": "r.yml"}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2ct"
KEY = """-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACAGcUvyZ4HB0jGmQKTpFV7bkjFoHp2yiWyPZwLYJSHLpQAAAJCVm7BmlZuw
-----END OPENSSH PRIVATE KEY-----
"""


def order(key: str = "o", site: str = "s1", **spec: Any) -> Order:
    made = AnsibleSpec.model_validate({"playbooks": BOOKS, **spec})
    return Order(key, site, {"local": True}, "shop", "apply", Component("web", "ansible", made), "1.0", "a" * 64)


def acts(one: Order) -> list[tuple[str, str]]:
    return [(act.name, act.playbook) for act in planning.acts_of(one)]


def test_apply_is_run_again_where_it_must_change_nothing_and_then_verified() -> None:
    spec = {"playbooks": {**BOOKS, "verify": "v.yml"}, "check_idempotent": True}
    assert acts(order(**spec)) == [("apply", "a.yml"), ("again", "a.yml"), ("verify", "v.yml")]


def test_a_rollback_without_a_playbook_of_its_own_applies_the_release_it_goes_back_to() -> None:
    assert acts(replace(order(), action="rollback")) == [("rollback", "a.yml")]
    own = order(playbooks={**BOOKS, "rollback": "b.yml"})
    assert acts(replace(own, action="rollback")) == [("rollback", "b.yml")]


def test_tags_choose_among_the_tasks_of_apply_and_not_of_its_proof() -> None:
    made = order(playbooks={**BOOKS, "verify": "v.yml"}, tags=["web"])
    assert [act.tags for act in planning.acts_of(made)] == [("web",), ()]


@given(
    st.lists(st.tuples(st.sampled_from(["apply", "remove"]), st.booleans(), st.sampled_from("abc")), max_size=30),
    st.integers(1, 5),
)
def test_orders_share_a_run_only_where_all_of_them_want_the_same(
    wanted: list[tuple[Any, bool, str]], most: int
) -> None:
    orders = [
        replace(order(f"o{n}", f"s{n}", together=together), action=action, bundle_sha256=letter * 64)
        for n, (action, together, letter) in enumerate(wanted)
    ]
    groups = planning.sharing(orders, most)
    assert sorted(position for group in groups for position in group) == list(range(len(orders)))
    for group in groups:
        assert len({wanted[position] for position in group}) == 1
        assert len(group) <= (most if wanted[group[0]][1] else 1)


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text(), max_size=3))
def test_facts_come_back_from_the_revision_they_are_kept_in(facts: dict[str, Any]) -> None:
    revision = planning.revision_of(order(), facts)
    assert planning.facts_in(revision) == facts
    assert planning.is_revision_of(replace(order(), revision=revision))
    assert not planning.is_revision_of(replace(order(), revision=revision, bundle_sha256="b" * 64))


VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])) | st.sampled_from(
    ["{{ 1 + 1 }}", "0123", "yes", "null", "1e3", "!vault x", "a: b", "2026-01-01", "{% raw %}"]
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.from_regex(r"v_[a-z]{1,8}", fullmatch=True), VALUES, max_size=4))
def test_what_a_connection_says_reaches_ansible_as_it_is_and_is_no_template(
    tmp_path_factory: pytest.TempPathFactory, said: dict[str, str]
) -> None:
    file = tmp_path_factory.mktemp("inventory") / "hosts.yml"
    secrets = Secrets(hosts={"s1": dict(said)}, groups={"web": ("s1",)}, values=())
    file.write_text(ways.inventory(secrets, ["s1"], "/short"))
    host = InventoryManager(loader=DataLoader(), sources=[str(file)]).get_host("s1")
    found = {name: value for name, value in host.vars.items() if name.startswith("v_")}
    assert found == said
    assert not any(is_trusted_as_template(value) for value in found.values())


def ssh(**more: Any) -> dict[str, Any]:
    return {"address": "h", "user": "u", "password": SecretStr("pass-word"), "host_keys": [HOST_KEY], **more}


def test_hosts_take_from_the_connection_around_them_what_they_do_not_say() -> None:
    said = ssh(
        vars={"a": 1}, hosts={"web": {"port": 2222, "vars": {"b": 2}}, "db": {"user": "admin", "groups": ["db"]}}
    )
    hosts = hosts_of(said, "os:lo")
    assert list(hosts) == ["os-lo.web", "os-lo.db"]
    web, db = hosts.values()
    assert (web.port, web.user, web.vars) == (2222, "u", {"a": 1, "b": 2})
    assert (db.port, db.user, db.vars, db.groups) == (None, "admin", {"a": 1}, ("db",))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, ["address is missing", "user is missing", "host_keys is missing", "key is missing"]),
        ({"address": "-oProxyCommand=sh", "prot": 1}, ["address", "prot"]),
        (ssh(host_keys=["h ssh-ed25519 AAAA"]), ["host_keys"]),
        (ssh(key=SecretStr("no key at all")), ["key: is no private key"]),
        (ssh(key=SecretStr(KEY)), ["key: is no private key"]),
        (ssh(vars={"ansible_host": "x"}), ["ansible_host"]),
        (ssh(hosts={"a b": {}}), ["hosts"]),
        (ssh(port=0), ["port"]),
    ],
)
def test_a_connection_that_cannot_be_used_names_every_fault(said: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(Failed) as caught:
        hosts_of(said, "s1")
    assert caught.value.broken.code == "bad_connection"
    assert all(word in caught.value.broken.message for word in words), caught.value.broken.message


def test_host_keys_are_kept_under_the_name_of_the_host_so_that_no_other_may_show_them() -> None:
    hosts = hosts_of(ssh(hosts={"web": {}, "db": {"host_keys": [f"{HOST_KEY}=="]}}), "Oslo")
    assert planning.known_hosts(hosts.items()).splitlines() == [f"oslo.web {HOST_KEY}", f"oslo.db {HOST_KEY}=="]


def test_secrets_are_in_nothing_of_a_job_that_lies_on_a_disk() -> None:
    said = ssh(become_password=SecretStr("sudo-word"), vars={"deep": [{"token": SecretStr("deep-word")}]})
    one = replace(order(), connection=said)
    given_ = planning.given_for([one], {"s1": hosts_of(said, "s1")}, "/bundle", AnsibleSettings())
    assert given_.secrets.values == ("deep-word", "pass-word", "sudo-word")
    assert not any(value in given_.job.model_dump_json() for value in given_.secrets.values)
    assert given_.secrets.hosts["s1"]["deep"] == [{"token": "deep-word"}]


def test_variables_that_hold_secrets_are_apart_from_those_that_lie_on_a_disk() -> None:
    one = order(vars={"db": {"user": "u", "word": "deep-word"}, "plain": "text"})
    named = {"playbooks": BOOKS, "vars": {"db": {"user": "u", "word": {"secret": "shop"}}, "plain": "text"}}
    one = replace(one, component=replace(one.component, named=named))
    given_ = planning.given_for([one], {"s1": hosts_of({"local": True}, "s1")}, "/bundle", AnsibleSettings())
    assert given_.secrets.values == ("deep-word",)
    assert given_.secrets.vars == {"db": {"user": "u", "word": "deep-word"}}
    assert "deep-word" not in given_.job.model_dump_json()
    assert given_.job.acts[0].vars["plain"] == "text"
    assert planning.digest_of(one) == planning.digest_of(with_word(one, "another"))
    assert planning.digest_of(one) != planning.digest_of(order(vars={"plain": "text"}))


def with_word(one: Order, word: str) -> Order:
    spec = one.component.spec.model_copy(update={"vars": {"db": {"user": "u", "word": word}, "plain": "text"}})
    return replace(one, component=replace(one.component, spec=spec))


def test_host_keys_are_checked_and_no_configuration_of_anybody_else_is_read() -> None:
    made = planning.given_for([order()], {"s1": hosts_of(ssh(), "s1")}, "/bundle", AnsibleSettings()).job
    env = environment(made)
    assert env["ANSIBLE_HOST_KEY_CHECKING"] == "True"
    for option in (
        "StrictHostKeyChecking=yes",
        "GlobalKnownHostsFile=/dev/null",
        'UserKnownHostsFile="/run folder/known',
    ):
        assert option in env["ANSIBLE_SSH_ARGS"]
    assert env["ANSIBLE_CACHE_PLUGIN"] == "memory"
    assert "SECRET" not in env
    assert "ANSIBLE_SSH_ARGS" not in environment(made.model_copy(update={"over_ssh": False}))


def environment(job: Job) -> dict[str, str]:
    own = {"HOME": "/home/x", "SECRET": "word", "ANSIBLE_HOST_KEY_CHECKING": "False"}
    return ways.environment(
        job, mark="m", own=own, path="/bin", short="/short", folder="/run folder", callbacks="/callbacks"
    )  # fmt: skip


def test_orders_that_only_send_or_let_go_share_no_run() -> None:
    one = replace(order("a", "s1", together=True), action="fetch")
    other = replace(order("b", "s2", together=True), action="fetch")
    assert planning.sharing([one, other, replace(one, key="c", action="discard")], 3) == [[0], [1], [2]]
    books = {**BOOKS, "fetch": "f.yml"}
    with_books = [replace(order(k, k, together=True, playbooks=books), action="fetch") for k in ("d", "e")]
    assert planning.sharing(with_books, 3) == [[0, 1]]


def test_the_way_back_needs_nothing_that_a_playbook_loads_from_elsewhere() -> None:
    ahead = replace(order("a", playbooks={**BOOKS, "fetch": "f.yml"}), action="fetch", deploys=True)
    assert [act.playbook for act in planning.acts_of(ahead)] == ["f.yml"]
    back = replace(ahead, revision="1.0-aaaaaaaaaaaa")
    assert (planning.acts_of(back), planning.is_content_alone(back)) == ((), True)


def test_playbooks_know_where_content_lies_on_each_host() -> None:
    one = order()
    hosts = {"s1": hosts_of({"local": True}, "s1")}
    given = planning.given_for([one], hosts, "/project", AnsibleSettings(), {"s1": {"a.deb": "/c/a.deb"}})
    assert given.secrets.hosts["s1"]["belay_content"] == {"a.deb": "/c/a.deb"}
    assert planning.given_for([one], hosts, "/project", AnsibleSettings()).secrets.hosts["s1"]["belay_content"] == {}


def test_the_readme_names_every_code_setting_and_field() -> None:
    folder = Path(connections.__file__).parent
    readme = (folder / "README.md").read_text()
    source = "".join(file.read_text() for file in folder.rglob("*.py"))
    codes = set(re.findall(r"(?:Broken|Failed|_bad)\(\s*\"([a-z_]+)\"", source))
    codes |= set(re.findall(r"\", \"([a-z_]+)\"\),$", source, re.MULTILINE))
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in readme} == set()
    for name, field in AnsibleSettings.model_fields.items():
        assert f"`BELAY_ANSIBLE_{name.upper()}` | {field.default:g} |" in readme
    for name in AnsibleSpec.model_fields:
        assert name in readme
