"""Playbooks of a bundle are looked into before it is published: what Ansible does not take fails here, on no site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.bundle import BundleRefused, build
from shared.components.ansible_included import Included
from shared.messages.base import Fault
from tests.support.bundles import unnumbered

GOOD = "- hosts: all\n  tasks:\n    - command: 'true'\n"


def refused(folder: Path, files: dict[str, str], **spec: Any) -> list[Fault]:
    with pytest.raises(BundleRefused) as caught:
        built(folder, files, **spec)
    return list(caught.value.faults)


def built(folder: Path, files: dict[str, str], **spec: Any) -> None:
    component = {
        "driver": "ansible",
        "name": "web",
        "spec": {"playbooks": {"apply": "a.yml", "remove": "r.yml"}, **spec},
    }
    manifest = {"app": "shop", "version": "1.0.0", "upgrades_from": None, "components": [component]}
    for name, text in {"r.yml": GOOD, "a.yml": GOOD, **files, "bundle.yaml": yaml.safe_dump(manifest)}.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_text(text)
    build(folder / "in", folder / "out.tar.gz", folder)


def test_each_playbook_that_ansible_does_not_take_is_named_with_the_reason_and_the_place(tmp_path: Path) -> None:
    files = {
        "a.yml": "- hosts: all\n  tasks:\n   - copy: {dest: x\n",
        "r.yml": "- hosts: all\n  roles: [nobody]\n",
        "f.yml": "- hosts: all\n  tasks:\n    - comand: 'true'\n",
        "v.yml": "- hosts: all\n  tasks:\n    - import_tasks: gone.yml\n",
    }
    books = {"apply": "a.yml", "remove": "r.yml", "fetch": "f.yml", "verify": "v.yml"}
    faults = refused(tmp_path, files, playbooks=books)
    said = {fault.field.rpartition(".")[2]: (fault.code, fault.message) for fault in faults}
    assert {code for code, _ in said.values()} == {"bad_playbook"}
    for name, words in {"apply": "YAML", "remove": "'nobody'", "fetch": "comand", "verify": "gone.yml"}.items():
        assert words in said[name][1], said
    assert "(f.yml:3:7)" in said["fetch"][1]
    assert not any(str(tmp_path) in message or "belay-verify" in message for _, message in said.values())


def test_roles_of_the_bundle_are_found_and_no_others(tmp_path: Path) -> None:
    role = {"parts/web/tasks/main.yml": "- command: 'true'\n", "a.yml": "- hosts: all\n  roles: [web]\n"}
    built(tmp_path, role, roles=["parts"])
    [fault] = refused(tmp_path, role, roles=[])
    assert (unnumbered(fault.field), fault.code) == ("bundle.yaml:components[0].spec.playbooks.apply", "bad_playbook")


INCLUDES = """
- hosts: all
  tasks:
    - include_role: {name: web}
    - block:
        - ansible.builtin.include_role: {name: web, tasks_from: later}
        - include_role: name=nobody
      rescue:
        - include_tasks: gone.yml
    - include_role: {name: "{{ chosen }}"}
      loop: [nobody]
      loop_control: {loop_var: chosen}
    - include_role: {name: acme.tools.lathe}
    - include_role: {name: acme.tools.drill}
