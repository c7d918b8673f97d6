"""What is spilled comes back whole, once it may, whoever else spills, drains or dies meanwhile; no column is lost."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from studio.paths import ROOT
from studio.tracing.encoding import as_line, from_line
from studio.tracing.errors import SinkUnavailable
from studio.tracing.rows import Batch, SpanRow, TraceRow
from studio.tracing.spill import UNFINISHED_SECONDS, Drained, Spill, SpillFailed
from tests.support.sinks import Hanging, KeptSink, open_span, refusing, span, spans, trace, unavailable
from tests.support.waiting import eventually

JOB = UUID("22222222-2222-3333-4444-555555555555")


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "traces"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_rows_come_back_from_the_disk_as_they_were(folder: Path) -> None:
    full = span(
        1,
        input_data='{"a": "line\\nbreak ü \\ud83d\\ude00"}',
        output_data='{\n  "pretty": true\n}',
        attributes={"list": [1, 2.5, None], 'quote"': "\u2028"},
        events=[{"name": "retry"}],
        error="a\nb",
        first_token_ms=12.25,
        cost_micros=7,
    )
    batch = Batch([trace(job_id=JOB, attributes={"x": True})], [full, open_span(2)])
    sink = KeptSink()
    spill = Spill(folder)
    spill.save(sink.name, [batch])

    assert spill.drain(sink) == Drained(files=1, rows=3)
    assert (sink.traces, sink.spans) == (batch.traces, batch.spans)
    assert files(folder) == []


@pytest.mark.parametrize("kind", [TraceRow, SpanRow], ids=lambda kind: kind.__name__)
def test_no_column_is_forgotten(kind: type) -> None:
    row = trace() if kind is TraceRow else span(1)
    for field in dataclasses.fields(kind):
        if getattr(row, field.name) is None:
            uuid = field.name in ("project_id", "job_id")
            setattr(row, field.name, JOB if uuid else 3 if "int" in str(field.type) else "text")
    assert from_line(as_line(row)) == row


def test_files_and_folder_are_for_nobody_else(folder: Path) -> None:
    Spill(folder).save("kept", [spans(1)])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (file,) = files(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.name.startswith(f"kept-{os.getpid()}-")


def test_a_span_and_its_end_are_not_written_together(folder: Path) -> None:
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [Batch(spans=[open_span(1), span(2)]), Batch(spans=[span(1)])])
    spill.drain(sink)
    assert [len(batch) for batch in sink.batches] == [2, 1]
    assert sink.spans[-1].end_time is not None


def test_much_is_spilled_in_files_of_bounded_size(folder: Path) -> None:
    spill, sink = Spill(folder, file_bytes=20_000), KeptSink()
    batch = spans(200, input_data=json.dumps("x" * 500))
    spill.save("kept", [batch])
    assert len(files(folder)) > 5
    assert all(file.stat().st_size < 21_000 for file in files(folder))

    assert spill.drain(sink, limit=100).left > 0
    spill.drain(sink)
    assert sink.spans == list(batch.spans)


def test_a_row_that_is_larger_than_a_file_has_one_of_its_own(folder: Path) -> None:
    spill, sink = Spill(folder, file_bytes=10), KeptSink()
    spill.save("kept", [spans(3)])
    assert len(files(folder)) == 3
    assert spill.drain(sink).rows == 3


def test_each_sink_drains_its_own(folder: Path) -> None:
    spill, other = Spill(folder), KeptSink(name="other")
    spill.save("kept", [spans(2)])
    spill.save("other", [spans(3)])
    assert spill.drain(other) == Drained(files=1, rows=3)
    assert spill.drain(KeptSink()) == Drained(files=1, rows=2)


def test_nothing_was_ever_spilled(folder: Path) -> None:
    assert Spill(folder).drain(KeptSink()) == Drained()
    assert not folder.exists()


# --- a sink that does not take it


def test_a_file_stays_until_its_sink_took_all_of_it(folder: Path) -> None:
    spill, sink = Spill(folder, file_bytes=10), KeptSink()
    spill.save("kept", [spans(3)])
    sink.obstacle = unavailable(times=1)
    assert spill.drain(sink) == Drained(left=3, error="It is away.")
    assert spill.drain(sink) == Drained(files=3, rows=3)


def test_a_row_that_is_refused_holds_up_no_other(folder: Path) -> None:
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [Batch(spans=[span(number) for number in range(20)])])
    sink.obstacle = refusing(lambda row: row.span_id == f"{7:016x}")
    assert spill.drain(sink) == Drained(files=1, rows=19, refused=1)
    assert f"{7:016x}" not in sink.ids


def test_a_sink_that_breaks_at_everything_takes_no_row_along(folder: Path) -> None:
    def obstacle(_: Batch) -> None:
        raise ZeroDivisionError

    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [spans(5)])
    sink.obstacle = obstacle
    assert spill.drain(sink) == Drained(files=1, refused=5)
    (aside,) = files(folder)
    assert aside.suffix == ".bad"
    aside.rename(aside.with_suffix(""))
    assert spill.drain(KeptSink()) == Drained(files=1, rows=5)


def test_a_row_at_which_the_sink_breaks_holds_up_no_other(folder: Path) -> None:
    def obstacle(batch: Batch) -> None:
        if any(row.span_id == f"{7:016x}" for row in batch.spans):
            raise ZeroDivisionError

    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [Batch(spans=[span(number) for number in range(20)])])
    sink.obstacle = obstacle
    assert spill.drain(sink) == Drained(files=1, rows=19, refused=1)


# --- the disk


def test_beyond_its_limit_a_sink_is_refused_and_another_is_not(folder: Path) -> None:
    spill = Spill(folder, file_bytes=4_000, sink_bytes=10_000)
    batch = spans(100)
    with pytest.raises(SpillFailed, match="are there already") as caught:
        spill.save("kept", [batch])
    assert 0 < len(caught.value.left) < 100
    assert sum(file.stat().st_size for file in files(folder)) <= 10_000
    spill.save("other", [spans(1)])

    sink = KeptSink()
    assert spill.drain(sink).rows == 100 - len(caught.value.left)
    assert [*sink.spans, *caught.value.left] == list(batch.spans)


def test_a_folder_that_is_gone_is_made_again(folder: Path) -> None:
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [spans(1)])
    files(folder)[0].unlink()
    folder.rmdir()
    spill.save("kept", [spans(1)])
    assert spill.drain(sink).rows == 1


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "traces").write_text("not a folder")
    spill = Spill(tmp_path / "traces")
    with pytest.raises(SpillFailed) as caught:
        spill.save("kept", [spans(2)])
    assert len(caught.value.left) == 2
    assert spill.drain(KeptSink()) == Drained()


# A process of its own, because its limits hold for all of its threads. The size of a file that it may write is the
# nearest to a full disk that needs no rights: the kernel cuts the write off in the middle, and refuses the rest.
UNFORTUNATE = """
import os, resource, sys
from pathlib import Path
from studio.tracing.spill import Spill, SpillFailed
from tests.support.sinks import spans
which, folder = sys.argv[1], Path(sys.argv[2])
if which == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
elif os.geteuid() == 0:
    os.setuid(65534)  # nobody: to root no folder is read-only
