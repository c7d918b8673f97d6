"""What founders read has titles, links and plain words, and none of the studio's own names, ids and commands."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from web.misfits import told
from web.pages.filters import agent, why_failed, words
from web.wording import plainly

ID = "8c252788-fdae-47e7-b637-965423f6a069"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (f"Project {ID} is paused. Make it active first.", "This project is paused. Resume it in its settings."),
        ("The project is paused.", "This project is paused. Resume it in its settings."),
        (f"It was confirmed. Deny approval {ID} in the inbox.", "It was confirmed. Deny its approval in the inbox."),
        (
            "The project does not permit email_send. Change it with `greenlight projects permissions`, or leave the"
            " action.",
            "The project does not permit “Send mails to people”. Permit it in its settings.",
        ),
        (
            "The runtime mode is attached, and deploy_landing_page needs shared.",
            "The runtime mode is attached, and “Publish the landing page” needs shared.",
        ),
        (f"There is no project {ID}. See `greenlight projects list`.", "There is no such project."),
        ("Check the id (`greenlight jobs list`).", "Check the id."),
        ("Aim it at schools. Leave the rest.", "Aim it at schools. Leave the rest."),
    ],
)
def test_a_sentence_is_one_for_founders(said: str, read: str) -> None:
    assert plainly(said) == read


def test_a_budget_that_is_used_up_leads_to_where_it_is_raised() -> None:
    error = "The project's budget does not cover the next model call: its only call is used."
    shown = str(why_failed(f"{error} Raise it with `greenlight projects budget`.", ID))
    assert "greenlight projects" not in shown
    assert f'<a href="/projects/{ID}/settings#budget">' in shown
    assert str(why_failed("<b> is no tag.", ID)) == "&lt;b&gt; is no tag."


def test_names_of_code_have_titles() -> None:
    assert words("trigger_phase3_deploy") == "Trigger the deployment"
    assert words("launch_notes") == "launch notes"
    assert [agent(key) for key in ("ceo_agent", "ceo_chat", "system", "some_agent", None)] == [
        "CEO agent",
        "CEO agent, in the chat",
        "the studio",
        "Some agent",
        "–",
    ]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=3)
    guidance: str = Field(min_length=8)
    count: int
    items: list[int] = Field(max_length=1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "long"}, "name may have at most 3 characters."),
        ({"guidance": "x"}, "guidance needs at least 8 characters."),
        ({"count": "many"}, "count must be a whole number."),
        ({"items": [1, 2]}, "items may have at most 1 entry."),
        ({"more": 1}, "more is not known here."),
        ({"name": None}, "name must be text."),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Sent.model_validate({"name": "abc", "guidance": "Say more.", "count": 1, "items": [], **change})
    (error,) = caught.value.errors()
    assert told({**error, "loc": ("body", *error["loc"])}) == sentence
    broken = {"type": "json_invalid", "loc": ("body", 12), "msg": "JSON decode error"}
    assert told(broken) == "The body is not valid JSON."
