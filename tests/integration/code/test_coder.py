"""The coder's conversation: each answer is paid for once whatever breaks, tools answer in turn, and limits end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studio.agents import coder
from studio.agents.coder import Coder, Written
from studio.agents.profiles import PROFILES
from studio.database.connection import Database
from studio.errors import BudgetExhausted, ModelUnavailable
from studio.model.spend import Spender
from tests.support.model import Recorder, account, ledger, open_model
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_turns import ToolCall, bash, say, turn, write

pytest_plugins = ["tests.support.scripted_fixtures"]

FACTS = {"project": {"name": "Lendly"}, "request": "A page."}
Scripted = Callable[..., ScriptedModel]


class Folder:
    """Tools over a dictionary: what the loop does with them is what is looked at here."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.used: list[str] = []
        self.seconds: list[float] = []
        self.on_use: Callable[[str], None] = lambda _name: None

    def described(self) -> list[dict[str, Any]]:
        schema = {"type": "object", "properties": {}, "additionalProperties": True}
        return [{"name": name, "description": name, "input_schema": schema} for name in ("bash", "write")]

    def use(self, name: str, given: dict[str, Any], *, seconds: float) -> tuple[str | list[dict[str, Any]], bool]:
        self.used.append(name)
        self.seconds.append(seconds)
        self.on_use(name)
        if name == "write":
            self.files[given["file_path"]] = given["content"]
            return "", False
        return f"ran {given['command']}", given["command"] == "false"


class Book:
    """A journal in memory, which outlives an attempt; `losses` are of the turns whose changes could not be kept."""

    def __init__(self, losses: dict[int, str] | None = None) -> None:
        self.losses = losses or {}
        self.answers: dict[int, dict[str, Any]] = {}
        self.outcomes: dict[int, dict[str, Any]] = {}

    def answer(self, number: int) -> dict[str, Any] | None:
        return self.answers.get(number)

    def keep_answer(self, number: int, answer: dict[str, Any]) -> None:
        self.answers[number] = answer

    def results(self, number: int) -> dict[str, Any] | None:
        return self.outcomes.get(number)

    def keep_results(self, number: int, results: dict[str, Any]) -> dict[str, Any]:
        self.outcomes[number] = {**results, "lost": self.losses.get(number, "")}
        return self.outcomes[number]


def work(
    database: Database,
    model: ScriptedModel,
    folder: Folder,
    book: Book,
    payer: Spender,
    *,
    seconds: float = 600,
    affordable: Callable[[], str | None] = lambda: None,
    progress: Recorder | None = None,
    **settings: Any,
) -> Written:
    with open_model(model.url, database, **settings) as client:
        told = progress or Recorder()
        return Coder(client, payer, told, seconds=seconds, affordable=affordable).run(FACTS, folder, book)


