"""Approved actions that must not be carried out."""

from __future__ import annotations

from typing import Any

from tests.support.actions import Stage


def refused(stage: Stage, action: str, change: Any = None, **packet: Any) -> str:
    """Approve an action, change something, run it, and return why it failed; it must have done nothing."""
    company, approval = stage.approved(action, **packet)
    if change is not None:
        change(company)
    assert stage.run(approval) == "failed"
    assert stage.status(approval) == "failed"
    assert stage.happened(approval) == 0
    assert stage.providers.requests == []
    return stage.job(approval).last_error or ""
