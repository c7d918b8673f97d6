"""What a model is shown of its tools and of long ago is bounded; a picture that is none never reaches it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from studio.agents import transcript
from studio.agents.transcript import FILES_A_TURN, TURN_CHARS, bounded, results_of_turn, shortened

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 50).decode()


def result(content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": content}


def picture(data: str, media: str = "image/png") -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}


def test_a_long_result_shows_its_beginning_and_its_end() -> None:
    text = bounded("a" * 40_000 + "z")
    assert len(text) < 25_000
    assert text.startswith("aaa")
    assert text.endswith("z")
    assert "16,001 characters left out" in text
    assert bounded(" \n") == "(nothing was printed)"


def test_the_results_of_a_turn_are_bounded_together() -> None:
    shown = results_of_turn([result("x" * 20_000) for _ in range(60)])
    assert sum(len(one["content"]) for one in shown) < TURN_CHARS * 1.2
    few = [result("x" * 20_000), result("y")]
    assert results_of_turn(few) == few


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (picture(base64.b64encode(b"no picture").decode()), "no image/png by its first bytes"),
        (picture(""), "no image/png by its first bytes"),
        (picture("%%%"), "no image/png by its first bytes"),
        (picture(PNG, "image/jpeg"), "no image/jpeg by its first bytes"),
        (picture(PNG + "A" * 1_500_000), "too large"),
    ],
)
def test_a_picture_that_is_none_is_named_and_not_shown(block: dict[str, Any], why: str) -> None:
    (shown,) = results_of_turn([result([block])])
    (text,) = shown["content"]
    assert text["type"] == "text"
    assert why in text["text"]


def test_a_turn_shows_a_few_pictures() -> None:
    shown = results_of_turn([result([picture(PNG)]) for _ in range(4)])
    kinds = [one["content"][0]["type"] for one in shown]
    assert kinds == ["image"] * FILES_A_TURN + ["text"] * (4 - FILES_A_TURN)


def conversation(turns: int, chars: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "the question"}]
    for number in range(turns):
        use = {"type": "tool_use", "id": f"t{number}", "name": "write", "input": {"content": "c" * chars}}
        said = {"type": "tool_result", "tool_use_id": f"t{number}", "content": "r" * chars}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [said]}]
    return messages


def test_what_is_old_is_cut_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "HISTORY_BYTES", 25_000)
    messages = conversation(20, 900)
    cut = shortened(messages)
    assert cut[0] == messages[0]
    assert cut[-12:] == messages[-12:]
    assert [m["role"] for m in cut] == [m["role"] for m in messages]
    assert len(cut[2]["content"][0]["content"]) == 400
    assert messages[2]["content"][0]["content"] == "r" * 900


def test_where_that_does_not_do_what_is_newer_is_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "HISTORY_BYTES", 20_000)
    messages = conversation(8, 5_000)
    cut = shortened(messages)
    assert sum(len(str(m)) for m in cut) < 25_000
    assert cut[-1] == messages[-1]
