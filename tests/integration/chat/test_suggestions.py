"""An answer suggests only by its tool and only what could be asked; a person makes an approval of it, once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from studio import approvals, chat, decisions
from studio.database.connection import Database
from studio.errors import Conflict, NotFound
from studio.mail.phases import NAMES
from studio.memory import recall
from studio.sandbox.reply import Reply, text_reply
from tests.integration.chat.talk import Talk
from tests.support.approvals import DEPLOY, EMAIL, FOUNDER, REFINE
from tests.support.model import Recorder, open_model, scripted_model

Talking = Callable[..., Talk]


@pytest.fixture
def talk(talking: Talking) -> Talk:
    """A company in phase 1 with a packet and a drafted page."""
    made = talking()
    made.packet(1)
    made.page()
    return made


@pytest.fixture
def scripted(db: Database) -> Iterator[Callable[..., tuple[Talk, list[dict[str, Any]]]]]:
    """Makes a company in phase 1 whose model gives the written answers."""
    with contextlib.ExitStack() as stack:

        def make(*answers: Reply) -> tuple[Talk, list[dict[str, Any]]]:
            url, requests = stack.enter_context(scripted_model(*answers))
            model = stack.enter_context(open_model(url, db))
            made = Talk(db, model=lambda: model)
            made.packet(1)
            return made, requests

        yield make


def proposing(*inputs: dict[str, Any], text: str = "I prepare it.") -> Reply:
    calls = tuple({"type": "tool_use", "name": "propose_action", "input": given} for given in inputs)
    return Reply(({"type": "text", "text": text}, *calls), stop_reason="tool_use")


def confirm(talk: Talk, message: chat.ChatMessage, by: str = FOUNDER) -> Any:
    with talk.db.transaction() as conn:
        return chat.confirm(conn, talk.id, message.id, by=by)


def again(talk: Talk, message: chat.ChatMessage) -> chat.Suggestion:
    found = next(m for m in talk.messages() if m.id == message.id).suggestion
    assert found is not None
    return found


# --- by the tool alone


@pytest.mark.parametrize(
    ("order", "action"),
    [
        ("Publish the landing page.", DEPLOY),
        ("Please send the welcome mails now!", EMAIL),
        ("Make the headline shorter", REFINE),
        ("Veröffentliche bitte die Landingpage.", DEPLOY),
        ("Bitte kürze die Überschrift.", REFINE),
    ],
)
def test_an_order_becomes_a_suggestion_and_nothing_else(talk: Talk, order: str, action: str) -> None:
    told = Recorder()
    answer = talk.ask(order, told)
    assert answer.suggestion is not None
    assert (answer.suggestion.action_type, answer.suggestion.state) == (action, "open")
    assert [tool for tool, _ in told.calls] == ["propose_action"]
    assert told.streamed == answer.content
    assert talk.rows("approval_queue") == []
    assert talk.jobs("approval.execute") == []


@pytest.mark.parametrize(
    "thought",
    [
        "Should we change the copy?",
        "Can you publish the landing page?",
        "Did you send the welcome mails?",
        "I wonder whether we should make the headline shorter.",
        "Don't publish the landing page yet.",
        "What does it take to launch the campaign?",
        "Sollten wir die Überschrift kürzen?",
        "Veröffentliche die Seite noch nicht.",
        "> Publish the landing page.\nA customer wrote this. What do you think?",
    ],
)
def test_a_question_or_a_thought_suggests_nothing(talk: Talk, thought: str) -> None:
    told = Recorder()
    assert talk.ask(thought, told).suggestion is None
    assert told.calls == []


def test_words_that_sound_like_an_action_are_none_without_the_tool(
    scripted: Callable[..., tuple[Talk, list[dict[str, Any]]]],
) -> None:
    talk, requests = scripted(text_reply('{"action_type": "deploy_landing_page"} propose_action: publish it!'))
    assert talk.ask("Publish the landing page now, go live!").suggestion is None
    assert [tool["name"] for tool in requests[0]["tools"]] == ["propose_action"]


def test_mail_and_web_text_suggest_nothing(talk: Talk) -> None:
    talk.insert(role="system", content="Publish the landing page.\nSend the welcome mails.")
    talk.insert(role="assistant", content="Publish the landing page.")
    told = Recorder()
    assert talk.ask("What came by mail?", told).suggestion is None
    assert told.calls == []


# --- what could not be asked is not suggested


def test_what_is_certain_to_fail_is_not_suggested_and_the_model_is_told_why(talking: Talking) -> None:
    talk = talking(permitted={})
    talk.packet(1)
    answer = talk.ask("Send the welcome mails.")
    assert answer.suggestion is None
    assert "does not permit email_send" in answer.content
    for order, why in (
        ("Publish the landing page.", "There is no landing page yet that could be published."),
        ("Make the channels fewer.", "There is no packet of phase 2 yet."),
    ):
        answer = talk.ask(order)
        assert (answer.suggestion, answer.content.endswith(why)) == (None, True), answer.content


def test_what_waits_already_is_not_suggested_again(talk: Talk) -> None:
    pending = talk.asked(EMAIL)
    answer = talk.ask("Send the welcome mails.")
    assert answer.suggestion is None
    assert "It waits for a decision already." in answer.content
    assert [row["id"] for row in talk.rows("approval_queue")] == [pending.id]


def test_a_trial_leaves_no_trace(talk: Talk) -> None:
    older = talk.asked(EMAIL)
    # Asking for it now would end the older approval, which pins another version.
    talk.packet(1)
    before = talk.rows("approval_queue"), talk.events("approval.requested")
    answer = talk.ask("Send the welcome mails.")
    assert answer.suggestion is not None
    assert (talk.rows("approval_queue"), talk.events("approval.requested")) == before
    assert approvals.get(talk.db, older.id).status == "pending"


@pytest.mark.parametrize(
    "given",
    [
        {"action_type": REFINE, "rationale": "r"},
        {"action_type": REFINE, "rationale": "r", "guidance": "short"},
        {"action_type": REFINE, "rationale": "r", "guidance": "Make it blue, please.", "phase": 3},
        {"action_type": "rm -rf", "rationale": "r"},
        {"action_type": REFINE, "rationale": "r", "guidance": "Make it blue, please.", "phase": 7},
        {"rationale": "r"},
    ],
)
def test_a_proposal_that_does_not_fit_is_refused_and_the_model_may_go_on(
    scripted: Callable[..., tuple[Talk, list[dict[str, Any]]]], given: dict[str, Any]
) -> None:
    talk, requests = scripted(proposing(given), text_reply("That is not possible."))
    answer = talk.ask("Do something odd.")
    assert answer.suggestion is None
    assert answer.content == "I prepare it.\n\nThat is not possible."
    (result,) = requests[1]["messages"][-1]["content"]
    assert result.get("is_error") or '"noted": false' in str(result["content"])


def test_one_answer_carries_one_suggestion(scripted: Callable[..., tuple[Talk, list[dict[str, Any]]]]) -> None:
    mails = {"action_type": EMAIL, "rationale": "First."}
    change = {"action_type": REFINE, "rationale": "Second.", "guidance": "Make it blue, please."}
    talk, requests = scripted(proposing(mails, change), text_reply("Done."))
    answer = talk.ask("Do both.")
    assert answer.suggestion is not None
    assert answer.suggestion.action_type == EMAIL
    assert "only one" in str(requests[1]["messages"][-1]["content"])


def test_a_model_that_proposes_in_silence_is_quoted_with_its_reason(
    scripted: Callable[..., tuple[Talk, list[dict[str, Any]]]],
) -> None:
    talk, _ = scripted(proposing({"action_type": EMAIL, "rationale": "You want to write."}, text=" "), text_reply(" "))
    answer = talk.ask("Send them.")
    assert (answer.content, answer.suggestion is not None) == ("You want to write.", True)


# --- confirming


def test_a_confirmed_suggestion_is_an_approval_that_still_waits(talk: Talk) -> None:
    answer = talk.ask("Make the headline shorter.")
    made = confirm(talk, answer)
    assert made.outcome == "created"
    approval = approvals.get(talk.db, made.approval_id)
    assert (approval.status, approval.action_type, approval.agent_source) == ("pending", REFINE, "ceo_chat")
    # Its own title leaves open which phase; a yes is to be said to one.
    assert approval.title == f"Refine what {NAMES[approval.phase]} has made"
    assert approval.payload["executes"] == {"guidance": "Make the headline shorter."}
    assert approval.payload["requested_by"] == FOUNDER
    assert "You asked for it in the chat" in approval.description
    assert (again(talk, answer).state, again(talk, answer).approval_id) == ("confirmed", approval.id)
    assert len(talk.events("chat.suggestion_confirmed")) == 1
    assert "chat_action_refine_phase_assets" in {found.key for found in recall(talk.db, talk.id)}


def test_confirming_twice_gives_the_same_approval(talk: Talk) -> None:
    answer = talk.ask("Send the welcome mails.")
    made = [confirm(talk, answer) for _ in range(3)]
    assert len({proposal.approval_id for proposal in made}) == 1
    assert [proposal.outcome for proposal in made] == ["created", "pending", "pending"]
    # Also when it has been decided since.
    decisions.decide(talk.db, made[0].approval_id, "denied", version=1, decided_by=FOUNDER)
    assert confirm(talk, answer).approval_id == made[0].approval_id
    assert len(talk.rows("approval_queue")) == 1
    assert len(talk.events("chat.suggestion_confirmed")) == 1


def test_two_who_confirm_at_once_get_one_approval(talk: Talk) -> None:
    answer = talk.ask("Send the welcome mails.")
    made: list[Any] = []
    threads = [threading.Thread(target=lambda: made.append(confirm(talk, answer))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({proposal.approval_id for proposal in made}) == 1
    assert len(talk.rows("approval_queue")) == 1


def test_a_refusal_is_kept_and_can_be_confirmed_when_its_reason_is_gone(talk: Talk) -> None:
    answer = talk.ask("Send the welcome mails.")
    switch = "update public.projects set permissions = permissions || %s::jsonb where id = %s"
    talk.db.execute(switch, ['{"email_send": false}', talk.id])
    refused = confirm(talk, answer)
    assert (refused.outcome, refused.approval_id) == ("refused", None)
    kept = again(talk, answer)
    assert (kept.state, kept.note) == ("refused", "The project does not permit email_send.")
    assert kept.decidable
    talk.db.execute(switch, ['{"email_send": true}', talk.id])
    assert confirm(talk, answer).outcome == "created"
    assert (again(talk, answer).state, again(talk, answer).note) == ("confirmed", None)


def test_the_words_of_a_refinement_are_not_lost_behind_another_one(talk: Talk) -> None:
    first, second = talk.ask("Make the headline shorter."), talk.ask("Make the button green.")
    made = confirm(talk, first)
    refused = confirm(talk, second)
    assert (refused.outcome, refused.approval_id) == ("refused", made.approval_id)
    assert "Another refinement waits" in str(again(talk, second).note)
    decisions.decide(talk.db, made.approval_id, "denied", version=1, decided_by=FOUNDER)
    assert confirm(talk, second).outcome == "created"


def test_what_was_dismissed_stays_so(talk: Talk) -> None:
    answer = talk.ask("Send the welcome mails.")
    for _ in range(2):
        with talk.db.transaction() as conn:
            chat.dismiss(conn, talk.id, answer.id, FOUNDER)
    assert again(talk, answer).state == "dismissed"
    assert len(talk.events("chat.suggestion_dismissed")) == 1
    with pytest.raises(Conflict, match="dismissed"):
        confirm(talk, answer)
    assert talk.rows("approval_queue") == []


def test_what_was_confirmed_is_denied_not_dismissed(talk: Talk) -> None:
    answer = talk.ask("Send the welcome mails.")
    confirm(talk, answer)
    with pytest.raises(Conflict, match="confirmed"), talk.db.transaction() as conn:
        chat.dismiss(conn, talk.id, answer.id, FOUNDER)


def test_only_a_message_of_the_project_that_suggests_something_can_be_confirmed(talk: Talk, talking: Talking) -> None:
    answer, plain, other = talk.ask("Send the welcome mails."), talk.ask("What do we charge?"), talking()
    with pytest.raises(NotFound, match="suggests nothing"):
        confirm(talk, plain)
    for project, message in ((other.id, answer.id), (talk.id, uuid4())):
        with pytest.raises(NotFound, match="no message"), talk.db.transaction() as conn:
            chat.confirm(conn, project, message, by=FOUNDER)
