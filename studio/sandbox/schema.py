"""A value for any JSON schema: a proposal is bent to fit it, and what is missing is filled from the facts.

Limits are read where the schema states them and where the SDK's `transform_schema` leaves them, in braces at the
end of a description (`{maxLength: 240, minLength: 1}`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

from studio.sandbox import patterns, words

Schema = dict[str, Any]

# Stands for "nothing was proposed"; None is a value of its own in JSON.
MISSING: Final = object()
# A schema that refers to itself ends here: lists stay empty, optional parts are left out.
MAX_DEPTH = 6
_MAX_REFERENCES = 20
# Lists of text without a wish for more hold this many entries.
_USUAL_ITEMS = 3

_HINTS = re.compile(r"\{([^{}]*(?:\{\d+(?:,\d*)?\}[^{}]*)*)\}\s*$")
_NUMBER_HINT = re.compile(
    r"\b(minLength|maxLength|minItems|maxItems|minimum|maximum|exclusiveMinimum|exclusiveMaximum|multipleOf|"
    r"ge|gt|le|lt): (-?\d+(?:\.\d+)?)"
)
_PATTERN_HINT = re.compile(r"\bpattern: (.+?)(?:, \w+: .*)?$")
_SAME = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}

# Values that no reader can take for a real address, date or id.
_FORMATS = {
    "date-time": "1970-01-01T00:00:00Z",
    "date": "1970-01-01",
    "time": "00:00:00Z",
    "duration": "P0D",
    "email": "not-given@sandbox.invalid",
    "hostname": "sandbox.invalid",
    "uri": "https://sandbox.invalid/",
    "ipv4": "0.0.0.0",  # noqa: S104 - the unspecified address as a value, nothing listens on it
    "ipv6": "::",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_ABSTAINING = ("none", "unknown", "not_measured", "other", "n/a", "unspecified", "neutral", "revise", "no", "low")


class Speaker(Protocol):
    """Where text comes from that no composer proposed."""

    def propose(self, title: str) -> Any:
        """Return what a composer says for a schema of this title, or `MISSING`."""

    def line(self, name: str, index: int) -> str:
        """Return a text for the property `name`; `index` tells entries of a list apart."""

    def lines(self, name: str) -> list[str]:
        """Return the texts a list property `name` may hold; empty where listing anything would invent it."""

    def choose(self, options: list[str]) -> str | None:
        """Return the option that the facts speak for, or None."""


def limits_of(schema: Schema) -> dict[str, Any]:
    """Return the limits of a schema by their JSON-schema names, hints in the description included."""
    found: dict[str, Any] = {}
    hints = _HINTS.search(str(schema.get("description") or ""))
    if hints:
        for key, value in _NUMBER_HINT.findall(hints.group(1)):
            found[_SAME.get(key, key)] = float(value) if "." in value else int(value)
        if pattern := _PATTERN_HINT.search(hints.group(1)):
            found["pattern"] = pattern.group(1)
    for key in ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "exclusiveMinimum"):
        if isinstance(schema.get(key), int | float):
            found[key] = schema[key]
    for key in ("exclusiveMaximum", "multipleOf", "pattern"):
        if key in schema:
            found[key] = schema[key]
    return found


class Filler:
    """Fills one schema; `fill(schema)` returns a value that the schema accepts."""

    def __init__(self, root: Schema, speaker: Speaker) -> None:
        self._root = root
        self._speaker = speaker

    def fill(self, schema: Any, proposal: Any = MISSING, *, name: str = "", index: int = 0, depth: int = 0) -> Any:
        """Return a value for `schema`, as close to `proposal` as the schema allows."""
        schema = self._resolve(schema)
        if proposal is MISSING and isinstance(schema.get("title"), str):
            proposal = self._speaker.propose(schema["title"])
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._enum(schema["enum"], proposal)
        if variants := self._variants(schema):
            return self.fill(self._variant(variants, proposal, depth), proposal, name=name, index=index, depth=depth)
        makers: dict[str, Callable[..., Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": lambda _schema, value, *_: value if isinstance(value, bool) else False,
            "null": lambda *_: None,
        }
        kind = _kind(schema)
        if kind not in makers:
            return "" if proposal is MISSING else proposal
        return makers[kind](schema, proposal, name, index, depth)

    def _resolve(self, schema: Any) -> Schema:
        """Follow references and merge `allOf`; a schema that is `true` or unknown becomes an open one."""
        for _ in range(_MAX_REFERENCES):
            if not isinstance(schema, dict) or not isinstance(schema.get("$ref"), str):
                break
            target: Any = self._root
            for part in schema["$ref"].lstrip("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~")
                target = target.get(part, {}) if part and isinstance(target, dict) else target
            schema = target
        if not isinstance(schema, dict) or "$ref" in schema:
            return {}
        if isinstance(schema.get("allOf"), list):
            merged = {key: value for key, value in schema.items() if key != "allOf"}
            for part in map(self._resolve, schema["allOf"]):
                properties = {**merged.get("properties", {}), **part.get("properties", {})}
                required = [*merged.get("required", []), *part.get("required", [])]
                merged = {**part, **merged}
                if properties:
                    merged |= {"properties": properties, "required": list(dict.fromkeys(required))}
            return merged
        return schema

    def _variants(self, schema: Schema) -> list[Schema]:
        listed = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(listed, list) and listed:
            return [self._resolve(variant) for variant in listed]
        if isinstance(schema.get("type"), list) and schema["type"]:
            return [{**schema, "type": kind} for kind in schema["type"]]
        return []

    def _variant(self, variants: list[Schema], proposal: Any, depth: int) -> Schema:
        fitting = [v for v in variants if proposal is not MISSING and _accepts(v, proposal)]
        nulls = [v for v in variants if _kind(v) == "null"]
        if fitting:
            return fitting[0]
        if nulls and (proposal is None or depth >= MAX_DEPTH):
            return nulls[0]
        first = next((v for v in variants if _kind(v) != "null"), variants[0])
        # Null is the honest value of a figure or a choice that nothing speaks for.
        if nulls and proposal is MISSING and self._would_guess(first):
            return nulls[0]
        return first

    def _would_guess(self, schema: Schema) -> bool:
        if isinstance(schema.get("enum"), list):
            return self._speaker.choose([o for o in schema["enum"] if isinstance(o, str)]) is None
        return _kind(schema) in ("integer", "number", "boolean") or "format" in schema

    def _enum(self, options: list[Any], proposal: Any) -> Any:
        if proposal is not MISSING and proposal in options:
            return proposal
        texts = [option for option in options if isinstance(option, str)]
        if chosen := self._speaker.choose(texts):
            return chosen
        return next((o for o in options if isinstance(o, str) and o.lower() in _ABSTAINING), options[0])

    def _object(self, schema: Schema, proposal: Any, name: str, index: int, depth: int) -> dict[str, Any]:
        given = proposal if isinstance(proposal, dict) else {}
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        result: dict[str, Any] = {}
        for key, sub in properties.items():
            if key in given:
                result[key] = self.fill(sub, given[key], name=key, index=index, depth=depth + 1)
            elif key in required or (not isinstance(proposal, dict) and depth < MAX_DEPTH // 2):
                result[key] = self.fill(sub, name=key, index=index, depth=depth + 1)
        if schema.get("additionalProperties") not in (False, None):
            result |= {key: value for key, value in given.items() if key not in result}
        return result

    def _array(self, schema: Schema, proposal: Any, name: str, index: int, depth: int) -> list[Any]:
        limits = limits_of(schema)
        least, most = int(limits.get("minItems", 0)), int(limits.get("maxItems", 10_000))
        item = schema.get("items", {})
        if isinstance(proposal, list):
            given = proposal
        elif _kind(self._resolve(item)) == "string" and depth < MAX_DEPTH:
            given = self._speaker.lines(name)[: max(least, _USUAL_ITEMS)]
        else:
            # Entries that nobody proposed would be invented: as few as the schema allows.
            given = []
        filled = [
            self.fill(item, value, name=name, index=position, depth=depth + 1)
            for position, value in enumerate(given[:most])
        ]
        while len(filled) < least:
            filled.append(self.fill(item, name=name, index=len(filled), depth=depth + 1))
        return filled

    def _string(self, schema: Schema, proposal: Any, name: str, index: int, depth: int) -> str:
        limits = limits_of(schema)
        if schema.get("format") in _FORMATS and not isinstance(proposal, str):
            return _FORMATS[schema["format"]]
        if isinstance(limits.get("pattern"), str):
            return self._patterned(limits["pattern"], proposal, name, index)
        text = proposal if isinstance(proposal, str) else self._speaker.line(name, index)
        least, most = int(limits.get("minLength", 0)), int(limits.get("maxLength", 100_000))
        extra = 0
        while len(text) < least:
            more = self._speaker.line("summary", extra)
            text = f"{text} {more}".strip() if more else text.ljust(least, ".")
            extra += 1
        return text if len(text) <= most else words.clip_words(text, most).ljust(least, ".")

    def _patterned(self, pattern: str, proposal: Any, name: str, index: int) -> str:
        wished = proposal if isinstance(proposal, str) else self._speaker.line(name, index)
        try:
            if re.search(pattern, wished):
                return wished
        except re.error:
            return wished
        return patterns.sample(pattern) or wished

    def _number(self, schema: Schema, proposal: Any, name: str, index: int, depth: int) -> float | int:
        limits = limits_of(schema)
        wished = proposal if isinstance(proposal, int | float) and not isinstance(proposal, bool) else None
        low = limits.get("minimum", limits.get("exclusiveMinimum"))
        high = limits.get("maximum", limits.get("exclusiveMaximum"))
        value: float | int = wished if wished is not None else 0
        if low is not None and value < low:
            value = low
        if high is not None and value > high:
            value = high
        step = limits.get("multipleOf")
        if step:
            value = step * -(-value // step) if low is not None else step * (value // step)
        whole = _kind(schema) == "integer"
        if value == limits.get("exclusiveMinimum"):
            value = value + (1 if whole else _between(value, high))
        if value == limits.get("exclusiveMaximum"):
            value = value - (1 if whole else _between(low, value))
        return value

    def _integer(self, schema: Schema, proposal: Any, name: str, index: int, depth: int) -> int:
        value = self._number(schema, proposal, name, index, depth)
        low = limits_of(schema).get("minimum")
        whole = round(value)
        return whole + 1 if low is not None and whole < low else whole


def _between(low: Any, high: Any) -> float:
    return (high - low) / 2 if isinstance(low, int | float) and isinstance(high, int | float) else 1


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else ""


def _accepts(schema: Schema, value: Any) -> bool:
    if "const" in schema:
        return bool(value == schema["const"])
    if isinstance(schema.get("enum"), list):
        return value in schema["enum"]
    kinds: dict[str, tuple[type, ...]] = {
        "object": (dict,),
        "array": (list,),
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
        "null": (type(None),),
    }
    kind = _kind(schema)
    if isinstance(value, bool):
        return kind in ("boolean", "")
    return isinstance(value, kinds.get(kind, (object,)))