def test_it_works_until_it_says_that_it_is_done(database: Database, scripted: Scripted) -> None:
    model = scripted(turn(write("a.txt", "A"), bash("false")), turn(bash("ls"), text="Now look."), say("Done: a.txt."))
    folder, payer, progress = Folder(), account(database), Recorder()
    written = work(database, model, folder, Book(), payer, progress=progress)
    assert written == Written("Done: a.txt.", 3, None)
    assert folder.files == {"a.txt": "A"}
    assert [(r.tool, r.text, r.is_error) for r in model.results(0)] == [
        ("write", "(nothing was printed)", False),
        ("bash", "ran false", True),
    ]
    assert model.played == [0, 1, 2]
    assert len(ledger(database, payer.project_id)) == 3
    asked = model.seen[0].body
    assert asked["system"][0]["text"].startswith("You are the engineering agent of a startup studio.")
    assert {tool["name"] for tool in asked["tools"]} == {"bash", "write"}
    # What stands before the newest message is read from the cache.
    assert asked["system"][0]["cache_control"] == {"type": "ephemeral"}
    for seen in model.seen:
        marked = [b for m in seen.body["messages"] for b in m["content"] if "cache_control" in b]
        assert marked == [seen.body["messages"][-1]["content"][-1]]


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("moment", ["in the answer", "in the tools", "before the results are kept"])
def test_what_is_paid_is_not_paid_again(database: Database, scripted: Scripted, moment: str) -> None:
    model = scripted(turn(write("a.txt", "A")), turn(write("b.txt", "B")), say("Done."))
    folder, book, payer = Folder(), Book(), account(database)
    paid = 3
    if moment == "in the answer":
        model.fault(1, "drop")
        paid = 4  # What broke off may have been billed: it stays in the ledger, and the turn is asked for again.
        with pytest.raises(ModelUnavailable):
            work(database, model, folder, book, payer)
    elif moment == "in the tools":

        def die(_name: str) -> None:
            if len(folder.used) == 2:
                raise Killed

        folder.on_use = die
        with pytest.raises(Killed):
            work(database, model, folder, book, payer)
        folder.on_use = lambda _name: None
    else:

        def refuse(number: int, results: dict[str, Any]) -> dict[str, Any]:
            if number == 2:
                raise Killed
            return Book.keep_results(book, number, results)

        book.keep_results = refuse  # type: ignore[method-assign]
        with pytest.raises(Killed):
            work(database, model, folder, book, payer)
        del book.keep_results  # type: ignore[method-assign]
    written = work(database, model, folder, book, payer)
    assert written == Written("Done.", 3, None)
    assert folder.files == {"a.txt": "A", "b.txt": "B"}
    assert len(ledger(database, payer.project_id)) == paid
    assert model.played == ([0, 1, 1, 2] if moment == "in the answer" else [0, 1, 2])
    # The first turn's tools were not used again.
    assert folder.used.count("write") == (2 if moment == "in the answer" else 3)


def test_its_turns_its_time_and_its_money_end_it_with_what_there_is(database: Database, scripted: Scripted) -> None:
    payer = account(database)
    turns = [turn(write(f"{n}.txt", "x"), text=f"Step {n}.") for n in range(40)]
    folder = Folder()
    written = work(database, scripted(*turns), folder, Book(), payer)
    limit = PROFILES["code_generator"].turns
    assert (written.turns, written.summary) == (limit, f"Step {limit - 1}.")
    assert written.reason == "It had used all its 30 turns."
    assert len(folder.files) == limit

    assert work(database, scripted(*turns), Folder(), Book(), payer, seconds=0) == Written(
        "", 0, "It had used all its time, 0 minutes."
    )
    book = Book()
    written = work(
        database,
        scripted(*turns),
        Folder(),
        book,
        payer,
        affordable=lambda: "Its money is spent." if len(book.answers) == 2 else None,
    )
    assert (written.turns, written.reason) == (2, "Its money is spent.")


def test_an_answer_that_was_cut_off_is_not_carried_out(database: Database, scripted: Scripted) -> None:
    cut = turn(write("a.txt", "half"), stop_reason="max_tokens")
    model = scripted(cut, turn(write("a.txt", "whole")), say("Done."))
    folder = Folder()
    written = work(database, model, folder, Book(), account(database))
    assert written.reason is None
    assert folder.files == {"a.txt": "whole"}
    told = model.seen[1].body["messages"][-1]["content"]
    assert "cut off" in str(told)


def test_a_call_whose_input_is_no_json_costs_a_try_and_nothing_else(database: Database, scripted: Scripted) -> None:
    model = scripted(turn(ToolCall("write", "no JSON")), say("Done."))
    folder = Folder()
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        work(database, model, folder, Book(), account(database))
    assert folder.files == {}


