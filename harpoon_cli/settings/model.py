"""Every setting: its key, type, limits, default and one line about it. Reads nothing, decides nothing.

The example file and the option tables are made from here. A key whose default is None is unset.
"""

import re
import shlex
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from harpoon_cli.durations import parse_duration
from harpoon_cli.values import Struct

LONGEST_S = 30 * 24 * 3600
"""The longest duration any setting takes, in seconds: thirty days."""


class Wants(Struct, frozen=True):
    """What a value must be, in the words that follow "must be" in a message."""

    words: str


def _whole_seconds(value: object) -> float:
    seconds = parse_duration(value)
    if seconds != int(seconds):
        raise ValueError("leases are counted in whole seconds")
    return seconds


def _pool_id(value: object) -> object:
    """Pool ids may be written as integers; they are text from here on."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _argv(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _names(value: object) -> object:
    """A list may be written as one text with commas, as the environment has it."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _known_path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%{}/-]*", value) or "//" in value:
        raise ValueError("not a plain path")
    if any(part in (".", "..") for part in value.split("/")):
        raise ValueError("dotted steps")
    return value


_PLAIN = r"^[^\x00-\x1f\x7f]+$"

Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_PLAIN), Wants("text")]
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"
WIRE_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$"

Name = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN),
    Wants("a name of letters, digits and . _ : / @ -"),
]
File = Annotated[
    str, StringConstraints(min_length=1, max_length=4096, pattern=_PLAIN), Wants("the path of a file")
]
Url = Annotated[
    str,
    StringConstraints(max_length=2000, pattern=r"^(?i:https?)://[^\s\x00-\x1f\x7f]+$"),
    Wants("a URL that starts with https:// (or http:// on loopback)"),
]
UrlPath = Annotated[
    str,
    BeforeValidator(lambda value: _known_path(value) if isinstance(value, str) else value),
    Wants("a path such as /v1/allocate, without host, query or .. steps"),
]
PoolName = Annotated[
    str,
    BeforeValidator(_pool_id),
    StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]{1,200}$"),
    Wants("a pool's id, without spaces"),
]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(gt=0, le=LONGEST_S),
    Wants('a duration above 0 and up to 30 days, in seconds or as "90s", "15m", "1h30m"'),
]
LeaseSeconds = Annotated[
    int,
    BeforeValidator(_whole_seconds),
    Field(ge=1, le=LONGEST_S),
    Wants('1 second to 30 days, in whole seconds or as "90s", "15m", "1h30m"'),
]
Temperature = Annotated[float, Field(ge=0, le=2), Wants("a number from 0 to 2")]
Tokens = Annotated[int, Field(ge=1, le=10_000_000), Wants("a whole number of tokens, 1 or more")]
Amount = Annotated[
    Decimal, Field(ge=0, le=1_000_000, max_digits=20), Wants("an amount of money from 0 to 1000000")
]
WireName = Annotated[str, StringConstraints(pattern=WIRE_NAME_PATTERN), Wants("a field's name")]


