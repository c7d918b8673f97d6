"""Misfits: what is wrong with a value that was sent, in a sentence for whoever sent it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WHOLE = "The body"
# By the kinds of Pydantic's errors; `{field}` is where it is, the other parts are of the error's context.
_TOLD: dict[str, str] = {
    "missing": "{field} is missing.",
    "extra_forbidden": "{field} is not known here.",
    "json_invalid": "The body is not valid JSON.",
    "string_too_short": "{field} needs at least {min_length} {characters}.",
    "string_too_long": "{field} may have at most {max_length} {characters}.",
    "too_short": "{field} needs at least {min_length} {entries}.",
    "too_long": "{field} may have at most {max_length} {entries}.",
    "greater_than_equal": "{field} must be at least {ge}.",
    "greater_than": "{field} must be more than {gt}.",
    "less_than_equal": "{field} may be at most {le}.",
    "less_than": "{field} must be less than {lt}.",
    "literal_error": "{field} must be one of {expected}.",
    "enum": "{field} must be one of {expected}.",
    "string_type": "{field} must be text.",
    "string_unicode": "{field} must be text.",
    "string_pattern_mismatch": "{field} is not of the form that is asked for.",
    "list_type": "{field} must be a list.",
    "dict_type": "{field} must be an object.",
    "model_type": "{field} must be an object.",
    "model_attributes_type": "{field} must be a JSON object.",
    "finite_number": "{field} must be a number.",
    "decimal_max_places": "{field} may have at most {decimal_places} digits behind the point.",
    "decimal_max_digits": "{field} has too many digits.",
    "decimal_whole_digits": "{field} is too large a number.",
}
# Kinds that are several in Pydantic and one to a person, by what they begin with.
_ALIKE: tuple[tuple[str, str], ...] = (
    ("uuid_", "{field} is not an id."),
    ("int_", "{field} must be a whole number."),
    ("float_", "{field} must be a number."),
    ("decimal_", "{field} must be a number."),
    ("bool_", "{field} must be true or false."),
    ("datetime_", "{field} is not a date with a time."),
    ("date_", "{field} is not a date."),
    ("time_", "{field} is not a time of day."),
    ("url_", "{field} is not a web address."),
)


def told(error: Mapping[str, Any]) -> str:
    """Return one of Pydantic's errors as a sentence that ends with a full stop; one of our own as we have said it."""
    field = _field(error["loc"])
    kind = str(error["type"])
    context: dict[str, Any] = dict(error.get("ctx") or {})
    if kind == "value_error":
        # Of a validator of ours, which speaks in whole sentences.
        said = str(context.get("error") or error["msg"]).strip()
        return f"{field}: {said.rstrip('.')}."
    sentence = _TOLD.get(kind) or next((words for start, words in _ALIKE if kind.startswith(start)), None)
    if kind == "missing" and field == _WHOLE:
        sentence = "The body is missing, or is not sent as JSON."
    if sentence is None:
        return f"{field} cannot be used."
    bound = context.get("min_length", context.get("max_length"))
    units = {
        "characters": "character" if bound == 1 else "characters",
        "entries": "entry" if bound == 1 else "entries",
    }
    return sentence.format(field=field, **{**context, **units})


def _field(loc: tuple[Any, ...]) -> str:
    # Without "body", "query" or "path", which say nothing to whoever wrote it; a place in broken JSON is no field.
    parts = [str(part) for part in loc[1:] if not (len(loc) == 2 and isinstance(part, int))]
    return ".".join(parts) or _WHOLE
