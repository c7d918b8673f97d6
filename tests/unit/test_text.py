"""Text that reaches the database can be stored, JSON has one canonical form, and nothing else is changed."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.text import (
    REPLACEMENT,
    canonical_json,
    clip,
    printable,
    require_storable,
    require_storable_json,
    sha1_hex,
    sha256_hex,
    storable,
    storable_json,
)

# Hypothesis leaves surrogates out of text unless asked for them; here they are the point.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
CLEAN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
CLEAN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | CLEAN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(CLEAN_TEXT, inner, max_size=4),
    max_leaves=12,
)


def fits(text: str) -> bool:
    """Return what PostgreSQL says to a text: it is UTF-8 without NUL."""
    try:
        return b"\x00" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (*strings(key), *strings(item))]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


@given(ANY_TEXT)
def test_storable_text_is_the_same_text_with_only_the_impossible_replaced(text: str) -> None:
    made = storable(text)
    assert fits(made)
    assert len(made) == len(text)
    assert all(new == old or (new == REPLACEMENT and not fits(old)) for new, old in zip(made, text, strict=True))


@given(ANY_TEXT)
def test_text_is_refused_exactly_where_it_cannot_be_stored(text: str) -> None:
    if fits(text):
        assert require_storable(text, "The idea") is text
        return
    with pytest.raises(InvalidInput) as caught:
        require_storable(text, "The idea")
    position = next(index for index, character in enumerate(text) if not fits(character))
    assert f"The idea contains a {'NUL' if text[position] == chr(0) else 'lone surrogate'}" in caught.value.message
    assert f"at position {position}," in caught.value.message
    assert caught.value.remedy


@given(ANY_JSON)
def test_storable_json_can_be_stored_and_keeps_what_could_be(value: Any) -> None:
    made = storable_json(value)
    assert all(fits(text) for text in strings(made))
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert storable_json(made) == made


@given(CLEAN_JSON)
def test_clean_json_is_left_alone(value: Any) -> None:
    assert storable_json(value) == value
    assert require_storable_json(value, "the payload") is value


@given(ANY_TEXT)
def test_printable_text_steers_no_terminal_and_keeps_its_lines(text: str) -> None:
    made = printable(text)
    assert len(made) == len(text)
    assert not [c for c in made if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    kept = [(new, old) for new, old in zip(made, text, strict=True) if new != old]
    assert all(new == REPLACEMENT for new, _ in kept)
    assert printable({text: [text]}) == {made: [made]}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_json_number_becomes_null(number: float) -> None:
    assert storable_json({"confidence": number, "rest": [number, 0.5]}) == {"confidence": None, "rest": [None, 0.5]}


def test_a_tuple_becomes_a_list_and_a_key_becomes_text() -> None:
    assert storable_json({1: ("a", "b\x00")}) == {"1": ["a", "b\ufffd"]}


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"message": "a\x00"}, "the payload.message"),
        ({"checks": ["fine", "\ud800"]}, r"the payload.checks\[1\]"),
        ({"a": {"b": [{"c": "\udfff"}]}}, r"the payload.a.b\[0\].c"),
        ({"a\x00": 1}, "a key of the payload"),
        (("\x00",), r"the payload\[0\]"),
    ],
)
def test_the_first_bad_string_of_a_payload_is_named(value: Any, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        require_storable_json(value, "the payload")


@given(CLEAN_JSON)
def test_canonical_json_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), CLEAN_JSON, min_size=2, max_size=5), st.randoms())
def test_canonical_json_does_not_know_the_order_of_keys_at_any_depth(value: dict[str, Any], random: Any) -> None:
    assert canonical_json(shuffled(value, random)) == canonical_json(value)


def shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


def test_canonical_json_keeps_what_is_nested() -> None:
    # The seed's own function dropped nested keys: two payloads got one key.
    assert canonical_json({"b": {"x": 1}, "a": "ä"}) == '{"a":"ä","b":{"x":1}}'
    assert canonical_json({"a": {"x": 1}}) != canonical_json({"a": {"x": 2}})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": math.nan})


@given(ANY_TEXT, st.integers(min_value=1, max_value=20))
def test_a_clipped_text_fits_and_says_that_it_was_cut(text: str, limit: int) -> None:
    clipped = clip(text, limit)
    assert len(clipped) <= limit
    if len(text) <= limit:
        assert clipped == text
    else:
        assert clipped.endswith("…")
        assert text.startswith(clipped[:-1])


def test_a_clipped_text_does_not_end_in_a_space_before_the_ellipsis() -> None:
    assert clip("one two three", 5) == "one…"


def test_digests_are_those_of_the_utf8_text() -> None:
    assert sha1_hex("") == hashlib.sha1(b"").hexdigest() == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    assert sha256_hex("ä") == hashlib.sha256("ä".encode()).hexdigest()


@given(ANY_TEXT)
def test_any_text_has_digests(text: str) -> None:
    assert len(sha1_hex(text)) == 40
    assert len(sha256_hex(text)) == 64
