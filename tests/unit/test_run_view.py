"""What a terminal shows of a job follows its events alone, in order, and no text of theirs is taken for markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from greenlight_dagster.cli.packet_view import one_line
from greenlight_dagster.cli.run_view import NOTES_SHOWN, STREAM_CHARS, STREAMS_SHOWN, RunView, line
from studio.events import Event, EventType
from studio.text import printable

JOB, PROJECT = UUID(int=1), UUID(int=2)
BEGAN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
RUN = "0f8c1d5e-run"
MARKUP = "[red]not red[/red] [/] [link=https://evil.test]x[/link] \\"


class Stream:
    """Makes the events of one job, one second apart."""

    def __init__(self) -> None:
        self.seq = 0
        self.attempt = 0

    def event(self, kind: EventType, message: str | None = None, **data: Any) -> Event:
        self.seq += 1
        moment = BEGAN + timedelta(seconds=self.seq)
        return Event(self.seq, uuid4(), PROJECT, JOB, kind, message, data, self.attempt, self.attempt, moment)

    def status(self, status: str, **data: Any) -> Event:
        if status == "running":
            self.attempt += 1
        return self.event("status", status, **data)

    def step(self, op: str, kind: str, **data: Any) -> Event:
        return self.event("log", kind, op=op, step_event=kind, dagster_run_id=RUN, **data)


def shown(renderable: Any, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(renderable)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def plain(markup: str) -> str:
    return Text.from_markup(markup).plain


def fed(*events: Event) -> RunView:
    view = RunView()
    for event in events:
        view.apply(event)
    return view


# --- the state


def test_a_run_is_told_by_its_events() -> None:
    s = Stream()
    view = fed(
        s.status("queued"),
        s.status("running"),
        s.step("load_context", "STEP_START"),
        s.event("log", "Loaded the project", op="load_context", dagster_run_id=RUN),
        s.step("load_context", "STEP_SUCCESS", duration_ms=1250),
        s.step("research", "STEP_START"),
        s.event("delta", "The market ", step="research/market"),
        s.event("delta", "is large.", step="research/market"),
        s.event("tool_call", "web_search ← tools", tool="web_search"),
        s.event("artifact", "Phase 0 packet, version 1"),
        s.status("completed"),
        s.event("done"),
    )
    assert (view.status, view.attempt, view.run_id, view.error) == ("completed", 1, RUN, None)
    assert view.events == 12
    assert {name: (step.state, step.seconds) for name, step in view.steps.items()} == {
        "load_context": ("done", 1.25),
        "research": ("running", None),
    }
    assert view.streams == {"research/market": "The market is large."}
    assert view.artifacts == ["Phase 0 packet, version 1"]
    assert plain(view.notes[0]) == "Loaded the project"


def test_cost_is_the_sum_of_the_model_calls() -> None:
    s = Stream()
    calls = [s.event("log", "ceo: …", cost_micros=n, input_tokens=10 * n, output_tokens=n) for n in (3, 5)]
    view = fed(s.event("log", "No model call"), *calls)
    assert (view.calls, view.cost_micros, view.tokens) == (2, 8, 88)
    assert "$0.000008, 88 tokens in 2 model calls" in shown(view.render())


def test_a_new_attempt_begins_afresh_and_keeps_the_cost() -> None:
    s = Stream()
    view = fed(
        s.status("running"),
        s.step("research", "STEP_START"),
        s.event("delta", "Half a sen", step="research"),
        s.event("log", "ceo: …", cost_micros=7, input_tokens=1, output_tokens=1),
        s.status("queued", error="The model cannot be reached."),
    )
    assert view.error == "The model cannot be reached."
    assert plain(view.notes[-1]) == "The model cannot be reached."
    view.apply(s.status("running"))
    assert (view.attempt, view.error, view.steps, view.streams, view.cost_micros) == (2, None, {}, {}, 7)


def test_a_failed_and_a_skipped_step_say_so() -> None:
    s = Stream()
    view = fed(
        s.status("running"),
        s.step("research", "STEP_START"),
        s.step("research", "STEP_FAILURE", error="The model\nrefuses the key."),
        s.step("synthesize", "STEP_SKIPPED"),
    )
    failed, skipped = view.steps["research"], view.steps["synthesize"]
    assert (failed.state, failed.note) == ("failed", "The model refuses the key.")
    # No duration came with the failure: what lies between its events.
    assert failed.seconds == 1.0
    assert skipped.state == "skipped"
    picture = shown(view.render())
    assert "✗" in picture
    assert "The model refuses the key." in picture


def test_a_step_whose_start_was_not_seen_is_shown_all_the_same() -> None:
    s = Stream()
    assert fed(s.step("research", "STEP_SUCCESS", duration_ms=10)).steps["research"].seconds == 0.01


def test_only_the_end_of_long_streams_and_the_latest_notes_are_kept() -> None:
    s = Stream()
    view = fed(*[s.event("delta", f"{n:05d} ", step="research") for n in range(1000)])
    assert len(view.streams["research"]) == STREAM_CHARS
    assert view.streams["research"].endswith("00999 ")
    for n in range(NOTES_SHOWN + 5):
        view.apply(s.event("log", f"note {n}"))
    assert [plain(note) for note in view.notes] == [f"note {n}" for n in range(5, NOTES_SHOWN + 5)]


def test_only_the_latest_streams_are_drawn() -> None:
    s = Stream()
    names = [f"step-{n}" for n in range(STREAMS_SHOWN + 1)]
    picture = shown(fed(*[s.event("delta", f"text of {name}", step=name) for name in names]).render())
    assert names[0] not in picture
    assert all(f"text of {name}" in picture for name in names[1:])


@pytest.mark.parametrize("status", ["queued", "running", "completed", "failed", "canceled", "surprise"])
def test_any_status_is_drawn(status: str) -> None:
    assert status in shown(fed(Stream().event("status", status)).render())


@pytest.mark.parametrize("width", [20, 40, 200])
def test_the_picture_fits_any_terminal(width: int) -> None:
    s = Stream()
    view = fed(
        s.status("running"),
        s.step("a_step_with_quite_a_long_name", "STEP_START"),
        s.event("delta", "word " * 100, step="research"),
        s.event("log", "A very long line " * 20),
        s.event("artifact", "A long title " * 10),
    )
    assert all(len(row) <= width for row in shown(view.render(), width).splitlines())


# --- one line per event


def test_events_read_as_lines() -> None:
    s = Stream()
    assert plain(line(s.status("queued")) or "") == "09:30:01 queued"
    assert plain(line(s.status("running")) or "") == "09:30:02 running (attempt 1)"
    assert plain(line(s.step("research", "STEP_START")) or "") == "09:30:03 ▸ research"
    assert plain(line(s.step("research", "STEP_SUCCESS", duration_ms=1500)) or "") == "09:30:04 ✓ research 1.50 s"
    assert plain(line(s.step("research", "STEP_FAILURE", error="No.")) or "") == "09:30:05 ✗ research  No."
    assert plain(line(s.step("research", "STEP_SKIPPED")) or "") == "09:30:06 – research skipped"
    assert plain(line(s.event("log", "Loaded")) or "") == "09:30:07   Loaded"
    assert plain(line(s.event("artifact", "A packet")) or "") == "09:30:08 ◆ A packet"
    assert plain(line(s.status("queued", error="Broken.")) or "") == "09:30:09 queued (attempt 1)  Broken."


def test_streamed_text_has_no_line_of_its_own() -> None:
    assert line(Stream().event("delta", "wo", step="research")) is None


@pytest.mark.parametrize("kind", ["log", "tool_call", "tool_result", "artifact", "done"])
@pytest.mark.parametrize("message", [None, "", MARKUP])
def test_no_message_is_taken_for_markup(kind: EventType, message: str | None) -> None:
    event = Stream().event(kind, message, op=MARKUP, level="ERROR")
    assert plain(line(event) or "").rstrip().endswith(" ".join((message or "").split()))
    assert shown(fed(event).render())


@pytest.mark.parametrize("step_event", ["STEP_START", "STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "STEP_NEW"])
def test_no_step_is_taken_for_markup(step_event: str) -> None:
    event = Stream().step(MARKUP, step_event, error=MARKUP)
    assert "[red]not red[/red]" in plain(line(event) or "")
    assert "[red]not red[/red]" in shown(fed(event).render(), width=300)


def test_an_error_is_not_taken_for_markup() -> None:
    event = Stream().status("failed", error=MARKUP)
    assert "[red]not red[/red]" in plain(line(event) or "")
    assert "[red]not red[/red]" in shown(fed(event).render())


STEERING = "\x1b[2J\x1b]0;title\x07\r\x9b1m"


@pytest.mark.parametrize("kind", ["log", "delta", "tool_call", "artifact", "status"])
def test_no_text_steers_the_terminal(kind: EventType) -> None:
    event = Stream().event(kind, f"before{STEERING}after", error=STEERING, step=STEERING, op=STEERING)
    assert not set(line(event) or "") & set("\x1b\x07\r\x9b")
    picture = shown(fed(event).render())
    assert not set(picture) & set("\x1b\x07\r\x9b")


@given(st.text(), st.integers(min_value=2, max_value=60))
def test_one_line_is_one_line_of_at_most_its_width(text: str, width: int) -> None:
    flat = plain(f"[dim]{one_line(text, width)}[/]")
    assert len(flat) <= width
    assert flat == " ".join(flat.split())
    whole = " ".join(printable(text).split())
    assert flat == whole or (flat.endswith("…") and whole.startswith(flat[:-1]))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["status", "log", "delta", "tool_call", "tool_result", "artifact", "done"]),
            st.none() | st.text(max_size=30),
            st.dictionaries(
                st.sampled_from(["step", "op", "error", "tool", "level"]), st.text(max_size=20) | st.none(), max_size=3
            ),
        ),
        max_size=12,
    )
)
def test_no_stream_of_events_breaks_the_view(events: list[tuple[Any, str | None, dict[str, Any]]]) -> None:
    s, view = Stream(), RunView()
    for kind, message, data in events:
        event = s.event(kind, message, **data)
        view.apply(event)
        markup = line(event)
        assert markup is None or plain(markup)
    assert view.events == len(events)
    shown(view.render())
