"""A platform that is down is left alone over many commands, but for the releases."""

from __future__ import annotations

import pytest

from tests.cli.rig import Operator
from tests.servers import always, answer, served

IN_A_ROW = 20


@pytest.mark.parametrize(
    ("line", "attempts"),
    [
        (["pools"], 5),
        (["infer", "Hi"], 5),
        (["allocate", "--vram", "1GB"], 5),
        (["leases"], 5),
        (["release", "a-1"], 5 + IN_A_ROW - 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_twenty_commands_in_a_row_ask_a_dead_platform_no_more_than_they_must(
    harpoon: Operator, line: list[str], attempts: int
) -> None:
    with served(always(answer(503))) as server:
        harpoon.environ |= {
            "HOSTED_AI_BASE_URL": server.url,
            "HOSTED_AI_API_KEY": "k",
            "HARPOON_RETRY__BASE_S": "0.01",
            "HARPOON_BREAKER__PROBE_S": "1h",
        }
        assert {harpoon(*line).status for _ in range(IN_A_ROW)} == {7}
        assert len(server.requests) == attempts <= 30


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", b""], ids=["a page", "nothing"])
def test_nor_one_whose_every_answer_cannot_be_read(harpoon: Operator, content: bytes) -> None:
    with served(always(answer(200, content))) as server:
        harpoon.environ |= {
            "HOSTED_AI_BASE_URL": server.url,
            "HOSTED_AI_API_KEY": "k",
            "HARPOON_RETRY__BASE_S": "0.01",
            "HARPOON_BREAKER__PROBE_S": "1h",
        }
        assert {harpoon("pools").status for _ in range(IN_A_ROW)} == {1, 7}
        assert len(server.requests) == 5
