"""From a request to an answer: deterministic, cut where it must be, and the same whether streamed or whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from studio.errors import SettingsError
from studio.sandbox import messages, reply, sse
from studio.sandbox.checks import parse
from studio.sandbox.reply import Reply, text_reply
from studio.sandbox.search import CITED_CHARS, Corpus, Document, cited
from studio.sandbox.words import sentences

IDEA = "<idea>An app that lets neighbours share garden tools. It costs €5 a month.</idea>"
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
NOTHING = Corpus([])
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
LENDLY, BREAD, GARDEN = "https://lendly.test/about", "https://bread.test/", "https://garden.test/"
PAGES = [
    (LENDLY, "Lendly – borrow tools", "Lendly lends tools to neighbours. It costs €3. It rains."),
    (BREAD, "Bread", "Bread is baked in ovens."),
    (GARDEN, "Weeding", f"Neighbours weed a garden together. {'Very long words follow ' * 20}tools."),
]


def _corpus() -> Corpus:
    return Corpus([Document(url, title, tuple(sentences(text)), None) for url, title, text in PAGES])


def _answer(corpus: Corpus = NOTHING, **changes: Any) -> Reply:
    body = {"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": IDEA}], **changes}
    return messages.compose(parse(body), corpus)


def _asking(text: str, corpus: Corpus = NOTHING, **changes: Any) -> Reply:
    return _answer(corpus, messages=[{"role": "user", "content": text}], **changes)


# --- determinism and limits -----------------------------------------------------------------------------


def test_the_same_request_gives_the_same_bytes_but_for_ids() -> None:
    first, second = (_answer(_corpus(), tools=[SEARCH]) for _ in range(2))
    assert first == second
    named = reply.with_ids(first, "msg_1")
    assert named == reply.with_ids(second, "msg_1")
    assert named != reply.with_ids(second, "msg_2")


def test_an_answer_ends_at_its_token_limit() -> None:
    whole = _answer()
    assert whole.stop_reason == "end_turn"
    for limit in (1, 7, whole.output_tokens - 1):
        cut = _answer(max_tokens=limit)
        assert cut.stop_reason == "max_tokens"
        assert cut.output_tokens == limit
        assert whole.text.startswith(cut.text)
    assert _answer(max_tokens=whole.output_tokens) == whole


def test_json_that_does_not_fit_is_cut_in_its_middle() -> None:
    schema = {"type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]}
    wanted = {"format": {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}}
    assert json.loads(_answer(output_config=wanted).text) == {
        "summary": "An app that lets neighbours share garden tools."
    }
    cut = _answer(max_tokens=4, output_config=wanted)
    assert cut.stop_reason == "max_tokens"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.text)


def test_an_answer_ends_before_a_stop_sequence() -> None:
    stopped = _answer(stop_sequences=["zebra", "sandbox", "model"])
    assert stopped.stop_reason == "stop_sequence"
    assert stopped.stop_sequence == "sandbox"
    assert stopped.text == "I am the "


def test_no_part_of_an_answer_follows_the_cut() -> None:
    cut = reply.limit(_answer(_corpus(), tools=[SEARCH]), 3)
    # A search that does not fit is left out as a whole, and so is what it would have found.
    assert cut.blocks == ()
    assert cut.stop_reason == "max_tokens"


# --- search ---------------------------------------------------------------------------------------------


def test_without_documents_the_search_is_empty_and_says_so() -> None:
    answer = _asking(f"{IDEA} Find competitors.", tools=[SEARCH])
    call, result, text = answer.blocks
    assert call["input"]["query"].endswith("competitors alternatives")
    assert "garden tools" in call["input"]["query"]
    assert result["content"] == []
    assert "no web access" in text["text"]
    assert answer.searches == 1


def test_passages_are_quoted_as_they_stand_with_their_address() -> None:
    answer = _answer(_corpus(), tools=[SEARCH])
    quoted = [block for block in answer.blocks if block.get("citations")]
    by_url = {url: text for url, _, text in PAGES}
    for block in quoted:
        (citation,) = block["citations"]
        assert citation["cited_text"] in by_url[citation["url"]]
        assert block["text"].strip() in by_url[citation["url"]]
        assert len(citation["cited_text"]) <= CITED_CHARS
    assert {block["citations"][0]["url"] for block in quoted} == {LENDLY, GARDEN}


def test_a_page_is_returned_by_one_search_only_and_searches_are_counted() -> None:
    asked = f"{IDEA} Find competitors and the market size."
    answer = _asking(asked, _corpus(), tools=[SEARCH])
    results = [b["content"] for b in answer.blocks if b["type"] == "web_search_tool_result"]
    urls = [entry["url"] for content in results for entry in content]
    assert len(urls) == len(set(urls)) == 2
    assert answer.searches == len(results) == 2
    assert _asking(asked, _corpus(), tools=[{**SEARCH, "max_uses": 1}]).searches == 1


def test_domains_are_respected() -> None:
    corpus = _corpus()
    query = "garden tools neighbours"
    assert {hit.document.url for hit in corpus.search(query)} == {LENDLY, GARDEN}
    assert [hit.document.url for hit in corpus.search(query, allowed=["lendly.test"])] == [LENDLY]
    assert [hit.document.url for hit in corpus.search(query, blocked=["lendly.test"])] == [GARDEN]
    assert corpus.search("") == []


def test_a_long_sentence_is_cited_up_to_a_words_end() -> None:
    sentence = "word " * 60
    assert len(cited(sentence)) <= CITED_CHARS
    assert sentence.startswith(cited(sentence))
    assert cited(sentence).endswith("word")
    assert cited("x" * 400) == "x" * CITED_CHARS
    assert cited("short.") == "short."


def test_a_corpus_is_read_from_markdown_with_front_matter(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    page = '---\nurl: https://a.test/x\ntitle: "A: page"\ndate: March 2026\n---\n# Heading\nFirst one. Second\nline.\n'
    (tmp_path / "deep" / "a.md").write_text(page, encoding="utf-8")
    (tmp_path / "note.txt").write_text("not a page", encoding="utf-8")
    (document,) = Corpus.load(tmp_path).documents
    assert document == Document("https://a.test/x", "A: page", ("First one.", "Second line."), "March 2026")


@pytest.mark.parametrize(
    "text", ["no front matter", "---\nurl: https://a.test\n---\nx", "---\nurl: https://a.test", ""]
)
def test_a_page_without_address_or_title_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.md").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"bad\.md names no url and title"):
        Corpus.load(tmp_path)
    with pytest.raises(SettingsError, match="does not exist"):
        Corpus.load(tmp_path / "nowhere")


# --- the client's tools ---------------------------------------------------------------------------------


def _tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"name": name, "description": description, "input_schema": schema}


WEATHER = _tool("get_weather", "Get the weather of a city.", city={"type": "string"})
FETCH = _tool("fetch_page", "Fetch a page.", url={"type": "string"})
COUNT = _tool("count_items", "Count.", number={"type": "integer"}, unit={"enum": ["kilo", "gram"]})
READ = _tool("read", "Read a file.", file_path={"type": "string"})
SAVE = _tool("save_note", "Save a note.", text={"type": "string"}, tags={"type": "array", "items": {"type": "string"}})


@pytest.mark.parametrize(
    ("text", "tools", "called"),
    [
        ("What is the weather in Lisbon today?", [FETCH, WEATHER], ("get_weather", {"city": "Lisbon"})),
        ("Fetch the page https://a.test/x.", [WEATHER, FETCH], ("fetch_page", {"url": "https://a.test/x"})),
        ("Count 12 items by the kilo", [COUNT], ("count_items", {"number": 12, "unit": "kilo"})),
        ("Read src/main.py please", [READ], ("read", {"file_path": "src/main.py"})),
        ('Save the note "buy milk"', [SAVE], ("save_note", {"text": "buy milk", "tags": ["buy milk"]})),
        # What the words do not state is not made up: no call.
        ("Fetch the page.", [FETCH], None),
        ("What is the weather?", [WEATHER], None),
        ("Tell me a story", [WEATHER, FETCH], None),
    ],
)
def test_a_tool_is_called_with_what_the_words_state(
    text: str, tools: list[dict[str, Any]], called: tuple[str, dict[str, Any]] | None
) -> None:
    answer = _asking(text, tools=tools)
    calls = [(b["name"], b["input"]) for b in answer.blocks if b["type"] == "tool_use"]
    assert calls == ([called] if called else [])
    assert answer.stop_reason == ("tool_use" if called else "end_turn")


def test_the_choice_of_the_client_decides() -> None:
    text = "What is the weather in Lisbon? Read a.txt"
    named = _asking(text, tools=[WEATHER, READ], tool_choice={"type": "tool", "name": "read"})
    assert named.blocks[0]["name"] == "read"
    assert _asking(text, tools=[WEATHER], tool_choice={"type": "none"}).stop_reason == "end_turn"
    forced = _asking("Off to Porto", tools=[_tool("go", "x", to={"type": "string"})], tool_choice={"type": "any"})
    assert forced.blocks[0]["name"] == "go"


@pytest.mark.parametrize(("failed", "how"), [(False, "returned"), (True, "failed")])
def test_a_result_is_reported_and_ends_the_turn(failed: bool, how: str) -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "clear", "is_error": failed}
    talk = [
        {"role": "user", "content": "What is the weather in Lisbon?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    answer = _answer(messages=talk, tools=[WEATHER])
    assert answer.text == f"get_weather {how}: clear"
    assert answer.stop_reason == "end_turn"


# --- streams --------------------------------------------------------------------------------------------


def _accumulated(answer: Reply) -> dict[str, Any]:
    """Put a stream together as the SDK does."""
    snapshot: Any = None
    bufs: dict[int, bytes] = {}
    for event in sse.events(answer, "msg_1", 12):
        assert event.encode().startswith(f"event: {event.name}\ndata: ".encode())
        assert event.encode().endswith(b"\n\n")
        if event.name != "ping":
            parsed = EVENT.validate_python(event.data)
            snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=bufs)
    return dict(snapshot.to_dict())


STREAMED = {
    "prose": lambda: _answer(),
    "cut": lambda: _answer(max_tokens=9),
    "searched": lambda: _answer(_corpus(), tools=[SEARCH]),
    "found nothing": lambda: _answer(tools=[SEARCH]),
    "tool": lambda: _asking("What is the weather in São Paulo?", tools=[WEATHER]),
    "empty text": lambda: text_reply(""),
    "no block": lambda: Reply(()),
}


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_put_together_is_the_whole_message(name: str) -> None:
    named = reply.with_ids(STREAMED[name](), "msg_1")
    whole = Message.model_validate(reply.message(named, "msg_1", 12)).to_dict()
    streamed = _accumulated(named)
    for part in ("content", "stop_reason", "stop_sequence", "model", "role", "id"):
        assert streamed.get(part) == whole.get(part), part
    assert whole["model"] == "sandbox"
    usage, streamed_usage = dict(whole["usage"]), dict(streamed["usage"])
    assert {key: streamed_usage.get(key) for key in usage} == usage


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_chunks_lose_nothing_and_stay_small(text: str) -> None:
    pieces = list(sse.chunks(text))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= 2 * sse.CHUNK_CHARS for piece in pieces)
