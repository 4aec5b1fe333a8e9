"""Names of container images, with the digest of what is meant: a tag may be another image on the next site. Pure."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_REFERENCE = re.compile(
    r"(?P<name>(?:(?P<registry>[A-Za-z0-9.-]+(?::[0-9]+)?)/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image's name, taken apart: `registry:5000/team/app:1.2@sha256:…`."""

    name: str
    """With its registry, without tag and digest."""
    tag: str | None
    digest: str | None

    @property
    def by_digest(self) -> str:
        """The name as engines take it: one that has both tag and digest is refused by some."""
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag or 'latest'}"

    @property
    def registry(self) -> str | None:
        """Its registry; None where the engine's own settings decide."""
        first, slash, _ = self.name.partition("/")
        return first if slash and (set(first) & set(".:") or first == "localhost") else None


def image_of(text: str) -> Image:
    """Take a name apart. Raises ValueError when it is none."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ValueError("must be the name of an image: registry:5000/team/app:1.2@sha256:…")
    return Image(found["name"], found["tag"], found["digest"])


def _pinned(text: str) -> str:
    if image_of(text).digest is None:
        raise PydanticCustomError(
            "unpinned_image", "names no digest, so that two sites may get two images: `belay bundle pin` looks it up"
        )
    return text


PinnedImage = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_pinned)]
"""The name of an image with its digest; a tag beside it is for people."""
