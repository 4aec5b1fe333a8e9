"""Manifests as registries give them: read, chosen from, and refused with a reason, never with a crash."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.components.image_manifests import (
    BadManifest,
    Descriptor,
    ImageManifest,
    choose,
    platform_in,
    read,
)
from tests.support.images import image, listed, noise, sha

WORDS = st.sampled_from(["manifests", "config", "layers", "digest", "size", "platform"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["manifests", "config", "layers", "digest"]), inner)
    ),
)


@pytest.mark.parametrize("oci", [True, False], ids=["OCI", "Docker"])
def test_a_manifest_names_its_blobs_each_once(oci: bool) -> None:
    layer = noise(10)
    found = read(image(layer, noise(20, 1), layer, oci=oci).manifest)
    assert isinstance(found, ImageManifest)
    assert [(one.sha256, one.bytes) for one in found.blobs[1:]] == [(sha(layer), 10), (sha(noise(20, 1)), 20)]


@given(JSON)
def test_whatever_a_registry_says_is_read_or_refused(said: object) -> None:
    with contextlib.suppress(BadManifest):
        read(json.dumps(said).encode())


@given(st.binary(max_size=50))
def test_what_is_no_json_is_refused(content: bytes) -> None:
    try:
        read(content)
    except BadManifest:
        return
    assert json.loads(content)


def on(*platforms: str) -> tuple[Descriptor, ...]:
    return tuple(Descriptor(f"{n:064x}", 1, "", platform) for n, platform in enumerate(platforms))


def test_of_a_list_each_wanted_platform_is_chosen_that_is_there() -> None:
    listed_ = on("linux/amd64", "linux/arm/v7", "linux/arm64/v8", "unknown/unknown")
    assert [one.platform for one in choose(listed_, ["linux/arm64", "linux/riscv64"])] == ["linux/arm64/v8"]
    assert [one.platform for one in choose(listed_, ["linux/amd64/v2", "linux/arm/v7"])] == [
        "linux/amd64",
        "linux/arm/v7",
    ]
    with pytest.raises(BadManifest, match=r"none for linux/s390x; there are: linux/amd64, linux/arm/v7, l"):
        choose(listed_, ["linux/s390x"])


def test_the_exact_variant_is_preferred() -> None:
    assert [one.platform for one in choose(on("linux/arm", "linux/arm/v6"), ["linux/arm/v6"])] == ["linux/arm/v6"]


def test_a_list_says_for_which_platform_each_is() -> None:
    arm = image(noise(5), platform="linux/arm64/v8")
    found = read(listed([("linux/arm64/v8", arm)]).manifest)
    assert isinstance(found, tuple)
    assert (found[0].platform, found[0].sha256, found[0].bytes) == ("linux/arm64/v8", arm.sha256, len(arm.manifest))


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        (b'{"os": "linux", "architecture": "arm64", "variant": "v8"}', "linux/arm64/v8"),
        (b'{"os": "linux", "architecture": "amd64"}', "linux/amd64"),
        (b"{}", None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_a_configuration_says_what_its_image_runs_on(config: bytes, platform: str | None) -> None:
    assert platform_in(config) == platform


def test_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(BadManifest, match="not by sha256"):
        read(json.dumps({"config": {"digest": "md5:abc", "size": 1}, "layers": []}).encode())
    with pytest.raises(BadManifest, match="without its size"):
        read(json.dumps({"config": {"digest": f"sha256:{'a' * 64}", "size": "1"}, "layers": []}).encode())
