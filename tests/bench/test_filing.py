"""What engines send is filed at a pace beside them, and all of it in the end, whatever the disk says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harpoon_cli.bench.engine.errand import LENGTH, samples_message
from harpoon_cli.bench.recording import filing
from harpoon_cli.bench.recording.filing import Filing, Spool, share_beside
from harpoon_cli.bench.recording.sample import Sample
from harpoon_cli.errors import StorageFault
from tests.servers import run


def packet(*indices: int) -> bytes:
    return samples_message([Sample(index, "a-model") for index in indices])[LENGTH.size :]


def no_place(**_: object) -> object:
    raise OSError(28, "No space left on device")


Indices = list[int]


def noting(seen: Indices) -> Callable[[Sequence[Sample]], None]:
    return lambda samples: seen.extend(sample.index for sample in samples)


def test_a_spool_gives_packets_back_in_their_order_and_empties_its_file() -> None:
    spool = Spool()
    for turn in range(3):
        packets = [b"%d" % number * (number + 1) for number in range(4)]
        for one in packets:
            spool.put(one)
        assert spool.size == sum(map(len, packets))
        assert [spool.take() for _ in packets] == packets, turn
        assert spool.take() is None
        assert spool.size == 0
    spool.close()


def test_a_spool_takes_no_more_room_than_what_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filing, "FILE_BYTES", 1_000)
    spool = Spool()
    before = open_files()
    packets = [b"%d" % number * 100 for number in range(10)]
    for packet in packets:
        spool.put(packet)
    for number in range(10, 200):
        packets.append(b"%d" % number * 100)
        spool.put(packets[-1])
        assert spool.take() == packets[number - 10]
        assert len(open_files() - before) <= 6
    spool.close()
    assert open_files() == before


def open_files() -> set[str]:
    """The numbers of this process's open files, and that of the list itself."""
    return {file.name for file in Path("/proc/self/fd").iterdir()}


def test_what_cannot_be_written_is_kept_all_the_same_and_to_be_filed_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filing, "TemporaryFile", no_place)
    spool = Spool()
    spool.put(b"one")
    spool.put(b"two")
    assert spool.is_full
    assert [spool.take(), spool.take(), spool.take()] == [b"one", b"two", None]
    assert not spool.is_full


def test_packets_are_filed_while_engines_fire_and_the_rest_after() -> None:
    seen: Indices = []

    async def both() -> None:
        some = asyncio.Event()

        def file(samples: Sequence[Sample]) -> None:
            noting(seen)(samples)
            some.set()

        one = Filing(file, share=1.0)
        along = asyncio.create_task(one.along())
        one.put(packet(0, 1))
        await some.wait()
        along.cancel()
        one.put(packet(2))
        one.put(packet(3, 4))
        assert seen == [0, 1]
        await one.rest()
        one.close()

    run(both())
    assert seen == [0, 1, 2, 3, 4]


def test_where_more_waits_than_may_nothing_else_comes_before_filing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: Indices = []
    monkeypatch.setattr(filing, "MOST_BYTES", 1)

    async def filled() -> None:
        one = Filing(noting(seen), share=1e-9)  # whose pauses would last for days
        for index in range(5):
            one.put(packet(index))
        along = asyncio.create_task(one.along())
        await asyncio.sleep(0)
        assert seen == [0, 1, 2, 3, 4]
        along.cancel()
        one.close()

    run(filled())


def test_what_cannot_be_filed_ends_the_filing_with_its_error_and_is_not_tried_again() -> None:
    tried: Indices = []

    def refuse(samples: Sequence[Sample]) -> None:
        noting(tried)(samples)
        raise StorageFault("the rows cannot be written")

    async def refused() -> None:
        one = Filing(refuse)
        one.put(packet(0))
        one.put(packet(1))
        with pytest.raises(StorageFault, match="rows"):
            await one.along()
        await one.rest()
        one.close()

    run(refused())
    assert tried == [0]


def test_a_machine_with_cores_to_spare_files_as_samples_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert share_beside(2) == 1.0
    assert share_beside(3) == filing.SHARE
