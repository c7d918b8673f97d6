"""Flame graphs of a burst: where daemon, code server and what they start spend their time.

py-spy looks at the processes from outside, a hundred times a second. That slows them, so a burst that is recorded
is not one that is measured. On Linux it needs root or `kernel.yama.ptrace_scope = 0`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bed import running
from benchmarks.server import Server
from greenlight_dagster.bench import measures
from greenlight_dagster.bench.ground import ground
from greenlight_dagster.stack import parts, state
from studio.errors import StackError
from studio.paths import ROOT

FOLDER = ROOT / "benchmarks" / "results"
# The sandbox model and the database are not what a burst of no-ops is about.
_LEFT_OUT = {parts.POSTGRES, parts.SANDBOX, parts.UI}
JOBS = 200
SECONDS = 30.0
SAMPLES_PER_SECOND = 100
# It attaches to every process first, and draws the picture last.
ATTACH_SECONDS = 2.0
DRAW_SECONDS = 60.0


def record(server: Server, say: Callable[[str], None]) -> list[Path]:
    """Record a burst on our stack; return the pictures, one per part of the stack."""
    recorder = Path(sys.executable).with_name("py-spy")
    if not recorder.exists():
        raise StackError("py-spy is not installed.", "Run `make install`.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="greenlight-bench-flame-") as folder,
        running("ours", server, Path(folder), quick=True, say=say) as bed,
        ground(bed.db, 20) as lent,
    ):
        pids = {
            name: process.pid
            for name, process in state.running_state(bed.stack.folder).processes.items()
            if name not in _LEFT_OUT
        }
        # Not a part of the stack: the daemon has started it, and it forks the workers.
        if serving := bed.stack.folders.launcher.overview():
            pids["launcher"] = serving["pid"]
        say(f"Recording {', '.join(pids)} …")
        recorders = {name: _start(recorder, name, pid) for name, pid in pids.items()}
        time.sleep(ATTACH_SECONDS)
        measures.burst(lent, "standard", jobs=JOBS, seconds=SECONDS)
        for process in recorders.values():
            process.send_signal(signal.SIGINT)
        for name, process in recorders.items():
            _, complaint = process.communicate(timeout=DRAW_SECONDS)
            if not _picture(name).exists():
                raise StackError(f"py-spy could not record the {name}: {complaint.strip()}.", "Run it as root.")
    return [_picture(name) for name in pids]


def _start(recorder: Path, name: str, pid: int) -> subprocess.Popen[str]:
    _picture(name).unlink(missing_ok=True)
    return subprocess.Popen(
        [
            *(str(recorder), "record", "--pid", str(pid), "--subprocesses", "--format", "flamegraph"),
            *("--rate", str(SAMPLES_PER_SECOND), "--output", str(_picture(name))),
            # Threads that wait are left out: idle ones would be all that one sees.
            *("--duration", "unlimited", "--nonblocking"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _picture(name: str) -> Path:
    return FOLDER / f"flame-{name}.svg"
