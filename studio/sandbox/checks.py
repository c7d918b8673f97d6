"""The checks that the API makes before a model sees a request; each refusal names the field."""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox.errors import invalid
from studio.sandbox.request import MessagesRequest, blocks_of, is_web_fetch, is_web_search

ROLES = ("user", "assistant", "system")
MAX_MESSAGES = 100_000
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Keywords that structured output refuses; the SDK's transform_schema moves them into descriptions.
_REFUSED_KEYWORDS = (
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "maxItems",
    "oneOf",
    "patternProperties",
)
_TOOL_CHOICES = ("auto", "any", "tool", "none")


def parse(body: Any, *, counting: bool = False) -> MessagesRequest:
    """Check a body and return the request. `counting` leaves out what only creating a message needs.

    Raises the API's 400 that names the first field at fault.
    """
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object.")
    _check_text(body, "model")
    if not counting:
        _check_count(body, "max_tokens")
    _check_messages(body.get("messages"))
    _check_system(body.get("system"))
    names = _check_tools(body.get("tools"))
    _check_tool_choice(body.get("tool_choice"), names)
    _check_format(body)
    if not isinstance(body.get("stream", False), bool):
        raise invalid("stream: Input should be a valid boolean")
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(s, str) and s for s in stops)):
        raise invalid("stop_sequences: Input should be a list of non-empty strings")
    return MessagesRequest(body)


def _check_text(body: dict[str, Any], field: str) -> None:
    if field not in body:
        raise invalid(f"{field}: Field required")
    if not isinstance(body[field], str) or not body[field]:
        raise invalid(f"{field}: Input should be a non-empty string")


def _check_count(body: dict[str, Any], field: str) -> None:
    if field not in body:
        raise invalid(f"{field}: Field required")
    value = body[field]
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{field}: Input should be a valid integer")
    if value < 1:
        raise invalid(f"{field}: Input should be greater than or equal to 1")


def _check_messages(messages: Any) -> None:
    if messages is None:
        raise invalid("messages: Field required")
    if not isinstance(messages, list):
        raise invalid("messages: Input should be a valid list")
    if not messages:
        raise invalid("messages: at least one message is required")
    if len(messages) > MAX_MESSAGES:
        raise invalid(f"messages: at most {MAX_MESSAGES} messages are allowed")
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict):
            raise invalid(f"{where}: Input should be an object")
        if message.get("role") not in ROLES:
            raise invalid(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
        _check_content(message, where, last=index == len(messages) - 1)
    if messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')
    _check_tool_results(messages)


def _check_content(message: dict[str, Any], where: str, *, last: bool) -> None:
    content = message.get("content")
    if content is None:
        raise invalid(f"{where}.content: Field required")
    if not isinstance(content, str | list):
        raise invalid(f"{where}.content: Input should be a string or a list of content blocks")
    empty_ok = last and message["role"] == "assistant"
    if not content and not empty_ok:
        raise invalid(
            f"{where}: all messages must have non-empty content except for the optional final assistant message"
        )
    for position, block in enumerate(content if isinstance(content, list) else []):
        spot = f"{where}.content.{position}"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise invalid(f"{spot}.type: Field required")
        if block["type"] == "text":
            if not isinstance(block.get("text"), str):
                raise invalid(f"{spot}.text: Field required")
            if not block["text"]:
                raise invalid(f"{spot}.text: text content blocks must be non-empty")
        needed = {"tool_use": ("id", "name", "input"), "tool_result": ("tool_use_id",)}
        for field in needed.get(block["type"], ()):
            if field not in block:
                raise invalid(f"{spot}.{field}: Field required")


def _check_tool_results(messages: list[dict[str, Any]]) -> None:
    """Every tool call of the client must be answered in the next message, and nothing else may be."""
    called: list[str] = []
    for index, message in enumerate(messages):
        blocks = blocks_of(message["content"])
        answered = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        for position, identifier in enumerate(answered):
            if identifier not in called:
                raise invalid(
                    f"messages.{index}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{identifier}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message."
                )
        missing = [identifier for identifier in called if identifier not in answered]
        if missing and message["role"] != "system":
            raise invalid(
                f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}."
            )
        if message["role"] != "system":
            called = [b["id"] for b in blocks if b["type"] == "tool_use"]


