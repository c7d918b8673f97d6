"""Calls of the tools that the client offers: which one the user's words ask for, and with what input.

An input is made only from what the request says. Where a required value is not in it, no call is made.
"""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import wishes, words
from studio.sandbox.facts import Facts
from studio.sandbox.reply import Block
from studio.sandbox.request import MessagesRequest, blocks_of, text_of

_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_PATH = re.compile(r"(?<![\w/])(?:\.{0,2}/)?[\w.-]+(?:/[\w.-]+)*\.[A-Za-z]\w{0,7}\b|(?<!\w)/[\w./-]+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_QUOTED = re.compile(r"[\"“„`']([^\"“”„`']{1,400})[\"”“`']")
_PLACE = re.compile(r"\b(?:in|at|for|near|from|to|aus|für|bei|nach)\s+((?:[A-ZÄÖÜ][\w-]+)(?:\s[A-ZÄÖÜ][\w-]+)*)")
_WHOLE = ("query", "question", "text", "message", "prompt", "topic", "idea", "content", "request", "task", "input", "q")
_SHARED_DESCRIPTION_WORDS = 2


def call_for(request: MessagesRequest) -> Block | None:
    """Return the tool call that the last user message asks for, or None where it asks for none."""
    choice = request.tool_choice["type"]
    if choice == "none" or not request.messages or request.messages[-1]["role"] != "user":
        return None
    last = request.messages[-1]
    if any(block["type"] == "tool_result" for block in blocks_of(last["content"])):
        return None
    facts = request.facts
    asked = facts.question or facts.idea
    said = words.stems(asked)
    best: tuple[float, Block] | None = None
    for tool in request.tools:
        if (tool.get("type") or "custom") != "custom":
            continue
        if tool["name"] == wishes.TOOL and choice == "auto":
            ordered = wishes.order(facts)
            if ordered is not None:
                return ordered
            continue
        wanted = choice == "any" or (choice == "tool" and request.tool_choice.get("name") == tool["name"])
        score = _match(tool, said)
        if choice == "tool" and not wanted:
            continue
        if score == 0 and not wanted:
            continue
        value = _value(tool["input_schema"], tool["input_schema"], "", asked, facts)
        if value is not None and (best is None or score > best[0]):
            best = (score, {"type": "tool_use", "name": tool["name"], "input": value})
    return best[1] if best else None


def _match(tool: dict[str, Any], said: set[str]) -> float:
    """Return how well a tool's name and description fit the words said; 0 where they do not."""
    name = words.stems(re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", tool["name"]))
    described = words.stems(str(tool.get("description") or "")) - name
    by_name, by_text = len(name & said), len(described & said)
    return by_name * 2 + by_text if by_name or by_text >= _SHARED_DESCRIPTION_WORDS else 0


def _value(schema: Any, root: dict[str, Any], name: str, asked: str, facts: Facts) -> Any:
    """Return a value that the request states for `schema`, or None where it states none."""
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        key = schema["$ref"].rsplit("/", 1)[-1]
        schema = (root.get("$defs") or root.get("definitions") or {}).get(key, {})
    if not isinstance(schema, dict):
        return None
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list):
        said = words.stems(asked)
        stated = [o for o in schema["enum"] if words.stems(str(o)) and words.stems(str(o)) <= said]
        return stated[0] if stated else schema.get("default")
    for variant in schema.get("anyOf") or schema.get("oneOf") or ():
        value = _value(variant, root, name, asked, facts)
        if value is not None:
            return value
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, root, asked, facts)
    if kind == "array":
        value = _value(schema.get("items"), root, name, asked, facts)
        return [value] if value is not None else schema.get("default")
    if kind in ("integer", "number"):
        found = _NUMBER.search(asked)
        if not found:
            return schema.get("default")
        return int(float(found.group())) if kind == "integer" else float(found.group())
    if kind == "boolean":
        return schema.get("default")
    return _text(schema, name, asked, facts) if kind == "string" else None


def _object(schema: dict[str, Any], root: dict[str, Any], asked: str, facts: Facts) -> dict[str, Any] | None:
    required = schema.get("required") or []
    result: dict[str, Any] = {}
    for key, sub in (schema.get("properties") or {}).items():
        value = _value(sub, root, key, asked, facts)
        if value is not None and (key in required or not isinstance(sub, dict) or "default" not in sub):
            result[key] = value
        elif key in required:
            return None
    return result


def _text(schema: dict[str, Any], name: str, asked: str, facts: Facts) -> str | None:
    parts = set(re.split(r"[_-]", name.lower()))
    about = f"{name} {schema.get('description') or ''}".lower()
    if schema.get("format") == "uri" or parts & {"url", "uri", "link"}:
        found = _URL.search(asked)
        return found.group().rstrip(".,;") if found else None
    if parts & {"path", "file", "filename", "directory", "folder"}:
        path = _PATH.search(asked)
        return path.group() if path else None
    if quoted := _QUOTED.search(asked):
        return quoted.group(1)
    if re.search(r"\b(?:city|place|location|country|region|town)\b", about):
        place = _PLACE.search(asked)
        return place.group(1) if place else None
    if parts & set(_WHOLE):
        return words.clip_words(" ".join(asked.split()), 400)
    default = schema.get("default")
    if isinstance(default, str):
        return default
    phrases = words.key_phrases(asked, 1) or list(facts.reading.phrases[:1])
    return phrases[0] if phrases else None


def results(request: MessagesRequest) -> list[tuple[str, str, bool]]:
    """Return the results in the last message: the tool's name, its text, and whether it failed."""
    if not request.messages:
        return []
    names: dict[str, str] = {}
    for message in request.messages:
        for block in blocks_of(message["content"]):
            if block["type"] == "tool_use":
                names[block["id"]] = block["name"]
    return [
        (names.get(block["tool_use_id"], "tool"), _result_text(block), bool(block.get("is_error")))
        for block in blocks_of(request.messages[-1]["content"])
        if block["type"] == "tool_result"
    ]


def _result_text(block: dict[str, Any]) -> str:
    content = block.get("content")
    return " ".join(text_of(content).split()) if content else ""
