"""The form with which projects are created: the body of `POST /api/projects` (domain specification §8)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from studio.errors import InvalidInput
from studio.job_types import ADDRESS_LIMIT, DOMAIN_LIMIT
from studio.projects import IDEA_MINIMUM, NAME_LIMIT
from studio.text import one_line, require_storable

# Domain specification §8 and §11.
MAX_DOMAINS = 10
IDEA_CHARS = 2000
APP_CHARS = 2000
STRATEGIC_CHARS = 1200
MAX_FILES = 5
MAX_FILE_BYTES = 25 * 1024 * 1024
# A judgement: what one cares for, in a few words each.
MAX_FOCUS_AREAS = 12
FOCUS_CHARS = 80
KEY_CHARS = 200
# More of them at once help nobody.
MAX_PROBLEMS = 10


def _text(value: Any) -> Any:
    """Refuse what no database text can hold, with its position."""
    if isinstance(value, str):
        try:
            require_storable(value, "The text")
        except InvalidInput as exc:
            raise ValueError(str(exc)) from exc
    return value


Text = Annotated[str, BeforeValidator(_text), StringConstraints(strip_whitespace=True)]


def _no_nothing(values: list[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


class _Form(BaseModel):
    """Fields in camelCase or snake_case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class UploadedFile(_Form):
    """A file that the founder has chosen. Its content is stored as an asset once there is a project."""

    # Browsers and older clients say more about a file than is kept.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    size: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)] | None = None
    type: Annotated[Text, Field(max_length=120)] | None = None


class Onboarding(_Form):
    """What a founder says. An idea, a domain or a repository is needed; everything else may be left out.

    The last four fields are accepted for older clients and not taken: a new project is shared, may do nothing in the
    world and works at night, and only the studio's own scan counts (`scan_job_id`).
    """

    name: Annotated[Text, Field(max_length=NAME_LIMIT)] | None = None
    domain: Annotated[Text, Field(max_length=DOMAIN_LIMIT)] | None = None
    domains: Annotated[list[Annotated[Text, Field(max_length=DOMAIN_LIMIT)]], Field(max_length=MAX_DOMAINS)] = Field(
        default_factory=list
    )
    idea_description: Annotated[Text, Field(max_length=IDEA_CHARS)] | None = None
    app_description: Annotated[Text, Field(max_length=APP_CHARS)] | None = None
    value_prop: Annotated[Text, Field(max_length=STRATEGIC_CHARS)] | None = None
    mission: Annotated[Text, Field(max_length=STRATEGIC_CHARS)] | None = None
    target_demo: Annotated[Text, Field(max_length=STRATEGIC_CHARS)] | None = None
    demo_url: Annotated[Text, Field(max_length=ADDRESS_LIMIT)] | None = None
    repo_url: Annotated[Text, Field(max_length=ADDRESS_LIMIT)] | None = None
    focus_areas: Annotated[list[Annotated[Text, Field(max_length=FOCUS_CHARS)]], Field(max_length=MAX_FOCUS_AREAS)] = (
        Field(default_factory=list)
    )
    uploaded_files: Annotated[list[UploadedFile], Field(max_length=MAX_FILES)] = Field(default_factory=list)
    scan_job_id: UUID | None = Field(default=None, description="The job of the scan that is to be taken over.")
    creation_key: Annotated[Text, Field(min_length=1, max_length=KEY_CHARS)] | None = Field(
        default=None, description="The same form under the same key makes its projects once."
    )
    runtime_mode: Literal["shared", "attached"] | None = Field(default=None, description="Not taken: shared.")
    permissions: dict[str, Any] | None = Field(default=None, description="Not taken: everything is off.")
    night_shift: bool | None = Field(default=None, description="Not taken: on.")
    scan_results: dict[str, Any] | None = Field(default=None, description="Not taken: see scan_job_id.")

    @field_validator("domains", "focus_areas")
    @classmethod
    def _said(cls, values: list[str]) -> list[str]:
        return _no_nothing(values)

    @field_validator(
        "name", "domain", "idea_description", "app_description", "value_prop", "mission", "target_demo",
        "demo_url", "repo_url",
    )  # fmt: skip
    @classmethod
    def _or_none(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("idea_description")
    @classmethod
    def _an_idea(cls, value: str | None) -> str | None:
        if value is not None and len(value) < IDEA_MINIMUM:
            raise ValueError("it is too short; describe it in a sentence or more")
        return value

    @field_validator("uploaded_files", mode="before")
    @classmethod
    def _names_too(cls, value: Any) -> Any:
        # Older clients send the names alone.
        return (
            [{"name": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value
        )


def parse_onboarding(body: Any) -> Onboarding:
    """Return `body` (JSON) as a form; raise `InvalidInput` that names every field that does not fit."""
    try:
        return Onboarding.model_validate(body)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False, include_context=False)
        problems = "; ".join(
            f"{one_line('.'.join(str(part) for part in error['loc']), 80) or 'the form'}:"
            f" {str(error['msg']).removeprefix('Value error, ').rstrip('.')}"
            for error in found[:MAX_PROBLEMS]
        )
        raise InvalidInput(f"The form cannot be used: {problems}.", "Correct it and send it again.") from exc
