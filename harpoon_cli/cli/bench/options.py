"""The options of `harpoon bench`, in the groups in which they are used; it only reads their values."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from harpoon_cli.cli.arguments import (
    MaxCostOption,
    ModelOption,
    PoolOption,
    TimeoutOption,
    TtlOption,
    duration,
    money,
)
from harpoon_cli.values import Struct


def percent(text: str) -> float:
    """Per cent from 1% or 1."""
    try:
        found = float(text.strip().removesuffix("%"))
    except ValueError:
        found = -1.0
    if not 0 <= found <= 100:
        raise BadParameter(f"{text!r} is not a percentage; write 1%")
    return found


class TargetOptions(Struct, frozen=True):
    """What is asked, and what it costs."""

    model: ModelOption = None
    endpoint: Annotated[
        str | None,
        Option("--endpoint", metavar="URL", help="Load this server instead; nothing is leased."),
    ] = None
    dialect: Annotated[
        str, Option("--dialect", metavar="NAME", help="What the server of --endpoint speaks.")
    ] = "openai"
    key_env: Annotated[
        str | None,
        Option(
            "--key-env", metavar="NAME", help="The variable that holds the key for the server of --endpoint."
        ),
    ] = None
    key_file: Annotated[
        Path | None,
        Option("--key-file", metavar="FILE", help="A file of yours (mode 0600) that holds that key."),
    ] = None
    price: Annotated[
        Decimal | None,
        Option(
            "--price-per-hour",
            parser=money,
            metavar="AMOUNT",
            help="What an hour of --endpoint's server costs.",
        ),
    ] = None
    body: Annotated[
        list[str] | None,
        Option(
            "--body", metavar="FIELD=JSON", help="Put this field into every request: temperature=0. Repeats."
        ),
    ] = None
    stream: Annotated[
        bool, Option("--stream/--no-stream", help="Ask for answers piece by piece, or whole.")
    ] = True
    route: Annotated[bool, Option("--route", help="The routing engine names the model of each prompt.")] = (
        False
    )
    request_timeout: Annotated[
        float | None,
        Option(
            "--request-timeout",
            parser=duration,
            metavar="DURATION",
            help="A request that takes longer has failed; http.inference_s unless given.",
        ),
    ] = None


class LeaseOptions(Struct, frozen=True):
    """The lease that a run is made on."""

    lease: Annotated[
        str | None,
        Option("--lease", metavar="ID", help="Use this held lease; nothing is leased or released."),
    ] = None
    pool: PoolOption = None
    ttl: TtlOption = None
    timeout: TimeoutOption = None
    max_cost: MaxCostOption = None
    cycles: Annotated[
        int | None,
        Option(
            "--allocation-cycles",
            min=1,
            max=1000,
            metavar="NUMBER",
            help="Send no load: lease and release so often, and time that.",
        ),
    ] = None


class LoadOptions(Struct, frozen=True):
    """When requests are sent."""

    load: Annotated[
        str | None,
        Option(
            "--load",
            metavar="SHAPE",
            help="closed, constant, poisson, gamma, ramp, step, spike, sweep, trace or soak, with its "
            "parameters: poisson:rate=40,for=60s.",
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        Option(
            "--concurrency",
            min=1,
            metavar="NUMBER",
            help="So many requests at once; 8 if nothing is given. With --rate so many at most, and what is "
            "due then waits.",
        ),
    ] = None
    rate: Annotated[
        float | None,
        Option("--rate", metavar="NUMBER", help="So many requests a second, whatever is answered."),
    ] = None
    burstiness: Annotated[
        float | None,
        Option("--burstiness", metavar="NUMBER", help="With --rate: below 1 in bursts, above 1 more evenly."),
    ] = None
    requests: Annotated[
        int | None, Option("--requests", min=1, metavar="NUMBER", help="So many requests at most.")
    ] = None
    duration: Annotated[
        float | None,
        Option(
            "--duration",
            parser=duration,
            metavar="DURATION",
            help="Start requests for so long; 30s if nothing ends it.",
        ),
    ] = None
    max_duration: Annotated[
        float | None,
        Option(
            "--max-duration",
            parser=duration,
            metavar="DURATION",
            help="End the run after this whatever is left of it; it is then INCOMPLETE.",
        ),
    ] = None
    warmup: Annotated[
        str,
        Option(
            "--warmup", metavar="WHAT", help="What is left out at first: auto, none, 30s, 100 (requests)."
        ),
    ] = "auto"
    seed: Annotated[
        int, Option("--seed", min=0, metavar="NUMBER", help="The same seed is the same load and work.")
    ] = 0
    processes: Annotated[
        int,
        Option("--processes", min=1, max=256, metavar="NUMBER", help="Load engines, one core each."),
    ] = 1


class WorkOptions(Struct, frozen=True):
    """What requests ask for."""

    work: Annotated[
        str | None,
        Option(
            "--work",
            metavar="SOURCE",
            help="synthetic, jsonl, sharegpt, text or trace, with its parameters: "
            "synthetic:input=512,output=128.",
        ),
    ] = None
    prompts: Annotated[
        Path | None,
        Option("--prompts", metavar="FILE", help="Prompts from a .jsonl, a ShareGPT .json, or text."),
    ] = None
    input_tokens: Annotated[
        str | None,
        Option("--input-tokens", metavar="LENGTH", help="Of made-up prompts: 256, 128..512, normal(256,64)."),
    ] = None
    output_tokens: Annotated[
        str | None, Option("--output-tokens", metavar="LENGTH", help="Of an answer, at most.")
    ] = None
    tokenizer: Annotated[
        Path | None,
        Option("--tokenizer", metavar="FILE", help="A tokenizer.json, to count where the server does not."),
    ] = None


class JudgeOptions(Struct, frozen=True):
    """What the run is held against."""

    slo: Annotated[
        str | None,
        Option(
            "--slo", metavar="LIMITS", help="ttft_p99=500ms,itl_p99=50ms,goodput=95%; status 8 if missed."
        ),
    ] = None
    max_error_rate: Annotated[
        float | None,
        Option("--max-error-rate", parser=percent, metavar="PERCENT", help="More failures are status 8."),
    ] = None
    baseline: Annotated[
        Path | None,
        Option("--baseline", metavar="FILE", help="Compare with this result; status 8 where it is worse."),
    ] = None
    max_regression: Annotated[
        float | None,
        Option(
            "--max-regression",
            parser=percent,
            metavar="PERCENT",
            help="How much worse a figure may be than it was.",
        ),
    ] = None


class ReportOptions(Struct, frozen=True):
    """What is written, beside what is printed."""

    out: Annotated[
        Path | None,
        Option("--out", metavar="FILE", help="The whole result as JSON, to compare with and to merge."),
    ] = None
    report: Annotated[
        list[Path] | None,
        Option(
            "--report", metavar="FILE", help="A report by its suffix: .html .md .csv .xml .json. Repeats."
        ),
    ] = None
    save_result: Annotated[
        Path | None,
        Option("--save-result", metavar="FILE", help="The result under the names of vLLM's files."),
    ] = None
    save_detailed: Annotated[
        bool, Option("--save-detailed", help="With --save-result: every request and every gap.")
    ] = False
    label: Annotated[str | None, Option("--label", metavar="TEXT", help="A name for the run.")] = None
    metadata: Annotated[
        list[str] | None, Option("--metadata", metavar="KEY=VALUE", help="Kept with the result. Repeats.")
    ] = None
    definitions: Annotated[
        bool, Option("--definitions", help="Say what each figure is, and run nothing.")
    ] = False


class ShardOptions(Struct, frozen=True):
    """One part of a run on many machines."""

    shard: Annotated[
        str | None,
        Option("--shard", metavar="I/N", help="Run the I-th of N parts (from 0), and write it with --out."),
    ] = None
    start_at: Annotated[
        str | None,
        Option("--start-at", metavar="TIME", help="Begin then: 2026-11-22T10:00:00Z, or seconds since 1970."),
    ] = None
    workers: Annotated[
        str | None,
        Option(
            "--workers",
            metavar="SCHEDULER",
            help="Run the load on all workers of this Dask cluster: tcp://HOST:8786.",
        ),
    ] = None
