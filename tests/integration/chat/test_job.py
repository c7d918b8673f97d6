"""`chat.reply` as a Dagster run: two ops, words in the event stream as they come, and an end that is seen."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance

from studio import queue
from studio.database.connection import Database
from tests.integration.chat.talk import Talk
from tests.support.dagster import DAGSTER_WARNINGS, DagsterHome, defs, events, steps
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture(autouse=True)
def sandbox() -> None:
    """The runs ask the model of their home; the package's pair is not needed."""


@pytest.fixture
def talk(database: Database) -> Talk:
    return Talk(database)


def execute(instance: DagsterInstance, job_id: UUID) -> bool:
    job = defs.resolve_job_def("chat_reply")
    run_config = {"job_id": str(job_id)}
    return job.execute_in_process(instance=instance, run_config=run_config, raise_on_error=False).success


def test_a_run_answers_in_two_ops_and_shows_it(instance: DagsterInstance, talk: Talk) -> None:
    talk.packet(1)
    posted = talk.post("Send the welcome mails.")
    assert execute(instance, posted.job.job_id)
    answer = talk.answer(posted)
    assert list(steps(talk.db, posted.job.job_id)) == ["answer", "store"]
    assert answer.suggestion is not None
    assert talk.message(posted).job_status == "completed"

    told = events(talk.db, posted.job.job_id)
    assert "".join(event["message"] for event in told if event["type"] == "delta") == answer.content
    (artifact,) = [event for event in told if event["type"] == "artifact"]
    assert artifact["data"]["message_id"] == str(answer.id)
    assert [e["data"]["tool"] for e in told if e["type"] == "tool_call"] == ["propose_action"]
    assert told[-1]["type"] in ("status", "done")
    (shown,) = instance.fetch_materializations(AssetKey(["chat_answers"]), limit=5).records
    assert shown.asset_materialization is not None
    assert shown.asset_materialization.partition == str(talk.id)


def test_a_run_that_fails_says_so_at_the_question(
    instance: DagsterInstance, talk: Talk, model_server: SandboxThread
) -> None:
    model_server.fault("status", status=401)
    posted = talk.post("What do we charge?")
    assert not execute(instance, posted.job.job_id)
    (question,) = talk.messages()
    assert question.job_status == "failed"
    assert "refuses the key" in str(question.job_error)


def test_a_run_that_is_stopped_in_mid_stream_leaves_what_was_read(
    home: DagsterHome, talk: Talk, model_server: SandboxThread
) -> None:
    # Slower than anybody waits for: the answer cannot end by itself.
    model_server.fault("slow", delay_ms=1_000)
    posted = talk.post("What do we charge?")
    config = home.folder / "chat.yaml"
    config.write_text(json.dumps({"job_id": str(posted.job.job_id)}))
    command = home.dagster(
        "job", "execute", "-m", "greenlight_dagster.definitions", "-j", "chat_reply", "-c", str(config)
    )
    eventually(lambda: events(talk.db, posted.job.job_id, "delta"), timeout=30, what="the first words")
    assert queue.cancel(talk.db, posted.job.job_id, "Enough.") == "cancel_requested"
    command.wait()
    question, answer = talk.messages()
    assert (question.job_status, question.job_error) == ("canceled", "Enough.")
    read = "".join(event["message"] for event in events(talk.db, posted.job.job_id, "delta"))
    assert (answer.content, answer.stopped) == (read.strip(), True)
