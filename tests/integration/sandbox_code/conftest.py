"""One sandbox model for all, and folders in memory: the products' tests write many small files to disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import SandboxThread

_MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxThread]:
    """The sandbox model."""
    with SandboxThread() as server:
        yield server


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, and a folder for temporary files beside it."""
    within = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="greenlight-product-", dir=within) as made:
        folder = Path(made).resolve()
        (folder / "tmp").mkdir()
        (folder / "workspace").mkdir()
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        yield folder / "workspace"
