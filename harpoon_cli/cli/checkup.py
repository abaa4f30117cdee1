"""The checks of `harpoon doctor`, in the order in which a request needs what they check. They only read."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from harpoon_cli.cli.connect import guard
from harpoon_cli.cli.session import Session
from harpoon_cli.client.service import Platform
from harpoon_cli.client.transport import Exchange, resolve_s
from harpoon_cli.domain import Pool, PoolId
from harpoon_cli.errors import HarpoonError, NotOffered, ServerFault
from harpoon_cli.render import words
from harpoon_cli.routing.placement import cheapest
from harpoon_cli.settings.endpoint import LiveEndpoint, endpoint
from harpoon_cli.settings.paths import config_dir, state_dir
from harpoon_cli.values import Struct

EXPIRY_WARNING = timedelta(days=14)
SKEW_WARNING_S = 5.0
"""Leases end by the platform's clock; a Date header tells it to the second."""

UNREACHED = "check platform.base_url, the network between, and that the platform is up"


WELL = frozenset(
    {
        *("active", "alive", "answers", "available", "good", "green", "healthy", "live", "ok"),
        *("okay", "online", "operational", "pass", "passing", "ready", "running", "serving"),
        *("success", "up"),
    }
)
DOWN = frozenset(
    {
        *("critical", "dead", "down", "error", "fail", "failed", "failing", "failure", "fatal"),
        *("ko", "offline", "outage", "red", "stopped", "unavailable", "unhealthy"),
    }
)
"""What platforms say of their health; a word that is in neither set is a doubt."""


class Verdict(StrEnum):
    """What a check says."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Struct, frozen=True):
    """One check, what it found, what mends it, and the error that the command ends with if it failed."""

    check: str
    verdict: Verdict
    found: str
    fix: str | None = None
    error: HarpoonError | None = None


def _ok(check: str, found: str) -> Finding:
    return Finding(check, Verdict.OK, found)


def _warning(check: str, found: str, fix: str) -> Finding:
    return Finding(check, Verdict.WARNING, found, fix)


def _failed(check: str, error: HarpoonError) -> Finding:
    fix = UNREACHED if error.hint == "harpoon doctor" else error.hint
    return Finding(check, Verdict.FAILED, error.message, fix, error)


async def check_up(session: Session) -> AsyncIterator[Finding]:
    """Every finding. A check that another one's failure makes impossible is left out."""
    try:
        files = [str(path) for path in session.loaded.files]
    except HarpoonError as error:
        yield _failed("configuration", error)
        return
    yield _ok("configuration", f"read {', '.join(files)}" if files else "no file; defaults and environment")
    try:
        platform = session.platform()
    except HarpoonError as error:
        yield _failed("endpoint", error)
        return
    for finding in (*_endpoint(session), *_effective(session), *_files(), *_ledger(session)):
        yield finding
    for finding in _breakers(session):
        yield finding
    async for finding in _network(session, platform):
        yield finding


def _breakers(session: Session) -> Iterator[Finding]:
    for plane in ("control", "inference"):
        if (watching := guard(session.settings, plane)) is None:
            continue
        is_open, found = watching.told()
        if is_open:
            yield _warning("breaker", found, f"{UNREACHED}; then wait until it is asked again")
        elif watching.trouble:
            yield _warning("breaker", watching.trouble, "look at its permissions and the free space")
        else:
            yield _ok("breaker", found)


def _endpoint(session: Session) -> Iterator[Finding]:
    where = endpoint(session.loaded)
    if not isinstance(where, LiveEndpoint):
        yield _warning("endpoint", "none configured: the embedded sandbox", "harpoon config init")
        return
    if where.readable_on_the_way:
        urls = ", ".join(where.readable_on_the_way)
        yield _warning("endpoint", f"plain http (insecure_http): {urls} can be read on the way", "use https")
    else:
        yield _ok("endpoint", where.base_url)
    yield _key(session, where)


def _key(session: Session, where: LiveEndpoint) -> Finding:
    platform = session.settings.platform
    if where.key is None:
        return _ok("key", 'none, as platform.auth = "none" says')
    found = f"from {where.key_origin}, well-formed, sent as {platform.auth}"
    if platform.api_key_expires is None:
        return _ok("key", f"{found}; its expiry is not known (platform.api_key_expires)")
    left = datetime.combine(platform.api_key_expires, datetime.min.time(), UTC) - datetime.now(UTC)
    if left < EXPIRY_WARNING:
        when = "has expired" if left < timedelta() else f"ends in {left.days} days"
        return _warning("key", f"{found}; it {when}", "make a new token in the platform's user panel")
    return _ok("key", f"{found}; ends {platform.api_key_expires}")


def _effective(session: Session) -> Iterator[Finding]:
    retry, http = session.settings.retry, session.settings.http
    yield _ok(
        "retries",
        f"{retry.attempts} attempts, pauses {retry.base_s:g} s to {retry.cap_s:g} s; deadlines: connect "
        f"{http.connect_s:g} s, control {http.control_s:g} s, inference {http.inference_s:g} s",
    )


