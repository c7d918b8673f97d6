"""Capture of what an op prints, for the run's page in the Dagster UI.

Dagster's own capture starts `tail` and a Python process twice per run, to show the output on the terminal as
well. A run worker has no terminal: there it is enough to point the file descriptors at the files. Where runs are
carried out on other machines than the one that shows them, `DatabaseComputeLogManager` takes the files along.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from dagster import Field, Float, Noneable, StringSource
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClassData

_DESCRIPTORS = {ComputeIOType.STDOUT: 1, ComputeIOType.STDERR: 2}


class RedirectingComputeLogManager(LocalComputeLogManager):
    """`LocalComputeLogManager` that redirects, in processes that say so, instead of mirroring to the terminal.

    `base_dir` defaults to `storage` in DAGSTER_HOME, as Dagster's own.
    """

    # A run worker sets it once it has been forked.
    redirects = False

    @classmethod
    def config_type(cls) -> Any:
        """Return what `dagster.yaml` may say of it."""
        return {
            "base_dir": Field(Noneable(StringSource), is_required=False),
            "polling_timeout": Field(Float, is_required=False),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RedirectingComputeLogManager:
        """Return the manager that `config_value` describes."""
        folder = config_value.get("base_dir") or str(Path(os.environ.get("DAGSTER_HOME", ".")) / "storage")
        return cls(base_dir=folder, polling_timeout=config_value.get("polling_timeout"), inst_data=inst_data)

    @contextlib.contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Generator[CapturedLogContext, None, None]:
        """Capture what is written to stdout and stderr meanwhile, also by processes that are started."""
        if not type(self).redirects:
            with super().capture_logs(log_key) as captured:
                yield captured
            return
        with contextlib.ExitStack() as stack:
            for kind, descriptor in _DESCRIPTORS.items():
                path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]))
                stack.enter_context(redirected(descriptor, path))
            try:
                yield CapturedLogContext(log_key)
            finally:
                Path(self.get_captured_local_path(log_key, "complete")).touch()


@contextlib.contextmanager
def redirected(descriptor: int, path: Path) -> Generator[None, None, None]:
    """Let `descriptor` (1 or 2) lead to the end of `path`, and back afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream: IO[str] = {1: sys.stdout, 2: sys.stderr}[descriptor]
    stream.flush()
    before = os.dup(descriptor)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(file, descriptor)
    os.close(file)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(before, descriptor)
        os.close(before)
