"""Strategies whose counts were found not to fit their steps, in this process, until their rows say so.

What is found breaks the transaction: nothing of it may be kept. So it is noted here, the same messages are handled
again, and this time the strategy is put into inspection, while those messages and all other strategies go on.
"""

from collections.abc import Iterable

from shared.core.errors import HandleAgain


class CountsDiffer(HandleAgain):
    """Handled again, the strategies that it names are inspected."""


class Inspections:
    """What was found, by the id of the strategy."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def differ(self, strategy_ids: Iterable[str], what: str) -> None:
        """Note that the counts of these strategies differ.

        Raises CountsDiffer where one was not known to: each is found once, so handling again comes to an end.
        """
        if new := [strategy_id for strategy_id in strategy_ids if strategy_id not in self.found]:
            self.found.update(dict.fromkeys(new, what))
            raise CountsDiffer(f"strategy {', '.join(new)}: {what}")

    def kept(self, strategy_id: str) -> None:
        """Its row says so by now."""
        self.found.pop(strategy_id, None)
