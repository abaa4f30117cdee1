"""Sources of prompts: what is in the files is asked, what is made up is as long as it should be."""

from __future__ import annotations

import builtins
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harpoon_cli.bench import work
from harpoon_cli.bench.asking import array, prompts, tokens
from harpoon_cli.bench.asking.asks import Order
from harpoon_cli.bench.asking.filler import filler
from harpoon_cli.bench.recording.sample import Ask, Message
from harpoon_cli.errors import ConfigurationFault, UsageFault


def order(
    seed: int = 0,
    count: Callable[[str], int] | None = None,
    first_index: int = 0,
    at_once: int | None = None,
) -> Order:
    return Order(seed, first_index, lambda key: True, lambda key, text: "m", count, at_once)


def asks(text: str, number: int, made: Order | None = None) -> list[Ask]:
    return [ask for ask in islice(work.parse(text).asks(made or order()), number) if ask is not None]


def words(text: str) -> int:
    return len(text.split())


def contents(found: list[Ask]) -> list[list[str]]:
    return [[message.content for message in ask.messages] for ask in found]


# -- made up


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 10**12))
def test_made_up_prompts_have_the_words_asked_for(given_tokens: int, answer: int, seed: int) -> None:
    for ask in asks(f"synthetic:input={given_tokens},output={answer}", 3, order(seed)):
        assert words(ask.messages[0].content) == given_tokens
        assert ask.max_tokens == answer
        assert ask.input_tokens is None


def test_a_prompt_longer_than_the_pool_of_words_is_made_all_the_same() -> None:
    assert words(asks("synthetic:input=100000", 1)[0].messages[0].content) == 100_000


def test_no_two_made_up_prompts_begin_alike() -> None:
    found = asks("synthetic:input=40", 20_000)
    assert len({tuple(ask.messages[0].content.split()[:4]) for ask in found}) == 20_000


def test_shared_prefixes_are_as_many_and_as_long_as_asked_and_used_alike() -> None:
    found = asks("synthetic:input=20,prefix=100,prefixes=5", 2000)
    prefixes = Counter(ask.messages[0].content for ask in found)
    assert {message.role for ask in found for message in ask.messages[:1]} == {"system"}
    assert len(prefixes) == 5
    assert all(words(text) == 100 for text in prefixes)
    assert min(prefixes.values()) > 320


def test_made_up_lengths_follow_their_distribution() -> None:
    found = asks("synthetic:input=lognormal(200,80),output=1..99", 4000)
    lengths = [words(ask.messages[0].content) for ask in found]
    assert fmean(lengths) == pytest.approx(200, rel=0.03)
    assert fmean(ask.max_tokens for ask in found) == pytest.approx(50, rel=0.04)


def turns_of(found: list[Ask]) -> Mapping[int | None, list[Ask]]:
    turns: dict[int | None, list[Ask]] = {}
    for ask in found:
        turns.setdefault(ask.conversation, []).append(ask)
    return turns


def test_conversations_take_turns_and_new_ones_begin_where_old_ones_end() -> None:
    found = asks("synthetic:input=9,turns=3,conversations=4,prefix=5", 24)
    assert [ask.conversation for ask in found] == [0, 1, 2, 3] * 3 + [4, 5, 6, 7] * 3
    for turns in turns_of(found).values():
        assert [len(ask.messages) for ask in turns] == [2, 1, 1]
        assert len({ask.messages[-1].content for ask in turns}) == 3


def test_a_closed_loop_has_more_conversations_under_way_than_places() -> None:
    found = asks("synthetic:input=9,turns=2", 400, order(at_once=200))
    assert len({ask.conversation for ask in found}) == 400


def test_conversations_begin_anew_where_a_stage_begins() -> None:
    found = asks("synthetic:input=9,turns=2,conversations=3", 6, order(first_index=100))
    assert [(ask.index, ask.conversation) for ask in found] == [
        (100, 100),
        (101, 101),
        (102, 102),
        (103, 100),
        (104, 101),
        (105, 102),
    ]


# -- JSON lines


