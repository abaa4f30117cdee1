"""The plan that the options of a load test mean; it reads no file and sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harpoon_cli.bench import shapes
from harpoon_cli.bench import work as works
from harpoon_cli.bench.asking.asks import Work
from harpoon_cli.bench.asking.lengths import LENGTH, Length
from harpoon_cli.bench.planning import parameters
from harpoon_cli.bench.planning.load import Load, Shape
from harpoon_cli.bench.planning.plan import Plan, recorded_work
from harpoon_cli.bench.planning.quantities import Kind
from harpoon_cli.bench.planning.warmup import parse as warm_up_of
from harpoon_cli.cli.bench.options import LoadOptions, WorkOptions
from harpoon_cli.errors import UsageFault

DEFAULT_CONCURRENCY = 8
DEFAULT_S = 30.0
"""What is run where the plain options do not say how much, or for how long."""

PROMPT_FILES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "sharegpt", ".txt": "text", ".md": "text"}
"""What a file of prompts is read as, by its suffix."""


def plan_of(load: LoadOptions, work: WorkOptions) -> Plan:
    """The plan of these options, of no model yet; `UsageFault` where they contradict each other."""
    shape = load_of(load)
    return Plan(
        load=shape,
        work=_work_of(work, shape),
        model="",
        seed=load.seed,
        warm_up=warm_up_of(load.warmup),
    )


def load_of(options: LoadOptions) -> Load:
    """The load of --load, or of the plain options."""
    plain = {
        "concurrency": options.concurrency,
        "rate": options.rate,
        "burstiness": options.burstiness,
        "requests": options.requests,
        "for": options.duration,
    }
    given = {name: value for name, value in plain.items() if value is not None}
    if options.load is not None:
        _refuse(given, "--load", {"for": "--duration"})
        return shapes.parse(options.load)
    if options.rate is None and options.burstiness is not None:
        raise UsageFault("--burstiness needs --rate", hint="--rate 40 --burstiness 0.5")
    name = "closed" if options.rate is None else "poisson" if options.burstiness is None else "gamma"
    if options.rate is None:
        given = {"concurrency": DEFAULT_CONCURRENCY, **given}
    elif "concurrency" in given:
        given["at_most"] = given.pop("concurrency")
    if options.requests is None and options.duration is None:
        given["for"] = DEFAULT_S
    return shapes.parse(f"{name}:{','.join(_written(given))}")


def _written(given: dict[str, float | int]) -> Iterator[str]:
    number = Kind("", str)
    for name, value in given.items():
        yield f"{name}={number.write(value)}{'s' if name == 'for' else ''}"


def _work_of(options: WorkOptions, load: Load) -> Work:
    lengths = {"input": options.input_tokens, "output": options.output_tokens}
    given = {name: _length(name, text) for name, text in lengths.items() if text is not None}
    recorded = recorded_work(load)
    if options.work is not None:
        _refuse(
            {**given, **_named(options.prompts)},
            "--work",
            {"input": "--input-tokens", "output": "--output-tokens"},
        )
        return works.parse(options.work)
    if options.prompts is not None:
        return _from_file(options.prompts, given)
    if recorded is not None and not given:
        return recorded
    if recorded is not None and len(given) < len(lengths):
        (name,) = given
        raise UsageFault(
            f"--{name}-tokens alone would put made-up prompts in place of the trace's",
            hint="leave it out for the trace's own lengths, or give --input-tokens and --output-tokens",
        )
    return parameters.build(works.source("synthetic"), "--input-tokens, --output-tokens", _texts(given))


def _from_file(path: Path, given: dict[str, Length]) -> Work:
    name = PROMPT_FILES.get(path.suffix.lower(), "text" if path.is_dir() else "")
    if not name:
        raise UsageFault(
            f"what {path} holds cannot be told from its name",
            hint=f"call it one of {', '.join(PROMPT_FILES)}, or name its format: --work jsonl:path=FILE",
        )
    source = works.source(name)
    known = {one.key for one in parameters.declared(source)}
    ignored = [f"--{name}-tokens" for name in given if name not in known]
    if ignored:
        raise UsageFault(
            f"{', '.join(ignored)} would do nothing beside --prompts {path}: it holds lengths of its own",
            hint="leave it out, or leave --prompts out for made-up prompts",
        )
    path_text = str(path).replace('"', '""')
    return parameters.build(
        source,
        f"--prompts {path}",
        f'path="{path_text}"' + (f",{_texts(given)}" if given else ""),
    )


def _texts(given: dict[str, Length]) -> str:
    return ",".join(f"{name}={length}" for name, length in given.items())


def _length(name: str, text: str) -> Length:
    try:
        found = LENGTH.read(text)
    except ValueError as cause:
        raise UsageFault(f"--{name}-tokens {text[:40]} {cause}") from cause
    assert isinstance(found, Length), "LENGTH reads lengths"
    return found


def _named(prompts: Path | None) -> dict[str, Path]:
    return {} if prompts is None else {"prompts": prompts}


def _refuse(given: dict[str, object] | dict[str, float | int], beside: str, names: dict[str, str]) -> None:
    """Options that would be ignored beside another are refused."""
    if given:
        ignored = ", ".join(names.get(name, f"--{name}") for name in given)
        raise UsageFault(
            f"{ignored} would do nothing beside {beside}", hint=f"put it into {beside}, or leave {beside} out"
        )


def longest_s(load: Load) -> float | None:
    """After how long the last request is started at the latest; None where time does not end it."""
    return load.ends_s if isinstance(load, Shape) else None
