"""What one call to a platform did, and when. Fed by the transport; never holds a header or a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from harpoon_cli.values import Struct, field


class Exchange(Struct):
    """The phases of one call: seconds since its start, None for a phase it did not go through.

    `connect_s` and `tls_s` are durations (None on a reused connection); `first_byte_s` and `total_s` count
    from the start. clock_skew_s is the server's clock ahead of ours, by its Date header, to the second.
    `sent` says that the request may have left; until then it surely has not.
    """

    method: str
    path: str
    clock: Callable[[], float] = monotonic
    status: int | None = None
    sent: bool = False
    connect_s: float | None = None
    tls_s: float | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    clock_skew_s: float | None = None
    _started: float = 0.0
    _phases: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.clock()

    @property
    def reused(self) -> bool:
        """Whether the call went over a connection that was already open."""
        return self.sent and self.connect_s is None

    @property
    def elapsed_s(self) -> float:
        return self.clock() - self._started

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        """httpcore's trace hook; `event` is "connection.connect_tcp.started" and the like."""
        phase, _, moment = event.partition(".")[2].rpartition(".")
        if moment == "started":
            self._began(phase, info)
        elif moment == "complete":
            self._done(phase)

    def _began(self, phase: str, info: Mapping[str, object]) -> None:
        self._phases[phase] = self.clock()
        # A proxy is asked for a tunnel first, by the same connection; our request has not left by then.
        for_proxy = getattr(info.get("request"), "method", None) == b"CONNECT"
        if phase == "send_request_headers" and not for_proxy:
            self.sent = True

    def _done(self, phase: str) -> None:
        now = self.clock()
        if phase == "connect_tcp":
            self.connect_s = now - self._phases.get(phase, now)
        elif phase == "start_tls":
            self.tls_s = now - self._phases.get(phase, now)
        elif phase == "receive_response_headers" and self.sent:
            self.first_byte_s = now - self._started

    def answered(self, status: int, date: str | None) -> None:
        """The head of the answer is there; `date` is its Date header."""
        self.status = status
        moment = http_date(date)
        self.clock_skew_s = None if moment is None else (moment - datetime.now(UTC)).total_seconds()

    def over(self) -> None:
        self.total_s = self.elapsed_s


def http_date(value: str | None) -> datetime | None:
    """The moment that a header names; None for anything that is no date."""
    try:
        moment = parsedate_to_datetime(value) if value else None
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