def write(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_a_line_may_be_a_text_a_prompt_messages_or_turns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        "one",
        {"prompt": "two", "max_tokens": 7},
        {
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "three"}],
            "output_tokens": 8,
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}]},
                {"role": "assistant", "content": "the answer that came"},
            ]
        },
    )
    found = asks(f"jsonl:{path},output=5", 5)
    assert contents(found) == [["one"], ["two"], ["s", "three"], ["four"], ["one"]]
    assert [ask.max_tokens for ask in found] == [5, 7, 8, 5, 5]
    assert found[2].messages[0] == Message("system", "s")
    assert {ask.conversation for ask in found} == {None}


def test_turns_of_a_line_are_asked_one_after_another(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", {"turns": ["a1", "a2", "a3"]}, {"turns": ["b1"]}, {"prompt": "c1"})
    found = asks(f"jsonl:{path},conversations=2", 8)
    assert [(ask.conversation, ask.messages[0].content) for ask in found] == [
        (0, "a1"),
        (1, "b1"),
        (0, "a2"),
        (2, "c1"),
        (0, "a3"),
        (3, "a1"),
        (4, "b1"),
        (3, "a2"),
    ]


def test_a_shuffled_file_is_asked_whole_in_an_order_of_the_seed(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", *(f"prompt {number}" for number in range(50)))
    first = contents(asks(f"jsonl:{path},order=shuffled", 50, order(1)))
    again = contents(asks(f"jsonl:{path},order=shuffled", 50, order(1)))
    other = contents(asks(f"jsonl:{path},order=shuffled", 50, order(2)))
    assert first == again != other
    assert sorted(first) == sorted(other) == sorted([f"prompt {number}"] for number in range(50))


def test_only_as_many_prompts_are_read_as_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", "a", "b")
    with path.open("a") as file:
        file.write("this is not JSON")
    assert contents(asks(f"jsonl:{path},records=2", 3)) == [["a"], ["b"], ["a"]]


BAD_LINES = [
    "{",
    "7",
    "null",
    "[]",
    '""',
    '{"prompt": ""}',
    '{"prompt": "  "}',
    '{"prompt": 5}',
    '{"prompt": null}',
    '{"text": "x"}',
    '{"prompt": "x", "max_tokens": 0}',
    '{"prompt": "x", "max_tokens": -4}',
    '{"prompt": "x", "max_tokens": 1e99}',
    '{"messages": "x"}',
    '{"messages": []}',
    '{"messages": ["x"]}',
    '{"messages": [{"role": "wizard", "content": "x"}]}',
    '{"messages": [{"role": "user", "content": 5}]}',
    '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
    '{"messages": [{"role": "assistant", "content": "x"}]}',
    '{"turns": []}',
    '{"turns": ["a", ""]}',
    '{"turns": {"a": 1}}',
    "[" * 50_000,
    '"' + "\\ud800" + '"',
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_asks_nothing_is_told_by_its_number_and_can_be_left_out(
    tmp_path: Path, line: str
) -> None:
    path = write(tmp_path / "p.jsonl", "good")
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageFault, match="line 2: "):
        asks(f"jsonl:{path}", 1)
    assert contents(asks(f"jsonl:{path},bad_rows=1", 1)) == [["good"]]


def test_a_file_without_prompts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("\n \n")
    with pytest.raises(UsageFault, match="has no prompts"):
        asks(f"jsonl:{path}", 1)


def test_prompts_that_are_too_large_to_keep_are_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "MOST_CHARACTERS", 100)
    path = write(tmp_path / "p.jsonl", *("x" * 30 for _ in range(9)))
    with pytest.raises(UsageFault, match="first 3 prompts") as fault:
        asks(f"jsonl:{path}", 1)
    assert "records=1" in (fault.value.hint or "")
    assert asks(f"jsonl:{path},records=3", 1)


# -- ShareGPT


def talk(*texts: str, **more: object) -> dict[str, object]:
    speakers = ("human", "gpt")
    said = [{"from": speakers[place % 2], "value": text} for place, text in enumerate(texts)]
    return {"id": "x", "conversations": said, **more}


TALKS: list[object] = [
    talk("first?", "x" * 40, "second?", "y" * 80, "third?", "z" * 8),
    talk("alone?", "yes"),
    talk("too long?", "x" * 9000),
    talk("unanswered?"),
    {"conversations": []},
    {
        "conversations": [
            {"from": "gpt", "value": "hello"},
            *json.loads(json.dumps(talk("late?", "ok")["conversations"])),
        ]
    },
    {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u?"},
            {"role": "assistant", "content": "a"},
        ]
    },
]


