"""The fixture of tests with a scripted model: name this module in `pytest_plugins` to have it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.support.scripted_model import ScriptedModel


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedModel]]:
    """Start scripted models, and end them with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *steps, **more: stack.enter_context(ScriptedModel(*steps, **more))
