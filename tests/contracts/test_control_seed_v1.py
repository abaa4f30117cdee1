"""The seed_v1 control plane on the wire: written strictly, read tolerantly, and what its refusals become."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from harpoon_cli.client.control.seed_v1 import STATUS_WORDS
from harpoon_cli.client.service import ControlPlane, IncompleteList
from harpoon_cli.domain import (
    Gpu,
    Lease,
    LeaseId,
    LeaseRequest,
    LeaseStatus,
    Pool,
    PoolId,
    Price,
    Reference,
    Requirements,
)
from harpoon_cli.errors import (
    BrokenOff,
    DoubtfulAbsence,
    Effect,
    GarbledAnswer,
    NoCapacity,
    NoSuchLease,
    NotAuthorised,
    NotOffered,
    PlatformError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    UnknownPool,
    UnreadableAnswer,
)
from tests.contracts.meeting import AT_ONCE, meeting
from tests.servers import Conversation, Received, Script, always, answer, in_turn, once, run, silent_after

REQUEST = LeaseRequest(
    reference=Reference("hpn-1"),
    idempotency_key="hpn-1-k",
    pool_id=PoolId("pool-1"),
    requirements=Requirements(vram_mb=2048, tflops=5.0, model="Gemma-2B"),
    ttl_s=900,
    metadata={"reference": "hpn-1", "owner": "me@here"},
)
ROW = {
    "allocation_id": "a-1",
    "status": "active",
    "pool_id": "pool-1",
    "gpu": {"model": "L40S", "vram_mb": 2048, "tflops": 5.0},
    "price_per_hour": "0.39",
    "currency": "USD",
    "created_at": "2026-11-22T06:00:00Z",
    "expires_at": "2026-11-22T06:15:00Z",
    "metadata": {"reference": "hpn-1", "owner": "me@here"},
}
LEASE = Lease(
    id=LeaseId("a-1"),
    status=LeaseStatus.ACTIVE,
    pool_id=PoolId("pool-1"),
    gpu=Gpu("L40S", 2048, 5.0),
    price=Price(Decimal("0.39"), "USD"),
    created_at=datetime(2026, 11, 22, 6, tzinfo=UTC),
    expires_at=datetime(2026, 11, 22, 6, 15, tzinfo=UTC),
    metadata={"reference": "hpn-1", "owner": "me@here"},
)


async def allocate(plane: ControlPlane) -> Lease:
    return await plane.allocate(REQUEST, deadline_s=10)


async def read(plane: ControlPlane) -> Lease:
    return await plane.lease(LeaseId("a-1"))


async def release(plane: ControlPlane) -> None:
    await plane.release(LeaseId("a-1"))


async def renew(plane: ControlPlane) -> Lease:
    return await plane.renew(LeaseId("a-1"), 60)


async def pools(plane: ControlPlane) -> tuple[Pool, ...]:
    return await plane.pools()


async def leases(plane: ControlPlane) -> tuple[Lease, ...]:
    return await plane.leases()


Ask = Callable[[ControlPlane], Awaitable[object]]


def told(script: Script, ask: Ask) -> object:
    async def work() -> object:
        async with meeting(script) as met:
            return await ask(met.control())

    return run(work())


def trouble(script: Script, ask: Ask) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        told(script, ask)
    return caught.value


def seen(ask: Ask, raw: bytes, *, keys: bool = False) -> Received:
    async def work() -> Received:
        async with meeting(always(raw)) as met:
            await ask(met.control(keys=keys))
            return met.seen[0]

    return run(work())


def test_an_allocate_is_written_exactly_as_the_contract_says() -> None:
    request = seen(allocate, answer(201, ROW), keys=True)
    assert (request.method, request.target) == ("POST", "/v1/allocate")
    assert request.headers["idempotency-key"] == "hpn-1-k"
    assert request.body == (
        b'{"pool_id": "pool-1", "requirements": {"model": "Gemma-2B", "vram_mb": 2048, "tflops": 5.0}, '
        b'"duration_seconds": 900, "metadata": {"reference": "hpn-1", "owner": "me@here"}}'
    )


def test_no_key_is_sent_to_a_platform_that_knows_none() -> None:
    assert "idempotency-key" not in seen(allocate, answer(201, ROW)).headers


@pytest.mark.parametrize(
    ("ask", "raw", "method", "target", "body"),
    [
        (read, answer(200, ROW), "GET", "/v1/allocate/a-1", b""),
        (release, answer(204), "DELETE", "/v1/allocate/a-1", b""),
        (renew, answer(200, ROW), "PATCH", "/v1/allocate/a-1", b'{"duration_seconds": 60}'),
        (pools, answer(200, {"pools": []}), "GET", "/v1/pools", b""),
        (leases, answer(200, {"allocations": []}), "GET", "/v1/allocate", b""),
        (lambda plane: plane.health(), answer(200, {}), "GET", "/health", b""),
    ],
)
def test_the_other_calls_are_written_exactly(
    ask: Ask, raw: bytes, method: str, target: str, body: bytes
) -> None:
    request = seen(ask, raw)
    assert (request.method, request.target, request.body) == (method, target, body)


def test_configured_paths_and_names_are_used_for_writing_and_reading() -> None:
    names = {
        "allocation_id": "rental",
        "pool_id": "farm",
        "requirements": "needs",
        "vram_mb": "memory",
        "duration_seconds": "ttl",
        "metadata": "labels",
        "allocations": "rentals",
        "next_cursor": "next",
    }
    row = {"rental": 7, "farm": 3, "labels": {"reference": "hpn-1"}, "gpu": {"memory": 5}, "status": "ready"}

    async def work() -> tuple[Lease, tuple[Lease, ...], list[Received]]:
        script = in_turn(answer(201, row), answer(200, {"rentals": [row], "next": None}))
        async with meeting(script) as met:
            plane = met.control(paths={"allocate": "/api/rent"}, names=names, metadata=True, lists=True)
            return await allocate(plane), await plane.leases(), met.seen

    lease, listed, requests = run(work())
    assert (lease.id, lease.pool_id, lease.gpu) == ("7", "3", Gpu("unknown", 5))
    assert listed == (lease,)
    assert [one.target for one in requests] == ["/api/rent", "/api/rent"]
    assert requests[0].json == {
        "farm": "pool-1",
        "needs": {"model": "Gemma-2B", "memory": 2048, "tflops": 5.0},
        "ttl": 900,
        "labels": {"reference": "hpn-1", "owner": "me@here"},
    }


@pytest.mark.parametrize("lease_id", ["a/b", "a b", "..x", "%2e", "\u00fc?#", "../../v1/pools"])
def test_an_id_is_one_step_of_the_path_whatever_is_in_it(lease_id: str) -> None:
    target = seen(lambda plane: plane.release(LeaseId(lease_id)), answer(204)).target
    assert target.startswith("/v1/allocate/")
    assert target.count("/") == 3
    assert "?" not in target


@pytest.mark.parametrize("lease_id", ["", ".", ".."])
def test_an_id_that_would_be_another_path_is_no_lease_and_nothing_is_sent(lease_id: str) -> None:
    async def work() -> int:
        async with meeting(always(answer(204))) as met:
            with pytest.raises(NoSuchLease):
                await met.control().release(LeaseId(lease_id))
            return len(met.seen)

    assert run(work()) == 0


def test_a_lease_as_the_contract_writes_it_is_read_whole() -> None:
    assert told(always(answer(201, ROW)), allocate) == LEASE
    assert told(always(answer(200, ROW)), read) == LEASE


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_of_an_allocate_is_one(status: int) -> None:
    assert told(always(answer(status, ROW)), allocate) == LEASE


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"allocation_id": None, "id": "a-1"}, ("id", "a-1")),
        ({"pool_id": 12}, ("pool_id", "12")),
        ({"pool_id": None}, ("pool_id", None)),
        ({"price_per_hour": 0.39}, ("price", Price(Decimal("0.39"), "USD"))),
        ({"price_per_hour": None, "pricing_hourly": "2"}, ("price", Price(Decimal("2"), "USD"))),
        ({"currency": None}, ("price", Price(Decimal("0.39"), "EUR"))),
        ({"price_per_hour": None}, ("price", None)),
        ({"gpu": None}, ("gpu", None)),
        ({"gpu": {}}, ("gpu", Gpu("unknown"))),
        ({"expires_at": 1795327200}, ("expires_at", datetime(2026, 11, 22, 6, tzinfo=UTC))),
        ({"metadata": None}, ("metadata", {})),
        ({"metadata": {"n": 1}}, ("metadata", {"n": "1"})),
        ({"status": None}, ("status", LeaseStatus.ACTIVE)),
        ({"unknown": {"deep": [1]}}, ("id", "a-1")),
        ({"error": "the last renewal failed", "status": "failed"}, ("status", LeaseStatus.FAILED)),
    ],
)
def test_reading_a_lease_is_tolerant(changed: dict[str, object], expected: tuple[str, object]) -> None:
    field, value = expected
    assert getattr(told(always(answer(200, ROW | changed)), read), field) == value


def test_an_id_may_be_a_number() -> None:
    async def read_seven(plane: ControlPlane) -> Lease:
        return await plane.lease(LeaseId("7"))

    lease = told(always(answer(200, ROW | {"allocation_id": None, "id": 7})), read_seven)
    assert isinstance(lease, Lease)
    assert lease.id == "7"


@pytest.mark.parametrize("ask", [read, renew])
def test_the_answer_about_another_lease_is_none(ask: Ask) -> None:
    """A reused connection can hand out the answer to another request, and show a lease of ours as gone."""
    error = trouble(always(answer(200, ROW | {"allocation_id": "a-2", "status": "released"})), ask)
    assert isinstance(error, GarbledAnswer)
    assert "answered with lease a-2" in error.message


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b'{"error": "no such allocation", "code": "not_found"}', NoSuchLease),
        (410, b"", DoubtfulAbsence),
        (410, b'{"error": "ended"}', NoSuchLease),
        (404, b"<html>404 Not Found</html>", DoubtfulAbsence),
        (404, b"", DoubtfulAbsence),
        (404, b"[]", DoubtfulAbsence),
    ],
)
@pytest.mark.parametrize("ask", [read, release])
def test_only_the_platform_s_own_words_say_that_there_is_no_lease(
    ask: Ask, status: int, body: bytes, kind: type[PlatformError]
) -> None:
    assert type(trouble(always(answer(status, body)), ask)) is kind


def test_an_allocate_that_a_proxy_refuses_may_have_been_granted() -> None:
    error = trouble(always(answer(404, b"<html>no upstream</html>")), allocate)
    assert isinstance(error, GarbledAnswer)
    assert isinstance(trouble(always(answer(404, b'{"error": "no such pool"}')), allocate), UnknownPool)


@pytest.mark.parametrize(
    "garbled",
    [
        {"price_per_hour": "free"},
        {"price_per_hour": -1},
        {"created_at": "yesterday"},
        {"expires_at": [], "gpu": "L40S", "metadata": []},
        {"gpu": {"vram_mb": "much"}, "currency": 1},
    ],
)
def test_a_lease_with_garbled_trimmings_is_still_one_that_can_be_released(garbled: dict[str, object]) -> None:
    lease = told(always(answer(200, ROW | garbled)), read)
    assert isinstance(lease, Lease)
    assert (lease.id, lease.status) == ("a-1", LeaseStatus.ACTIVE)


@pytest.mark.parametrize("garbled", [{"allocation_id": None}, {"allocation_id": "\x1b"}, {"status": 3}])
def test_a_lease_without_a_usable_id_or_status_is_garbled(garbled: dict[str, object]) -> None:
    assert trouble(always(answer(201, ROW | garbled)), allocate).effect is Effect.UNKNOWN


@pytest.mark.parametrize(("word", "status"), STATUS_WORDS.items())
def test_status_words_of_several_platforms_are_known(word: str, status: LeaseStatus) -> None:
    for written in (word, word.upper(), f" {word.replace('_', '-')} ", word.replace("_", " ").title()):
        lease = told(always(answer(200, ROW | {"status": written})), read)
        assert isinstance(lease, Lease)
        assert lease.status is status


def test_a_status_that_nobody_knows_is_one_to_wait_for() -> None:
    lease = told(always(answer(200, ROW | {"status": "contemplating"})), read)
    assert isinstance(lease, Lease)
    assert lease.status is LeaseStatus.PENDING


def test_pools_are_read_whole_and_tolerantly() -> None:
    whole = {
        "id": 3,
        "name": "small",
        "gpu_model": "L4",
        "total_vgpus": "8",
        "available_vgpus": 2,
        "price_per_hour": 0.2,
        "currency": "USD",
        "region": "eu",
        "status": "active",
        "gpu_vram_mb": 24576,
        "gpu_tflops": 121,
        "vram_total_mb": 49152,
        "vram_free_mb": 1024.5,
        "tflops_total": 242,
        "tflops_free": "12.5",
        "sharing_ratio": 4,
        "allocated_percent": 75,
        "actual_percent": 12.5,
        "unknown": [],
    }
    bare = {"pool_id": "x", "pool_label": "X", "gpu_model_type": "H100", "pricing_hourly": "1.5"}
    assert told(always(answer(200, {"pools": [whole, bare, {"id": "y"}]})), pools) == (
        Pool(
            id=PoolId("3"),
            name="small",
            gpu_model="L4",
            total_slices=8,
            free_slices=2,
            price=Price(Decimal("0.2"), "USD"),
            region="eu",
            status="active",
            gpu_vram_mb=24576,
            gpu_tflops=121.0,
            vram_total_mb=49152,
            vram_free_mb=1024,
            tflops_total=242.0,
            tflops_free=12.5,
            sharing_ratio=4,
            allocated_percent=75.0,
            actual_percent=12.5,
        ),
        Pool(PoolId("x"), "X", "H100", price=Price(Decimal("1.5"), "EUR")),
        Pool(PoolId("y"), "y", "unknown"),
    )


def test_an_empty_list_of_pools_is_one() -> None:
    assert told(always(answer(200, {"pools": []})), pools) == ()


@pytest.mark.parametrize("ask", [pools, leases, lambda plane: plane.health()])
@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_endpoint_that_the_platform_lacks_is_not_offered(ask: Ask, status: int) -> None:
    error = trouble(always(answer(status, {"error": "no such path"})), ask)
    assert type(error) is NotOffered
    assert error.status == status


@pytest.mark.parametrize("ask", [pools, leases, lambda plane: plane.health()])
def test_a_page_of_something_else_does_not_say_what_the_platform_offers(ask: Ask) -> None:
    error = trouble(always(answer(404, b"<html>404 Not Found</html>")), ask)
    assert type(error) is DoubtfulAbsence
    assert "platform.base_url" in str(error.hint)


@pytest.mark.parametrize("ask", [pools, leases, read, release, renew, allocate])
@pytest.mark.parametrize(("status", "kind"), [(401, NotAuthorised), (409, Refused), (503, ServerFault)])
def test_other_refusals_stay_what_they_are(ask: Ask, status: int, kind: type[PlatformError]) -> None:
    assert type(trouble(always(answer(status, {"error": "no"})), ask)) is kind


@pytest.mark.parametrize("ask", [read, release, renew])
@pytest.mark.parametrize("status", [404, 410])
def test_a_lease_that_the_platform_does_not_know_is_no_lease(ask: Ask, status: int) -> None:
    assert type(trouble(always(answer(status, {"error": "gone"})), ask)) is NoSuchLease


def test_a_pool_that_the_platform_does_not_know_is_no_pool() -> None:
    error = trouble(always(answer(404, {"error": "no", "code": "pool_not_found"})), allocate)
    assert type(error) is UnknownPool
    assert "pool-1" in error.message


@pytest.mark.parametrize("code", ["insufficient_capacity", "no_capacity", "10189007", 10189007])
@pytest.mark.parametrize("status", [200, 400, 404, 409, 500, 503])
def test_a_full_pool_is_told_by_its_code_whatever_the_status(status: int, code: object) -> None:
    raw = answer(status, {"message": "no room", "code": code}, {"Retry-After": "5"})
    error = trouble(always(raw), allocate)
    assert type(error) is NoCapacity
    assert (error.effect, error.status, error.platform_code) == (Effect.REFUSED, status, str(code))
    assert "no room" in error.message


def test_the_answer_to_an_allocate_must_carry_our_reference() -> None:
    async def work(row: object) -> Lease:
        async with meeting(always(answer(201, row))) as met:
            return await allocate(met.control(metadata=True))

    assert run(work(ROW)) == LEASE
    for metadata in ({"reference": "hpn-2"}, {}, None, "hpn-1"):
        with pytest.raises(GarbledAnswer, match="does not carry our reference hpn-1") as caught:
            run(work(ROW | {"metadata": metadata}))
        assert caught.value.effect is Effect.UNKNOWN


def test_a_platform_that_promises_no_metadata_need_not_send_any() -> None:
    lease = told(always(answer(201, {"id": "a-1"})), allocate)
    assert lease == Lease(LeaseId("a-1"), LeaseStatus.ACTIVE)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (always(answer(201)), UnreadableAnswer),
        (always(answer(201, [ROW])), GarbledAnswer),
        (once(b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n"), BrokenOff),
    ],
)
def test_an_allocate_without_a_good_answer_may_have_taken_effect(
    script: Script, kind: type[PlatformError]
) -> None:
    error = trouble(script, allocate)
    assert type(error) is kind
    assert error.effect is Effect.UNKNOWN


def test_an_allocate_that_is_not_answered_in_time_may_have_taken_effect() -> None:
    async def work() -> None:
        async with meeting(silent_after(b"")) as met:
            with pytest.raises(TimedOut) as caught:
                await met.control().allocate(REQUEST, deadline_s=0.2)
            assert caught.value.effect is Effect.UNKNOWN

    run(work())


def test_an_allocate_is_one_request_even_where_reads_are_repeated() -> None:
    async def work(ask: Ask) -> int:
        async with meeting(always(answer(503))) as met:
            with pytest.raises(ServerFault):
                await ask(met.control(keys=True, retry=AT_ONCE))
            return len(met.seen)

    assert run(work(allocate)) == 1
    for ask in (read, release, renew, pools, leases):
        assert run(work(ask)) == 3


def test_a_read_that_is_asked_to_come_later_than_its_deadline_fails_at_once() -> None:
    async def work() -> tuple[PlatformError, int]:
        async with meeting(always(answer(429, b"", {"Retry-After": "60"}))) as met:
            with pytest.raises(RateLimited) as caught:
                await met.control(retry=AT_ONCE).pools()
            return caught.value, len(met.seen)

    error, requests = run(work())
    assert requests == 1
    assert "left alone for 60 s" in error.message


def page(cursor: object, *ids: str) -> bytes:
    return answer(
        200, {"allocations": [{"id": one, "status": "active"} for one in ids], "next_cursor": cursor}
    )


def test_all_pages_of_the_list_are_read() -> None:
    async def work() -> tuple[list[str], list[str]]:
        script = in_turn(page("c/1 &", "a", "b"), page(2, "c"), page("", "d"))
        async with meeting(script) as met:
            found = await met.control(lists=True).leases()
            return [lease.id for lease in found], [one.target for one in met.seen]

    ids, targets = run(work())
    assert ids == ["a", "b", "c", "d"]
    assert [urlsplit(one).path for one in targets] == ["/v1/allocate"] * 3
    assert [parse_qs(urlsplit(one).query) for one in targets] == [
        {},
        {"cursor": ["c/1 &"]},
        {"cursor": ["2"]},
    ]


def test_all_pages_of_the_list_of_pools_are_read() -> None:
    script = in_turn(
        answer(200, {"pools": [{"id": "a"}], "next_cursor": "x"}), answer(200, {"pools": [{"id": "b"}]})
    )
    found = told(script, pools)
    assert isinstance(found, tuple)
    assert [pool.id for pool in found] == ["a", "b"]


@pytest.mark.parametrize("beside", [{"errors": ["a shard is down"]}, {"status": "error"}, {"ok": False}])
def test_an_error_beside_rows_keeps_a_list_from_being_whole(beside: dict[str, object]) -> None:
    body = {"pools": [{"id": "a"}], "allocations": [{"id": "a"}], **beside}
    assert isinstance(trouble(always(answer(200, body)), pools), GarbledAnswer)
    if "ok" not in beside:
        partly = trouble(always(answer(200, body)), leases)
        assert isinstance(partly, IncompleteList)
        assert [lease.id for lease in partly.leases] == ["a"]
        assert "is not whole: " in partly.message


def endless(rows_of: Callable[[int], list[dict[str, object]]]) -> Script:
    """Pages that never end: each with a cursor of its own, and with the rows of its number."""

    async def script(conversation: Conversation) -> None:
        number = 0
        while True:
            await conversation.request()
            rows, number = rows_of(number), number + 1
            body = {"pools": rows, "allocations": rows, "next_cursor": f"c{number}"}
            await conversation.send(answer(200, body))

    return script


THOUSANDS = endless(lambda page: [{"id": f"{page}-{row}"} for row in range(3000)])
LONG = endless(lambda page: [{"id": f"{page}-{row}", "metadata": {"a": "x" * 9000}} for row in range(500)])


def test_a_list_of_pools_without_an_end_is_not_read_for_ever() -> None:
    error = trouble(THOUSANDS, pools)
    assert isinstance(error, GarbledAnswer)
    assert "more than 5000 rows" in error.message


@pytest.mark.parametrize(
    ("script", "rows", "said"), [(THOUSANDS, 10_001, "more than 10000 rows"), (LONG, 1000, "too long")]
)
def test_of_a_list_of_leases_without_an_end_the_first_are_used_and_that_is_said(
    script: Script, rows: int, said: str
) -> None:
    error = trouble(script, leases)
    assert isinstance(error, IncompleteList)
    assert (len(error.leases), said in error.message) == (rows, True)


@pytest.mark.parametrize("end", [None, ""])
def test_a_list_ends_where_there_is_no_cursor(end: object) -> None:
    found = told(always(page(end, "a")), leases)
    assert isinstance(found, tuple)
    assert len(found) == 1


@pytest.mark.parametrize("raw", [answer(200, b"<html>"), answer(200), answer(200, b'{"allocation_id": "a')])
@pytest.mark.parametrize("what", ["pools", "leases", "lease", "renew"])
def test_an_answer_that_cannot_be_read_is_asked_for_again(raw: bytes, what: str) -> None:
    async def work() -> tuple[object, int]:
        script = in_turn(raw, answer(200, {"pools": [], "allocations": [], **ROW}))
        async with meeting(script) as met:
            plane = met.control(lists=True, retry=AT_ONCE)
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "pools": plane.pools,
                "leases": plane.leases,
                "lease": lambda: plane.lease(LeaseId("a-1")),
                "renew": lambda: plane.renew(LeaseId("a-1"), 60),
            }
            return await calls[what](), len(met.seen)

    assert run(work())[1] == 2


@pytest.mark.parametrize("pages", [(page("x", "a"),), (page("x"), page("y"), page("x"))])
def test_a_list_whose_cursors_repeat_gives_what_it_showed_and_is_not_whole(pages: tuple[bytes, ...]) -> None:
    error = trouble(in_turn(*pages), leases)
    assert isinstance(error, IncompleteList)
    assert "does not end" in error.message
    assert {one.id for one in error.leases} == ({"a"} if len(pages) == 1 else set())


def test_a_list_whose_second_page_fails_gives_the_first_and_is_not_whole() -> None:
    error = trouble(in_turn(page("x", "a"), *[answer(503, {})] * 3), leases)
    assert isinstance(error, IncompleteList)
    assert "its page 2 cannot be had" in error.message
    assert [one.id for one in error.leases] == ["a"]


def test_a_list_that_has_always_another_page_ends_at_the_deadline() -> None:
    async def endless(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.send(page(len(conversation.received), "a"))

    async def work() -> None:
        async with meeting(endless) as met:
            with pytest.raises(IncompleteList, match=r"did not end within the 0\.2 s that"):
                await met.control(deadline_s=0.2).leases()

    run(work())


@pytest.mark.parametrize(
    ("body", "word"),
    [({"status": "ok"}, "ok"), ({"status": "degraded", "x": 1}, "degraded"), ({}, "answers")],
)
def test_health_is_the_platforms_own_word(body: object, word: str) -> None:
    assert told(always(answer(200, body)), lambda plane: plane.health()) == word


def test_health_without_a_body_is_an_answer() -> None:
    assert told(always(answer(200)), lambda plane: plane.health()) == "answers"
