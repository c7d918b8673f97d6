"""One paragraph on an attempt: what failed and why, what was tried, and what became of the job. Facts, no model.

Every sentence is made of rows; where a row is missing, its sentence is, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.operations import causes, failures, fates
from studio.operations.failures import Failure, Place
from studio.operations.figures import dollars
from studio.operations.wording import lasting, listed, moment, several, times
from studio.text import clip

# An error may quote an answer; its own page has all of it.
MESSAGE_CHARS = 300
SHOWN_IN_FLIGHT = 4

# What an owner may count are his own attempts; with whom else an error came back is not his to know.
_HISTORY: LiteralString = """
select count(*)::int as spans, min(coalesce(s.end_time, s.start_time)) as first_seen,
  count(distinct t.job_id) filter (where t.job_id is distinct from %(job)s)::int as other_jobs,
  (select i.reopened_at from public.pipeline_issues i
   where i.fingerprint = %(fingerprint)s and i.status = 'open' and i.reopened_by is null
     and %(owner)s::text is null) as reopened_at
from public.pipeline_spans s left join public.pipeline_traces t on t.trace_id = s.trace_id
where s.fingerprint = %(fingerprint)s and (%(owner)s::text is null or s.project_id in (
  select p.id from public.projects p where p.owner_clerk_id = %(owner)s))
"""
_CALLING = {"llm": "asking the model", "chat": "asking the model", "tool": "using the tool"}
_WITHIN = {"step": "step", "agent": "agent", "action": "action"}


@dataclass(frozen=True)
class History:
    """How often an error has come up so far, since when, and in how many other jobs: of an owner's, to him."""

    spans: int
    first_seen: datetime | None
    other_jobs: int
    reopened_at: datetime | None


def explain(db: Database, trace_id: UUID | str, owner: str | None = None) -> str:
    """Return what happened in an attempt, as one paragraph; `trace_id` and errors as in `traces.get`."""
    found = failures.failure(db, trace_id, owner)
    history: History | None = None
    fingerprint = found.trace.fingerprint or (found.origin and found.origin.fingerprint)
    if fingerprint and found.trace.failed:
        params = {"fingerprint": fingerprint, "job": found.trace.job_id, "owner": owner}
        row = db.fetch_one(_HISTORY, params)
        history = History(**row) if row else None
    return paragraph(found, history)


def paragraph(found: Failure, history: History | None = None) -> str:
    """Return the paragraph on an attempt."""
    status = found.trace.status
    if status == "running":
        sentences = _running(found)
    elif status == "ok":
        sentences = _ended_well(found)
    elif status == "lost":
        sentences = _lost(found, history)
    elif status == "cancelled":
        sentences = _cancelled(found)
    else:
        sentences = _failed(found, history)
    return " ".join(sentences)


# --- an attempt that failed


def _failed(found: Failure, history: History | None) -> Iterator[str]:
    trace = found.trace
    began = "was due" if trace.queue_ms is not None else "began"
    yield f"{_subject(found)} failed {lasting(trace.elapsed_ms)} after it {began}{_where(found)}."
    cause = causes.cause_of(found)
    yield _ended(f"The cause: {cause.words}; the error was {_quoted(found)}")
    yield from _requests(found)
    yield from _earlier(found)
    last = found.path[-1] if len(found.path) > 1 else None
    if last is not None and last.duration_ms is not None and trace.queue_ms is not None:
        yield (
            f"It had waited {lasting(trace.queue_ms)} in the queue, and"
            f" {lasting(last.duration_ms)} of the {lasting(trace.elapsed_ms)} passed in {last.name}."
        )
    yield from _others(found)
    yield from _before_now(found, history)
    yield from fates.of_job(found)
    yield f"What to do: {cause.advice}"


