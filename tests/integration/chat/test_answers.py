"""An answer is streamed, stored once and whole, and an answer that fails says so where its question stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from studio import chat
from studio.agents.chat import tool
from studio.chat import answering, rehearsal
from studio.database.connection import Database
from studio.errors import (
    BudgetExhausted,
    LeaseLost,
    ModelAnswerInvalid,
    ModelRefused,
    ModelUnavailable,
    StudioError,
)
from studio.memory import recall
from studio.model import spend
from studio.sandbox.reply import Reply, text_reply
from tests.integration.chat.talk import Talk
from tests.support.model import Recorder, ledger, open_model, scripted_model
from tests.support.sandbox import SandboxThread

Talking = Callable[..., Talk]


def fails(talk: Talk, posted: chat.Posted, kind: type[StudioError]) -> str:
    """Let an attempt end in an error of this kind, as its run would, and return what it said."""
    claim = talk.claim(posted.job.job_id)
    with pytest.raises(kind) as caught:
        talk.run(claim)
    claim.fail(str(caught.value), permanent=caught.value.permanent, retry_base=timedelta(0))
    return str(caught.value)


def test_an_answer_comes_in_pieces_and_is_what_was_streamed(talking: Talking) -> None:
    talk, told = talking(), Recorder()
    answer = talk.ask("What do we charge?", told)
    assert "5 euros a month" in answer.content
    assert len(told.deltas) > 3
    assert told.streamed == answer.content
    assert {data["step"] for _, data in told.deltas} == {"answer"}
    assert (answer.role, answer.suggestion, answer.stopped) == ("assistant", None, False)
    question = talk.messages()[0]
    assert (question.id, question.job_status, question.job_error) == (answer.reply_to, "completed", None)


def test_an_answer_is_told_to_the_ledger_and_remembered(talking: Talking) -> None:
    talk = talking()
    answer = talk.ask("What do\nwe charge? " + "And why? " * 50)
    (told,) = talk.events("chat.assistant_reply")
    assert told["data"]["message_id"] == str(answer.id)
    assert told["data"]["model"] == "sandbox"
    (topic,) = [found for found in recall(talk.db, talk.id) if found.key == "last_chat_topic"]
    assert (topic.category, topic.origin) == ("context", "founder")
    assert len(topic.value) <= answering.TOPIC_LIMIT
    assert topic.value.startswith("What do we charge?")


def test_an_attempt_after_each_step_pays_once_and_answers_once(talking: Talking, sandbox: SandboxThread) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    first = talk.claim(posted.job.job_id)
    # Killed after the model was paid; then after the answer was stored; then before the job was completed.
    answered = first.once("answer", talk.reply(first).answer)
    second = talk.lose(first)
    assert second.once("answer", talk.reply(second).answer) == answered
    stored = second.once_in_transaction("store", lambda conn: talk.reply(second).store(conn, answered))
    third = talk.lose(second)
    assert talk.run(third) == stored
    assert len(sandbox.requests()) == 1
    assert len(ledger(talk.db, talk.id)) == 1
    assert [m.role for m in talk.messages()] == ["user", "assistant"]
    assert len(talk.events("chat.assistant_reply")) == 1


def test_a_repeated_store_changes_nothing(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    claim = talk.claim(posted.job.job_id)
    answered = talk.reply(claim).answer()
    for text in (answered["text"], "another answer"):
        with claim.transaction() as conn:
            talk.reply(claim).store(conn, {**answered, "text": text})
    assert talk.answer(posted).content == answered["text"]
    assert len(talk.events("chat.assistant_reply")) == 1


def test_a_worker_that_lost_its_claim_stores_nothing(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    stale = talk.claim(posted.job.job_id)
    answered = stale.once("answer", talk.reply(stale).answer)
    current = talk.lose(stale)
    with pytest.raises(LeaseLost):
        stale.once_in_transaction("store", lambda conn: talk.reply(stale).store(conn, answered))
    assert [m.role for m in talk.messages()] == ["user"]
    talk.run(current)
    assert talk.answer(posted).content == answered["text"]


def test_an_answer_that_is_too_long_is_cut_and_says_so(db: Database) -> None:
    with scripted_model(text_reply("word " * 4_000)) as (url, _), open_model(url, db) as model:
        answer = Talk(db, model=lambda: model).ask("Tell me everything.")
    assert len(answer.content) <= answering.CONTENT_LIMIT
    assert answer.content.endswith(answering.CUT)
    assert answer.content.startswith("word word")


def test_an_answer_that_ended_in_mid_sentence_says_so(db: Database) -> None:
    said = Reply(({"type": "text", "text": "We charge"},), stop_reason="max_tokens")
    told = Recorder()
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        answer = Talk(db, model=lambda: model).ask("What do we charge?", told)
    assert answer.content == told.streamed == "We charge …"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Reply(({"type": "text", "text": " \n"},)), ModelAnswerInvalid),
        (Reply(({"type": "text", "text": "No."},), stop_reason="refusal"), ModelRefused),  # type: ignore[arg-type]
    ],
)
def test_no_answer_is_made_up_where_the_model_gave_none(db: Database, said: Reply, error: type[StudioError]) -> None:
    with scripted_model(said) as (url, _), open_model(url, db) as model:
        talk = Talk(db, model=lambda: model)
        posted = talk.post("Hello")
        said_why = fails(talk, posted, error)
    (question,) = talk.messages()
    assert (question.job_status, question.job_error) == ("failed", said_why)


def test_a_budget_that_is_used_up_is_said_at_the_question(talking: Talking, sandbox: SandboxThread) -> None:
    talk = talking()
    with talk.db.transaction() as conn:
        spend.set_budget(conn, talk.id, Decimal(0), 1, 1)
    posted = talk.post("Hello")
    fails(talk, posted, BudgetExhausted)
    (question,) = talk.messages()
    assert question.job_status == "failed", "it was tried again"
    assert "budget" in str(question.job_error)
    assert sandbox.requests() == []


def test_a_model_that_is_away_is_asked_again(talking: Talking, sandbox: SandboxThread) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    sandbox.fault("drop")
    why = fails(talk, posted, ModelUnavailable)
    (question,) = talk.messages()
    assert (question.job_status, question.job_error) == ("queued", why)
    talk.run(talk.claim(posted.job.job_id))
    assert "5 euros" in talk.answer(posted).content
    assert talk.message(posted).job_error is None


def test_a_message_and_job_of_another_client_are_answered_and_belong_together(talking: Talking) -> None:
    talk = talking()
    message = talk.insert(content="What do we charge?")
    row = talk.db.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, payload) values"
        " (%(p)s, 'chat.reply', 'ceo', 'theirs', jsonb_build_object('projectId', %(p)s::text, 'ownerClerkId', 'x',"
        " 'userMsgId', %(m)s::text, 'message', 'What do we charge?')) returning id",
        {"p": talk.id, "m": message},
    )
    assert row is not None
    talk.run(talk.claim(row["id"]))
    question, answer = talk.messages()
    assert (question.job_id, question.job_status, answer.reply_to) == (row["id"], "completed", message)


def test_a_rehearsal_runs_the_tool_and_reads_both_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: list[str] = []

    def noting(_propose: object) -> object:
        return tool(lambda action, *_: proposed.append(action) or "Noted.")  # type: ignore[func-returns-value]

    monkeypatch.setattr(rehearsal, "tool", noting)
    rehearsal.rehearse()
    assert proposed == ["deploy_landing_page"]