try:
    small, large = spans(20), spans(60, error="x" * 12_000)
    Spill(folder, file_bytes=8_000 if which == "full" else 10**6).save("kept", [small, large])
except SpillFailed as exc:
    print(len(exc.left), exc.message)
"""


@pytest.mark.parametrize(
    ("which", "left", "said"),
    [("full", 60, "File too large"), ("read-only", 80, "Permission denied")],
)
def test_a_disk_that_takes_nothing(which: str, left: int, said: str) -> None:
    # Not under pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "traces"
        folder.mkdir()
        if which == "read-only":
            Path(parent).chmod(0o755)
            folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", UNFORTUNATE, which, str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.startswith(f"{left} {left} rows of traces cannot be put by in {folder}: {said}")
        # What did not get its whole content has left nothing behind, and what did is good.
        assert all(file.suffix == ".jsonl" for file in folder.iterdir())
        assert Spill(folder).drain(KeptSink()).rows == 80 - left


# --- others at the same folder


def test_two_drainers_share_the_work_and_do_nothing_twice(folder: Path) -> None:
    spill = Spill(folder, file_bytes=10)
    spill.save("kept", [Batch(spans=[span(1), span(2)])])
    slow, hanging, quick = KeptSink(), Hanging(), KeptSink()
    slow.obstacle = hanging
    drained: list[Drained] = []
    thread = threading.Thread(target=lambda: drained.append(spill.drain(slow)))
    thread.start()
    hanging.reached.wait(20)

    assert Spill(folder).drain(quick) == Drained(files=1, rows=1, left=1)
    hanging.released.set()
    thread.join(20)
    assert drained == [Drained(files=1, rows=1)]
    assert slow.ids + quick.ids == [f"{1:016x}", f"{2:016x}"]
    assert files(folder) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from studio.tracing.spill import Spill
from tests.support.sinks import KeptSink
sink = KeptSink()
sink.obstacle = lambda batch: os.kill(os.getpid(), signal.SIGKILL)
Spill(Path(sys.argv[1])).drain(sink)
"""


