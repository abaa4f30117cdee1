"""The answers that come from no model: always the same, and honest about it."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from harpoon_cli.domain import Completion, CompletionRequest, Delta, Prompt
from harpoon_cli.sandbox.simulator import Simulator


def question(prompt: str = "Why?", max_tokens: int | None = None) -> CompletionRequest:
    return CompletionRequest(Prompt(prompt), "any", max_tokens, None)


def streamed(request: CompletionRequest) -> list[Delta | Completion]:
    async def collect() -> list[Delta | Completion]:
        return [part async for part in Simulator(pause_s=0).stream(request)]

    return asyncio.run(collect())


def whole(request: CompletionRequest) -> Completion:
    return asyncio.run(Simulator().complete(request))


def test_the_first_words_say_that_no_model_answered_and_how_to_get_one() -> None:
    text = whole(question()).text
    assert text.startswith("[simulated]")
    assert "`harpoon sandbox pull`" in text


def test_another_question_gets_another_answer_and_the_same_question_the_same() -> None:
    assert whole(question("Why?")) == whole(question("Why?"))
    assert whole(question("Why?")).text != whole(question("Why not?")).text


@given(st.text(max_size=200), st.integers(1, 100))
def test_the_pieces_are_the_answer_and_keep_to_max_tokens(prompt: str, max_tokens: int) -> None:
    *pieces, last = streamed(question(prompt, max_tokens))
    assert isinstance(last, Completion)
    assert last.usage is not None
    assert "".join(one.text for one in pieces if isinstance(one, Delta)) == last.text
    assert len(pieces) == last.usage.completion_tokens <= max_tokens
    cut = last.text != whole(question(prompt)).text
    assert last.finish_reason == ("length" if cut else "stop")
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens
