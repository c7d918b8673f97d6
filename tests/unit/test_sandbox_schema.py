"""Whatever the JSON schema, the answer fits it: what was proposed is bent to fit, what is missing is filled in."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Literal

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from studio.sandbox import answers, patterns, words
from studio.sandbox.facts import Facts, collect
from studio.sandbox.schema import limits_of

FACTS = collect("", ["<idea>An app that lets neighbours share garden tools. It costs €5 a month.</idea>"])


class Colour(Enum):
    """A choice of texts."""

    RED = "red"
    BLUE = "blue"


class Leaf(BaseModel):
    """A part with every kind of limit."""

    title: str = Field(min_length=8, max_length=30)
    body: str = Field(min_length=200, max_length=260)
    hex: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    count: int = Field(ge=3, le=9)
    share: float = Field(gt=0, lt=1)
    step: int = Field(ge=1, multiple_of=5)
    colours: list[Colour] = Field(min_length=2, max_length=3)
    fixed: Literal["only"]
    link: str
    when: str = Field(json_schema_extra={"format": "date-time"})


class Tree(BaseModel):
    """A schema that refers to itself."""

    name: str
    leaf: Leaf
    branches: list[Tree]
    parent: Tree | None = None
    choice: int | None = None
    kind: Literal["a", "b"] | None = None
    tags: list[str] = Field(min_length=4, max_length=12)
    extra: dict[str, str] = {}


def _wire(model: type[BaseModel]) -> dict[str, Any]:
    return anthropic.transform_schema(model)


def test_limits_that_the_sdk_moves_into_descriptions_are_read() -> None:
    properties = _wire(Leaf)["properties"]
    assert limits_of(properties["title"]) == {"minLength": 8, "maxLength": 30}
    assert limits_of(properties["count"]) == {"minimum": 3, "maximum": 9}
    assert limits_of(properties["share"]) == {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert limits_of(properties["colours"])["minItems"] == 2
    assert limits_of(properties["hex"]) == {"pattern": "^#[0-9a-fA-F]{6}$"}
    assert limits_of({"description": "braces {in the middle} of a text"}) == {}


@pytest.mark.parametrize("facts", [FACTS, Facts(), collect("", ["<idea>Brot</idea>"])], ids=["idea", "empty", "word"])
def test_a_schema_that_nobody_knows_is_filled_so_that_its_model_accepts_it(facts: Facts) -> None:
    value = answers.compose(_wire(Tree), facts)
    tree = Tree.model_validate(value)
    assert tree.branches == []
    assert tree.leaf.step == 5
    # Figures and choices that nothing speaks for stay open instead of being guessed.
    assert tree.choice is None
    assert tree.kind is None
    assert value["leaf"]["link"] == "not stated in the idea"


def test_lists_that_would_have_to_be_invented_stay_empty() -> None:
    class Found(BaseModel):
        sources: list[str]
        competitors: list[Leaf]
        features: list[str]

    value = answers.compose(_wire(Found), FACTS)
    assert value == {"sources": [], "competitors": [], "features": ["Share garden tools"]}


def test_a_composer_serves_its_schema_also_inside_another() -> None:
    class TargetPersona(BaseModel):
        name: str
        pain_points: list[str]

    class Page(BaseModel):
        persona: TargetPersona

    assert answers.compose(_wire(Page), FACTS)["persona"]["name"] == "Neighbours"


def test_a_choice_follows_the_words_of_the_question() -> None:
    class Intent(BaseModel):
        decision: Literal["none", "send_email", "publish_page"]

    asked = collect("", ["<idea>Brot</idea> Please publish the page now."])
    assert answers.compose(_wire(Intent), asked) == {"decision": "publish_page"}
    assert answers.compose(_wire(Intent), FACTS) == {"decision": "none"}


@pytest.mark.parametrize(
    "pattern",
    [
        r"^#[0-9a-fA-F]{6}$",
        r"^[a-z]+(-[a-z]+)*$",
        r"^(?:red|blue)\d{2,3}$",
        r"\d{4}-\d{2}-\d{2}",
        r"^v\d+\.\d+$",
        r"^$",
    ],
)
def test_a_sample_matches_its_pattern(pattern: str) -> None:
    sample = patterns.sample(pattern)
    assert sample is not None
    assert re.search(pattern, sample)


@pytest.mark.parametrize("pattern", [r"(?=x)y", r"(\w)\1", "[", "a{", r"\p{L}", "*"])
def test_a_pattern_beyond_the_reader_gives_nothing(pattern: str) -> None:
    assert patterns.sample(pattern) is None


def _fits(schema: dict[str, Any], value: Any) -> bool:
    """Check a value against the keywords that the strategies below use, independently of the filler."""
    if "enum" in schema:
        return value in schema["enum"]
    if "const" in schema:
        return bool(value == schema["const"])
    if "anyOf" in schema:
        return any(_fits(variant, value) for variant in schema["anyOf"])
    kind = schema["type"]
    if kind == "object":
        return (
            isinstance(value, dict)
            and set(schema["required"]) <= set(value) <= set(schema["properties"])
            and all(_fits(schema["properties"][key], item) for key, item in value.items())
        )
    if kind == "array":
        counted = isinstance(value, list) and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)
        return counted and all(_fits(schema["items"], item) for item in value)
    if kind == "string":
        return isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema.get(
            "maxLength", len(value)
        )
    if kind == "integer":
        in_range = isinstance(value, int) and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        return in_range and not isinstance(value, bool)
    return {"boolean": isinstance(value, bool), "null": value is None, "number": isinstance(value, int | float)}[kind]


_counts = st.integers(0, 6).flatmap(lambda low: st.tuples(st.just(low), st.integers(low, low + 6)))
_leaves = st.one_of(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "number"}]),
    _counts.map(lambda c: {"type": "string", "minLength": c[0] * 20, "maxLength": max(c[1] * 20, 1)}),
    _counts.map(lambda c: {"type": "integer", "minimum": c[0] - 3, "maximum": c[1] - 3}),
    st.lists(st.one_of(st.text(max_size=4), st.integers(0, 3)), min_size=1, max_size=3).map(lambda e: {"enum": e}),
    st.text(max_size=4).map(lambda c: {"const": c}),
)


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["title", "summary", "url", "risks", "x", "market", "name"])
    return st.one_of(
        st.tuples(inner, _counts).map(
            lambda t: {"type": "array", "items": t[0], "minItems": t[1][0], "maxItems": t[1][1]}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda v: {"anyOf": v}),
        st.dictionaries(names, inner, max_size=4).map(
            lambda p: {"type": "object", "properties": p, "required": sorted(p)[::2], "additionalProperties": False}
        ),
    )


_schemas = st.recursive(_leaves, _containers, max_leaves=12)
_anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["title", "x"]), inner)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(_schemas)
def test_any_schema_gets_a_value_that_fits(schema: dict[str, Any]) -> None:
    value = answers.compose(schema, FACTS)
    assert _fits(schema, value), json.dumps(value)


@settings(max_examples=300, deadline=None)
@given(_schemas, _anything)
def test_any_proposal_is_bent_to_fit(schema: dict[str, Any], proposal: Any) -> None:
    filler = answers.Filler(schema, answers.ProjectWords(FACTS))
    assert _fits(schema, filler.fill(schema, proposal))


def test_a_clipped_text_ends_with_a_word_and_a_mark() -> None:
    assert words.clip_words("one two three four", 12) == "one two…"
    assert words.clip_words("one two three four", 14) == "one two three…"
    assert words.clip_words("short", 12) == "short"
