"""Every bundle of the corpus is refused for its reason, leaves no file anywhere, and takes little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import BY_HELM, CORPUS, Case

MIB = 1 << 20
MOST_MEMORY = 64 * MIB
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


def check(folder: Path, cases: Sequence[Case], helm: str) -> None:
    said_of_all = examined(folder, cases, helm)
    good, found = said_of_all[:2], said_of_all[2:]
    assert [one["codes"] for one in good] == [[], []]
    baseline = max(one["peak"] for one in good)
    wrong = []
    for one, said in zip(cases, found, strict=True):
        if not one.codes <= set(said["codes"]):
            wrong.append(f"{one.name}: {sorted(one.codes)} expected, found {said['codes']}")
        if said["peak"] - baseline > MOST_MEMORY:
            wrong.append(f"{one.name}: {(said['peak'] - baseline) / MIB:.0f} MiB more")
    assert not wrong, "\n".join(wrong)
    allowed = {"good", "good-starlingx", *(f"{n:03}" for n, said in enumerate(found) if said["unpacked"])}
    assert {path.name for path in (folder / "targets").iterdir()} <= allowed
    assert list((folder / "tmp").iterdir()) == []
    assert list((folder / "outside").iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"corpus", "tmp", "targets", "outside", "good", "good-starlingx"}


def test_the_corpus_is_large_and_each_of_it_has_a_name_of_its_own() -> None:
    names = [one.name for one in (*CORPUS, *BY_HELM)]
    assert len(names) >= 60
    assert {one.codes for one in CORPUS} - {frozenset()}


def test_every_hostile_bundle_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    check(tmp_path, CORPUS, "no-helm-here")


@pytest.mark.kubernetes
def test_charts_that_only_helm_finds_out_are_refused(tmp_path: Path, helm: Path) -> None:
    check(tmp_path, BY_HELM, str(helm))
