"""Whose memory a soak run counts, and which of it: shared memory is nobody's, and a fork of the template is a run."""

from __future__ import annotations

import contextlib
import mmap
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.soak.members import memory_megabytes, role_of

MEGABYTES = 64
TEMPLATE = "greenlight_dagster.launcher.template"
# Starts a child with the same last argument and waits, as does that.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()", *sys.argv[1:]])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's")
def test_memory_of_ones_own_counts_and_shared_memory_does_not() -> None:
    process = psutil.Process()
    before = memory_megabytes(process)
    with mmap.mmap(-1, MEGABYTES * 1024 * 1024) as shared:
        shared.write(b"x" * (MEGABYTES * 1024 * 1024))
        assert memory_megabytes(process) - before < MEGABYTES / 2
    own = bytearray(b"x" * (MEGABYTES * 1024 * 1024))
    assert memory_megabytes(process) - before > MEGABYTES / 2
    del own


@contextlib.contextmanager
def family(*arguments: str) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """Lend a process and its child, both of which have `arguments` in their command lines."""
    command = [sys.executable, "-c", PARENT, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield psutil.Process(process.pid), psutil.Process(int(process.stdout.readline()))
        finally:
            process.communicate()


def test_a_template_is_told_from_its_forks() -> None:
    with family("-m", TEMPLATE) as (template, fork):
        assert role_of(template, "daemon") == "template"
        assert role_of(fork, "daemon") == "runs"


def test_the_load_and_a_broker_are_no_part_of_the_supervisor() -> None:
    with family("-m", "benchmarks.soak.load") as (load, child):
        assert role_of(load, "supervisor") == role_of(child, "supervisor") == "load"
    with family("redis-server") as (broker, _):
        assert role_of(broker, "supervisor") == "broker"


def test_what_has_no_role_belongs_to_its_part() -> None:
    with family() as (process, child):
        assert role_of(process, "studio") == role_of(child, "studio") == "studio"
    assert role_of(psutil.Process(), "supervisor") == "supervisor"
