"""Archives of images: what is sent in which step, and how they are told apart on an engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployer.drivers.container import archive
from services.deployer.drivers.container.archive import Layer, NoImage, Whole
from shared.components.images import image_of

DIGEST = f"sha256:{'a' * 64}"
CHUNK = 100


def image(*layers: bytes) -> tuple[Whole, dict[str, bytes]]:
    """An image of these layers, and their content by digest."""
    digests = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config = {"os": "linux", "architecture": "arm64", "rootfs": {"type": "layers", "diff_ids": digests}}
    manifest = {
        "schemaVersion": 2,
        "config": {"digest": DIGEST, "size": 1, "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{"digest": digest, "size": len(layer)} for digest, layer in zip(digests, layers, strict=True)],
    }
    whole = Whole.read(json.dumps(manifest).encode(), json.dumps(config).encode())
    return whole, {digest.removeprefix("sha256:"): layer for digest, layer in zip(digests, layers, strict=True)}


@given(st.lists(st.integers(0, 250), min_size=1, max_size=20), st.data())
def test_each_step_ends_with_a_layer_and_is_one_large_layer_or_some_small_ones(
    sizes: list[int], data: st.DataObject
) -> None:
    layers = [Layer(f"{number:064x}", size) for number, size in enumerate(sizes)]
    there = data.draw(st.integers(0, len(layers) - 1))
    ends = archive.steps(layers, there, CHUNK)
    assert ends == sorted(set(ends))
    assert ends[-1] == len(layers)
    for begin, end in zip([there, *ends], ends, strict=False):
        group = [layer.size for layer in layers[begin:end]]
        assert sum(group) <= CHUNK or len([size for size in group if size]) == 1


def test_an_archive_is_a_tar_that_holds_what_was_put_between_its_ends() -> None:
    whole, content = image(b"first", b"x" * 513)
    packed = archive.opening(whole, "name:tag")
    for layer in whole.layers:
        packed += archive.layer_opening(layer) + content[layer.sha256] + archive.layer_closing(layer)
    with tarfile.open(fileobj=io.BytesIO(packed + archive.CLOSING)) as read:
        files = {member.name: read.extractfile(member).read() for member in read}  # type: ignore[union-attr]
    assert [files[f"blobs/sha256/{layer.sha256}"] for layer in whole.layers] == [b"first", b"x" * 513]
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == ["name:tag"]
    (described,) = json.loads(files["index.json"])["manifests"]
    assert files["blobs/sha256/" + described["digest"].removeprefix("sha256:")] == whole.manifest


def test_the_first_layers_are_an_image_of_their_own_for_the_same_platform() -> None:
    whole, _ = image(b"one", b"two", b"three")
    part = whole.first(2)
    assert (part.layers, part.platform) == (whole.layers[:2], "linux/arm64")
    assert part.sha256 != whole.sha256
    assert archive.whose_part(archive.part_name(whole, 2)) == whole.sha256
    assert archive.whose_part("docker.io/library/redis:7") is None


def test_an_image_is_found_by_a_tag_that_says_its_digest() -> None:
    assert archive.tag_of(image_of(f"registry:5000/shop/web:1@{DIGEST}")) == f"registry:5000/shop/web:sha256-{'a' * 64}"
    assert archive.tag_of(image_of(f"redis@{DIGEST}")) == f"docker.io/library/redis:sha256-{'a' * 64}"
    assert archive.tag_of(image_of(f"team/app@{DIGEST}")) == f"docker.io/team/app:sha256-{'a' * 64}"


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"layers": []}', b'{"layers": [{"digest": "x"}]}'])
def test_what_is_no_image_is_said_to_be_none(manifest: bytes) -> None:
    with pytest.raises(NoImage):
        Whole.read(manifest, b'{"rootfs": {"diff_ids": []}}')
    with pytest.raises(NoImage):
        archive.config_of(manifest)