def _lost(found: Failure, history: History | None) -> Iterator[str]:
    trace = found.trace
    yield f"{_subject(found)} was lost{_where(found)}: its process ended without a word, so no error was raised."
    message = " ".join((trace.error or "").partition("In flight:")[0].split())
    if message:
        yield f"Whoever closed it has noted: “{clip(message, MESSAGE_CHARS)}”"
    flying = [place for place in found.in_flight if place.category not in ("job",)]
    if flying:
        until = found.last_sign or trace.end_time
        shown = [f"{place.name}{_for(place, trace.end_time)}" for place in flying[-SHOWN_IN_FLIGHT:]]
        more = len(flying) - len(shown)
        yield f"In flight {'were' if len(flying) > 1 else 'was'} {listed(shown)}{f' and {more} more' if more else ''}."
        if until is not None and trace.end_time is not None:
            silent = (trace.end_time - until).total_seconds() * 1000
            yield f"The last sign of life came at {moment(until)}, {lasting(silent)} before the loss was noticed."
    yield from _before_now(found, history)
    yield from fates.of_job(found)
    yield (
        "What to do: look for what killed the process (memory, a restart, kill -9) in the log of the run"
        f"{f' {trace.dagster_run_id}' if trace.dagster_run_id else ''} and of the machine at that time."
    )


def _cancelled(found: Failure) -> Iterator[str]:
    trace = found.trace
    reason = (found.ending and found.ending.error) or (found.job and found.job.last_error) or trace.error or ""
    said = f" (“{clip(' '.join(reason.split()), MESSAGE_CHARS)}”)" if reason else ""
    if trace.outcome == "canceled" or (found.ending is not None and found.ending.status == "canceled"):
        yield f"{_subject(found)} was canceled on request{said} after {lasting(trace.elapsed_ms)}{_where(found)}."
        yield "That is no error: the work stopped because it was told to."
    else:
        yield f"{_subject(found)} was interrupted{said} after {lasting(trace.elapsed_ms)}{_where(found)}."
        yield "That is no error of the work: its run was stopped from outside, as when the studio is shut down."
    yield from _others(found)
    yield from fates.of_job(found)


# --- an attempt that did not


def _running(found: Failure) -> Iterator[str]:
    yield f"{_subject(found)} has been running for {lasting(found.trace.elapsed_ms)}{_where(found)}."
    if found.job is not None and found.path:
        here = (found.job.now - found.path[-1].start_time).total_seconds() * 1000
        yield f"It has been there for {lasting(here)}."
    if not found.other_count:
        yield "Nothing has gone wrong in it so far."
    yield from _others(found)


def _ended_well(found: Failure) -> Iterator[str]:
    trace = found.trace
    waited = f", of which it waited {lasting(trace.queue_ms)} in the queue" if trace.queue_ms else ""
    yield f"{_subject(found)} ended well after {lasting(trace.elapsed_ms)}{waited}."
    if trace.model_calls:
        yield f"It made {several(trace.model_calls, 'request')} to the model, for {dollars(trace.cost_micros)}."
    yield from _others(found)


# --- sentences that several share


def _subject(found: Failure) -> str:
    trace = found.trace
    about = f" for “{clip(trace.subject, 80)}”" if trace.subject else ""
    if trace.attempt is None:
        return f"{trace.pipeline_name}{about}"
    most = found.ending.max_attempts if found.ending and found.ending.max_attempts else None
    most = most or (found.job.max_attempts if found.job else None)
    of = f" of {most}" if most and most >= trace.attempt else ""
    return f"Attempt {trace.attempt}{of} at {trace.pipeline_name}{about}"


def _where(found: Failure) -> str:
    """Return where in the work that was: ` in step research, agent researcher, while asking the model X`."""
    within = [f"{_WITHIN[place.category]} {place.what}" for place in found.path if place.category in _WITHIN]
    words = f" in {', '.join(within)}" if within else ""
    last = found.path[-1] if found.path else None
    if last is None or last.category in (*_WITHIN, "job"):
        return words
    return f"{words}{',' if within else ''} while {_doing(found, last)}"


def _doing(found: Failure, last: Place) -> str:
    if last.category in _CALLING:
        model = found.origin.model if found.origin else None
        what = model or (last.what if last.category != "llm" else "")
        return f"{_CALLING[last.category]}{f' {what}' if what else ''}"
    if last.category == "http":
        host = found.origin.attributes.get("server.address") if found.origin else None
        return f"asking {host}" if host else "asking somebody over HTTP"
    if last.category == "db":
        return "waiting for the database"
    if last.name == "queue:wait":
        return "waiting in the queue"
    if last.category == "launch":
        return "its run was being launched"
    return f"doing {last.name}"


