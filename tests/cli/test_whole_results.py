"""Status 0 only with the whole result: platforms that say, in their own ways, that there is less."""

from __future__ import annotations

import pytest

from tests.cli.rig import Operator
from tests.servers import Conversation, Script, always, answer, served


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


def by_path(answers: dict[str, bytes]) -> Script:
    """Each path's own answer; a 404 in the platform's words for the others."""

    async def script(conversation: Conversation) -> None:
        while True:
            path = (await conversation.request()).target.partition("?")[0]
            await conversation.send(
                answers.get(path, answer(404, {"error": "no such path", "code": "absent"}))
            )

    return script


def test_a_platform_without_a_list_of_pools_is_a_sentence_and_no_empty_table(harpoon: Operator) -> None:
    with served(by_path({})) as server:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": server.url, "HOSTED_AI_API_KEY": "a-key"}
        ran = harpoon("pools")
        machine = harpoon("pools", "-o", "json")
    assert (ran.status, ran.out) == (1, "")
    assert "this platform does not offer a list of pools" in ran.err
    assert (machine.status, machine.data["offered"]) == (1, False)


@pytest.mark.parametrize(
    ("health", "status", "verdict"),
    [
        ({"status": "ok"}, 0, "ok"),
        ({"version": "1.2"}, 0, "ok"),
        ({"status": "degraded"}, 0, "warning"),
        ({"status": "down"}, 7, "failed"),
        ({"status": "Error"}, 1, "failed"),
        ({"ok": False}, 1, "failed"),
        ({"statusCode": 500, "message": "boom"}, 1, "failed"),
    ],
)
def test_a_platform_that_says_it_is_down_passes_no_check(
    harpoon: Operator, health: dict[str, object], status: int, verdict: str
) -> None:
    answers = {"/health": answer(200, health), "/v1/pools": answer(200, {"pools": [{"id": "a"}]})}
    with served(by_path(answers)) as server:
        harpoon.environ |= {"HOSTED_AI_BASE_URL": server.url, "HOSTED_AI_API_KEY": "a-key"}
        ran = harpoon("doctor", "-o", "json")
    assert ran.status == status
    assert [one["verdict"] for one in ran.data["findings"] if one["check"] == "health"] == [verdict]
