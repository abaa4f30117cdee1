"""Prints what routing is worth on rows it was not fitted on, beside what installs from the package index.

    python benchmarks/routing.py DATA_FOLDER [--quick]

DATA_FOLDER is as `routing_data` describes it. Figures are of its devtest part, with 95 % of draws of the rows
in brackets; --quick leaves out what must fit anew (kinds of traffic never fitted on, and `route calibrate`).
It asserts nothing.

LiteLLM's scorer is measured in the same run where litellm is installed (`pip install litellm` into the
environment this runs in). RouteLLM is not: its package (0.2.0) holds no weights. Its routers load them from
a model hub when they start, and its matrix factorisation asks a hosted service to embed each prompt, so that
nothing but its random router runs without a network. Its published figures on MMLU are in docs/routing.md.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean, median

from routing_data import BENCHES, Row, rows
from routing_edits import EDITS

from harpoon_cli.domain import Model, Prompt
from harpoon_cli.routing import Candidate, Policy, decide
from harpoon_cli.routing.calibrate import calibrate
from harpoon_cli.routing.decision import Quality
from harpoon_cli.routing.fit import fit
from harpoon_cli.routing.measures import Interval, calibration_error, rank
from harpoon_cli.routing.reading import read
from harpoon_cli.routing.score import score
from harpoon_cli.routing.weights import Weights
from harpoon_cli.routing.weights_file import shipped

Scorer = Callable[[str], float]
PAIR = [
    Candidate(Model("small", 1024, 1.0, 10**9, "small")),
    Candidate(Model("large", 32_768, 40.0, 10**9, "large")),
]
FAMILIES = (("mmlu",), ("gsm8k", "gsm8k_gq"), ("math_l5",), ("mmlu_pro",))
DRAWS = 5
TIMES = 9
"""How often each text is timed; its median counts."""

CYRILLIC = {code: code + ord("\u0430") - ord("a") for code in range(ord("a"), ord("z") + 1)}
COLD = """
import time
started = time.perf_counter()
from harpoon_cli.domain import Model, Prompt
from harpoon_cli.routing import Candidate, Policy, decide
pair = [Candidate(Model("s", 1024, 1.0, 10**9, "s")), Candidate(Model("l", 32768, 40.0, 10**9, "l"))]
decide(Prompt("Which is a tort? A. assault B. treason C. perjury D. arson"), pair, Policy())
print((time.perf_counter() - started) * 1000)
"""


def main(folder: Path, *, quick: bool) -> None:
    devtest = rows(folder, "devtest")
    # First, before a peer's library is loaded: its objects would be walked at each collection of garbage.
    speed(devtest)
    within(devtest)
    asked(devtest)
    edited(devtest)
    cascade_bound(devtest)
    if not quick:
        train = rows(folder, "train")
        unfamiliar(train, devtest)
        calibrated(train, devtest)


def by(weights: Weights) -> Scorer:
    return lambda prompt: score(read(prompt), weights).total


def scorers() -> dict[str, Scorer]:
    found: dict[str, Scorer] = {"harpoon": by(shipped()), "len(prompt)": len, "random order": lambda _: 0.0}
    litellm = litellm_scorer()
    if litellm:
        found["LiteLLM"] = litellm
    return found


def litellm_scorer() -> Scorer | None:
    """LiteLLM's complexity score; None, and a line, where it is not installed."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        from litellm import Router
        from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter
    except ImportError:
        print("LiteLLM's scorer is left out: pip install litellm")
        return None
    router = ComplexityRouter("router", Router(model_list=[]))
    return lambda prompt: float(router.classify(prompt)[1])


