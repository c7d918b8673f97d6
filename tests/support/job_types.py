"""A job type that is registered and that nothing can run, as a new one is until its job is written."""

from __future__ import annotations

import dataclasses

import pytest

from studio.job_types import JOB_TYPES

NOT_YET = "astronomy.observe"


@pytest.fixture
def type_without_handler(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register such a type for the length of a test, and return its name."""
    kind = dataclasses.replace(JOB_TYPES["browser.check_page"], name=NOT_YET, has_handler=False)
    monkeypatch.setitem(JOB_TYPES, NOT_YET, kind)
    return NOT_YET
