"""What goes over the wire: camelCase names, moments in UTC, money in micro-dollars."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from studio.errors import InvalidInput
from studio.proposals import GUIDANCE_MINIMUM
from studio.text import require_storable

# The columns are 32-bit integers.
LARGEST_INTEGER = 2**31 - 1
# A reason or a note is a few sentences.
REASON_LIMIT = 2000


def _storable(text: str) -> str:
    try:
        return require_storable(text, "The text")
    except InvalidInput as exc:
        raise ValueError(str(exc)) from exc


def camel(name: str) -> str:
    """Return a name of ours as it is written on the wire: `leads_7d` is leads7d."""
    return re.sub("_([a-z0-9])", lambda found: found[1].upper(), name)


class Answer(BaseModel):
    """What a route answers with; made of a row or a dataclass with `model_validate`."""

    model_config = ConfigDict(
        alias_generator=camel,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


class Done(Answer):
    """The answer of a route that has changed something."""

    ok: Literal[True] = True


class Body(BaseModel):
    """What a route takes: names in camelCase or snake_case. An unknown one is a slip, and refused."""

    model_config = ConfigDict(alias_generator=camel, populate_by_name=True, extra="forbid")


class SeedBody(Body):
    """The same for routes that older clients use: what they say beyond it is not taken, and no error."""

    model_config = ConfigDict(extra="ignore")


def _object(value: Any) -> Any:
    # The columns take any JSON, and other clients write to them.
    return value if isinstance(value, dict) else {"stored": value}


def worded(guidance: str | None) -> str | None:
    """Return guidance that says something, None for none; raise `InvalidInput` for what is too short to be followed."""
    if guidance is None or not guidance.strip():
        return None
    if len(guidance.strip()) < GUIDANCE_MINIMUM:
        raise InvalidInput(
            f"The guidance needs at least {GUIDANCE_MINIMUM} characters.", "Say what should be different."
        )
    return guidance


Object = Annotated[dict[str, Any], BeforeValidator(_object)]
Text = Annotated[str, AfterValidator(_storable)]
Reason = Annotated[Text, Field(max_length=REASON_LIMIT, description="Why; kept in the audit log.")]
Phase = Annotated[int, Field(ge=0, le=3)]
Version = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