def test_what_a_killed_process_was_draining_is_drained_by_the_next(folder: Path) -> None:
    spill = Spill(folder)
    spill.save("kept", [spans(5)])
    died = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, check=False)
    assert died.returncode == -9
    assert spill.drain(KeptSink()) == Drained(files=1, rows=5)


@pytest.mark.parametrize("age", [0.0, UNFINISHED_SECONDS + 1], ids=["young", "old"])
@pytest.mark.parametrize("alive", [True, False], ids=["whose process lives", "whose process died"])
def test_what_is_unfinished_is_removed_where_nobody_will_finish_it(folder: Path, alive: bool, age: float) -> None:
    folder.mkdir(parents=True)
    unfinished = folder / "kept-1-00ff.jsonl.tmp"
    with unfinished.open("w") as file:
        file.write("half a li")
        file.flush()
        os.utime(unfinished, (file_time := unfinished.stat().st_mtime - age, file_time))
        if alive:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert Spill(folder).drain(KeptSink()) == Drained()
    assert unfinished.exists() == (alive or not age)


# --- files that are not what they seem


def damaged(whole: bytes) -> Iterator[tuple[str, bytes, int]]:
    lines = whole.splitlines(keepends=True)
    yield "cut off in a line", whole[:-20], 2
    yield "cut off between lines", b"".join(lines[:-1]), 2
    yield "empty", b"", 0
    yield "another sink's", whole.replace(b'"kept"', b'"other"', 1), 0
    yield "another program's", b'{"event": "x"}\n' * 3, 0
    yield "no JSON", os.urandom(64) + b"\n", 0
    yield "a list", b"[" * 100_000 + b"\n", 0
    yield "a row of another table", lines[0] + lines[1] + b'{"user": {"id": 1}}\n' + lines[3], 1
    yield "a row without its id", lines[0] + lines[1] + b'{"span": {"span_name": "x"}}\n' + lines[3], 1
    yield "a time that is none", lines[0] + lines[1] + lines[2].replace(b'"2026-', b'"2026+') + lines[3], 1


WHOLE = b"".join(
    [b'{"greenlight_traces": 1, "sink": "kept", "rows": 3}\n', *(as_line(span(number)) for number in range(3))]
)
DAMAGED = list(damaged(WHOLE))


@pytest.mark.parametrize(("content", "readable"), [d[1:] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
def test_a_file_that_cannot_be_read_is_moved_aside(folder: Path, content: bytes, readable: int) -> None:
    folder.mkdir(parents=True)
    file = folder / "kept-1-00ff.jsonl"
    file.write_bytes(content)
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [spans(4)])

    assert spill.drain(sink) == Drained(files=2, rows=readable + 4)
    assert files(folder) == [folder / "kept-1-00ff.jsonl.bad"]
    assert files(folder)[0].read_bytes() == content
    # And it stays there.
    assert spill.drain(sink) == Drained()


def test_what_is_no_file_is_left_alone_and_told_of(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_bytes(WHOLE)
    (folder / "kept-1-00f1.jsonl").symlink_to(tmp_path / "secret")
    (folder / "kept-1-00f2.jsonl").mkdir()
    os.mkfifo(folder / "kept-1-00f3.jsonl")
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [spans(2)])
    drained = spill.drain(sink)
    assert drained.rows == 2
    assert drained.error
    assert (tmp_path / "secret").exists()


def test_an_unavailable_sink_is_an_answer_and_no_error(folder: Path) -> None:
    spill, sink = Spill(folder), KeptSink()
    spill.save("kept", [spans(1)])
    sink.obstacle = unavailable()
    for _ in range(2):
        assert spill.drain(sink).left == 1
    with pytest.raises(SinkUnavailable):
        sink.write(Batch())
    assert eventually(lambda: len(files(folder)) == 1)