def within(devtest: Sequence[Row]) -> None:
    print(f"\n{'within a benchmark':<16}{'APGR':>24}{'CPT50 %':>10}{'CPT80 %':>10}")
    for name, scorer in scorers().items():
        found = []
        for bench in BENCHES:
            part = [row.outcome for row in devtest if row.bench == bench]
            ranking = rank([scorer(one.prompt) for one in part], [one.gain for one in part])
            found.append(ranking.apgr.value)
            shares = f"{100 * ranking.cpt50.value:>10.1f}{100 * ranking.cpt80.value:>10.1f}"
            print(f"{name:<13}{bench:<10}{told(ranking.apgr):>21}{shares}")
        print(f"{name:<13}{'macro':<10}{fmean(found):>7.3f}")


def asked(devtest: Sequence[Row]) -> None:
    decisions = [decide(Prompt(row.outcome.prompt), PAIR, Policy()) for row in devtest]
    print("\nP(small is right)         ECE")
    for name, benches in [("all five", BENCHES), *((bench, (bench,)) for bench in BENCHES)]:
        told_of = [
            (decision.small_is_right, row.outcome.small)
            for row, decision in zip(devtest, decisions, strict=True)
            if row.bench in benches and decision.small_is_right is not None
        ]
        error = calibration_error([one[0] for one in told_of], [one[1] for one in told_of])
        print(f"{name:<16}{told(error):>21}  of {len(told_of)} rows")
    print("\nshare asked    share given to the large model, of all and of each benchmark")
    print(" " * 15 + "".join(f"{name:>11}" for name in ("all", *BENCHES)))
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        policy = Policy(share=share)
        given = [decide(Prompt(row.outcome.prompt), PAIR, policy).model == "large" for row in devtest]
        pairs = list(zip(given, devtest, strict=True))
        of_each = [fmean(one for one, row in pairs if row.bench == bench) for bench in BENCHES]
        print(f"{share:<15.0%}" + "".join(f"{one:>11.1%}" for one in (fmean(given), *of_each)))


def edited(devtest: Sequence[Row]) -> None:
    """Which choices flip: half of each benchmark's prompts go to the large model, as they came and edited."""
    scorer = by(shipped())
    before = [scorer(row.outcome.prompt) for row in devtest]
    halves = {
        bench: median(one for row, one in zip(devtest, before, strict=True) if row.bench == bench)
        for bench in BENCHES
    }
    print("\nharmless edit            choices flipped, worst of its forms, worst of the benchmarks")
    means = []
    for name, edits in EDITS.items():
        shares, worst = [], 0.0
        for edit in edits:
            after = [scorer(edit(row.outcome.prompt)) for row in devtest]
            flipped = [
                (row.bench, (old >= halves[row.bench]) != (new >= halves[row.bench]))
                for row, old, new in zip(devtest, before, after, strict=True)
            ]
            shares.append(fmean(flip for _, flip in flipped))
            worst = max(worst, *(fmean(flip for of, flip in flipped if of == bench) for bench in BENCHES))
        means.append(fmean(shares))
        print(f"{name:<25}{means[-1]:>7.1%}{max(shares):>10.1%}{worst:>10.1%}")
    print(f"{'mean':<25}{fmean(means):>7.1%}")


def cascade_bound(devtest: Sequence[Row]) -> None:
    """What a check that is always right would make of a cascade. What ours make of one, no row can tell.

    A row holds whether each model was right once: no second sample that could agree, and no answer's text.
    """
    print("\nright: large model alone, cascade with a check that is always right; its calls to the large")
    for bench in BENCHES:
        part = [row.outcome for row in devtest if row.bench == bench]
        large, either = fmean(one.large for one in part), fmean(max(one.small, one.large) for one in part)
        print(f"{bench:<16}{large:>7.1%}{either:>9.1%}{1 - fmean(one.small for one in part):>9.1%}")


