"""`make soak`: load a stack steadily, and see that nothing grows; exit with 1 where something does.

Samples go to `benchmarks/results/soak-DATE.jsonl` as they come, the verdict to `benchmarks/results/soak.json`. Ctrl-C
ends a run early and judges what there is; `--judge FILE` judges the samples of an earlier run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import fleet, machine
from benchmarks.__main__ import err, forget_surroundings, out, say
from benchmarks.bed import Bed, running
from benchmarks.report import write
from benchmarks.server import Server
from benchmarks.soak import arrivals, load, report, samples
from benchmarks.soak.samples import SAMPLE_SECONDS, Log
from benchmarks.soak.series import run_of
from benchmarks.soak.verdict import bad, judge
from studio.errors import StackError, StudioError
from studio.paths import ROOT

RESULTS = ROOT / "benchmarks" / "results"
MINUTES = 60.0
SAY_SECONDS = 60.0
# The load waits for its jobs, tells, and removes its projects with all that is in them.
LOAD_ENDS_SECONDS = load.PATIENCE_SECONDS + 240.0


def main(arguments: list[str] | None = None) -> int:
    """Soak, print the table, write the JSON; return 1 where something grows or has gone wrong."""
    given = _parser().parse_args(arguments)
    forget_surroundings()
    path = given.judge or RESULTS / f"soak-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    try:
        if given.judge is None:
            _run(path, given.minutes, over_broker=given.fleet)
        lines = samples.read(path)
        begun, ended = ([line for line in lines if line["kind"] == kind] for kind in ("begun", "ended"))
        run = run_of(lines)
        # A run that was killed has no end.
        interrupted = not ended or bool(ended[-1]["interrupted"])
        judgements = judge(run, sum(arrivals.PER_SECOND.values()), interrupted=interrupted)
    except (StudioError, OSError) as exc:
        err.print(f"Error: {exc}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    facts = begun[0]["machine"] if begun else {}
    about = {"way": begun[0]["way"] if begun else None, "seconds": run.seconds, "interrupted": interrupted}
    report.show(out, facts, judgements)
    # What was judged again is no new run.
    written = RESULTS / "soak.json" if given.judge is None else path.with_suffix(".json")
    write(written, report.as_json(facts, {**about, "counts": run.counts}, judgements))
    say(f"{run.seconds / 60:.1f} minutes, samples in {path}, written to {written}.")
    return 1 if bad(judgements) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"default: {MINUTES:g}")
    parser.add_argument("--fleet", action="store_true", help="with a worker behind a broker (needs redis-server)")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="run nothing, judge these samples")
    return parser


def _run(path: Path, minutes: float, *, over_broker: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="greenlight-soak-") as folder, Server(Path(folder) / "db") as server:
        facts = machine.facts(server.version())
        with _bed(server, Path(folder), over_broker=over_broker) as bed, Log(path) as log:
            log.write("begun", {"machine": facts, "way": bed.way, "minutes": minutes})
            say(f"{minutes:g} minutes of load; samples go to {path}.")
            interrupted = _soak(bed, log, minutes * 60)
            log.write("ended", {"interrupted": interrupted})


@contextlib.contextmanager
def _bed(server: Server, folder: Path, *, over_broker: bool) -> Iterator[Bed]:
    if not over_broker:
        with running("ours", server, folder / "stack", quick=False, say=say) as bed:
            yield bed
        return
    with fleet.broker() as url:
        one = running(
            "fleet",
            server,
            folder / "stack",
            quick=False,
            say=say,
            with_stack=lambda stack: fleet.worker(stack, "one"),
            GREENLIGHT_BROKER_URL=url,
        )
        with one as bed:
            yield bed


def _soak(bed: Bed, log: Log, seconds: float) -> bool:
    """Sample under load for so long; return whether somebody ended it early."""
    last: dict[str, Any] = {}
    interrupted = False
    with samples.sampler(bed) as sampler, _load(bed, log, last) as process:
        began = said = time.monotonic()
        due = began
        try:
            while due < began + seconds:
                due += SAMPLE_SECONDS
                time.sleep(max(0.0, due - time.monotonic()))
                if bed.stack.failure is not None:
                    raise StackError(f"The stack broke: {bed.stack.failure}", f"What was seen is in {log.path}.")
                if process.poll() is not None:
                    raise StackError("The load has ended by itself.", f"What was seen is in {log.path}.")
                seen = sampler.look()
                log.write("sample", seen)
                if time.monotonic() - said >= SAY_SECONDS:
                    said += SAY_SECONDS
                    say(_progress((time.monotonic() - began) / 60, seconds / 60, seen, last))
        except KeyboardInterrupt:
            interrupted = True
            say("Ending early.")
    return interrupted


@contextlib.contextmanager
def _load(bed: Bed, log: Log, last: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Load the stack until the block ends, and log what the load tells; its latest is in `last`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak.load", "--studio", bed.stack.addresses["studio"]],
        env={**os.environ, **bed.stack.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told = json.loads(line)
            last.update(told)
            log.write("load", told)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield process
        assert process.stdin is not None
        # It ends with its input, and tells what became of its last jobs.
        process.stdin.close()
        process.wait(LOAD_ENDS_SECONDS)
    except subprocess.TimeoutExpired as exc:
        raise StackError("The load does not end.", f"What was seen is in {log.path}.") from exc
    finally:
        process.kill()
        process.wait()
        listener.join()


def _progress(passed: float, minutes: float, seen: dict[str, Any], last: dict[str, Any]) -> str:
    counts = last.get("counts", {})
    waits = sorted(last.get("waits", {}).get("standard", []))
    memory = sum(part["memory"] for name, part in seen["parts"].items() if name != "load")
    return (
        f"{passed:.0f} of {minutes:g} min: {counts.get('completed', 0):,} of {counts.get('sent', 0):,} jobs completed,"
        f" {sum(lane['queued'] for lane in seen['queue'].values())} queued,"
        + (f" standard {waits[len(waits) // 2]:.0f} ms," if waits else "")
        + f" {memory:,.0f} MB, {sum(seen['sessions'].values())} sessions"
    )


if __name__ == "__main__":
    sys.exit(main())
