"""Status 0 only with the whole result: platforms that say, in their own ways, that there is less."""

from __future__ import annotations

import pytest

from tests.cli.rig import Operator
from tests.servers import always, answer, served


def endpoint(url: str) -> str:
    return f'[platform]\ncontrol = "static"\ninference = "openai"\nauth = "none"\nbase_url = "{url}"\n'


@pytest.mark.parametrize(("reason", "doubted"), [("stop", False), ("EOS", False), ("repetition", True)])
def test_an_answer_that_ends_for_a_reason_nobody_knows_is_told_as_one(
    harpoon: Operator, reason: str, doubted: bool
) -> None:
    choice = {"index": 0, "message": {"content": "Because."}, "finish_reason": reason}
    with served(always(answer(200, {"choices": [choice]}))) as server:
        harpoon.configure(endpoint(f"{server.url}/v1"))
        ran = harpoon("infer", "-m", "gemma-270m", "--no-stream", "Why?")
    assert (ran.status, ran.out) == (0, "Because.\n")
    assert ("whether it is whole is not known" in ran.err) is doubted