def _files() -> Iterator[Finding]:
    loose = [path for path in _private_paths() if _open_to_others(path)]
    if loose:
        names = " ".join(str(path) for path in loose)
        yield _warning("files", f"others may read {names}", f"chmod go-rwx {names}")
    else:
        yield _ok("files", f"{state_dir()} and {config_dir()} are yours alone, or not there yet")


def _private_paths() -> Iterator[Path]:
    yield from (
        state_dir(),
        state_dir() / "ledger.db",
        config_dir() / "api_key",
        config_dir() / "config.toml",
    )


def _open_to_others(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(os.stat(path).st_mode) & 0o077)  # noqa: PTH116 - a broken link is an OSError here
    except OSError:
        return False


def _ledger(session: Session) -> Iterator[Finding]:
    try:
        records = session.ledger.open_records()
    except HarpoonError as error:
        yield _failed("ledger", error)
        return
    if records:
        fix = "harpoon leases, then harpoon release --overdue"
        yield _warning("leases", f"{len(records)} open in the ledger", fix)
    else:
        yield _ok("leases", "none open in the ledger")


async def _network(session: Session, platform: Platform) -> AsyncIterator[Finding]:
    """What only the platform can say; the first failure ends it, since the rest would fail alike."""
    if platform.endpoint.startswith("http"):
        try:
            dns_s = await resolve_s(platform.endpoint)
        except HarpoonError as error:
            yield _failed("dns", error)
            return
        yield _ok("dns", f"resolved in {words.duration(dns_s)}")
    for check, ask in (("health", _health), ("pools", _pools), ("served", _served)):
        try:
            findings = await ask(session, platform)
        except NotOffered as lack:
            findings = [Finding(check, Verdict.SKIPPED, lack.message)]
        except HarpoonError as error:
            yield _failed(check, error)
            return
        for finding in findings:
            yield finding
    if not any(one.status is not None and one.status < 400 for one in session.exchanges):
        yield _warning("platform", "it was reached, and offers nothing that was asked for", UNREACHED)
    for finding in _connection(session.exchanges):
        yield finding


async def _health(_session: Session, platform: Platform) -> list[Finding]:
    word = await platform.control.health()
    found, state = f"the platform says {word!r}", word.strip().lower()
    if state in DOWN:
        raise ServerFault(found)
    return [_ok("health", found) if state in WELL else _warning("health", found, UNREACHED)]


async def _served(_session: Session, platform: Platform) -> list[Finding]:
    served = await platform.inference.models()
    return [_ok("served", f"the server serves {', '.join(served) or 'none'}")]


def _connection(exchanges: list[Exchange]) -> Iterator[Finding]:
    first = next((one for one in exchanges if one.connect_s is not None), None)
    if first is not None:
        phases = [
            ("connect", first.connect_s),
            ("tls", first.tls_s),
            ("first byte after", first.first_byte_s),
        ]
        told = (f"{name} {words.duration(took_s)}" for name, took_s in phases if took_s is not None)
        yield _ok("connection", ", ".join(told))
    if first is not None and len(exchanges) > 1:
        reused = sum(one.reused for one in exchanges)
        found = f"{reused} of {len(exchanges)} calls on a connection that was already open"
        yield _ok("reuse", found) if reused else _warning("reuse", found, "look for a proxy that closes them")
    dated = next((one for one in exchanges if one.clock_skew_s is not None), None)
    if dated is not None and dated.clock_skew_s is not None:
        found = f"the platform's clock is {abs(dated.clock_skew_s):.0f} s "
        found += "ahead" if dated.clock_skew_s > 0 else "behind"
        if abs(dated.clock_skew_s) > SKEW_WARNING_S:
            yield _warning("clock", found, "set this machine's clock (NTP); leases end by the platform's")
        else:
            yield _ok("clock", found)


async def _pools(session: Session, platform: Platform) -> list[Finding]:
    if not platform.control.features.leases:
        return [Finding("pools", Verdict.SKIPPED, "nothing is leased here, so there are no pools")]
    return list(_pool_findings(session, await platform.control.pools()))


def _pool_findings(session: Session, pools: tuple[Pool, ...]) -> Iterator[Finding]:
    free = [pool.free_slices for pool in pools if pool.free_slices is not None]
    found = f"{len(pools)} pools, {sum(free)} slices free"
    if pools and (sum(free) or not free):
        yield _ok("pools", found)
    else:
        yield _warning("pools", found, "wait, or ask the platform for capacity: harpoon pools --watch")
    configured = session.settings.platform.pool_id
    if configured and PoolId(configured) not in {pool.id for pool in pools}:
        yield _warning("pool", f"platform.pool_id {configured} is none of them", "harpoon pools")
    for name in (session.settings.routing.small, session.settings.routing.large):
        yield _fit(session, name, pools)


def _fit(session: Session, name: str, pools: tuple[Pool, ...]) -> Finding:
    try:
        model = session.catalogue.find(name)
    except HarpoonError as error:
        return _failed("model", error)
    place = cheapest(model.requirements, [one for one in pools if not model.pools or one.id in model.pools])
    if place is None:
        return _warning("model", f"{name} fits no pool now", f"harpoon pools --fits {name}")
    return _ok("model", f"{name} fits {place.id} at {words.hourly(place.price)}")