def speed(devtest: Sequence[Row]) -> None:
    print("\ndecision                          texts  median ms    p99 ms   (of this process's CPU time)")
    for name, texts in texts_to_time([row.outcome.prompt for row in devtest]).items():
        spent = [sorted(timed(text) for _ in range(TIMES)) for text in texts]
        every = sorted(chain.from_iterable(spent))
        told_of = f"{median(each[TIMES // 2] for each in spent):>11.2f}{every[int(len(every) * 0.99)]:>10.2f}"
        print(f"{name:<32}{len(texts):>7}{told_of}")
    cold = [
        float(subprocess.run([sys.executable, "-c", COLD], capture_output=True, check=True, text=True).stdout)
        for _ in range(7)
    ]
    print(f"first decision of a process, imports included: {min(cold):.0f} ms at best of 7")
    size = Path(sys.modules["harpoon_cli.routing"].__file__ or "").with_name("weights.bin").stat().st_size
    print(f"weights: {size / 1024:.0f} KiB")


def texts_to_time(questions: Sequence[str]) -> dict[str, list[str]]:
    """Texts of 2 kB by what they are, as no kind takes as long as another; every question; 100 kB."""
    home = Path(__file__).parents[1]
    pages = [page.read_text("utf-8") for page in (home / "README.md", *sorted((home / "docs").glob("*.md")))]
    prose = re.sub(r"```.*?```", "", "\n".join(pages), flags=re.DOTALL)
    code = "\n".join(file.read_text("utf-8") for file in sorted((home / "harpoon_cli/routing").glob("*.py")))
    every = "\n".join(questions)
    return {
        "2 kB: prose": cut(prose),
        "2 kB: one long question": [each for each in questions if 1_700 < len(each) < 2_400],
        "2 kB: several questions": cut(every),
        "2 kB: code": cut(code),
        "2 kB: prose in Cyrillic letters": cut(prose.lower().translate(CYRILLIC)),
        "the questions as they are": list(questions),
        "100 kB of questions": cut(every, 100_000, 5),
        "100 kB of code": [(code * 10)[:100_000]],
    }


def cut(text: str, size: int = 2_000, most: int = 60) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text) - size, size)][:most]


def timed(prompt: str) -> float:
    started = time.thread_time()
    decide(Prompt(prompt), PAIR, Policy())
    return (time.thread_time() - started) * 1000


def unfamiliar(train: Sequence[Row], devtest: Sequence[Row]) -> None:
    print("\nbenchmark never fitted on      APGR, train part     devtest part")
    for family in FAMILIES:
        groups = {row.outcome.group for row in train if row.bench in family}
        rest = [row.outcome for row in train if row.bench not in family and row.outcome.group not in groups]
        scorer = by(fit(rest, Quality("rest", "", "", ())).weights)
        for bench in family:
            figures = []
            for part in (train, devtest):
                outcomes = [row.outcome for row in part if row.bench == bench]
                ranking = rank([scorer(one.prompt) for one in outcomes], [one.gain for one in outcomes])
                figures.append(told(ranking.apgr))
            print(f"{bench:<27}{figures[0]:>24}{figures[1]:>21}")


def calibrated(train: Sequence[Row], devtest: Sequence[Row]) -> None:
    print(f"\nroute calibrate, MMLU     APGR on devtest, mean of {DRAWS} draws    used    seconds of CPU")
    ours = [row.outcome for row in train if row.bench == "mmlu"]
    judged = [row.outcome for row in devtest if row.bench == "mmlu"]
    for size in (250, 1531):
        found, used, spent = [], 0, []
        for seed in range(DRAWS):
            started = time.process_time()
            weights, report = calibrate(random.Random(seed).sample(ours, size), "own")
            spent.append(time.process_time() - started)
            scorer = by(weights)
            ranking = rank([scorer(one.prompt) for one in judged], [one.gain for one in judged])
            found.append(ranking.apgr.value)
            used += report.refused is None
        lowest = f"lowest {min(found):.3f}"
        print(f"{size:>5} labels{fmean(found):>17.3f}, {lowest}{used:>12} of {DRAWS}{max(spent):>14.1f}")


def told(interval: Interval) -> str:
    return f"{interval.value:.3f} ({interval.low:.2f} to {interval.high:.2f})"


if __name__ == "__main__":
    main(Path(sys.argv[1]), quick="--quick" in sys.argv[2:])
