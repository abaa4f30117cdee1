"""Lines of words: wrapping, labelled facts, the sentences of an error, a receipt. It prints none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from harpoon_cli.domain import Receipt, Tenure
from harpoon_cli.errors import HarpoonError
from harpoon_cli.render import words
from harpoon_cli.render.outcome import Cell, Tone
from harpoon_cli.render.terminal import Channel

Measure = Callable[[str], int]
"""Gives the columns that a text takes; `len` where every character takes one."""

_INDENT = "  "
_LONGEST_SENTENCE = 1_000
"""Characters of a sentence that are printed; remote text can fill megabytes."""


def wrap(text: str, width: int, measure: Measure = len) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces only: a longer word is never cut."""
    if measure(text) <= width:
        return [text]
    lines: list[str] = []
    line: list[str] = []
    used = 0
    for word in text.split(" "):
        columns = measure(word)
        if line and used + 1 + columns > width:
            lines.append(" ".join(line))
            line, used = [], 0
        used += columns + (1 if line else 0)
        line.append(word)
    return [*lines, " ".join(line)]


def labelled(
    facts: Sequence[tuple[str, Cell]], width: int, channel: Channel, measure: Measure = len
) -> Iterator[str]:
    """One "label: value" after the other, values in a column of their own and wrapped inside it.

    A value with a word that does not fit beside its label stands below it. Labels and cells are harmless.
    """
    lead = max((measure(label) for label, _ in facts), default=0) + len(": ")
    for label, cell in facts:
        head = f"{label}:" + " " * (lead - measure(label) - 1)
        pieces = wrap(cell.text, width - lead, measure)
        margin = " " * lead
        if any(measure(piece) > width - lead for piece in pieces):
            margin = _INDENT
            yield channel.paint(head.rstrip(), Tone.FAINT)
            pieces, head = wrap(cell.text, width - len(margin), measure), margin
        for position, piece in enumerate(pieces):
            start = margin if position else channel.paint(head, Tone.FAINT)
            yield (start + channel.paint(piece, cell.tone)).rstrip()


def sentence(kind: str, text: str, channel: Channel, tone: Tone = Tone.FAINT) -> str:
    """ "kind: text" on one harmless line; what goes beyond 1,000 characters is left out, and that is said."""
    text = channel.veil.over(text)  # before it is cut: the beginning of a secret is not recognised
    if (left_out := len(text) - _LONGEST_SENTENCE) > 0:
        text = f"{text[:_LONGEST_SENTENCE]} ... ({left_out:,} more characters)"
    return f"{channel.paint(f'{kind}:', tone)} {channel.safe(text)}"


def error_lines(errors: Iterable[HarpoonError], channel: Channel) -> Iterator[str]:
    """What happened, and under it what helps, for each error."""
    for error in errors:
        yield sentence("error", error.message, channel, Tone.BAD)
        if error.hint:
            yield sentence("hint", error.hint, channel)


def receipt_lines(
    receipt: Receipt, beside: Sequence[tuple[str, Cell | str]], width: int, channel: Channel
) -> Iterator[str]:
    """The receipt as a person reads it; the facts beside it stand before what was held and its cost."""
    did = [fact for fact in _what_was_done(receipt) if fact[1]]
    cost = [fact for fact in _what_it_cost(receipt) if fact[1]]
    facts = [(channel.safe(label), channel.cell(cell)) for label, cell in (*did, *beside, *cost)]
    return labelled(facts, width, channel)


def _what_was_done(receipt: Receipt) -> Iterator[tuple[str, str]]:
    yield "steps", ", ".join(f"{step.name} {words.duration(step.seconds)}" for step in receipt.steps)
    yield "lease", _lease_of(receipt)
    yield "gpu", words.gpu(receipt.gpu) if receipt.gpu else ""


def _what_it_cost(receipt: Receipt) -> Iterator[tuple[str, str]]:
    if receipt.seconds_held is not None:
        rate = f" at {words.price(receipt.price)}" if receipt.price else ""
        yield "held", words.duration(receipt.seconds_held) + rate
    yield "idle", f"{words.share(receipt.idle_share)} of that" if receipt.idle_share is not None else ""
    yield "cost", words.money(receipt.cost) if receipt.cost else ""
    yield "released", _released(receipt)
    for one in receipt.ended:
        yield "also ended", _ended(one)


def _lease_of(receipt: Receipt) -> str:
    name = receipt.lease_id or receipt.reference or ""
    return f"{name} in pool {receipt.pool_id}" if name and receipt.pool_id else name


def _ended(one: Tenure) -> str:
    told = {
        "held": words.duration(one.seconds_held),
        "idle": words.share(one.idle_share),
        "cost": words.money(one.cost),
    }
    known = ", ".join(f"{label} {value}" for label, value in told.items() if value != words.UNKNOWN)
    return f"{one.lease_id or one.reference} in pool {one.pool_id}" + (f": {known}" if known else "")


def _released(receipt: Receipt) -> str:
    if receipt.released:
        return "yes"
    only = "; the platform does not end it, only harpoon" if receipt.only_a_release_ends_it else ""
    if receipt.kept:
        return f"no, kept as asked{only}"
    return f"not confirmed{only}" if receipt.lease_id or receipt.reference else ""
