"""How long a freed slot stays empty: from a step that finished to the step that then took its place. Pure."""

from collections.abc import Sequence


def gaps(starts: Sequence[float], finishes: Sequence[float], parallel: int) -> list[float]:
    """Seconds from each finish to the start that it made possible.

    With `parallel` slots, the start number k + parallel can only come after the finish number k (in the order of time):
    these belong together. The last finishes free slots that nobody needs. Raises ValueError when a start comes
    before the finish that frees its slot: then the limit was exceeded, or the times are not what they should be.
    """
    late = sorted(starts)[parallel:]
    found = [start - finish for finish, start in zip(sorted(finishes), late, strict=False)]
    if early := [gap for gap in found if gap < 0]:
        raise ValueError(f"{len(early)} steps start before a slot is free, the first {-min(early):.3f} s too early")
    return found
