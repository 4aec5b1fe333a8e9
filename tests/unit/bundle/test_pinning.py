"""Images get the digests of what their tags mean now, in the text that their author wrote."""

from pathlib import Path

import pytest

from shared.bundle import BundleRefused, build, pin
from shared.bundle.pinning import with_digests
from shared.components.images import Image
from tests.support.bundles import unnumbered

DIGEST = f"sha256:{'a' * 64}"
TEXT = """\
# The shop: one page, one store.
app: shop
version: "1.0.0"
components:
  - driver: container
    name: web
    spec:
      image: registry.example/shop/web:1.2   # of Monday
  - driver: container
    name: store
    after: [web]
    image: registry.example/redis:7
"""


def found(image: Image) -> str:
    return DIGEST


def folder(path: Path, text: str = TEXT) -> Path:
    (path / "bundle.yaml").write_text(text)
    return path


def test_each_image_gets_its_digest_and_nothing_else_of_the_text_changes(tmp_path: Path) -> None:
    pinned = pin(folder(tmp_path), found)
    assert list(pinned) == ["registry.example/shop/web:1.2", "registry.example/redis:7"]
    text = (tmp_path / "bundle.yaml").read_text()
    assert text.replace(f"@{DIGEST}", "") == TEXT
    assert text.count(f"@{DIGEST}") == 2
    assert build(tmp_path, tmp_path, tmp_path).manifest.app == "shop"


def test_what_has_its_digest_is_not_asked_for_again(tmp_path: Path) -> None:
    pin(folder(tmp_path), found)
    before = (tmp_path / "bundle.yaml").read_text()
    assert pin(tmp_path, found) == {}
    assert (tmp_path / "bundle.yaml").read_text() == before


def test_nothing_is_written_while_one_of_them_cannot_be_had_and_each_is_named(tmp_path: Path) -> None:
    def fails(image: Image) -> str:
        raise LookupError(f"{image.name} is not there")

    with pytest.raises(BundleRefused) as refused:
        pin(folder(tmp_path), fails)
    assert [(fault.code, unnumbered(fault.field)) for fault in refused.value.faults] == [
        ("image_unavailable", "bundle.yaml:components[0].spec.image"),
        ("image_unavailable", "bundle.yaml:components[1].spec.image"),
    ]
    assert (tmp_path / "bundle.yaml").read_text() == TEXT


def test_a_bundle_whose_image_has_no_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused) as refused:
        build(folder(tmp_path), tmp_path, tmp_path)
    assert [fault.code for fault in refused.value.faults] == ["unpinned_image", "unpinned_image"]
    assert "belay bundle pin" in refused.value.faults[0].message


def test_a_name_is_replaced_only_where_it_stands_whole() -> None:
    text = "a: r.io/app:1\nb: r.io/app:1.2\nc: x.r.io/app:1\nd: r.io/app:1@sha256:0\n"
    assert with_digests(text, {"r.io/app:1": "r.io/app:1@d"}) == text.replace("a: r.io/app:1", "a: r.io/app:1@d")