def test_what_was_paid_for_is_offered_where_the_model_refuses_to_go_on(database: Database, scripted: Scripted) -> None:
    model = scripted(turn(write("a.txt", "A"), text="A first."), say("Never."))
    model.fault(1, "overloaded", status=400)
    folder = Folder()
    written = work(database, model, folder, Book(), account(database))
    assert (written.summary, written.turns) == ("A first.", 1)
    assert written.reason is not None
    assert written.reason.startswith("The model refused to go on: ")
    assert folder.files == {"a.txt": "A"}


def test_work_is_offered_where_the_time_ends_in_the_middle_of_an_answer(
    database: Database, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(coder.time, "monotonic", lambda: clock[0])
    model = scripted(turn(write("a.txt", "A"), text="A first."), say("and then " * 50))
    gate = model.hold(1)

    def take(text: str) -> None:
        if "then" in text and not clock[0]:
            # The rest of the answer comes when its time is over.
            clock[0] = 601
            gate.open()

    payer, book = account(database), Book()
    # However long a call may take by the settings.
    written = work(
        database, model, Folder(), book, payer, seconds=600, progress=Recorder(take), model_timeout_seconds=7_000
    )
    assert written == Written("A first.", 1, "It had used all its time, 10 minutes.")
    assert model.played == [0, 1]
    assert list(book.answers) == [1]


def test_work_is_offered_where_the_projects_money_is_spent(database: Database, scripted: Scripted) -> None:
    model = scripted(turn(write("a.txt", "A"), text="A first."), say("Never."))
    book, payer = Book(), account(database, calls=1)
    written = work(database, model, Folder(), book, payer)
    assert (written.summary, written.turns) == ("A first.", 1)
    assert written.reason == ("The project's budget does not cover the next model call: its only call is used.")
    with pytest.raises(BudgetExhausted):
        work(database, model, Folder(), Book(), payer)


def test_what_could_not_be_kept_is_told_and_makes_the_work_unfinished(database: Database, scripted: Scripted) -> None:
    steps = turn(write("a.txt", "A")), turn(write("a.txt", "A")), say("All done.")
    model = scripted(*steps)
    written = work(database, model, Folder(), Book({2: "There was too much."}), account(database))
    assert (written.summary, written.turns) == ("All done.", 3)
    assert written.reason == (
        "The working folder was set back in its last turn, and what that turn had changed is lost. There was too much."
    )
    *results, told = model.seen[2].body["messages"][-1]["content"]
    assert [block["type"] for block in results] == ["tool_result"]
    assert told["text"] == "The working folder was set back to what it was before this turn. There was too much."
    # What was done again since is not lost.
    again = work(database, scripted(*steps), Folder(), Book({1: "There was too much."}), account(database))
    assert again == Written("All done.", 3, None)


@pytest.mark.parametrize("stop", ["stop_sequence", "model_context_window_exceeded"])
def test_an_answer_that_ended_otherwise_is_no_finished_work(database: Database, scripted: Scripted, stop: str) -> None:
    model = scripted(turn(write("a.txt", "A")), say("Next I will write the", stop_reason=stop))
    written = work(database, model, Folder(), Book(), account(database))
    assert written.reason == f"Its last answer was cut off ({stop})."


def test_tools_have_the_time_that_is_left_and_what_is_late_is_not_done(
    database: Database, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coder, "LEAST_SECONDS", 0.0)
    clock = [0.0]
    monkeypatch.setattr(coder.time, "monotonic", lambda: clock[0])
    folder = Folder()

    def take(_name: str) -> None:
        clock[0] += 40

    folder.on_use = take
    model = scripted(turn(bash("one"), bash("two"), bash("three"), bash("four")), say("Done."))
    written = work(database, model, folder, Book(), account(database), seconds=100)
    assert folder.seconds == [100, 60, 20]
    assert written.reason is not None
    assert "all its time" in written.reason


def test_a_model_that_refuses_says_so(database: Database, scripted: Scripted) -> None:
    model = scripted(say("No.", stop_reason="refusal"))
    with pytest.raises(Exception, match="declined to answer"):
        work(database, model, Folder(), Book(), account(database))
