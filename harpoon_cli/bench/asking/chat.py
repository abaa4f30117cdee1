"""Reads messages as the chat formats of the day write them; raises ValueError for what is none."""

from __future__ import annotations

from harpoon_cli.bench.recording.sample import Message

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
}


def messages(value: object) -> tuple[Message, ...]:
    """A list of objects with `role` and `content`, or with ShareGPT's names `from` and `value`."""
    if not isinstance(value, list):
        raise ValueError("the messages are not a list")  # noqa: TRY004 - a fault of the file, not of the code
    return tuple(map(_message, value))


def _message(value: object) -> Message:
    if not isinstance(value, dict):
        raise ValueError("a message is not an object")  # noqa: TRY004 - a fault of the file
    role = ROLES.get(str(value.get("role") or value.get("from") or "").lower())
    if role is None:
        raise ValueError(f"a message's role is none of {', '.join(ROLES)}")
    return Message(role, _text(value.get("content", value.get("value"))))


def _text(value: object) -> str:
    """A string, or the text parts of a list of parts; "" for null."""
    if value is None or isinstance(value, str):
        return whole_text(value or "")
    if not isinstance(value, list):
        raise ValueError("a message's content is not text")  # noqa: TRY004 - a fault of the file
    texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) != len(value) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a message holds more than text")
    return whole_text("".join(map(str, texts)))


def whole_text(text: str) -> str:
    """The same text; ValueError for half a character, which JSON can write and no server can be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as cause:
        raise ValueError("a text holds half a character (a lone surrogate)") from cause
    return text