@pytest.mark.parametrize("lines", [True, False])
def test_sharegpts_first_questions_are_asked_for_answers_as_long_as_theirs(
    tmp_path: Path, lines: bool
) -> None:
    path = tmp_path / "s"
    path.write_text("\n".join(map(json.dumps, TALKS)) if lines else json.dumps(TALKS, indent=1))
    found = asks(f"sharegpt:{path}", 5)
    assert contents(found) == [["first?"], ["alone?"], ["late?"], ["s", "u?"], ["first?"]]
    assert [ask.max_tokens for ask in found] == [10, 1, 1, 1, 10]


def test_sharegpts_conversations_are_asked_turn_by_turn_up_to_their_longest(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps(TALKS[:1]))
    assert contents(asks(f"sharegpt:{path},turns=9,conversations=1", 3)) == [
        ["first?"],
        ["second?"],
        ["third?"],
    ]
    assert contents(asks(f"sharegpt:{path},turns=2,conversations=1", 3)) == [
        ["first?"],
        ["second?"],
        ["first?"],
    ]
    short = asks(f"sharegpt:{path},turns=9,longest=60,conversations=1", 2, order(count=len))
    assert contents(short) == [["first?"], ["first?"]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[1, 2]", "record 1: this is not a JSON object"),
        ('[{"conversations": []}, {"conver', "record 2: this is not JSON"),
        ('[{"conversations": 5}]', "record 1: the messages are not a list"),
        ('[{"id": 5}]', "record 1: the record has no conversations"),
        ('{"a": ' + "[" * 100_000, "record 1: nested too deeply"),
        ("[]", "has no prompts"),
        ("", "has no prompts"),
        (b'[{"a": "\xff"}]', "not UTF-8"),
    ],
)
def test_a_file_that_is_no_sharegpt_is_told_by_its_record(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    path = tmp_path / "s"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UsageFault, match=why):
        asks(f"sharegpt:{path}", 1)


VALUES = st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers() | st.none(), max_size=4)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, max_size=6), st.integers(1, 50), st.sampled_from([None, 0, 2]))
def test_an_array_is_read_alike_in_pieces_of_any_size(
    tmp_path: Path, values: list[dict[str, object]], piece: int, indent: int | None
) -> None:
    path = tmp_path / "a"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=False), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(array, "PIECE_BYTES", piece)
        assert [value for _, value in array.objects(path)] == values


def test_an_object_without_end_is_given_up_at_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array, "LONGEST_OBJECT_CHARACTERS", 10_000)
    monkeypatch.setattr(array, "PIECE_BYTES", 1000)
    path = tmp_path / "a"
    path.write_text('[{"a": "' + "x" * 10**6)
    with pytest.raises(UsageFault, match="record 1: this is not JSON"):
        list(array.objects(path))


# -- text files


