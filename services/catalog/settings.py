"""Settings of the catalog beyond those of every service (shared/process/settings.py)."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.catalog.domain import Keeping
from shared.downloads.registry import Access
from shared.targets import Bounds


def _words(text: Any) -> Any:
    return [word.strip() for word in text.split(",") if word.strip()] if isinstance(text, str) else text


def _pairs(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    pairs = [word.partition("=") for word in _words(text)]
    if wrong := [name for name, equals, value in pairs if not (name and equals and value)]:
        raise ValueError(f"must be HOST=HOST, with commas between, but not: {', '.join(wrong)}")
    return {name.strip(): value.strip() for name, _, value in pairs}


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""With commas between, in a variable."""

Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
"""NAME=VALUE, with commas between."""


class CatalogSettings(BaseSettings):
    """Environment variables `BELAY_CATALOG_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="BELAY_CATALOG_", frozen=True)

    validations: int = Field(default=2, ge=1, description="bundles that one replica validates at the same time")
    retry_seconds: float = Field(default=2, gt=0, description="wait after a passing failure, doubled each time")
    retry_most_seconds: float = Field(default=60, gt=0, description="longest such wait")
    withdrawn_days: float = Field(
        default=7, ge=0, description="the bundle of a withdrawn release that no site could go back to is kept so long"
    )
    unpublished_hours: float = Field(
        default=24, gt=0, description="an upload whose command did not come is kept so long"
    )
    measure_seconds: float = Field(default=60, gt=0, description="how often the blob store is looked through")
    preparations: int = Field(default=2, ge=1, description="releases that one replica prepares at the same time")
    prepare_patience_seconds: float = Field(
        default=600, gt=0, description="a preparation that trouble keeps from going on fails after so long"
    )
    signatures_required: bool = Field(
        default=False, description="whether bundles of every app must be signed, also of those that have no key yet"
    )
    signed_apps: Words = Field(default=(), description="apps, with commas between, whose bundles must be signed")
    imports: int = Field(default=2, ge=1, description="bundles that one replica fetches at the same time")
    import_seconds: float = Field(default=3600, gt=0, description="a bundle must have been fetched within this time")
    import_patience_seconds: float = Field(
        default=60, ge=0, description="a source that does not answer, or a full disk, is waited for so long"
    )
    plain_sources: bool = Field(default=False, description="whether bundles may be fetched over HTTP, without TLS")
    allow_private_sources: bool = Field(
        default=False, description="whether bundles may be fetched from loopback, link-local and private addresses"
    )
    image_platforms: Words = Field(
        default=("linux/amd64",), description="platforms, with commas between, whose images are prepared"
    )
    registry_mirrors: Pairs = Field(
        default={}, description="registries asked in place of others: HOST[:PORT]=HOST[:PORT][/PATH], with commas"
    )
    plain_registries: Words = Field(
        default=(), description="registries (HOST[:PORT]) asked over HTTP; one on this machine is anyway"
    )
    registry_logins: Path | None = Field(
        default=None, description="file with logins of registries, as `docker login` writes it"
    )
    give_up_after: int = Field(
        default=5, ge=1, description="attempts after which a bundle that breaks the validation itself is rejected"
    )

    @property
    def access(self) -> Access:
        """How registries of images are reached."""
        return Access(self.registry_mirrors, frozenset(self.plain_registries), self.registry_logins)

    def must_be_signed(self, app: str) -> bool:
        """Whether bundles of this app must be signed, whether it has keys or not."""
        return self.signatures_required or app in self.signed_apps

    @property
    def source_bounds(self) -> Bounds:
        """Where bundles may be fetched from."""
        return Bounds(self.allow_private_sources, "BELAY_CATALOG_ALLOW_PRIVATE_SOURCES")

    @property
    def keeping(self) -> Keeping:
        """How long content is kept that is no release any more, or not yet."""
        return Keeping(timedelta(days=self.withdrawn_days), timedelta(hours=self.unpublished_hours))
