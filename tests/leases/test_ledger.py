"""The ledger on real files: durable, private, shared, and clear about what is wrong with it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from harpoon_cli.domain import (
    Gpu,
    Lease,
    LeaseId,
    LeaseRecord,
    LeaseRequest,
    LeaseState,
    LeaseStatus,
    Owner,
    PoolId,
    Price,
    Reference,
    Requirements,
)
from harpoon_cli.errors import StorageFault
from harpoon_cli.leases.alive import SIGNS, SignOfLife
from harpoon_cli.leases.ledger import Ledger
from harpoon_cli.leases.rows import VERSIONS
from harpoon_cli.leases.storage import _patiently, move_away
from harpoon_cli.values import replace

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
R = Reference("hpn-1")


def intent(reference: str = R, at: datetime = NOW) -> LeaseRecord:
    request = LeaseRequest(
        reference=Reference(reference),
        idempotency_key=f"{reference}-key",
        pool_id=PoolId("pool"),
        requirements=Requirements(vram_mb=2048, tflops=5.0, model="gemma-2b"),
        ttl_s=900,
        metadata={"reference": reference, "owner": "ada@here"},
    )
    return LeaseRecord(
        request, "https://platform.test", Owner("ada", "here", "run-1", 7), LeaseState.INTENT, at
    )


def lease(lease_id: str = "lease-1", status: LeaseStatus = LeaseStatus.PENDING) -> Lease:
    return Lease(
        id=LeaseId(lease_id),
        status=status,
        gpu=Gpu("RTX 4090", 2048, 5.0),
        price=Price(Decimal("0.3900000001"), "USD"),
        expires_at=NOW + timedelta(seconds=900),
    )


def opened(path: Path) -> Ledger:
    ledger = Ledger(path / "state" / "ledger.db")
    ledger.intend(intent(), "sign")
    return ledger


def known(ledger: Ledger, reference: str = R) -> LeaseRecord:
    record = ledger.record(Reference(reference))
    assert record is not None
    return record


def in_child(work: Callable[[], None]) -> int:
    """Do it in a process of its own; the exit status (70 for an exception), or minus the signal."""
    return status_of(forked(work))


def status_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


def test_what_is_written_is_read_back_whole(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    assert known(ledger) == intent()
    assert ledger.holder(R) == "sign"
    ledger.accepted(R, lease(), NOW)
    ledger.seen(R, replace(lease(status=LeaseStatus.ACTIVE), gpu=None, price=None, expires_at=None), NOW)
    ledger.keep(R)
    expected = replace(
        intent(),
        state=LeaseState.HELD,
        lease_id=LeaseId("lease-1"),
        gpu=Gpu("RTX 4090", 2048, 5.0),
        price=Price(Decimal("0.3900000001"), "USD"),
        accepted_at=NOW,
        seen_at=NOW,
        ready_at=NOW,
        expires_at=NOW + timedelta(seconds=900),
        kept=True,
    )
    assert Ledger(ledger.path).record(R) == expected
    assert ledger.named("https://platform.test", "lease-1") == expected
    assert ledger.named("https://platform.test", R) == expected
    assert ledger.named("https://elsewhere.test", R) is None


def test_records_come_in_the_order_they_were_intended_in(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    for number, microseconds in ((3, 1_500_000), (2, 1)):
        ledger.intend(intent(f"hpn-{number}", NOW + timedelta(microseconds=microseconds)), None)
    assert [one.reference for one in ledger.open_records()] == ["hpn-1", "hpn-2", "hpn-3"]
    since = NOW + timedelta(microseconds=1)
    assert [one.reference for one in ledger.since(since)] == ["hpn-2", "hpn-3"]


STEPS: dict[str, Callable[[Ledger], bool]] = {
    "accepted": lambda ledger: ledger.accepted(R, lease(), NOW),
    "refused": lambda ledger: ledger.refused(R, "full"),
    "unsure": lambda ledger: ledger.unsure(R, "no answer"),
    "absent": lambda ledger: ledger.absent(R, NOW),
    "releasing": lambda ledger: ledger.releasing(R),
    "released": lambda ledger: ledger.released(R, NOW),
    "reopened": lambda ledger: ledger.reopened(R),
}

DRAWN = {
    ("intent", "accepted"): "held",
    ("intent", "refused"): "refused",
    ("intent", "unsure"): "unsure",
    ("intent", "absent"): "released",
    ("unsure", "accepted"): "held",
    ("unsure", "unsure"): "unsure",
    ("unsure", "absent"): "released",
    ("held", "releasing"): "releasing",
    ("held", "released"): "released",
    ("releasing", "releasing"): "releasing",
    ("releasing", "released"): "released",
    ("refused", "accepted"): "held",
    ("absent", "accepted"): "held",
    ("released", "reopened"): "releasing",
}
"""By state and step, what comes of it; a step that is not here changes nothing."""

WAYS = {
    "intent": [],
    "unsure": ["unsure"],
    "held": ["accepted"],
    "refused": ["refused"],
    "absent": ["absent"],
    "releasing": ["accepted", "releasing"],
    "released": ["accepted", "released"],
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("origin", WAYS)
def test_only_the_steps_that_are_drawn_are_taken(tmp_path: Path, origin: str, step: str) -> None:
    ledger = opened(tmp_path)
    for name in WAYS[origin]:
        assert STEPS[name](ledger)
    before = known(ledger)
    assert STEPS[step](ledger) is ((origin, step) in DRAWN)
    assert known(ledger).state == DRAWN.get((origin, step), before.state)


def test_text_that_no_file_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    """Half a surrogate pair comes out of JSON, and out of file names; a message can be a whole page."""
    ledger = opened(tmp_path)
    ledger.unsure(R, "half \ud800 and \x00 and " + "x" * 100_000)
    trouble = known(ledger).trouble
    assert trouble is not None
    assert trouble.startswith("half \\ud800 and \x00 and xxx")
    assert len(trouble) < 1000
    ledger.accepted(R, lease("lease-\udfff"), NOW)
    assert ledger.named("https://platform.test", "lease-\udfff") == known(ledger)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_is_private_whatever_the_umask_and_whatever_is_missing(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a" / "b" / "ledger.db"

    def write() -> None:
        os.umask(umask)
        ledger = Ledger(path)
        ledger.intend(intent(), None)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}, modes
        for directory in (path.parent, path.parent.parent):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    assert in_child(write) == 0


def test_it_is_a_write_ahead_log_that_is_synced_at_every_commit(tmp_path: Path) -> None:
    connection = opened(tmp_path)._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_many_processes_may_open_it_for_the_first_time_at_once(tmp_path: Path) -> None:
    """Switching to the write-ahead log and creating the table are where SQLite does not always wait."""
    for attempt in range(5):
        path = tmp_path / str(attempt) / "ledger.db"
        read, write = os.pipe()

        def work(path: Path = path, read: int = read, write: int = write) -> None:
            os.close(write)
            os.read(read, 1)  # until all are there
            for number in range(3):
                ledger = Ledger(path)
                ledger.intend(intent(f"{os.getpid()}-{number}"), None)
                ledger.close()

        children = [forked(work) for _ in range(12)]
        os.close(read)
        os.close(write)
        assert [status_of(child) for child in children] == [0] * 12
        assert len(Ledger(path).open_records()) == 36


def test_processes_killed_while_they_write_lose_nothing_that_was_promised(tmp_path: Path) -> None:
    """Each says which intent is on the disk, and is killed at once, in the middle of the next."""
    path = tmp_path / "ledger.db"
    Ledger(path).close()
    promised: list[str] = []
    for child_number in range(12):
        read, write = os.pipe()

        def work(child_number: int = child_number, write: int = write) -> None:
            ledger = Ledger(path)
            for number in range(100_000):
                ledger.intend(intent(f"{child_number}-{number}"), None)
                os.write(write, f"{child_number}-{number}\n".encode())

        child = forked(work)
        os.close(write)
        said = os.read(read, 64)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while piece := os.read(read, 65536):
            said += piece
        os.close(read)
        promised += said.decode().split()
    ledger = Ledger(path)
    written = {one.reference for one in ledger.open_records()}
    assert set(promised) <= written
    assert len(written) <= len(promised) + 12
    assert ledger._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_on_a_full_disk_nothing_is_promised_and_later_all_is_well(tmp_path: Path) -> None:
    ledger = opened(tmp_path)

    def fill() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        mine = Ledger(ledger.path)
        wal = ledger.path.with_name("ledger.db-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 6000, resource.RLIM_INFINITY))
        done = _until_it_is_full(mine)
        with pytest.raises(StorageFault, match="cannot be used"):
            mine.intend(intent("again"), None)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        mine.intend(intent("well"), None)
        assert len(mine.open_records()) == done + 2

    assert in_child(fill) == 0
    assert known(ledger, "well").state is LeaseState.INTENT


def _until_it_is_full(ledger: Ledger) -> int:
    for number in range(1000):
        try:
            ledger.intend(intent(f"full-{number}"), None)
        except StorageFault:
            return number
    raise AssertionError("the disk is never full")


def test_a_directory_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(StorageFault, match="File exists") as told:
        Ledger(file / "state" / "ledger.db")
    assert "XDG_STATE_HOME" in str(told.value.hint)


def test_a_read_only_directory_is_a_sentence(quick_dir: Path) -> None:
    def open_it() -> None:
        if os.getuid() == 0:
            os.setuid(65534)  # root may write everywhere
        with pytest.raises(StorageFault, match="Permission denied"):
            Ledger(quick_dir / "ledger.db")

    quick_dir.chmod(0o555)
    assert in_child(open_it) == 0
    quick_dir.chmod(0o700)


def test_a_directory_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(StorageFault, match="unable to open database file"):
        Ledger(tmp_path / "ledger.db")


GARBAGE = b"not a database at all\n" * 100


@pytest.mark.parametrize("ruin", ["garbage", "cut", "overwritten", "another database"])
def test_a_ruined_ledger_is_set_aside_whole_and_a_new_one_is_begun(tmp_path: Path, ruin: str) -> None:
    ledger = opened(tmp_path)
    ledger.search_done("https://platform.test", datetime.now(UTC))
    ledger.close()
    path = ledger.path
    whole = path.read_bytes()
    match ruin:
        case "garbage":
            path.write_bytes(GARBAGE)
        case "cut":
            path.write_bytes(whole[: len(whole) - 5000])
        case "overwritten":
            path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
        case _:
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE leases (name TEXT)")
                other.execute(f"PRAGMA user_version = {len(VERSIONS)}")
    broken = path.read_bytes()
    ledger = Ledger(path)
    assert ledger.ruined is not None
    aside = ledger.ruined.read_bytes()
    assert aside[100:] == broken[100:]  # SQLite's own header tells how it was opened last
    assert ledger.open_records() == ()
    assert not ledger.searched("https://platform.test", apart=timedelta(0)), (
        "what was lost is looked for again"
    )
    ledger.intend(intent(), None)
    assert Ledger(path).ruined is None


def test_many_processes_set_a_ruined_ledger_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(GARBAGE)
    read, write = os.pipe()

    def work() -> None:
        os.close(write)
        os.read(read, 1)  # until all are there
        ledger = Ledger(path)
        ledger.intend(intent(str(os.getpid())), None)
        ledger.close()

    children = [forked(work) for _ in range(8)]
    os.close(read)
    os.close(write)
    assert [status_of(child) for child in children] == [0] * 8
    assert len(list(tmp_path.glob("ruined-*-ledger.db"))) == 1
    assert len(Ledger(path).open_records()) == 8


def test_an_emptied_ledger_is_a_new_one_that_has_not_searched(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    apart = timedelta(minutes=3)
    ledger.search_done("https://platform.test", NOW)
    assert not ledger.searched("https://platform.test", apart=apart), "a list may lag"
    ledger.search_done("https://platform.test", NOW + apart)
    assert ledger.searched("https://platform.test", apart=apart)
    assert not ledger.searched("https://elsewhere.test", apart=apart)
    ledger.close()
    ledger.path.write_bytes(b"")
    assert not Ledger(ledger.path).searched("https://platform.test", apart=timedelta(0))


def test_a_blank_ledger_seems_lost_only_where_leases_were_asked_for_before(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert (ledger.is_blank(), ledger.seems_lost()) == (True, False)
    SignOfLife(tmp_path / SIGNS).close()
    assert ledger.seems_lost()
    ledger.search_done("https://platform.test", datetime.now(UTC))
    assert (ledger.is_blank(), ledger.seems_lost()) == (False, False)


def test_a_trace_elsewhere_tells_of_the_loss_of_the_whole_directory(tmp_path: Path) -> None:
    trace = tmp_path / "cache" / "leased"
    ledger = Ledger(tmp_path / "state" / "ledger.db", trace=trace)
    assert not ledger.seems_lost()
    trace.parent.mkdir()
    trace.touch()
    assert ledger.seems_lost()


def test_a_log_whose_file_is_gone_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.with_name("ledger.db-wal").write_bytes(b"what was not in the file yet")
    ledger = Ledger(path)
    assert ledger.ruined is not None
    assert ledger.ruined.read_bytes() == b"what was not in the file yet"
    assert ledger.open_records() == ()
    assert Ledger(path).ruined is None


def test_losing_the_log_beside_it_loses_no_row(tmp_path: Path) -> None:
    def work() -> None:
        opened(tmp_path)
        os.kill(os.getpid(), signal.SIGKILL)

    assert status_of(forked(work)) != 0
    path = tmp_path / "state" / "ledger.db"
    path.with_name("ledger.db-wal").unlink()
    assert [one.reference for one in Ledger(path).open_records()] == [R]


def test_a_ledger_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as old:
        for statement in VERSIONS[0]:
            old.execute(statement)
        old.execute("PRAGMA user_version = 1")
    ledger = Ledger(path)
    assert ledger.ruined is None
    ledger.intend(intent(), None)
    assert known(ledger, R).lost_answers == 0


def test_every_lost_answer_is_counted(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.answer_lost(R, "broke off")
    ledger.answer_lost(R, "broke off again")
    assert known(ledger, R).lost_answers == 2
    assert known(ledger, R).state is LeaseState.UNSURE


def test_a_ledger_of_a_newer_harpoon_is_left_alone(tmp_path: Path) -> None:
    path = opened(tmp_path).path
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageFault, match="newer harpoon"):
        Ledger(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "lost"),
        ("request", "[]"),
        ("request", "{"),
        ("intended_at", "yesterday"),
        ("intended_at", "2026-11-22T06:00:00"),
    ],
)
def test_a_row_that_is_not_whole_is_a_sentence_and_does_not_block_the_others(
    tmp_path: Path, column: str, value: str
) -> None:
    ledger = opened(tmp_path)
    ledger.intend(intent("hpn-2"), None)
    with sqlite3.connect(ledger.path) as other:
        other.execute(f"UPDATE leases SET {column} = ? WHERE reference = ?", (value, R))
    with pytest.raises(StorageFault, match="not whole"):
        ledger.record(R)
    assert [one.reference for one in ledger.open_records()] == ["hpn-2"]
    assert ledger.named("https://platform.test", "hpn-2") == known(ledger, "hpn-2")
    [trouble] = ledger.broken_rows()
    assert f"mv {ledger.path}* " in str(trouble.hint)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("owner", '{"name": "ada"}'),
        ("expires_at", "soon"),
        ("expires_at", "2026-11-22T06:00:00"),
        ("gpu", "[1]"),
        ("price", '["cheap", "USD", "quoted"]'),
        ("price", '["NaN", "USD", "quoted"]'),
        ("price", "[" * 100_000),
    ],
)
def test_what_settling_does_not_need_may_be_broken(tmp_path: Path, column: str, value: str) -> None:
    ledger = opened(tmp_path)
    ledger.accepted(R, lease(), NOW)
    whole = known(ledger)
    with sqlite3.connect(ledger.path) as other:
        other.execute(f"UPDATE leases SET {column} = ?", (value,))
    expected: dict[str, Owner | None] = {column: Owner("unknown", "unknown") if column == "owner" else None}
    assert ledger.open_records() == (replace(whole, **expected),)
    assert ledger.broken_rows() == ()


def test_a_cell_that_is_no_text_does_not_block_the_others(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.intend(intent("hpn-2"), None)
    with sqlite3.connect(ledger.path) as other:
        other.execute("UPDATE leases SET request = CAST(x'ff' AS TEXT) WHERE reference = ?", (R,))
    assert [one.reference for one in ledger.open_records()] == ["hpn-2"]


def test_the_command_that_moves_a_broken_ledger_takes_its_log_along(tmp_path: Path) -> None:
    path = tmp_path / "state of ada" / "ledger.db"
    path.parent.mkdir()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        path.with_name(name).write_bytes(GARBAGE)
    command = move_away(path).partition("with ")[2].partition(";")[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert list(path.parent.glob("ledger.db*")) == []
    assert (path.parent.glob("broken-*/ledger.db")).__next__().exists()
    Ledger(path).close()


def test_a_reference_is_intended_once(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    with pytest.raises(StorageFault):
        ledger.intend(intent(), None)
    ledger.intend(intent("hpn-2"), None)
    assert len(ledger.open_records()) == 2


def test_a_ledger_that_another_process_keeps_busy_is_told_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harpoon_cli.leases.storage.BUSY_S", 0.05)
    ledger = opened(tmp_path)
    with sqlite3.connect(ledger.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFault, match="another process has kept it busy"):
            Ledger(ledger.path).intend(intent("hpn-2"), None)
        other.execute("ROLLBACK")
    ledger.intend(intent("hpn-2"), None)


def test_where_sqlite_does_not_wait_the_opening_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch to the write-ahead log can find the file locked and say so without waiting."""
    path = tmp_path / "ledger.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    pauses: list[float] = []

    def the_other_ends(seconds: float) -> None:
        pauses.append(seconds)
        other.execute("COMMIT")

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=0)
        connection.execute("PRAGMA journal_mode = WAL")
        return connection

    monkeypatch.setattr("harpoon_cli.leases.storage.sleep", the_other_ends)
    _patiently(connect).close()
    assert len(pauses) == 1
    other.close()