def test_each_file_line_or_paragraph_is_a_prompt(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("\ufeffone\ntwo\n\n  \nthree\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.md").write_text("four\r\n\r\nfive")
    (tmp_path / "c.bin").write_bytes(b"\0\1\2")
    (tmp_path / "empty.txt").write_text(" \n")

    def of(each: str) -> list[str]:
        return [text for (text,) in contents(asks(f"text:{tmp_path},each={each}", 5))]

    assert of("file")[:3] == ["one\ntwo\n\n  \nthree", "four\r\n\r\nfive", "one\ntwo\n\n  \nthree"]
    assert of("line") == ["one", "two", "three", "four", "five"]
    assert of("paragraph") == ["one\ntwo", "three", "four", "five", "one\ntwo"]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"text\0"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(UsageFault, match=r"not UTF-8|NUL"):
        asks(f"text:{path}", 1)


# -- traces


def test_prompts_of_a_trace_have_its_lengths_and_begin_again_at_its_end(tmp_path: Path) -> None:
    rows = ({"at_s": at, "input_tokens": at * 7 + 1, "output_tokens": at + 1} for at in range(3))
    path = write(tmp_path / "t", *rows)
    found = asks(f"trace:{path}", 5)
    assert [words(ask.messages[0].content) for ask in found] == [1, 8, 15, 1, 8]
    assert [ask.input_tokens for ask in found] == [1, 8, 15, 1, 8]
    assert [ask.max_tokens for ask in found] == [1, 2, 3, 1, 2]


def test_rows_with_the_same_first_blocks_share_just_these_words(tmp_path: Path) -> None:
    def row(at: int, tokens: int, *ids: object) -> dict[str, object]:
        return {"timestamp": at, "input_length": tokens, "output_length": 9, "hash_ids": ids}

    path = write(
        tmp_path / "t", row(0, 1300, 1, 2, 3), row(5, 1400, 1, 2, 4), row(9, 300, "1"), row(9, 2000, 9)
    )
    first, second, third, fourth = (ask.messages[0].content.split() for ask in asks(f"trace:{path}", 4))
    assert [len(one) for one in (first, second, third, fourth)] == [1300, 1400, 300, 2000]
    assert first[:1024] == second[:1024]
    assert first[1024:1028] != second[1024:1028]
    assert third == first[:300]
    assert fourth[:4] != first[:4]


def test_a_prompt_in_a_trace_is_asked_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "t", {"at_s": 0, "output_tokens": 3, "prompt": "Why so?"})
    assert asks(f"trace:{path}", 1, order(count=words)) == [Ask(0, (Message("user", "Why so?"),), 3, "m", 2)]
    assert asks(f"trace:{path}", 1)[0].input_tokens is None


# -- tokens


def tokenizer_file(path: Path, vocabulary: Sequence[str]) -> Path:
    """A real tokenizer that knows so many words, cut to a few tokens as some models' files ask for."""
    library = pytest.importorskip("tokenizers")
    known = {word: number for number, word in enumerate(["[UNK]", *vocabulary])}
    made = library.Tokenizer(library.models.WordPiece(known, unk_token="[UNK]"))
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    made.enable_truncation(max_length=3)
    made.enable_padding(length=7)
    made.save(str(path))
    return path


def test_a_tokenizer_file_counts_whole_texts(tmp_path: Path) -> None:
    count = tokens.counter(tokenizer_file(tmp_path / "tokenizer.json", ["some", "few", "words", "##y"]))
    assert count("some few words some few wordsy") == 7
    assert count("") == 0


def test_with_a_tokenizer_made_up_prompts_are_of_words_that_are_single_tokens(tmp_path: Path) -> None:
    vocabulary = sorted(set(filler(0).words))[:300]
    count = tokens.counter(tokenizer_file(tmp_path / "tokenizer.json", [*vocabulary, "t", "##h", "##e"]))
    found = asks("synthetic:input=33,prefix=10", 20, order(count=count))
    # A word that the tokenizer does not know is one token as well: the one for what is unknown.
    assert all(sum(count(message.content) for message in ask.messages) == 43 for ask in found)
    assert {ask.input_tokens for ask in found} == {43}


def test_a_tokenizer_that_cuts_every_word_is_asked_for_each_prompt() -> None:
    found = asks("synthetic:input=33", 5, order(count=len))
    assert [ask.input_tokens for ask in found] == [len(ask.messages[0].content) for ask in found]


def test_prompts_of_a_file_are_counted_where_a_tokenizer_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", "one two three", {"turns": ["four five", "six"]})
    found = asks(f"jsonl:{path},conversations=2", 3, order(count=words))
    assert [ask.input_tokens for ask in found] == [3, 2, 3]
    later = asks(f"jsonl:{path},conversations=1", 3, order(count=words))[2]
    assert (later.messages[0].content, later.input_tokens) == ("six", None)


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON", b'{"model": 5}', b"\xff\xfe\0"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("tokenizers")
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UsageFault, match="is not a tokenizer file"):
        tokens.counter(path)


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationFault, match="not installed") as fault:
        tokens.counter(path)
    assert "harpoon-cli[tokenizer]" in (fault.value.hint or "")
