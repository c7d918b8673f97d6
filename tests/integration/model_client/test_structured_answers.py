"""A structured answer is found in what stands around it, and asked for once more where it does not fit."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import BaseModel, Field

from studio.database.connection import Database
from studio.errors import ModelAnswerInvalid, ModelDeclined
from studio.model.client import Model
from studio.sandbox.reply import text_reply
from tests.support.model import Note, Recorder, account, call, ledger, open_model, scripted_model, settled
from tests.support.sandbox import SandboxThread, answering


class Verdict(BaseModel):
    """What the tests ask for."""

    title: str
    score: int = Field(ge=0, le=100)


GOOD = '{"title": "Tools", "score": 70}'


def test_an_answer_that_is_not_json_is_asked_for_once_more(model: Model, sandbox: SandboxThread, db: Database) -> None:
    payer, told = account(db), Recorder()
    sandbox.fault("not_json")
    value, answer = model.structured(call(), Verdict, payer, told)
    first, second = sandbox.requests()
    assert value == Verdict.model_validate_json(answer.text)
    assert first["fault"] == "not_json"
    assert "cannot be used" in second["user"]
    assert "Verdict" in second["user"]
    assert "asking once more" in told.said
    rows = ledger(db, payer.project_id)
    assert len(rows) == 2
    # The first answer was paid for, too.
    assert answer.cost_micros == sum(row["cost_micros"] for row in rows) > rows[1]["cost_micros"]
    assert answer.usage.output_tokens == first["output_tokens"] + second["output_tokens"]
    assert answer.call_ids == tuple(str(row["id"]) for row in rows)
    assert settled(db, payer) == (answer.cost_micros, 0, 2)


def test_the_second_request_names_what_did_not_fit(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, '{"title": "Tools", "score": 700}', GOOD)
    value, _ = model.structured(call(), Verdict, account(db), Recorder())
    assert value.score == 70
    assert "score" in sandbox.requests()[1]["user"]


@pytest.mark.parametrize("fault", ["not_json", "wrong_schema", "cut_off"])
def test_two_unusable_answers_end_it_for_good(model: Model, sandbox: SandboxThread, db: Database, fault: str) -> None:
    payer = account(db)
    sandbox.fault(fault, times=2)
    with pytest.raises(ModelAnswerInvalid) as caught:
        model.structured(call(), Verdict, payer, Recorder())
    assert caught.value.permanent
    assert len(sandbox.requests()) == 2
    assert [row["status"] for row in ledger(db, payer.project_id)] == ["settled", "settled"]


@pytest.mark.parametrize(("fault", "said"), [("wrong_schema", "title"), ("cut_off", "cut off")])
def test_a_misfit_and_a_cut_off_answer_are_asked_for_once_more(
    model: Model, sandbox: SandboxThread, db: Database, fault: str, said: str
) -> None:
    told = Recorder()
    sandbox.fault(fault)
    value, _ = model.structured(call(), Verdict, account(db), told)
    assert isinstance(value, Verdict)
    assert len(sandbox.requests()) == 2
    assert said in told.said


def test_an_empty_answer_is_asked_for_once_more(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, "", GOOD)
    value, _ = model.structured(call(), Verdict, account(db), Recorder())
    assert value.score == 70
    assert len(sandbox.requests()) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "Tools"}',
        '  \n{"title": "Tools"}\n ',
        '```json\n{"title": "Tools"}\n```',
        '```\n{"title": "Tools"}\n```',
        'Here it is:\n```json\n{"title": "Tools"}\n```\nThat is all.',
        'The answer is {"title": "Tools"}. I hope it helps.',
        '{"title": "Tools", "more": "than was asked for"}',
    ],
)
def test_json_is_found_in_what_stands_around_it(model: Model, sandbox: SandboxThread, db: Database, text: str) -> None:
    answering(sandbox, text)
    value, _ = model.structured(call(), Note, account(db), Recorder())
    assert value.title == "Tools"
    assert len(sandbox.requests()) == 1


def test_a_fence_inside_a_string_is_part_of_it(model: Model, sandbox: SandboxThread, db: Database) -> None:
    answering(sandbox, json.dumps({"title": "Write ```make demo``` and wait"}))
    value, _ = model.structured(call(), Note, account(db), Recorder())
    assert value.title == "Write ```make demo``` and wait"
    assert len(sandbox.requests()) == 1


def test_a_model_that_declines_is_not_asked_again(db: Database) -> None:
    declined = replace(text_reply("I cannot help with that."), stop_reason="refusal")
    with scripted_model(declined) as (url, asked), open_model(url, db) as model:
        with pytest.raises(ModelDeclined, match="declined") as caught:
            model.structured(call(), Note, account(db), Recorder())
    assert caught.value.permanent
    assert len(asked) == 1
