"""Bundles as the API shows them."""

from typing import Literal

from pydantic import BaseModel

from shared.messages.base import Fault


class BundleView(BaseModel):
    """An uploaded bundle and what the catalog found."""

    bundle_sha256: str
    file_name: str
    state: Literal["validating", "available", "rejected"]
    app: str | None
    version: str | None
    faults: list[Fault]
