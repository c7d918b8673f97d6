"""What became of a job after an attempt at it: tried again, failed for good, canceled, or still on."""

from __future__ import annotations

from collections.abc import Iterator

from studio.operations.failures import Failure, JobNow
from studio.operations.wording import lasting, moment


def of_job(found: Failure) -> Iterator[str]:
    """Yield the sentence on what became of the job of an attempt; none where it has none."""
    trace, job, ending = found.trace, found.job, found.ending
    outcome = ending.status if ending is not None else trace.outcome
    if trace.job_id is None:
        return
    later = job is not None and (job.claim_no > (trace.claim_no or 0))
    if outcome == "queued" and job is not None and not later and job.status == "queued":
        yield f"The job is queued again, and due {_due(job)}."
    elif outcome == "queued":
        yield f"The job was queued again{_since(job)}."
    elif outcome == "failed":
        last = ending is not None and ending.attempt is not None and ending.attempt == ending.max_attempts
        why = "this was its last attempt" if last else "trying again would not help"
        known = f", because {why}" if ending is not None else ""
        yield f"The job has failed for good{known}.{_again(job, later)}"
    elif outcome == "canceled":
        yield f"The job is canceled.{_again(job, later)}"
    elif outcome == "completed":
        yield f"The job is completed all the same.{_again(job, later)}"
    elif job is not None and job.status == "running" and not later:
        until = f" until its lease ends at {moment(job.leased_until)}" if job.leased_until is not None else ""
        yield f"The job still counts as running{until}, and is then taken back."
    elif job is not None:
        yield f"The job went on without it{_since(job)}."


def _due(job: JobNow) -> str:
    ahead = (job.run_after - job.now).total_seconds() * 1000
    return f"in {lasting(ahead)}, at {moment(job.run_after)}" if ahead > 0 else "now"


def _since(job: JobNow | None) -> str:
    """Return what happened next, as the end of a sentence."""
    if job is None:
        return ", and is deleted since"
    at = f" at {moment(job.completed_at)}" if job.completed_at is not None else ""
    return {
        "completed": f", and a later attempt completed it{at}",
        "failed": f", and failed for good in a later attempt{at}",
        "canceled": f", and was canceled{at}",
        "running": ", and is being tried again now",
        "queued": f", and waits for its next attempt, due {_due(job)}",
    }.get(job.status, "")


def _again(job: JobNow | None, later: bool) -> str:
    """Return a sentence on a job that somebody has started again after its end."""
    if job is None or not (later or job.status in ("queued", "running")):
        return ""
    return f" It has been started again since, and is {job.status} now."
