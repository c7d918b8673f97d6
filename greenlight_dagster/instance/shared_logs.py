"""Captured output where every machine reads it: in the studio's database."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from dagster import Field, IntSource, Noneable, StringSource
from dagster._core.storage.cloud_storage_compute_log_manager import (
    CloudStorageComputeLogManager,
    PollingComputeLogSubscriptionManager,
)
from dagster._core.storage.compute_log_manager import (
    CapturedLogContext,
    CapturedLogSubscription,
    ComputeIOType,
)
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from greenlight_dagster.instance.compute_logs import RedirectingComputeLogManager
from resources.database import StudioDatabase
from studio import run_output
from studio.database.connection import Database
from studio.database.patience import patiently
from studio.errors import StudioError
from studio.run_output import RunOutput

log = logging.getLogger(__name__)

# Somebody who watches a long run sees what it has printed this late.
UPLOAD_SECONDS = 5
_SUFFIXES = frozenset(f".{extension}" for extension in IO_TYPE_EXTENSION.values())


class DatabaseComputeLogManager(CloudStorageComputeLogManager[Any], ConfigurableClass):
    """Captures into files of this machine and keeps them in `run_outputs`; what is shown comes from there.

    Output that cannot be kept is left where it was captured, and no reason for a run to fail. `base_dir` defaults to
    `storage` in DAGSTER_HOME.
    """

    def __init__(
        self, base_dir: str, upload_seconds: int = UPLOAD_SECONDS, inst_data: ConfigurableClassData | None = None
    ) -> None:
        self._inst_data = inst_data
        self._local = RedirectingComputeLogManager(base_dir)
        self._upload_seconds = upload_seconds
        self._subscriptions = PollingComputeLogSubscriptionManager(self)  # type: ignore[no-untyped-call]
        # How much of what is under way has been kept already.
        self._kept: dict[tuple[str, ...], tuple[int, int]] = {}

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What the instance's configuration says."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """Return what the instance's configuration may say of it."""
        return {
            "base_dir": Field(Noneable(StringSource), is_required=False),
            "upload_seconds": Field(
                IntSource,
                is_required=False,
                default_value=UPLOAD_SECONDS,
                description="How often the output of a run that goes on is kept; 0 for its end alone.",
            ),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DatabaseComputeLogManager:
        """Return the manager that `config_value` describes."""
        home = os.environ.get("DAGSTER_HOME") or tempfile.gettempdir()
        folder = config_value.get("base_dir") or str(Path(home) / "storage")
        return cls(folder, config_value.get("upload_seconds", UPLOAD_SECONDS), inst_data)

    @property
    def local_manager(self) -> LocalComputeLogManager:
        """What captures into files."""
        return self._local

    @property
    def upload_interval(self) -> int | None:
        """How often what is under way is kept, in seconds; None for never."""
        return self._upload_seconds or None

    # --- writing

    @contextlib.contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Capture what is written to stdout and stderr meanwhile; also what an interrupted run has written is kept."""
        try:
            with self._keeping_up(log_key), self._local.capture_logs(log_key) as captured:
                yield captured
        finally:
            self._on_capture_complete(log_key)

    @contextlib.contextmanager
    def _keeping_up(self, log_key: Sequence[str]) -> Iterator[None]:
        """Keep what is printed every few seconds, as Dagster's own thread does, which outlives what it watches."""
        ended = threading.Event()

        def keep_up() -> None:
            while not ended.wait(self._upload_seconds):
                self.on_progress(log_key)

        if self.upload_interval:
            threading.Thread(target=keep_up, name="output-watch", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def bring_in(self, run_id: str) -> int:
        """Keep what a run has printed here whose process was killed; return the number of its outputs."""
        folder = Path(self._local.get_captured_local_path([run_id, "any"], "out")).parent
        written = {path.with_suffix("") for path in folder.rglob("*") if path.suffix in _SUFFIXES}
        for path in written:
            self._on_capture_complete([run_id, *path.relative_to(folder).parts])
        return len(written)

    def _on_capture_complete(self, log_key: Sequence[str]) -> None:
        self._kept.pop(tuple(log_key), None)
        if self._keep(log_key, complete=True):
            self._forget(log_key)

    def _forget(self, log_key: Sequence[str]) -> None:
        """Delete what was captured here, and the folders made for it: this machine may never prune the run."""
        # What is left where that fails is no reason for a run to fail.
        with contextlib.suppress(OSError):
            self._local.delete_logs(log_key=log_key)
            path = Path(self._local.get_captured_local_path(log_key, "complete"))
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[: len(log_key) - 1]:
                folder.rmdir()

    def on_progress(self, log_key: Sequence[str]) -> None:
        """Keep what has been printed so far, where it is more than the last time."""
        sizes = (self._size(log_key, ComputeIOType.STDOUT), self._size(log_key, ComputeIOType.STDERR))
        if sizes == self._kept.get(tuple(log_key), (0, 0)) or self._local.is_capture_complete(log_key):
            return
        if self._keep(log_key, complete=False):
            self._kept[tuple(log_key)] = sizes

    def upload_to_cloud_storage(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> None:
        """Keep both streams: they share a row."""
        self._keep(log_key, complete=not partial)

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Delete what is kept, here and in the database."""
        self._local.delete_logs(log_key=log_key, prefix=prefix)
        run_output.delete(_database(), log_key or prefix or ["?"])

    def _keep(self, log_key: Sequence[str], *, complete: bool) -> bool:
        try:
            found = RunOutput(
                self._read(log_key, ComputeIOType.STDOUT), self._read(log_key, ComputeIOType.STDERR), complete
            )
            # What is under way is kept again in a few seconds.
            save = partial(run_output.save, _database(), log_key, found)
            patiently(save) if complete else save()
        except (StudioError, psycopg.Error, OSError) as exc:
            log.warning("the output of %s could not be kept in the database: %s", "/".join(log_key), exc)
            return False
        return True

    # --- reading

    def is_capture_complete(self, log_key: Sequence[str]) -> bool:
        """Return whether all of the output is there."""
        return self._local.is_capture_complete(log_key) or run_output.is_complete(_database(), log_key)

    def cloud_storage_has_logs(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> bool:
        """Return whether the database has the output, all of it or a part."""
        found = run_output.load(_database(), log_key)
        return found is not None and (partial or found.complete)

    def get_log_data_for_type(
        self, log_key: Sequence[str], io_type: ComputeIOType, offset: int, max_bytes: int | None
    ) -> tuple[bytes | None, int]:
        """Return output from byte `offset` on, and where it ends: from here while it is captured here."""
        if self.has_local_file(log_key, io_type):
            return super().get_log_data_for_type(log_key, io_type, offset, max_bytes)
        found = run_output.load(_database(), log_key)
        if found is None:
            return None, offset
        data = found.stdout if io_type is ComputeIOType.STDOUT else found.stderr
        piece = data[offset:] if max_bytes is None else data[offset : offset + max_bytes]
        return piece, offset + len(piece)

    def download_url_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str | None:
        """Return nothing: the web server reads it for the page."""
        return None

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        """Return where it is kept."""
        return f"run_outputs: {'/'.join(log_key)}, {IO_TYPE_EXTENSION[io_type]}"

    def on_subscribe(self, subscription: CapturedLogSubscription) -> None:
        """Look for more every few seconds."""
        self._subscriptions.add_subscription(subscription)

    def on_unsubscribe(self, subscription: CapturedLogSubscription) -> None:
        """Stop looking."""
        self._subscriptions.remove_subscription(subscription)

    def dispose(self) -> None:
        """Stop looking, and let go."""
        self._subscriptions.dispose()
        super().dispose()  # type: ignore[no-untyped-call]

    def _path(self, log_key: Sequence[str], io_type: ComputeIOType) -> Path:
        return Path(self._local.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type]))

    def _read(self, log_key: Sequence[str], io_type: ComputeIOType) -> bytes:
        return run_output.read(self._path(log_key, io_type))

    def _size(self, log_key: Sequence[str], io_type: ComputeIOType) -> int:
        try:
            return self._path(log_key, io_type).stat().st_size
        except FileNotFoundError:
            return 0


def _database() -> Database:
    return StudioDatabase().get()
