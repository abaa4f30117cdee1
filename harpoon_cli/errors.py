"""Every error harpoon can end with: a stable code, an exit status, a sentence and a way out.

    HarpoonError                    failed               1
    ├── UsageFault                  usage                2
    ├── ConfigurationFault          configuration        3
    ├── NotFound                    not_found            5
    │   ├── NoSuchPool              no_such_pool
    │   └── NoSuchModel             no_such_model
    ├── NothingFits                 nothing_fits         6
    ├── StorageFault                storage              11
    ├── ThresholdsMissed            thresholds_missed    8
    │   ├── NotJudged               not_judged
    │   └── Regressed               regressed
    ├── RunInvalid                  run_invalid          12
    ├── RunIncomplete               run_incomplete       13
    ├── Interrupted                 interrupted          130
    ├── MayStillBill                may_still_bill       9
    ├── CostCeilingReached          cost_ceiling         10
    ├── WeightsRefused              weights_refused      8
    ├── NotAsExpected               not_as_expected      8
    └── PlatformError               platform             1   (carries an Effect)
        ├── NotSent                 unreachable          7   Effect.NOT_SENT
        ├── BreakerOpen             breaker_open         7   Effect.NOT_SENT
        ├── Refused                 refused              1   Effect.REFUSED
        │   ├── NotAuthorised       not_authorised       4
        │   ├── NoSuchLease         no_such_lease        5
        │   ├── DoubtfulAbsence     doubtful_absence     7
        │   ├── UnknownPool         no_such_pool         5
        │   ├── NotOffered          not_offered          1
        │   ├── NoCapacity          no_capacity          6
        │   └── RateLimited         rate_limited         7
        ├── TimedOut                timed_out            7   Effect.UNKNOWN
        ├── ServerFault             server_fault         7   Effect.UNKNOWN
        ├── BrokenOff               broken_off           7   Effect.UNKNOWN
        └── GarbledAnswer           garbled_answer       1   Effect.UNKNOWN
            ├── UnreadableAnswer    unreadable_answer
            └── UnmarkedAnswer      unmarked_answer

A message says what happened; a hint is the command or setting that helps. Messages may quote remote text
as it came: whatever prints them makes it harmless (`render.safe`).
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Exit(IntEnum):
    """The exit statuses, the one place they are named. `meaning` is what the documentation prints."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Exit:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    DONE = 0, "done"
    FAILED = 1, "failed, unclassified"
    USAGE = 2, "usage: the command line is not understood"
    CONFIGURATION = 3, "configuration: a setting is missing, wrong or contradictory"
    NOT_AUTHORISED = 4, "not authorised: the platform does not accept the key"
    NOT_FOUND = 5, "no such lease, pool or model"
    NO_CAPACITY = 6, "no capacity: nothing fits, or nothing is free"
    UNREACHABLE = 7, "unreachable, timed out or circuit breaker open; worth another try later"
    MISSED = 8, "ran, but missed its thresholds, or what was asserted"
    MAY_STILL_BILL = 9, "something may still be billing; the message names the command that settles it"
    COST_CEILING = 10, "cost ceiling reached"
    STORAGE = 11, "the ledger or another file of ours cannot be used; nothing was asked for without it"
    INVALID = 12, "a load test ran, but its figures are the tool's own and not the server's"
    INCOMPLETE = 13, "a part is missing: of a load test stopped or short of a worker, or of a list of leases"
    HANGUP = 129, "ended by SIGHUP, after a confirmed release (9 otherwise)"
    INTERRUPT = 130, "ended by SIGINT (Ctrl-C), after a confirmed release (9 otherwise)"
    TERMINATED = 143, "ended by SIGTERM, after a confirmed release (9 otherwise)"


class Effect(Enum):
    """What a failed request may have done on the platform; decides whether it may be repeated."""

    NOT_SENT = "surely not sent"
    REFUSED = "surely refused"
    UNKNOWN = "may have taken effect"


def release_command(*names: str) -> str:
    """The command that ends these leases, safe to paste: an id is a platform's, and may be any text."""
    from shlex import quote

    dashes = "-- " if any(name.startswith("-") for name in names) else ""
    return f"harpoon release {dashes}{' '.join(map(quote, names))}"


