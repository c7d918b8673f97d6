"""The kinds of sandbox, and one to work with. Where none can be made, the tests fail and say what to install."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.code.sandbox import Sandbox, SandboxKind
from tests.support.sandbox_attack import LIMITS


@pytest.fixture(params=["bubblewrap", "namespaces"])
def kind(request: pytest.FixtureRequest) -> SandboxKind:
    chosen: SandboxKind = request.param
    return chosen


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def sandbox(kind: SandboxKind, notes: list[str]) -> Iterator[Sandbox]:
    with Sandbox(kind, LIMITS, note=notes.append) as sandbox:
        yield sandbox
