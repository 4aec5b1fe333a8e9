"""Which images a rendered chart names: those of the pods of workloads, and no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.bundle import verify
from shared.components import read
from shared.components.helm_asked import images_of
from tests.support.bundles import bundle, written
from tests.support.starlingx import chart

POD = {"containers": [{"image": "a"}, {"image": "b"}], "initContainers": [{"image": "c"}, {"name": "no image"}]}
DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("thing", "images"),
    [
        ({"kind": "Pod", "spec": POD}, ["c", "a", "b"]),
        ({"kind": "DaemonSet", "spec": {"template": {"spec": POD}}}, ["c", "a", "b"]),
        ({"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}}, ["c", "a", "b"]),
        ({"kind": "List", "items": [{"kind": "Pod", "spec": {"containers": [{"image": "x"}]}}, 7]}, ["x"]),
        ({"kind": "Postgres", "spec": {"image": "x", "template": {"spec": POD}}}, []),
        ({"kind": "Deployment", "spec": None}, []),
        ({"kind": "Pod", "spec": {"containers": [{"image": 7}, "x"]}}, []),
        ("text", []),
    ],
)
def test_images_of_an_object(thing: object, images: list[str]) -> None:
    assert list(images_of(thing)) == images


def test_a_container_names_its_image_itself(tmp_path: Path) -> None:
    image = f"registry.example/web@sha256:{DIGEST}"
    component = {"driver": "container", "name": "web", "spec": {"image": image}}
    manifest = {"app": "shop", "version": "1.0", "components": [component]}
    assert verify(written(tmp_path, bundle({"bundle.yaml": json.dumps(manifest).encode()}))).images == (image,)


def packed(folder: Path, **files: str) -> Path:
    more = {name.replace("__", "/").replace("_yaml", ".yaml"): text for name, text in files.items()}
    (folder / "web.tgz").write_bytes(chart("web", more=more))
    return folder


@pytest.mark.kubernetes
def test_what_only_a_site_can_bring_is_a_notice_and_no_fault(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELAY_HELM_BINARY", str(helm))
    spec = read("helm", {"chart": "web.tgz", "namespace": "shop"})
    needs = 'a: {{ required "say the host" .Values.host }}\n'
    looked = spec.looked_into(packed(tmp_path, templates__needs_yaml=needs))
    assert (looked.faults, looked.images) == ((), ())
    assert "say the host" in looked.notices[0]
    given = read("helm", {"chart": "web.tgz", "namespace": "shop", "values": {"host": "x"}})
    assert given.looked_into(tmp_path).images == ("docker.io/library/busybox:1.36", "quay.io/lamps/web:1")
