"""Warm-up as it is typed; what it comes to in a run is in `test_recorder`."""

from __future__ import annotations

import pytest

from harpoon_cli.bench.planning import warmup
from harpoon_cli.bench.planning.warmup import WarmUp
from harpoon_cli.errors import UsageFault


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("auto", WarmUp(detected=True)),
        ("none", WarmUp()),
        ("0.95s", WarmUp(first_s=0.95)),
        ("100", WarmUp(first_requests=100)),
    ],
)
def test_a_warm_up_is_read_and_written_the_same(text: str, meaning: WarmUp) -> None:
    assert warmup.parse(text) == meaning
    assert str(meaning) == text


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "0s", "1.5", "²", "99999999999999"])
def test_a_warm_up_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="warm-up") as fault:
        warmup.parse(text)
    assert "100 for a hundred requests" in (fault.value.hint or "")