def _check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a string or a list of text blocks")
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise invalid(f"system.{index}: Input should be a text block")


def _check_tools(tools: Any) -> list[str]:
    if tools is None:
        return []
    if not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    names: list[str] = []
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        if not isinstance(tool, dict):
            raise invalid(f"{where}: Input should be an object")
        kind = tool.get("type") or "custom"
        if not isinstance(kind, str):
            raise invalid(f"{where}.type: Input should be a string")
        name = tool.get("name")
        if kind == "custom" and name is None:
            raise invalid(f"{where}.custom.name: Field required")
        if name is not None and not (isinstance(name, str) and _TOOL_NAME.fullmatch(name)):
            raise invalid(f"{where}.{kind}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if kind == "custom":
            schema = tool.get("input_schema")
            if not isinstance(schema, dict):
                raise invalid(f"{where}.custom.input_schema: Field required")
            if schema.get("type") != "object":
                raise invalid(f"{where}.custom.input_schema.type: Input should be 'object'")
        if is_web_search(tool) or is_web_fetch(tool):
            _check_web_tool(tool, f"{where}.{kind}", "web_search" if is_web_search(tool) else "web_fetch")
        names.append(str(name or kind))
    if len(set(names)) != len(names):
        raise invalid("tools: Tool names must be unique.")
    return names


def _check_web_tool(tool: dict[str, Any], where: str, name: str) -> None:
    if tool.get("name") != name:
        raise invalid(f"{where}.name: Input should be '{name}'")
    uses = tool.get("max_uses")
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int) or uses < 1):
        raise invalid(f"{where}.max_uses: Input should be greater than or equal to 1")
    for field in ("allowed_domains", "blocked_domains"):
        listed = tool.get(field)
        if listed is not None and not (isinstance(listed, list) and all(isinstance(d, str) for d in listed)):
            raise invalid(f"{where}.{field}: Input should be a list of domains")
    if tool.get("allowed_domains") and tool.get("blocked_domains"):
        raise invalid(f"{where}: only one of `allowed_domains` and `blocked_domains` may be given")


def _check_tool_choice(choice: Any, names: list[str]) -> None:
    if choice is None:
        return
    if not isinstance(choice, dict) or choice.get("type") not in _TOOL_CHOICES:
        raise invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if not names and choice["type"] != "none":
        raise invalid("tool_choice: may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in names:
        raise invalid(f"tool_choice: Tool '{choice.get('name')}' not found in provided tools")


def _check_format(body: dict[str, Any]) -> None:
    config = body.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        raise invalid("output_config: Input should be an object")
    wanted = config.get("format")
    if wanted is None:
        return
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise invalid("output_config.format.type: Input should be 'json_schema'")
    if not isinstance(wanted.get("schema"), dict):
        raise invalid("output_config.format.schema: Field required")
    _check_schema(wanted["schema"], "output_config.format.schema")
    web = next((tool for tool in body.get("tools") or [] if is_web_search(tool) or is_web_fetch(tool)), None)
    if web is not None:
        raise invalid(
            f"output_config.format: structured output cannot be combined with {web['name']}, whose citations it"
            " excludes"
        )
    for index, message in enumerate(body["messages"]):
        for position, block in enumerate(blocks_of(message["content"])):
            citations = block.get("citations")
            spot = f"messages.{index}.content.{position}.citations"
            if (
                block["type"] in ("document", "search_result")
                and isinstance(citations, dict)
                and citations.get("enabled")
            ):
                raise invalid(f"{spot}: cannot be enabled together with output_config.format")


def _check_schema(schema: Any, where: str) -> None:
    """Refuse what structured output does not support; names the place in the schema."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise invalid(f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    refused = [key for key in _REFUSED_KEYWORDS if key in schema]
    if refused:
        raise invalid(f"{where}: For '{schema.get('type')}' type, properties {', '.join(refused)} are not supported")
    for key in ("properties", "$defs", "definitions"):
        inner = schema.get(key)
        for name, sub in inner.items() if isinstance(inner, dict) else ():
            _check_schema(sub, f"{where}.{key}.{name}")
    for key in ("items", "additionalProperties"):
        _check_schema(schema.get(key), f"{where}.{key}")
    for key in ("anyOf", "allOf"):
        for index, sub in enumerate(schema.get(key) or []):
            _check_schema(sub, f"{where}.{key}.{index}")
