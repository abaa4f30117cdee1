"""From requests over real sockets to a judged report, by one engine and by two put together."""

from __future__ import annotations

from pathlib import Path

from harpoon_cli.bench.judging.report import Report, build, read
from harpoon_cli.bench.recording.recorder import Recorder, from_recording, merge
from harpoon_cli.bench.recording.request_rows import RowFile, read_rows
from harpoon_cli.bench.recording.sample import Shot
from harpoon_cli.bench.recording.watched import watched
from harpoon_cli.bench.reports import FORMATS, Source, save, text
from harpoon_cli.values import replace
from tests.bench.engine.range import CHAT, ask, at_once, fired, served, target
from tests.bench.simulated import FACTS
from tests.servers import always, answer, in_turn, stream

CHAT_ANSWER = stream(*CHAT)


def told(port: int, shots: list[Shot], rows: RowFile | None = None) -> Report:
    result = fired(target(port), shots, concurrency=4)
    recorder = Recorder(rows=rows)
    for sample in result.samples:
        recorder.on_sample(sample)
    recorder.settle()
    return build(replace(FACTS, open_loop=False), recorder, (watched(result.watch),))


def test_a_run_over_sockets_has_its_figures_and_every_report(tmp_path: Path) -> None:
    with served(always(CHAT_ANSWER)) as server, RowFile(tmp_path / "rows", with_gaps=True) as rows:
        report = told(server.port, at_once(50), rows)
    whole = report.whole
    assert (whole.started, whole.completed, whole.failed) == (50, 50, 0)
    assert whole.latencies["ttft"].count == whole.latencies["e2e"].count == 50
    assert whole.latencies["itl"].count == sum(len(row.gaps_s) for row in read_rows([rows.path])) == 150
    assert whole.latencies["connecting"].count == 4
    assert report.watches[0].chunks == 200
    for one in whole.latencies["ttft"].percentiles:
        assert one.ms is not None
        assert one.read_low_ms is not None
        assert one.read_low_ms <= one.ms
    for name in FORMATS.names():
        save(name, Source(report, (rows.path,), detailed=True), tmp_path / name)
    assert read((tmp_path / "json").read_text("utf-8"), "it") == report


def test_failures_over_sockets_are_counted_by_kind_with_their_words() -> None:
    busy = answer(503, b'{"error": {"message": "try later"}}')
    with served(in_turn(busy, CHAT_ANSWER)) as server:
        report = told(server.port, [Shot(ask(index), None) for index in range(2)])
    assert (report.whole.failed, report.whole.completed) == (1, 1)
    assert report.errors == {"http_503": 1}
    assert report.verdict.too_many_errors
    assert "try later" in report.watches[0].examples["http_503"]


def test_two_shards_files_put_together_are_one_run() -> None:
    with served(always(CHAT_ANSWER)) as server:
        files = [text("json", Source(told(server.port, at_once(20)))) for _ in range(2)]
    shards = [read(file, "a shard") for file in files]
    recordings = [shard.recording for shard in shards]
    together = merge(from_recording(one) for one in recordings if one is not None)
    report = build(FACTS, together, [watch for shard in shards for watch in shard.watches])
    assert report.whole.completed == sum(shard.whole.completed for shard in shards) == 40
    assert report.whole.output_tokens == sum(shard.whole.output_tokens for shard in shards)
    assert len(report.watches) == 2
