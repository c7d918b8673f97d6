"""What leaves holds no markup and no second line; secrets are nowhere but in the request."""

from __future__ import annotations

import json

import pytest

from tests.support.actions import EFFECTS, PACKETS, SECRETS, Stage
from tests.support.approvals import ADS, REPOSITORY

HOSTILE = 'A<script>alert(1)</script>\r\nX-Evil: 1\x1b[31m ${{ secrets.TOKEN }} `rm -rf` "quoted" Grüße'


def test_names_leave_on_one_line_and_without_markup(stage: Stage) -> None:
    for action in (ADS, REPOSITORY):
        stage.providers.clear()
        company = stage.company(action, name=HOSTILE)
        packet = {"launch_checklist": [HOSTILE, *PACKETS[3]["launch_checklist"]]} if action == REPOSITORY else {}
        _, approval = stage.approved(action, company, **packet)
        assert stage.run(approval) == "completed", stage.job(approval).last_error
        (asked,) = stage.providers.changes()
        assert "X-Evil" not in asked.headers
        sent = [asked.form["name"]] if action == ADS else asked.json["client_payload"]["checklist"]
        sent += [] if action == ADS else [asked.json["client_payload"]["project_name"]]
        for text in sent:
            assert not set(text) & set("<>`${}\\\r\n\x1b"), text
        assert any("Grüße" in text for text in sent)


@pytest.mark.parametrize("action", EFFECTS)
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_secrets_are_nowhere_but_in_the_request(stage: Stage, action: str, status: int) -> None:
    company, approval = stage.approved(action)
    if status != 200:
        # A provider that repeats all that it was given.
        repeated = f"bad {' '.join(SECRETS[action])} in {SECRETS[action][0]}"
        echo = {"error": {"message": repeated}, "message": repeated}
        stage.providers.fault("status", status=status, body=echo)
    stage.run(approval)
    tables = ("outbox", "approval_queue", "action_executions", "project_events", "agent_jobs", "agent_job_events",
              "tasks", "task_log", "agent_memory")  # fmt: skip
    written = json.dumps({table: company.rows(table) for table in tables}, default=str)
    said = f"{stage.told.said} {stage.told.calls} {stage.told.results}"
    for secret in SECRETS[action]:
        assert secret not in written
        assert secret not in said
