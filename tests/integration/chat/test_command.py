"""`greenlight chat` says something, prints the answer's words as they come, and confirms what it suggests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from studio import events
from studio.database.connection import Database
from studio.events import NewEvent
from studio.model.client import Model
from studio.queue import find
from tests.integration.chat.talk import Talk
from tests.integration.cli.conftest import db, environment, greenlight, url
from tests.support.cli import NOBODY, Greenlight
from tests.support.model import Recorder
from tests.support.waiting import eventually

__all__ = ["db", "environment", "greenlight", "url"]


@pytest.fixture
def talk(db: Database, model: Model) -> Talk:
    made = Talk(db, model=lambda: model)
    made.packet(1)
    return made


@pytest.fixture
def answering(talk: Talk) -> Iterator[Callable[[], None]]:
    """Lets the next message be answered by a worker beside the command, as the stack's would."""
    threads: list[threading.Thread] = []

    def work() -> None:
        (job,) = eventually(
            lambda: [j for j in find(talk.db, project_id=talk.id, status="queued") if j.job_type == "chat.reply"],
            timeout=20,
            what="a message",
        )
        claim = talk.claim(job.id)

        def stream(text: str) -> None:
            with claim.transaction() as conn:
                events.append(conn, claim.job_id, [NewEvent("delta", text)])

        talk.run(claim, Recorder(on_delta=stream))

    def start() -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


def test_an_answer_is_printed_and_its_suggestion_can_be_confirmed(
    greenlight: Greenlight, talk: Talk, answering: Callable[[], None]
) -> None:
    answering()
    ran = greenlight("chat", talk.id, "Send the welcome mails.")
    _, answer = talk.messages()
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{answer.content}\n")
    assert "Suggests: Send the welcome sequence." in ran.out
    assert f"greenlight chat {talk.id} --confirm {answer.id}" in ran.out
    made = greenlight("chat", talk.id, "--confirm", answer.id, "--json").json
    assert made["outcome"] == "created"
    again = greenlight("chat", talk.id, "--confirm", answer.id)
    assert made["approval_id"] in again.out
    shown = greenlight("chat", talk.id)
    assert "You" in shown.out
    assert f"Confirmed: greenlight approvals show {made['approval_id']}" in shown.said
    greenlight("chat", talk.id, "--dismiss", answer.id).fails("was confirmed", "in the inbox")


def test_json_is_one_object_at_the_end(greenlight: Greenlight, talk: Talk, answering: Callable[[], None]) -> None:
    answering()
    said = greenlight("chat", talk.id, "What do we charge?", "--json").json
    assert said["message"]["content"] == "What do we charge?"
    assert "5 euros" in said["answer"]["content"]
    page = greenlight("chat", talk.id, "--json").json
    assert ([m["role"] for m in page["messages"]], page["has_more"]) == (["user", "assistant"], False)


def test_wrong_calls_say_what_to_do(greenlight: Greenlight, talk: Talk) -> None:
    greenlight("chat", NOBODY, "Hello").fails("There is no project")
    greenlight("chat", talk.id, " ").fails("The message is empty")
    greenlight("chat", talk.id, "Hello", "--confirm", NOBODY).fails("exclude each other")
    greenlight("chat", talk.id, "--confirm", NOBODY).fails("no message")
    assert "Nothing was said yet" in greenlight("chat", talk.id).out
