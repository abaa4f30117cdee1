"""Finds the names a person may have meant; used for hints, never to choose for them."""

from __future__ import annotations

from collections.abc import Sequence


def nearest(name: str, known: Sequence[str]) -> str | None:
    """A question like "did you mean a or b?", or None where nothing known is near."""
    from difflib import get_close_matches  # only needed once something has gone wrong

    by_fold = {each.casefold(): each for each in known}
    near = get_close_matches(name[:200].casefold(), list(by_fold), n=3)
    return f"did you mean {' or '.join(by_fold[each] for each in near)}?" if near else None
