"""A front end of the seed, in JavaScript, shows an answer as it is streamed and reads the stored one at its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from uuid import UUID

import pytest

from studio import chat, events
from studio.claims import Claim
from studio.events import NewEvent
from studio.paths import ROOT
from tests.integration.studio_web.conftest import Desk
from tests.support import queue

SCRIPT = str(ROOT / "scripts" / "eventsource.mjs")
# So that the script has to come back.
SETTINGS = {"stream_seconds": 0.3}


def node() -> str:
    found = shutil.which("node")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no node, and without it nobody would notice that front ends break")
        pytest.skip("there is no node")
    return found


def say(claim: Claim, *texts: str) -> None:
    for text in texts:
        with claim.db.transaction() as conn:
            events.append(conn, claim.job_id, [NewEvent("delta", text)], claim.claim_no)


@pytest.mark.parametrize("flags", [[], ["--experimental-eventsource"]], ids=["as it is", "with its EventSource"])
def test_a_front_end_of_the_seed_sees_what_it_expects(desk: Desk, project: UUID, flags: list[str]) -> None:
    program = node()
    if flags and subprocess.run([program, *flags, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this node has no EventSource of its own")
    with desk.db.transaction() as conn:
        posted = chat.post(conn, project, "ada", "What does a loaf cost?")
    (cookie,) = desk.ada.cookies.items()
    script = subprocess.Popen(
        [program, *flags, SCRIPT, desk.web.url, str(project), str(posted.job.job_id), "=".join(cookie)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        other = queue.enqueue(desk.db, project, lane="heavy")
        first = queue.claim_next(desk.db, lane="realtime")
        assert first.job_id == posted.job.job_id
        say(first, "This attempt ", "breaks.")
        first.fail("It broke.", permanent=False, retry_base=queue.AT_ONCE)
        second = queue.claim_next(desk.db, lane="realtime")
        say(queue.claim_next(desk.db, lane="heavy"), "Somebody else's text.")
        say(second, "Four ", "euros,\n", "or two for ", "seven.")
        with desk.db.transaction() as conn:
            conn.execute(
                "insert into public.project_chat_messages (project_id, owner_clerk_id, role, content, reply_to)"
                " values (%s, 'ada', 'assistant', %s, %s)",
                [project, "Four euros,\nor two for seven.", posted.message_id],
            )
        second.complete()
        said, complaints = script.communicate(timeout=60)
    finally:
        script.kill()
        script.communicate()
    assert script.returncode == 0, complaints
    seen = json.loads(said)
    assert seen["via"] == ("EventSource" if flags else "fetch")
    assert seen["text"] == "Four euros,\nor two for seven."
    assert seen["statuses"] == ["queued", "running", "queued", "running", "completed"]
    assert seen["attempts"] == [0, 1, 2]
    assert [message["role"] for message in seen["messages"]] == ["user", "assistant"]
    assert seen["messages"][1]["content"] == seen["text"]
    assert other != posted.job.job_id
