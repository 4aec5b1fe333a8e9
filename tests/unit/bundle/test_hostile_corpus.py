"""Every bundle of the corpus is refused for its reason, leaves no file anywhere, and takes little memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.components.helm_asked import MEMORY_BYTES
from tests.support.hostile import BY_HELM, CORPUS, Case

WITHOUT_FILE = {
    **dict.fromkeys(
        ("compression_bomb", "corrupt", "header_too_large", "not_gzip", "not_tar", "too_large", "too_many_faults",
         "too_many_files", "truncated", "file_too_large"),
        "it is the packed file itself, or its tar headers, that cannot be read",
    ),
}  # fmt: skip
"""Codes that may name no file of the bundle, and why."""

WITHOUT_LINE = {
    **dict.fromkeys(("missing_checksums", "missing_manifest", "missing_name"), "there is no such file to have a line"),
    **dict.fromkeys(("missing_file", "unlisted_file"), "the file is not there, or not in the list; which has its line"),
    "wrong_checksum": "the whole file is meant; the line of the list stands in the message",
    "file_too_large": "the whole file is meant, which is not read",
    **dict.fromkeys(
        ("absolute_name", "bad_mode", "bad_name", "conflicting_name", "duplicate_name", "name_not_utf8",
         "name_too_long", "not_a_file", "path_traversal"),
        "the name of the file is meant, not what stands in it",
    ),
}  # fmt: skip
"""Codes that may name a file of text without a line, and why."""

TEXTS = (".yaml", ".yml", ".md5", ".sha256", ".sig", ".lock", ".txt")
_PLACE = re.compile(r"(?P<file>[^:]+)(?P<line>:\d+)?(:.*)?")

MIB = 1 << 20
MOST_MEMORY = 64 * MIB
MOST_MEMORY_OF_HELM = MEMORY_BYTES + 128 * MIB
"""What a template can take of Helm's data is bounded; its program, and pages of files, lie in memory beside it."""

ROOT = Path(__file__).parents[3]


def examined(folder: Path, cases: Sequence[Case], helm: str) -> list[dict[str, Any]]:
    """What the process says of each, the good ones first; it may write into `folder/tmp` and `folder/targets` only."""
    for name in ("corpus", "tmp", "targets", "outside"):
        (folder / name).mkdir()
    for number, one in enumerate(cases):
        (folder / "corpus" / f"{number:03}").write_bytes(one.make())
    environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "BELAY_HELM_BINARY": helm}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile.examine", str(folder)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def lacking(code: str, place: str) -> str | None:
    """What the place of a fault does not say, though it could."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return None if code in WITHOUT_FILE else f"{code} names no file: {place!r}"
    if found["line"] or not found["file"].endswith(TEXTS) or code in WITHOUT_LINE:
        return None
    return f"{code} names no line: {place!r}"


def check(folder: Path, cases: Sequence[Case], helm: str) -> None:
    said_of_all = examined(folder, cases, helm)
    good, found = said_of_all[:2], said_of_all[2:]
    assert [one["codes"] for one in good] == [[], []]
    baseline = max(one["peak"] for one in good)
    wrong = []
    for one, said in zip(cases, found, strict=True):
        if not one.codes <= set(said["codes"]):
            wrong.append(f"{one.name}: {sorted(one.codes)} expected, found {said['codes']}")
        wrong += [f"{one.name}: {why}" for code, place in said["places"] if (why := lacking(code, place))]
        if said["peak"] - baseline > MOST_MEMORY:
            wrong.append(f"{one.name}: {(said['peak'] - baseline) / MIB:.0f} MiB more")
        if said["children"] > MOST_MEMORY_OF_HELM:
            wrong.append(f"{one.name}: {said['children'] / MIB:.0f} MiB in a process of its own")
    assert not wrong, "\n".join(wrong)
    allowed = {"good", "good-starlingx", *(f"{n:03}" for n, said in enumerate(found) if said["unpacked"])}
    assert {path.name for path in (folder / "targets").iterdir()} <= allowed
    assert list((folder / "tmp").iterdir()) == []
    assert list((folder / "outside").iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"corpus", "tmp", "targets", "outside", "good", "good-starlingx"}


def test_a_place_without_file_or_line_is_found_lacking() -> None:
    assert lacking("version_exists", "bundle.yaml:version") == "version_exists names no line: 'bundle.yaml:version'"
    assert lacking("host_unfit", "") == "host_unfit names no file: ''"
    assert lacking("version_exists", "bundle.yaml:2:version") is None


def test_the_corpus_is_large_and_each_of_it_has_a_name_of_its_own() -> None:
    names = [one.name for one in (*CORPUS, *BY_HELM)]
    assert len(names) >= 60
    assert {one.codes for one in CORPUS} - {frozenset()}


def test_every_hostile_bundle_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    check(tmp_path, CORPUS, "no-helm-here")


@pytest.mark.kubernetes
def test_charts_that_only_helm_finds_out_are_refused(tmp_path: Path, helm: Path) -> None:
    check(tmp_path, BY_HELM, str(helm))
