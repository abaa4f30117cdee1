"""The values harpoon speaks in: frozen, typed, no I/O.

Money is `Decimal`, times are aware UTC, durations are seconds in names that end in `_s`, memory is in MB
(`_mb`, 1 GB = 1024 MB), compute is dense FP16 TFLOPS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from harpoon_cli.values import Struct, field

PoolId = NewType("PoolId", str)
"""A pool's id as the platform writes it; integers are kept as their decimal text."""

LeaseId = NewType("LeaseId", str)
"""A lease's id as the platform writes it."""

Reference = NewType("Reference", str)
"""Our own name for a lease, made before it is asked for and carried in its metadata."""


class Origin(StrEnum):
    """Where a number comes from; printed beside every amount of money."""

    MEASURED = "measured"
    QUOTED = "quoted"
    BILLED = "billed"
    ESTIMATED = "estimated"


class Secret(Struct, frozen=True):
    """A value that must not be printed; only `reveal` gives it, and only the transport calls that."""

    _value: str

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """What Rich prints in place of a Struct's fields."""
        return [("_value", "***")]


class Price(Struct, frozen=True):
    """What a lease costs by the hour."""

    per_hour: Decimal
    currency: str
    origin: Origin = Origin.QUOTED


class Money(Struct, frozen=True):
    """An amount, in which currency, and how it is known."""

    amount: Decimal
    currency: str
    origin: Origin


class Requirements(Struct, frozen=True):
    """What a slice must offer: memory in MB and TFLOPS, for a model where one is named."""

    vram_mb: int
    tflops: float
    model: str | None = None


class Gpu(Struct, frozen=True):
    """The slice a lease gives: the card's name and the share of it."""

    model: str
    vram_mb: int | None = None
    tflops: float | None = None


OUT_OF_SERVICE = frozenset(
    ("maintenance", "offline", "inactive", "disabled", "unavailable", "draining", "failed", "error")
)
"""A pool's status, in lower case, that means that nothing new can be leased there."""


class Pool(Struct, frozen=True):
    """A set of GPUs shared by tenants. None means the platform does not say.

    gpu_vram_mb and gpu_tflops are one card's, the most a single slice can have; the *_free and *_total
    figures are the pool's. allocated_percent is what leases reserve, actual_percent what they really use.
    """

    id: PoolId
    name: str
    gpu_model: str
    total_slices: int | None = None
    free_slices: int | None = None
    price: Price | None = None
    region: str | None = None
    status: str | None = None
    gpu_vram_mb: int | None = None
    gpu_tflops: float | None = None
    vram_total_mb: int | None = None
    vram_free_mb: int | None = None
    tflops_total: float | None = None
    tflops_free: float | None = None
    sharing_ratio: int | None = None
    allocated_percent: float | None = None
    actual_percent: float | None = None

    @property
    def out_of_service(self) -> bool:
        """Whether its status is a word known to be bad; one that nobody knows keeps nothing out."""
        return (self.status or "").strip().lower() in OUT_OF_SERVICE

    def obstacles(self, wanted: Requirements, *, now: bool = True) -> tuple[str, ...]:
        """Why this pool cannot hold `wanted`, one phrase each; empty where it can.

        With now=False only what can never change is looked at: the size of one card. A figure the platform
        does not give is no obstacle.
        """
        found = [
            _short("VRAM", wanted.vram_mb, self.gpu_vram_mb, "MB", "a card has"),
            _short("TFLOPS", wanted.tflops, self.gpu_tflops, "TFLOPS", "a card has"),
        ]
        if now:
            found += [
                "no free slice" if self.free_slices is not None and self.free_slices < 1 else None,
                _short("VRAM", wanted.vram_mb, self.vram_free_mb, "MB", "free now"),
                _short("TFLOPS", wanted.tflops, self.tflops_free, "TFLOPS", "free now"),
                f"pool is {self.status}" if self.out_of_service else None,
            ]
        return tuple(phrase for phrase in found if phrase)


def _short(what: str, wanted: float, offered: float | None, unit: str, offered_where: str) -> str | None:
    if offered is None or wanted <= offered:
        return None
    return f"{what}: needs {wanted:g} {unit}, {offered_where} {offered:g}"


class LeaseStatus(StrEnum):
    """A lease as the platform sees it, whatever its own words are."""

    PENDING = "pending"
    ACTIVE = "active"
    RELEASING = "releasing"
    GONE = "gone"
    FAILED = "failed"


class Lease(Struct, frozen=True):
    """Our right to a slice of a pool, as the platform tells it."""

    id: LeaseId
    status: LeaseStatus
    pool_id: PoolId | None = None
    gpu: Gpu | None = None
    price: Price | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class LeaseRequest(Struct, frozen=True):
    """Everything an allocate sends, frozen before it is first sent, so that a repeat is the same request.

    ttl_s is asked for in whole seconds; metadata holds our reference and the owner's tag.
    """

    reference: Reference
    idempotency_key: str
    pool_id: PoolId
    requirements: Requirements
    ttl_s: int
    metadata: Mapping[str, str]


class LeaseState(StrEnum):
    """Where a lease is in its life, as our ledger knows it (drawn in `leases.lifecycle`)."""

    INTENT = "intent"
    HELD = "held"
    REFUSED = "refused"
    UNSURE = "unsure"
    RELEASING = "releasing"
    RELEASED = "released"


class Owner(Struct, frozen=True):
    """Who asked for a lease: shown in `leases`, and sent as a tag so that a list can be searched for ours.

    home marks the ledger that names it: two users of one name, on two hosts of one name, have two.
    """

    user: str
    host: str
    run_id: str | None = None
    pid: int | None = None
    home: str = ""

    def __str__(self) -> str:
        who = f"{self.user}@{self.host}"
        return f"{who} ({self.run_id})" if self.run_id else who


