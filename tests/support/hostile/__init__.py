"""Bundles that nobody may take: each made by code, with the code of the fault that it must be refused with."""

from tests.support.hostile import archives, belay, charts, starlingx
from tests.support.hostile.case import Case

CORPUS: tuple[Case, ...] = (*archives.CASES, *belay.CASES, *charts.CASES, *starlingx.CASES)
BY_HELM: tuple[Case, ...] = charts.BY_HELM
"""Those that only Helm finds out."""

__all__ = ["BY_HELM", "CORPUS", "Case"]
