"""From a model's text to a validated object. Nothing is filled in."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from studio.errors import ModelAnswerInvalid, ModelDeclined
from studio.model.answers import Answer
from studio.model.transport import SHOWN_ERROR_CHARS
from studio.text import clip, storable_json

M = TypeVar("M", bound=BaseModel)

_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)


def parse(answer: Answer, schema: type[M]) -> M:
    """Return the answer as `schema`, or raise `ModelAnswerInvalid` (`ModelDeclined` where it was declined)."""
    if answer.stop_reason == "max_tokens":
        raise ModelAnswerInvalid("It was cut off at the token limit.", "Raise max_tokens of this call.")
    if answer.stop_reason == "refusal":
        raise ModelDeclined("The model declined to answer.", "Change the idea or the guidance.")
    try:
        # JSON can spell characters that no database can hold, which its text does not show.
        return schema.model_validate_json(json.dumps(storable_json(_json_object(answer.text))))
    except ValueError as exc:
        problems = clip(_problems(exc), SHOWN_ERROR_CHARS).rstrip(".")
        raise ModelAnswerInvalid(
            f"The model's answer does not fit {schema.__name__}: {problems}.",
            "Retry the job; if it happens again, set CLAUDE_DIRECT_MODEL to another model.",
        ) from exc


def _problems(exc: ValueError) -> str:
    if not isinstance(exc, ValidationError):
        return str(exc)
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors()[:6])


def _json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, or raise `ValueError`.

    It is all of the text, its first fenced block, or what stands from the first brace to the last.
    """
    candidates = [text]
    if fenced := _FENCED.search(text):
        candidates.append(fenced.group(1))
    candidates.append(text[text.find("{") : text.rfind("}") + 1])
    for candidate in candidates:
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise ValueError("it is not a JSON object")
