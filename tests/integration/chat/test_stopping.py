"""Who stops an answer keeps what he has read, marked as stopped, whoever ends the job; nothing else is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from studio import chat, events, queue
from studio.chat import context
from studio.claims import Claim
from studio.events import NewEvent
from tests.integration.chat.talk import Talk

Talking = Callable[..., Talk]


def hear(claim: Claim, *pieces: str) -> None:
    """Let the claim's run have streamed these pieces."""
    with claim.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("delta", piece, {"step": "answer"}) for piece in pieces])


def stop_in_its_run(talk: Talk, claim: Claim) -> None:
    assert queue.cancel(talk.db, claim.job_id, "Enough.") == "cancel_requested"
    claim.cancel()


def stop_as_it_fails(talk: Talk, claim: Claim) -> None:
    queue.cancel(talk.db, claim.job_id, "Enough.")
    assert claim.fail("It broke.", permanent=False, retry_base=timedelta(0)) == "canceled"


def stop_after_its_worker(talk: Talk, claim: Claim) -> None:
    queue.cancel(talk.db, claim.job_id, "Enough.")
    with talk.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute(
            "update public.agent_jobs set leased_until = now() - interval '1 hour' where id = %s", [claim.job_id]
        )
    queue.reclaim_stale(talk.db)
    assert queue.get(talk.db, claim.job_id).status == "canceled"


def stop_while_it_waits_for_another_attempt(talk: Talk, claim: Claim) -> None:
    assert claim.fail("It broke.", permanent=False, retry_base=timedelta(0)) == "queued"
    assert queue.cancel(talk.db, claim.job_id, "Enough.") == "canceled"


@pytest.mark.parametrize(
    "stop", [stop_in_its_run, stop_as_it_fails, stop_after_its_worker, stop_while_it_waits_for_another_attempt]
)
def test_what_was_read_is_kept_once_and_marked(talking: Talking, stop: Callable[[Talk, Claim], None]) -> None:
    talk = talking()
    posted = talk.post("Tell me a long story.")
    claim = talk.claim(posted.job.job_id)
    hear(claim, "Once upon ", "a time ")
    stop(talk, claim)
    question, answer = talk.messages()
    assert (question.job_status, question.job_error is not None) == ("canceled", True)
    assert (answer.content, answer.stopped, answer.reply_to) == ("Once upon a time", True, posted.message_id)
    assert answer.suggestion is None
    (told,) = talk.events("chat.assistant_reply")
    assert told["data"]["stopped"] is True


def test_an_answer_that_was_stopped_before_its_first_word_is_none(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("Tell me a long story.")
    assert queue.cancel(talk.db, posted.job.job_id) == "canceled"
    (question,) = talk.messages()
    assert question.job_status == "canceled"
    assert talk.events("chat.assistant_reply") == []


def test_only_the_last_attempts_words_are_kept(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("Tell me a long story.")
    first = talk.claim(posted.job.job_id)
    hear(first, "An attempt that ")
    second = talk.lose(first)
    hear(second, "Once upon a time")
    stop_in_its_run(talk, second)
    assert talk.answer(posted).content == "Once upon a time"


def test_what_was_streamed_beyond_the_columns_limit_is_cut(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("Tell me a long story.")
    claim = talk.claim(posted.job.job_id)
    hear(claim, *["word " * 100] * 20)
    stop_in_its_run(talk, claim)
    assert len(talk.answer(posted).content) == 8_000


def test_a_stop_that_comes_after_the_answer_leaves_it_whole(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    claim = talk.claim(posted.job.job_id)
    reply = talk.reply(claim)
    answered = claim.once("answer", reply.answer)
    hear(claim, "I am the ")
    claim.once_in_transaction("store", lambda conn: reply.store(conn, answered))
    stop_in_its_run(talk, claim)
    answer = talk.answer(posted)
    assert (answer.content, answer.stopped) == (answered["text"], False)
    assert len(talk.events("chat.assistant_reply")) == 1


def test_a_stopped_answer_that_is_asked_again_is_replaced_by_the_whole_one(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("What do we charge?")
    claim = talk.claim(posted.job.job_id)
    hear(claim, "I am the ")
    stop_in_its_run(talk, claim)
    stopped = talk.answer(posted)
    assert queue.retry(talk.db, posted.job.job_id).outcome == "revived"
    talk.run(talk.claim(posted.job.job_id))
    answer = talk.answer(posted)
    assert (answer.id, answer.stopped) == (stopped.id, False)
    assert "5 euros" in answer.content
    assert [m.role for m in talk.messages()] == ["user", "assistant"]


def test_the_model_is_told_that_an_answer_was_stopped(talking: Talking) -> None:
    talk = talking()
    posted = talk.post("Tell me a long story.")
    claim = talk.claim(posted.job.job_id)
    hear(claim, "Once upon a time")
    stop_in_its_run(talk, claim)
    following: chat.Posted = talk.post("What do we charge?")
    told = context.load(talk.db, talk.id, following.message_id, following.job.job_id).facts["conversation"]
    assert told[-1] == {"by": "you", "said": "Once upon a time", "stopped": True}


def test_other_jobs_that_are_canceled_say_nothing(talking: Talking) -> None:
    talk = talking()
    job = talk.job("phase.generate_packet", status="queued")
    queue.cancel(talk.db, job)
    assert talk.messages() == []
