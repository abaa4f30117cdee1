"""Reads the folder of per-prompt outcomes that the routing scripts work on; it keeps no copy of any of it.

The folder holds `train.jsonl.gz` and `devtest.jsonl.gz`: one JSON object a line with `bench`, `group` (its
subject or category), `gid` (the same for the same question wherever it stands), `prompt`, and `weak` and
`strong`, the results of a small and a large model (0 or 1). Sources and licences:

    mmlu       Mixtral-8x7B-Instruct, GPT-4-1106      lm-sys/RouteLLM (Apache-2.0), MMLU (MIT)
    gsm8k      the same two, graded again             lm-sys/RouteLLM (Apache-2.0), GSM8K (MIT)
    gsm8k_gq   gemma-2-2b-it, Qwen2-72B-Instruct      WildEval/ZeroEval (Apache-2.0), GSM8K (MIT)
    math_l5    gemma-2-2b-it, Qwen2.5-32B-Instruct    WildEval/ZeroEval (Apache-2.0), MATH (MIT)
    mmlu_pro   gemma-7b, Qwen1.5-72B-Chat             TIGER-AI-Lab/MMLU-Pro (Apache-2.0)
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from harpoon_cli.routing.outcomes import Outcome

BENCHES = ("mmlu", "gsm8k", "gsm8k_gq", "math_l5", "mmlu_pro")

TOPICS = {
    "business": "accounting business economics econometrics management marketing macroeconomics "
    "microeconomics",
    "chemistry": "chemistry",
    "computing": "computer",
    "history": "history prehistory",
    "law and politics": "law jurisprudence government policy security_studies international",
    "life and medicine": "anatomy biology clinical genetics health medicine nutrition virology aging",
    "mathematics": "math mathematics statistics algebra",
    "physics": "physics astronomy engineering",
    "society": "psychology sociology sexuality relations geography facts",
    "thought": "philosophy moral logic fallacies religions ethics formal",
}
"""Names for parts of the wording, and pieces of subjects' names that belong to each; the first fits."""


@dataclass(frozen=True, slots=True)
class Row:
    """An outcome and the benchmark it is from."""

    bench: str
    subject: str
    outcome: Outcome


def rows(folder: Path, part: str) -> list[Row]:
    """The rows of a part, "train" or "devtest"."""
    with gzip.open(folder / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [_row(json.loads(line)) for line in file]


def sha256(folder: Path, part: str) -> str:
    """Of the part's file as it is."""
    return hashlib.sha256((folder / f"{part}.jsonl.gz").read_bytes()).hexdigest()


def topic_of(subject: str) -> str:
    """The part of the wording for a subject; empty where it belongs to none."""
    pieces = set(subject.replace(" ", "_").split("_")) | {subject}
    return next((topic for topic, words in TOPICS.items() if pieces & set(words.split())), "")


def _row(row: dict[str, str | float]) -> Row:
    subject = str(row["group"])
    outcome = Outcome(
        prompt=str(row["prompt"]),
        small=float(row["weak"]),
        large=float(row["strong"]),
        group=str(row["gid"]),
        topic=topic_of(subject),
    )
    return Row(str(row["bench"]), subject, outcome)