def _for(place: Place, ended: datetime | None) -> str:
    if ended is None:
        return ""
    return f" (for {lasting((ended - place.start_time).total_seconds() * 1000)})"


def _quoted(found: Failure) -> str:
    """Return the error in its own words, what led to it, and where nobody foresaw it its place in our code."""
    kind, message = causes.type_of(found), clip(causes.message_of(found), MESSAGE_CHARS)
    words = f"{kind}: “{message}”" if kind and message else kind or f"“{message}”"
    inner, said = next(iter(reversed(causes.led_to_it(found))), ("", ""))
    if inner and said not in message and message not in said:
        words += f", caused by {inner}: “{clip(said, MESSAGE_CHARS)}”"
    if found.origin is not None and found.trace.error_class in ("unknown", "validation"):
        place = causes.place_of(found.origin.stack or "")
        words += f", at {place}" if place else ""
    return words


def _ended(sentence: str) -> str:
    """Return a sentence with its full stop, which may stand within the quotation that ends it."""
    return sentence if sentence.endswith(".”") else f"{sentence}."


def _requests(found: Failure) -> Iterator[str]:
    tries = sum(request.tries for request in found.requests)
    if not tries:
        return
    first, last = found.requests[0], found.requests[-1]
    took = (last.start_time - first.start_time).total_seconds() * 1000 + (last.duration_ms or 0.0)
    refusals = [refusal for request in found.requests for refusal in request.refusals]
    sentence = f"The model was asked {times(tries)}{', for' if tries == 1 else ' within'} {lasting(took)}"
    answers = [refusal for refusal in refusals if refusal.startswith("HTTP")]
    every = len(answers) == tries
    if len(set(answers)) == 1 and len(answers) > 1:
        sentence += f", and {'each time' if every else times(len(answers))} it came to {answers[0]}"
    elif answers:
        sentence += f", which came to {listed(answers)}"
    elif last.status == "ok":
        sentence += ", and answered" + (" each time" if tries > 1 else "")
    elif last.first_token_ms is not None:
        sentence += f"; its answer had begun after {lasting(last.first_token_ms)}"
    elif tries == 1 and last.status == "error":
        sentence += ", and not again, as the request may have been billed"
    sentence += "; the retries are used up" if every and tries > 1 else ""
    yield sentence + "."


def _earlier(found: Failure) -> Iterator[str]:
    if not found.before:
        return
    same = [other for other in found.before if other.fingerprint and other.fingerprint == found.trace.fingerprint]
    count = len(found.before)
    noun = "The attempt before" if count == 1 else f"Of the {count} attempts before"
    if len(same) == count:
        yield (
            "The attempt before ended in the same way." if count == 1 else f"The {count} attempts before did the same."
        )
    elif count == 1:
        error = clip(" ".join((found.before[0].error or "").split()), 120)
        yield f"{noun} ended otherwise ({found.before[0].status}{f': “{error}”' if error else ''})."
    else:
        yield f"{noun}, {len(same) or 'none'} ended in the same way."


def _others(found: Failure) -> Iterator[str]:
    # What is interrupted because the whole of it ends is no error of its own.
    errors = [other for other in found.others if other.error_class != "cancelled"]
    count = found.other_count - len(found.others) + len(errors)
    if not errors:
        return
    said = clip(" ".join(errors[0].error.split()), 120)
    what = several(count, "other error" if found.trace.failed else "error")
    came = "came up in it" if count == 1 else "came up in it, the last one"
    overcome = "" if found.trace.status != "ok" else f" and {'was' if count == 1 else 'were'} overcome"
    yield f"{what} {came} in {errors[0].span_name} (“{said}”){overcome}."


def _before_now(found: Failure, history: History | None) -> Iterator[str]:
    if history is None or history.first_seen is None:
        return
    if history.spans <= 1:
        yield "This error has not come up before."
        return
    others = ""
    if history.other_jobs:
        others = f", in {several(history.other_jobs, 'other job')}"
    elif found.trace.job_id is not None:
        others = ", always in this job"
    yield f"This error has come up {times(history.spans)} since {moment(history.first_seen)}{others}."
    if history.reopened_at is not None:
        yield f"It had been resolved, and came back at {moment(history.reopened_at)}."
