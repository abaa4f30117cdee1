"""Fits the weights that ship with harpoon and writes them into the package.

    python benchmarks/routing_weights.py DATA_FOLDER

DATA_FOLDER is as `routing_data` describes it; only its train part is read. The figures in the file are of
rows left out of the fit; `benchmarks/routing.py` measures on the devtest part.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from routing_data import BENCHES, Row, rows, sha256

import harpoon_cli.routing
from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.fit import Fitted, fit
from harpoon_cli.routing.measures import rank
from harpoon_cli.routing.weights_file import dump
from harpoon_cli.values import replace

TARGET = Path(harpoon_cli.routing.__file__).with_name("weights.bin")
QUALITY = Quality(
    weights="exam questions",
    note="Fitted on exam questions with options, sums in words and competition mathematics, not on your "
    "traffic; harpoon route calibrate fits on that.",
    source="",
    figures=(),
    licence="Apache-2.0 (outcomes: lm-sys/RouteLLM, WildEval/ZeroEval, TIGER-AI-Lab/MMLU-Pro); "
    "MIT (questions: MMLU, GSM8K, MATH)",
    rebuild="python benchmarks/routing_weights.py DATA_FOLDER",
)


def main(folder: Path) -> None:
    train = rows(folder, "train")
    started = time.monotonic()
    fitted = fit([row.outcome for row in train], QUALITY)
    print(f"fitted {len(train)} rows in {time.monotonic() - started:.0f} s")
    quality = replace(
        QUALITY,
        source=f"{len(train)} outcomes of five benchmarks, each row judged by a fit without its question; "
        "APGR, random is 0.5",
        figures=figures(train, fitted),
        training_sha256=sha256(folder, "train"),
        fitted=datetime.now(UTC).date().isoformat(),
    )
    content = dump(replace(fitted.weights, quality=quality))
    TARGET.write_bytes(content)
    print(f"{TARGET.name}: {len(content) / 1024:.0f} KiB")
    for name, value in quality.figures:
        print(f"{name:<40}{value:.3f}")


def figures(train: list[Row], fitted: Fitted) -> tuple[tuple[str, float], ...]:
    """APGR of each benchmark by scores of rows left out, and the mean of the five."""
    found = []
    for bench in BENCHES:
        places = [place for place, row in enumerate(train) if row.bench == bench]
        ranking = rank([fitted.scores[at] for at in places], [train[at].outcome.gain for at in places])
        found.append((f"APGR within {bench}", round(ranking.apgr.value, 3)))
    mean = sum(value for _, value in found) / len(found)
    return (("APGR within a benchmark, mean of five", round(mean, 3)), *found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