class HarpoonError(Exception):
    """Base of every error that is told to a person; anything else that escapes is a bug.

    `way_out` is the hint of a kind of error, where whoever raises one knows no better; None only where there
    is nothing to do, or none for all of the kind.
    """

    code = "failed"
    exit = Exit.FAILED
    way_out: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.way_out if hint is None else hint


class UsageFault(HarpoonError):
    """The command line contradicts itself or holds a value that cannot be used."""

    code, exit = "usage", Exit.USAGE
    way_out = "harpoon --help"


class ConfigurationFault(HarpoonError):
    """A setting is missing, unreadable, unknown or contradicts another."""

    code, exit = "configuration", Exit.CONFIGURATION
    way_out = "harpoon config validate; harpoon config show names where each value came from"


class NotFound(HarpoonError):
    """Something that was named does not exist."""

    code, exit = "not_found", Exit.NOT_FOUND
    way_out = "harpoon help"


class NoSuchPool(NotFound):
    """The platform has no pool of that id."""

    code = "no_such_pool"
    way_out = "harpoon pools"


class NoSuchModel(NotFound):
    """The catalogue has no model of that name."""

    code = "no_such_model"
    way_out = "harpoon models"


class NothingFits(HarpoonError):
    """No pool could ever hold, or can now hold, what was asked for."""

    code, exit = "nothing_fits", Exit.NO_CAPACITY
    way_out = "harpoon pools shows what there is, harpoon models what each model needs"


class StorageFault(HarpoonError):
    """The ledger or another file of ours cannot be read or written."""

    code, exit = "storage", Exit.STORAGE
    way_out: str | None = "check its disk and directory, or set XDG_STATE_HOME to another"


class ThresholdsMissed(HarpoonError):
    """A load test ran, and missed its thresholds or had more errors than allowed."""

    code, exit = "thresholds_missed", Exit.MISSED
    way_out = "the report names what was missed; harpoon help bench"


class NotJudged(ThresholdsMissed):
    """A load test ran, and has too few samples to say whether it kept a threshold or is no worse."""

    code = "not_judged"
    way_out = "let it last longer: --duration 5m, or more --requests"


class Regressed(ThresholdsMissed):
    """A load test ran, and is worse than its baseline."""

    code = "regressed"


class RunInvalid(HarpoonError):
    """A load test's figures are the tool's own and not the server's."""

    code, exit = "run_invalid", Exit.INVALID
    way_out = "the report names why; harpoon help bench"


class RunIncomplete(HarpoonError):
    """A part of a load test is missing: it was stopped early, or a worker or a shard was lost."""

    code, exit = "run_incomplete", Exit.INCOMPLETE
    way_out = "the report names what is missing; harpoon help bench"


class Interrupted(HarpoonError):
    """A signal ended the command; everything it held was given back."""

    code, exit = "interrupted", Exit.INTERRUPT
    way_out = None

    def __init__(self, message: str, *, hint: str | None = None, status: Exit = Exit.INTERRUPT) -> None:
        super().__init__(message, hint=hint)
        self.exit = status


class MayStillBill(HarpoonError):
    """A lease may be live and could not be confirmed as released."""

    code, exit = "may_still_bill", Exit.MAY_STILL_BILL
    way_out = "harpoon release --overdue"


class CostCeilingReached(HarpoonError):
    """What was asked for would cost, or has cost, more than was allowed."""

    code, exit = "cost_ceiling", Exit.COST_CEILING
    way_out = "raise --max-cost, or lower --ttl"


class WeightsRefused(HarpoonError):
    """Fitted routing weights do not beat what needs no fitting, so they are not used."""

    code, exit = "weights_refused", Exit.MISSED
    way_out = "harpoon help route calibrate"


class NotAsExpected(HarpoonError):
    """A routing decision is not the one that was asserted or recorded."""

    code, exit = "not_as_expected", Exit.MISSED
    way_out = "harpoon route-explain shows what the decision is made of"