"""
PARTS = {
    "parts/web/tasks/main.yml": "- include_tasks: more.yml\n- include_tasks: '{{ ansible_system }}.yml'\n",
    "parts/web/tasks/more.yml": "- include_role: {name: beside}\n- include_role: {name: away}\n",
    "parts/beside/tasks/main.yml": "- include_role: {name: web}\n",
    "kit/ansible_collections/acme/tools/roles/lathe/tasks/main.yml": "- command: 'true'\n",
}


def test_what_is_included_while_playbooks_run_is_looked_for_in_the_bundle(tmp_path: Path) -> None:
    faults = refused(tmp_path, {"a.yml": INCLUDES, **PARTS}, roles=["parts"], collections=["kit"])
    assert {(unnumbered(fault.field), fault.code) for fault in faults} == {
        ("bundle.yaml:components[0].spec.playbooks.apply", "bad_playbook")
    }
    assert sorted(fault.message for fault in faults) == [
        "the role 'acme.tools.drill' that it includes is not in the bundle (a.yml:14)",
        "the role 'away' that it includes is not in the bundle (parts/web/tasks/more.yml:2)",
        "the role 'nobody' that it includes is not in the bundle (a.yml:7)",
        "the role 'web' that it includes has no tasks 'later' (a.yml:6)",
        "the tasks 'gone.yml' that it includes are not in the bundle (a.yml:9)",
    ]


def test_nothing_outside_of_the_bundle_is_read_and_a_long_chain_is_followed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "out.yml").write_text("- include_role: {name: nobody}\n")
    (bundle := tmp_path / "bundle").mkdir()
    names = ("../out.yml", f"{tmp_path}/out.yml", "a0.yml")
    (bundle / "a.yml").write_text("- hosts: all\n  tasks:\n" + "".join(f"  - include_tasks: {n}\n" for n in names))
    for number in range(1200):
        (bundle / f"a{number}.yml").write_text(f"- include_tasks: a{number + 1}.yml\n")
    assert sorted(Included(bundle, (), ()).missing("a.yml")) == [
        "the tasks '../out.yml' that it includes are not in the bundle (a.yml:3)",
        "the tasks 'a1200.yml' that it includes are not in the bundle (a1199.yml:1)",
    ]


@pytest.mark.parametrize(
    ("name", "lies"),
    [
        ("web", "books/roles/web"),
        ("acme.web", "parts/acme.web"),
        ("acme.tools.web", "books/collections/ansible_collections/acme/tools/roles/web"),
        ("acme.tools.old.web", "kit/ansible_collections/acme/tools/roles/old/web"),
        ("acme.tools.web", "parts/acme.tools.web"),
        ("w" * 300, "parts"),  # too long to be looked for
        ("we[b", "parts"),
    ],
)
def test_a_role_is_found_wherever_ansible_finds_it(tmp_path: Path, name: str, lies: str) -> None:
    (tmp_path / lies / "tasks").mkdir(parents=True)
    (tmp_path / "books").mkdir(exist_ok=True)
    (tmp_path / "books/a.yml").write_text(f"- hosts: all\n  tasks:\n  - include_role: {{name: '{name}'}}\n")
    (tmp_path / lies / "tasks/main.yml").write_text("- include_tasks: gone.yml\n")
    where = f"{lies}/tasks/main.yml:1"
    known = [f"the tasks 'gone.yml' that it includes are not in the bundle ({where})"] if lies != "parts" else []
    assert Included(tmp_path, ("parts",), ("kit",)).missing("books/a.yml") == known


def test_what_reaches_across_hosts_forbids_that_sites_share_a_run(tmp_path: Path) -> None:
    files = {
        "a.yml": "- hosts: all\n  serial: 1\n  roles: [web]\n",
        "roles/web/tasks/main.yml": "- command: 'true'\n  run_once: true\n",
        "roles/web/templates/a.j2": "{{ hostvars['db'].port }} {{ groups['db'] }} # serial: 1\n",
    }
    faults = refused(tmp_path, files, roles=["roles"], together=True)
    assert {fault.code for fault in faults} == {"not_together"}
    assert [fault.message.split(" says ")[0] for fault in faults] == [
        "a.yml:2", "roles/web/tasks/main.yml:2", "roles/web/templates/a.j2:1",
    ]  # fmt: skip
    built(tmp_path, files, roles=["roles"])


@pytest.mark.parametrize("name", ["ansible_host", "belay_site", "no-name"])
def test_variables_that_the_driver_sets_are_not_taken_from_a_bundle(tmp_path: Path, name: str) -> None:
    [fault] = refused(tmp_path, {}, vars={name: 1})
    assert unnumbered(fault.field).startswith("bundle.yaml:components[0].spec")
