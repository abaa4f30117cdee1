"""What two models made of a prompt, as rows of a file that may come from anywhere; it reads no file itself.

A row is one JSON object: {"prompt": "…", "small": 1, "large": 1, "group": "…", "topic": "…"}. small and large
are results from 0 (wrong) to 1 (right). Rows about the same question share a group, so that none of them is
judged by weights fitted on another; without one the prompt itself is the group. topic, which may be absent,
names the part of the wording that its words belong to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

from harpoon_cli.errors import UsageFault
from harpoon_cli.values import Struct

LONGEST_ROW = 32 * 1024 * 1024
"""Characters in a line of the file: the longest prompt and its group, with each character escaped."""


class Outcome(Struct, frozen=True):
    """One prompt and the two models' results, 0 (wrong) to 1 (right)."""

    prompt: str
    small: float
    large: float
    group: str
    topic: str = ""

    @property
    def gain(self) -> float:
        """What the large model adds; below 0 where the small one did better."""
        return self.large - self.small


def parse(lines: Iterable[str], where: str) -> Iterator[Outcome]:
    """The rows of a file named `where`, blank lines skipped; `UsageFault` names the first bad line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _outcome(line)
        except (ValueError, TypeError, KeyError) as cause:
            told = f"lacks {cause}" if isinstance(cause, KeyError) else str(cause)
            raise UsageFault(
                f"{where}, line {number}: {told}",
                hint='a row is {"prompt": "…", "small": 0, "large": 1}; harpoon route record writes them',
            ) from cause


def to_line(outcome: Outcome) -> str:
    """The row of an outcome, with its line end."""
    row: dict[str, object] = {"prompt": outcome.prompt, "small": outcome.small, "large": outcome.large}
    if outcome.group != outcome.prompt:
        row["group"] = outcome.group
    if outcome.topic:
        row["topic"] = outcome.topic
    return json.dumps(row) + "\n"


def by_answers(prompt: str, small: str, large: str, expected: str | None) -> Outcome:
    """The outcome of two answers: each compared with what was expected, else the small with the large one.

    Case, white space and a full stop at the end do not matter. Without an expected answer the large one is
    taken to be right.
    """
    right = _plain(large if expected is None else expected)
    return Outcome(prompt, float(_plain(small) == right), float(_plain(large) == right), prompt)


def _plain(answer: str) -> str:
    return " ".join(answer.casefold().split()).rstrip(".")


def _outcome(line: str) -> Outcome:
    if len(line) > LONGEST_ROW:
        raise ValueError(f"it is longer than {LONGEST_ROW} characters")
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError) as cause:
        raise ValueError("it is nested too deep, or a number in it is too long") from cause
    if not isinstance(row, dict):
        raise TypeError("it is not a JSON object")
    prompt = row["prompt"]
    if not isinstance(prompt, str):
        raise TypeError("prompt is not a string")
    return Outcome(
        prompt=prompt,
        small=_result("small", row["small"]),
        large=_result("large", row["large"]),
        group=prompt if row.get("group") in (None, "") else str(row["group"]),
        topic=str(row.get("topic") or ""),
    )


def _result(name: str, value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} is {str(value)[:40]!r}, not a number from 0 to 1")
    return float(value)