class _Table(BaseModel):
    """A table of the configuration file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Paths(_Table):
    """Where the platform has its endpoints, below base_url."""

    allocate: UrlPath = Field(
        default="/v1/allocate", description="leases: POST here, GET and DELETE below it"
    )
    inference: UrlPath | None = Field(
        default=None, description="prompts; unset, where the dialect has them", examples=["/v1/inference"]
    )
    pools: UrlPath = Field(default="/v1/pools", description="the list of pools")
    health: UrlPath = Field(default="/health", description="the platform's own word for its state")


class Platform(_Table):
    """The HostedAI platform: where it is, how it knows us, what it speaks."""

    base_url: Url | None = Field(
        default=None,
        description="where the platform is; https, except on loopback",
        examples=["https://api.hosted.ai"],
    )
    api_key: Annotated[SecretStr | None, Wants("the key")] = Field(
        default=None, description="the key; only ever as HOSTED_AI_API_KEY, in the environment or in .env"
    )
    api_key_file: File | None = Field(
        default=None,
        description="a file that holds only the key, readable by you alone (mode 0600)",
        examples=["~/.config/harpoon/api_key"],
    )
    api_key_command: Annotated[
        tuple[Text, ...] | None,
        BeforeValidator(_argv),
        Field(min_length=1),
        Wants("a command, as one text or as a list of its words"),
    ] = Field(
        default=None,
        description="a program that prints the key, run without a shell, given 30 s",
        examples=["pass show hosted-ai"],
    )
    api_key_keyring: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[^/\x00-\x1f\x7f]+/[^\x00-\x1f\x7f]+$", max_length=400),
            Wants('a service and a user name, as "service/username"'),
        ]
        | None
    ) = Field(
        default=None,
        description='the key in the system\'s keyring, as "service/username" (needs the extra [keyring])',
        examples=["hosted-ai/operator"],
    )
    api_key_expires: Annotated[date | None, Wants("a date such as 2027-01-31")] = Field(
        default=None,
        description="when the key ends, so that doctor can warn in time",
        examples=["2027-01-31"],
    )
    pool_id: PoolName | None = Field(
        default=None,
        description="the pool to lease from; unset, one that fits",
        examples=["gpu-pool-1"],
    )
    auth: Literal["bearer", "x-api-key", "none"] = Field(default="bearer", description="how the key is sent")
    control: Name = Field(
        default="seed_v1",
        description="how leases are asked for; static: the endpoint is already there, no leases",
    )
    inference: Name = Field(
        default="seed_v1", description="how prompts are sent; openai: as to any OpenAI-compatible server"
    )
    inference_url: Url | None = Field(
        default=None,
        description="where prompts go, where that is another server than base_url",
        examples=["https://inference.example.com/v1"],
    )
    insecure_http: bool = Field(
        default=False, description="allow http:// beyond loopback; the key travels readable"
    )
    idempotency_keys: bool = Field(
        default=True, description="the same Idempotency-Key twice is one lease or one answer there"
    )
    ttl: bool = Field(default=True, description="the platform ends leases by itself when their time is over")
    lists: bool = Field(default=True, description="the platform can list our leases")
    metadata: bool = Field(default=True, description="that list carries the metadata that we sent")
    currency: Annotated[
        str, StringConstraints(pattern=r"^[A-Z]{3}$"), Wants('a currency code such as "USD"')
    ] = Field(default="USD", description="the currency of prices that come without one")
    paths: Paths = Field(default_factory=Paths, description=Paths.__doc__)
    names: dict[WireName, WireName] = Field(
        default_factory=dict,
        description="the contract's field name = this server's name for it",
        examples=['allocation_id = "id"'],
    )


class Http(_Table):
    """Connections and their deadlines."""

    connect_s: Seconds = Field(default=5.0, description="to connect, TLS included")
    control_s: Seconds = Field(default=30.0, description="a whole control-plane call")
    inference_s: Seconds = Field(
        default=300.0,
        description="a whole answer to a prompt; where idempotency keys are honoured, one that has not begun "
        "after two thirds of it is asked for once more, beside the first",
    )
    max_body_mb: Annotated[int, Field(ge=1, le=1024), Wants("a whole number of MB from 1 to 1024")] = Field(
        default=16, description="the longest answer that is read"
    )
    ca_bundle: File | None = Field(
        default=None,
        description="PEM file of the authorities to trust instead",
        examples=["/etc/ssl/corp.pem"],
    )
    client_cert: File | None = Field(
        default=None,
        description="PEM file of our certificate, for mutual TLS",
        examples=["~/.config/harpoon/me.pem"],
    )
    client_key: File | None = Field(
        default=None,
        description="PEM file of its private key, where not in client_cert",
        examples=["~/.config/harpoon/me.key"],
    )
    proxy: Annotated[Url | None, Wants("a proxy's URL, http:// or https://")] = Field(
        default=None,
        description="the proxy for calls over https; plain http goes direct",
        examples=["http://proxy.corp:3128"],
    )


class Retry(_Table):
    """When a call is safe to repeat: how often and how soon."""

    attempts: Annotated[int, Field(ge=1, le=10), Wants("a whole number from 1 to 10")] = Field(
        default=3, description="tries in all; 1 never repeats"
    )
    base_s: Seconds = Field(default=0.2, description="the first pause; it doubles, with jitter")
    cap_s: Seconds = Field(default=10.0, description="the longest pause")


class Breaker(_Table):
    """When a host that keeps failing is left alone; leases are still found and released there."""

    failures: Annotated[int, Field(ge=0, le=1000), Wants("a whole number from 0 to 1000")] = Field(
        default=5, description="failures in a row after which nothing more is sent; 0 never stops"
    )
    probe_s: Seconds = Field(default=5.0, description="how often one call is let through all the same")


class Lease(_Table):
    """What is asked for, and how long we wait."""

    ttl_s: LeaseSeconds = Field(default=900, description='how long a lease lasts unless renewed; also "15m"')
    ready_s: Seconds = Field(default=300.0, description="how long to wait until a lease is ready")
    release_s: Seconds = Field(default=60.0, description="how long to wait until a release is confirmed")
    poll_s: Seconds = Field(default=2.0, description="how often to ask, once it has taken a while")
    max_cost: Amount | None = Field(
        default=None,
        description="the most a lease may cost: it is refused, shortened or ended",
        examples=[Decimal("2.50")],
    )


class Routing(_Table):
    """Which model answers a prompt, and how."""

    small: Name = Field(default="gemma-270m", description="the model for light prompts")
    large: Name = Field(default="qwen-30b", description="the model for heavy ones")
    threshold: Annotated[float, Field(ge=0, le=1), Wants("a number from 0 to 1")] = Field(
        default=0.5, description="the score from which a prompt is heavy, 0 to 1"
    )
    allow: Annotated[
        tuple[Name, ...] | None,
        BeforeValidator(_names),
        Field(min_length=1),
        Wants("a list of models, or one text with commas"),
    ] = Field(
        default=None,
        description="the models to choose among; unset, the small and the large one",
        examples=[["gemma-270m", "mistral-7b", "qwen-30b"]],
    )
    deny: Annotated[
        tuple[Name, ...] | None, BeforeValidator(_names), Wants("a list of models, or one text with commas")
    ] = Field(
        default=None, description="models that are never used, not even by name", examples=[["gemma-2b"]]
    )
    regions: Annotated[
        tuple[Text, ...] | None, BeforeValidator(_names), Wants("a list of regions, or one text with commas")
    ] = Field(
        default=None,
        description="data stays there: a pool known to be elsewhere is never used",
        examples=[["eu-central", "eu-west"]],
    )
    share: Annotated[float | None, Field(ge=0, le=1), Wants("a number from 0 to 1")] = Field(
        default=None,
        description="in place of threshold: which share of each kind of prompts is heavy",
        examples=[0.3],
    )
    quality: Annotated[float | None, Field(ge=0, le=1), Wants("a number from 0 to 1")] = Field(
        default=None,
        description="in place of both: which share of the large model's gain to win",
        examples=[0.8],
    )
    usd_per_log_odds: Annotated[float | None, Field(gt=0, le=1_000_000), Wants("a number above 0")] = Field(
        default=None,
        description="the dearer answer, in USD, that raises the score asked for by 1",
        examples=[0.01],
    )
    s_per_log_odds: Annotated[float | None, Field(gt=0, le=1_000_000), Wants("a number above 0")] = Field(
        default=None, description="the same for the slower answer, in seconds", examples=[20]
    )
    stickiness: Annotated[float, Field(ge=0, le=1000), Wants("a number from 0 to 1000")] = Field(
        default=0.5, description="with --session: by how much its last model is preferred, in log-odds"
    )
    budget: Amount | None = Field(
        default=None,
        description="what the leases of budget_s may cost together; no model is chosen beyond it",
        examples=[Decimal("20")],
    )
    budget_s: Seconds = Field(default=86400.0, description='the time that budget is for; also "7d"')
    pressure: Annotated[float, Field(ge=0, le=1000), Wants("a number from 0 to 1000")] = Field(
        default=1.0, description="what a budget that is all spent adds to the score asked for"
    )
    max_tokens: Tokens = Field(default=512, description="the longest answer, in tokens")
    temperature: Temperature | None = Field(
        default=None, description="0 to 2; unset, the server decides", examples=[0.7]
    )


class Output(_Table):
    """How results are printed."""

    format: Name = Field(default="auto", description="auto: a table on a terminal, tsv in a pipe")
    color: Literal["auto", "always", "never"] = Field(
        default="auto", description="auto: on a terminal, unless NO_COLOR is set"
    )
    accessible: bool = Field(
        default=False, description="no repainting, no spinners: for screen readers and logs"
    )
    verbosity: Annotated[int, Field(ge=-1, le=2), Wants("a whole number from -1 to 2")] = Field(
        default=0, description="-1 quiet, 1 what is done, 2 every call"
    )


class Sandbox(_Table):
    """The embedded platform that answers where no endpoint is configured."""

    idle_s: Seconds = Field(
        default=600.0, description="the local model's process ends after this much idleness"
    )
    threads: Annotated[int | None, Field(ge=1, le=1024), Wants("a whole number from 1 to 1024")] = Field(
        default=None, description="the local model's threads; unset, all cores but one", examples=[3]
    )


class ModelTable(_Table):
    """A model of yours, or changes to a built-in one: only the keys given are changed."""

    vram_mb: Annotated[int | None, Field(ge=1, le=100_000_000), Wants("a whole number of MB, 1 or more")] = (
        Field(None, description="memory it needs, in MB", examples=[8192])
    )
    vram_gb: Annotated[float | None, Field(gt=0, le=100_000), Wants("a number of GB above 0")] = Field(
        default=None, description="the same in GB of 1024 MB; one of the two", examples=[8]
    )
    tflops: Annotated[float | None, Field(gt=0, le=1_000_000), Wants("a number above 0")] = Field(
        default=None, description="dense FP16 TFLOPS it needs", examples=[12]
    )
    context_tokens: Annotated[
        int | None, Field(ge=1, le=100_000_000), Wants("a whole number of tokens, 1 or more")
    ] = Field(default=None, description="the longest prompt and answer together", examples=[8192])
    served_name: Text | None = Field(
        default=None,
        description="what the inference server calls it; unset, its name here",
        examples=["org/my-7b"],
    )
    inference_url: Url | None = Field(
        default=None,
        description='with control = "static": where it answers, where that is a server of its own',
        examples=["http://127.0.0.1:8001/v1"],
    )
    pools: Annotated[tuple[PoolName, ...] | None, Wants("a list of pool ids")] = Field(
        default=None, description="the only pools it may use; unset, all", examples=[["gpu-pool-1"]]
    )
    usd_per_million_input: Amount | None = Field(
        default=None, description="price of a million prompt tokens", examples=[Decimal("0.10")]
    )
    usd_per_million_output: Amount | None = Field(
        default=None, description="price of a million answer tokens", examples=[Decimal("0.20")]
    )
    kv_kb_per_token: Annotated[float | None, Field(gt=0, le=1_000_000), Wants("a number of KB above 0")] = (
        Field(default=None, description="memory that each token takes besides the model", examples=[128])
    )


class Settings(BaseSettings):
    """All settings of one command, checked. Where each value came from is told by `load.Loaded`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    profile: Name | None = Field(
        default=None, description="the profile to apply, one of [profiles.NAME]", examples=["staging"]
    )
    live: bool = Field(default=False, description="never use the sandbox: a missing endpoint is an error")
    platform: Platform = Field(default_factory=Platform, description=Platform.__doc__)
    http: Http = Field(default_factory=Http, description=Http.__doc__)
    retry: Retry = Field(default_factory=Retry, description=Retry.__doc__)
    breaker: Breaker = Field(default_factory=Breaker, description=Breaker.__doc__)
    lease: Lease = Field(default_factory=Lease, description=Lease.__doc__)
    routing: Routing = Field(default_factory=Routing, description=Routing.__doc__)
    output: Output = Field(default_factory=Output, description=Output.__doc__)
    sandbox: Sandbox = Field(default_factory=Sandbox, description=Sandbox.__doc__)
    models: dict[Name, ModelTable] = Field(default_factory=dict, description=ModelTable.__doc__)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over: it lays the sources over each other itself.

        pydantic-settings' own sources cannot say which of them a value came from, and that decides whether a
        key may go to a URL.
        """
        return (init_settings,)
