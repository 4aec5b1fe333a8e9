"""Kinds of fields that specs are made of: paths that stay inside, and files of the bundle."""

import re
from collections.abc import Callable, Collection
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError


def _inside(path: str) -> str:
    plain = PurePosixPath(path)
    if path.startswith("/") or ".." in plain.parts or "\\" in path or str(plain) != path or not path.isprintable():
        raise ValueError("must be a plain relative path: without '..', '.', backslashes and a slash at either end")
    return path


def _present(path: str, info: ValidationInfo) -> str:
    """Known only where a whole bundle is checked: the context then names its files."""
    if path not in (info.context or {}).get("files", (path,)):
        raise PydanticCustomError("missing_file", "the bundle holds no file of this name")
    return path


def _folder_present(path: str, info: ValidationInfo) -> str:
    if not any(name.startswith(f"{path}/") for name in (info.context or {}).get("files", (f"{path}/",))):
        raise PydanticCustomError("missing_file", "the bundle holds no file in a folder of this name")
    return path


def _path_present(path: str, info: ValidationInfo) -> str:
    files = (info.context or {}).get("files", (path,))
    if path not in files and not any(name.startswith(f"{path}/") for name in files):
        raise PydanticCustomError("missing_file", "the bundle holds neither a file nor a folder of this name")
    return path


RelativePath = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
"""A path that stays inside: never absolute, never upwards."""

BundleFile = Annotated[RelativePath, AfterValidator(_present)]
"""A file of the bundle."""

BundleFolder = Annotated[RelativePath, AfterValidator(_folder_present)]
"""A folder of the bundle, with at least one file."""

BundlePath = Annotated[RelativePath, AfterValidator(_path_present)]
"""A file of the bundle, or a folder with at least one."""

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
"""What stands in a text for something that only the site or the release knows."""


def only_placeholders(known: Collection[str]) -> Callable[[str], str]:
    """A validator of texts that hold no placeholder but these."""

    def check(text: str) -> str:
        if unknown := [name for name in PLACEHOLDER.findall(text) if name not in known]:
            allowed = ", ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"{{{unknown[0]}}} is never filled in; known: {allowed}")
        return text

    return check
