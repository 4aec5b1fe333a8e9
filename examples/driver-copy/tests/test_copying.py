"""Folders are made alike: nothing more is touched than differs, and what was killed half-way goes on."""

import os
from pathlib import Path

import pytest
from belay_driver_copy.copying import make_alike
from belay_driver_copy.spec import CopySpec
from pydantic import ValidationError


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_what_differs_is_written_and_what_is_too_much_goes(tmp_path: Path) -> None:
    source = write(tmp_path / "source", a="1", b__c="2", d__e="3")
    target = write(tmp_path / "target", a="0", b="a file where a folder shall be", d__e__f="and the other way", x__y="")
    make_alike(source, target)
    assert read(target) == read(source)
    assert not (target / "x").exists()


def test_what_is_the_same_stays_untouched(tmp_path: Path) -> None:
    source, target = write(tmp_path / "source", a="1", b="2"), write(tmp_path / "target", a="1", b="0")
    os.utime(target / "a", (1, 1))
    assert make_alike(source, target) == 1
    assert (target / "a").stat().st_mtime == 1
    assert make_alike(source, target) == 0


def test_the_draft_of_a_copy_that_was_killed_goes(tmp_path: Path) -> None:
    source = write(tmp_path / "source", a="1")
    target = write(tmp_path / "target", **{".a.draft": "half"})
    make_alike(source, target)
    assert read(target) == {"a": "1"}


def test_a_spec_names_folders_of_the_bundle_and_never_leads_out_of_the_root() -> None:
    files = {"files": {"site/index.html"}}
    assert CopySpec.model_validate({"source": "site", "target": "www"}, context=files).keep == 3
    for wrong in ({"source": "none", "target": "www"}, {"source": "site", "target": "../www"}):
        with pytest.raises(ValidationError):
            CopySpec.model_validate(wrong, context=files)