class LeaseRecord(Struct, frozen=True):
    """One row of the ledger: what we asked for, what we know became of it, and when.

    endpoint names the platform it was asked of ("sandbox", or a URL with a mark of the key). The times are
    ours, except expires_at, which is the platform's. `seen_at` is when a read first showed it (the answer to
    the allocate is none), `ready_at` when the slice could first be used.

    lost_answers counts the asks that may have left and were not answered: more than one lease may have come
    of them; asked_at is when it was last asked for anew. used_s is for how many seconds of the time it was
    held work ran on it, None where nothing measured that. believed_gone: it was closed on the word of a
    person who had looked; released_at is then the latest moment at which it can have ended.
    """

    request: LeaseRequest
    endpoint: str
    owner: Owner
    state: LeaseState
    intended_at: datetime
    lease_id: LeaseId | None = None
    gpu: Gpu | None = None
    price: Price | None = None
    accepted_at: datetime | None = None
    seen_at: datetime | None = None
    ready_at: datetime | None = None
    expires_at: datetime | None = None
    released_at: datetime | None = None
    kept: bool = False
    trouble: str | None = None
    lost_answers: int = 0
    asked_at: datetime | None = None
    used_s: float | None = None
    believed_gone: bool = False

    @property
    def reference(self) -> Reference:
        return self.request.reference


class Model(Struct, frozen=True):
    """An entry of the catalogue.

    served_name is what the inference server calls it; pools, where not empty, are the only ones it may use;
    the token prices are per million tokens. kv_kb_per_token is what each token of a prompt and its answer
    takes of the memory besides the model, in KB; None where that is not known. `origin` says which file or
    table the entry comes from.
    """

    name: str
    vram_mb: int
    tflops: float
    context_tokens: int
    served_name: str
    pools: tuple[PoolId, ...] = ()
    usd_per_million_input: Decimal | None = None
    usd_per_million_output: Decimal | None = None
    origin: str = "built in"
    kv_kb_per_token: float | None = None

    @property
    def requirements(self) -> Requirements:
        return Requirements(vram_mb=self.vram_mb, tflops=self.tflops, model=self.name)


class Prompt(Struct, frozen=True):
    """What is asked of a model."""

    text: str
    system: str | None = None


GIVEN_UP = frozenset(
    {
        *("abort", "aborted", "cancelled", "canceled", "error", "exception", "fail", "failed"),
        *("failure", "interrupted", "timed_out", "timeout"),
    }
)
"""The finish reasons that servers give for an end that is none: the engine failed, or dropped the request."""

ENDED = frozenset(
    {
        *("complete", "completed", "content_filter", "done", "end", "end_turn", "eos", "eos_token"),
        *("finished", "function_call", "length", "max_tokens", "stop", "stop_sequence"),
        *("tool_calls", "tool_use", "unknown"),
    }
)
"""The finish reasons of answers that are whole, or as long as they may be; "unknown" is one that has none."""


class CompletionRequest(Struct, frozen=True):
    """One question to a data plane. `model` is the served name; None leaves a value to the server.

    logprobs asks for the tokens' log-probabilities with a whole answer, where the dialect has them.
    """

    prompt: Prompt
    model: str
    max_tokens: int | None
    temperature: float | None
    lease_id: LeaseId | None = None
    logprobs: bool = False


class Usage(Struct, frozen=True):
    """Tokens as the server counted them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Delta(Struct, frozen=True):
    """A piece of an answer, as it arrived."""

    text: str


class Completion(Struct, frozen=True):
    """A whole answer. `engine` is what produced it, where the platform says ("simulated", "llama.cpp").

    mean_logprob is the mean of its tokens' natural log-probabilities, where they were asked for and given.
    """

    text: str
    finish_reason: str
    model_used: str | None = None
    usage: Usage | None = None
    engine: str | None = None
    mean_logprob: float | None = None


class Step(Struct, frozen=True):
    """One step of a command and the seconds it took, measured by a monotonic clock."""

    name: str
    seconds: float


class Tenure(Struct, frozen=True):
    """What one lease came to.

    seconds_held runs from the moment the request for it was sent to its confirmed end (to now, where it goes
    on); None where no lease is known to have come of the request. idle_share, 0 to 1, is the share of that
    time in which no prompt of harpoon's was under way; None where nothing measured it. cost is the quoted
    price times the seconds held; None is unknown, which is not nothing. Where it ended by a person's word
    (believed_gone), both are the most that they can be.
    """

    lease_id: LeaseId | None
    reference: Reference
    pool_id: PoolId
    gpu: Gpu | None
    price: Price | None
    seconds_held: float | None
    idle_share: float | None
    cost: Money | None
    released: bool
    believed_gone: bool = False


class Receipt(Struct, frozen=True):
    """What a command held, for how long, at what price, and what it did with it.

    seconds_held, idle_share and cost are as in `Tenure`, so far where the lease is kept: the command that
    ends it tells the whole. only_a_release_ends_it says that the platform would not end it by itself. `ended`
    are leases that were no longer, or never, meant to be held, and that this command has ended besides.
    """

    steps: tuple[Step, ...]
    lease_id: LeaseId | None = None
    reference: Reference | None = None
    pool_id: PoolId | None = None
    gpu: Gpu | None = None
    price: Price | None = None
    seconds_held: float | None = None
    cost: Money | None = None
    released: bool = False
    kept: bool = False
    idle_share: float | None = None
    only_a_release_ends_it: bool = False
    ended: tuple[Tenure, ...] = ()