class PlatformError(HarpoonError):
    """A call to a platform did not give a whole, good answer.

    `status` is the HTTP status where there was one, `platform_code` the platform's own code, `worded` whether
    the answer was an error in a platform's words (JSON), and not only a status, which any proxy can give.
    """

    code = "platform"
    way_out = "harpoon doctor"
    effect = Effect.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        platform_code: str | None = None,
        retry_after_s: float | None = None,
        worded: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.platform_code = platform_code
        self.retry_after_s = retry_after_s
        self.worded = worded


class NotSent(PlatformError):
    """No connection was made, so the request never left: DNS, connect or TLS failed."""

    code, exit, effect = "unreachable", Exit.UNREACHABLE, Effect.NOT_SENT
    way_out = "harpoon doctor"


class BreakerOpen(PlatformError):
    """Nothing was sent: the host failed too often in a row. `retry_after_s` says when it is asked again."""

    code, exit, effect = "breaker_open", Exit.UNREACHABLE, Effect.NOT_SENT
    way_out = "run the command again then; harpoon doctor tells how the platform is"


class Refused(PlatformError):
    """The platform understood and said no; nothing changed there."""

    code, effect = "refused", Effect.REFUSED
    way_out = "what the platform says names the reason; harpoon doctor checks URL, key and paths"


class NotAuthorised(Refused):
    """401 or 403: the key is absent, wrong, expired, or not allowed from this address."""

    code, exit = "not_authorised", Exit.NOT_AUTHORISED
    way_out = "harpoon doctor checks the key"


class NoSuchLease(Refused):
    """The platform does not know the lease: ended, or never there."""

    code, exit = "no_such_lease", Exit.NOT_FOUND
    way_out = "harpoon leases"


class DoubtfulAbsence(Refused):
    """A "not found" that is not in the platform's own words: a proxy in front of it may have said it."""

    code, exit = "doubtful_absence", Exit.UNREACHABLE
    way_out = "harpoon doctor; check platform.base_url and platform.paths"


class UnknownPool(Refused):
    """The platform itself says that it has no such pool."""

    code, exit = "no_such_pool", Exit.NOT_FOUND
    way_out = "harpoon pools"


class NotOffered(Refused):
    """The platform lacks this endpoint altogether."""

    code = "not_offered"
    way_out = "where the platform has it at another path, set platform.paths; harpoon doctor"


class NoCapacity(Refused):
    """The pool has no free slice of that size."""

    code, exit = "no_capacity", Exit.NO_CAPACITY
    way_out = "harpoon pools shows what is free"


class RateLimited(Refused):
    """429: asked too often; `retry_after_s` says when to come back, if the platform said so."""

    code, exit = "rate_limited", Exit.UNREACHABLE
    way_out = "wait and run it again; retry.attempts and retry.base_s say how often and how soon we do"


class TimedOut(PlatformError):
    """The total deadline of the call passed after the request may have left."""

    code, exit = "timed_out", Exit.UNREACHABLE
    way_out = "http.control_s and http.inference_s allow longer; harpoon doctor"


class ServerFault(PlatformError):
    """A 5xx answer: the platform failed, with or without having acted."""

    code, exit = "server_fault", Exit.UNREACHABLE
    way_out = "the platform itself failed: run it again in a while; harpoon doctor tells how it is"


class BrokenOff(PlatformError):
    """The connection ended before the whole answer was there."""

    code, exit = "broken_off", Exit.UNREACHABLE
    way_out = "run it again; harpoon doctor"


class GarbledAnswer(PlatformError):
    """The answer is not what the contract says: not JSON, wrong shape, too large, an error inside a 200."""

    code = "garbled_answer"
    way_out = "check platform.base_url and platform.paths: something else may answer there; harpoon doctor"


class UnreadableAnswer(GarbledAnswer):
    """Nothing can be read of the answer: it is empty, cut, or not JSON. The next one may be good."""

    code = "unreadable_answer"


class UnmarkedAnswer(GarbledAnswer):
    """The answer to an allocate does not carry our reference; `lease_id` is the lease that it names."""

    code = "unmarked_answer"

    def __init__(self, message: str, *, hint: str | None = None, lease_id: str, marked: bool) -> None:
        super().__init__(message, hint=hint)
        self.lease_id = lease_id
        self.marked = marked
        """Does it carry another reference, and is surely not ours?"""
