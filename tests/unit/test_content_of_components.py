"""What components bring to sites, as their specs say it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.components import read
from shared.components.ansible import NO_FILES
from shared.components.container import ContainerSpec
from shared.components.content import Content, ImageRef, Note, Package, RegistryFile
from shared.components.helm import CHART, NO_IMAGES
from tests.support.wheels import pin, wheel

IMAGE = f"registry.example/team/app:1.0@sha256:{'a' * 64}"
PLAYBOOKS = {"apply": "apply.yml", "remove": "remove.yml"}


def brings(driver: str, folder: Path, **spec: object) -> list[Content]:
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    return list(read(driver, spec, files).content(folder))


def test_a_process_brings_the_wheels_that_its_lock_names_and_no_others(tmp_path: Path) -> None:
    own, other = wheel("own"), wheel("other")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels/own-1.0-py3-none-any.whl").write_bytes(own)
    (tmp_path / "wheels/other-1.0-py3-none-any.whl").write_bytes(other)
    (tmp_path / "own.lock").write_text(pin("own", own))
    (tmp_path / "seed.db").write_bytes(b"seed")
    seeds = {"a.db": "seed.db", "b.db": "seed.db"}
    found = brings("process", tmp_path, requirements="own.lock", command=["own"], seed=seeds)
    assert found == [Package("own.lock"), Package("wheels/own-1.0-py3-none-any.whl"), Package("seed.db")]


def test_ansible_brings_the_files_and_folders_that_it_names(tmp_path: Path) -> None:
    for name in ("apply.yml", "remove.yml", "packages/a.deb", "packages/deep/b.deb", "one.bin", "other.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = brings("ansible", tmp_path, playbooks=PLAYBOOKS, files=["one.bin", "packages", "packages/a.deb"])
    assert found == [Package("one.bin"), Package("packages/a.deb"), Package("packages/deep/b.deb")]
    assert brings("ansible", tmp_path, playbooks=PLAYBOOKS) == [NO_FILES]
    with pytest.raises(ValidationError, match="neither a file nor a folder"):
        brings("ansible", tmp_path, playbooks=PLAYBOOKS, files=["pack"])


def test_helm_brings_its_chart_and_says_that_nodes_pull_images(tmp_path: Path) -> None:
    for name in ("shop/Chart.yaml", "shop/templates/a.yaml", "shop.tgz", "values.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    packed = brings("helm", tmp_path, chart="shop.tgz", namespace="shop", values_files=["values.yaml"])
    assert packed == [Package("shop.tgz"), Package("values.yaml"), NO_IMAGES]
    folder = brings("helm", tmp_path, chart="shop", namespace="shop")
    assert folder == [Package("shop/Chart.yaml"), Package("shop/templates/a.yaml"), NO_IMAGES]
    chart = f"oci://registry.example/charts/shop@sha256:{'b' * 64}"
    assert brings("helm", tmp_path, chart=chart, namespace="shop") == [RegistryFile(chart, CHART), NO_IMAGES]
    assert isinstance(NO_IMAGES, Note)


def test_a_container_brings_its_image_for_its_platform(tmp_path: Path) -> None:
    assert brings("container", tmp_path, image=IMAGE) == [ImageRef(IMAGE)]
    assert brings("container", tmp_path, image=IMAGE, platform="linux/arm64") == [ImageRef(IMAGE, "linux/arm64")]
    with pytest.raises(ValidationError, match="names no digest"):
        ContainerSpec(image="registry.example/team/app:1.0")
