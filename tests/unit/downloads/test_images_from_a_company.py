"""Images come through a company's proxy, whose authority a variable names; or it is said why not."""

import pytest

from shared.components.images import image_of
from shared.downloads.registry import PART, Access, RegistryAway, RegistryRefused, blob_of, manifest_of
from shared.downloads.surroundings import CERTIFICATES
from tests.support.company import DEAD, OUTSIDE, Company
from tests.support.images import image, noise, sha

LAYER = noise(PART + 1000)
MADE = image(LAYER)
IMAGE = image_of(f"{OUTSIDE.removeprefix('https://')}/team/app@sha256:{MADE.sha256}")
MANIFEST, BLOB = f"/v2/team/app/manifests/sha256:{MADE.sha256}", f"/v2/team/app/blobs/sha256:{sha(LAYER)}"


@pytest.fixture
def inside(company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A machine in the company that was told of proxy and authority."""
    company.outside = {MANIFEST: MADE.manifest, BLOB: LAYER}
    monkeypatch.setenv("HTTPS_PROXY", company.proxy)
    monkeypatch.setenv("SSL_CERT_FILE", str(company.certificates))
    return company


@pytest.mark.parametrize("variable", CERTIFICATES)
def test_an_image_comes_through_the_proxy_whichever_variable_names_the_authority(
    inside: Company, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, str(inside.certificates))
    assert manifest_of(IMAGE, MADE.sha256, Access()) == MADE.manifest
    assert b"".join(blob_of(IMAGE, sha(LAYER), 0, Access())) == LAYER
    assert inside.asked == [MANIFEST, BLOB]


@pytest.mark.usefixtures("inside")
def test_where_ranges_are_not_known_what_is_there_already_is_passed_by() -> None:
    assert b"".join(blob_of(IMAGE, sha(LAYER), 1234, Access())) == LAYER[1234:]


def test_a_mirror_is_asked_under_its_own_path(inside: Company) -> None:
    inside.outside["/v2/images/team/app/manifests/sha256:" + MADE.sha256] = MADE.manifest
    access = Access({"elsewhere.invalid:5000": f"{OUTSIDE}/images"})
    image = image_of(f"elsewhere.invalid:5000/team/app@sha256:{MADE.sha256}")
    assert manifest_of(image, MADE.sha256, access) == MADE.manifest


@pytest.mark.usefixtures("inside")
def test_an_authority_or_a_proxy_that_is_not_known_may_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(RegistryAway, match="certificate"):
        manifest_of(IMAGE, MADE.sha256, Access())
    monkeypatch.setenv("HTTPS_PROXY", DEAD)
    with pytest.raises(RegistryAway, match="does not answer"):
        manifest_of(IMAGE, MADE.sha256, Access())


def test_other_content_than_was_asked_for_is_refused(inside: Company) -> None:
    inside.outside[MANIFEST] = b"please log in"
    with pytest.raises(RegistryRefused, match=f"when asked for {MADE.sha256}") as refused:
        manifest_of(IMAGE, MADE.sha256, Access())
    assert refused.value.code == "wrong_content"


def test_an_image_of_no_registry_is_refused() -> None:
    with pytest.raises(RegistryRefused, match="names no registry"):
        manifest_of(image_of(f"app@sha256:{MADE.sha256}"), MADE.sha256, Access())
