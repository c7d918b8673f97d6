"""`email.process_due`: who has joined since gets the active sequences, then what is due is sent."""

from __future__ import annotations

from typing import cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.claims import Json
from studio.job_types import JOB_TYPES, EmailDuePayload
from studio.mail import sequences, tally
from studio.mail.dispatch import send_after_leases, send_soon
from studio.mail.sender import Sender
from studio.mail.tally import Start

KIND = JOB_TYPES["email.process_due"]
# The rest of the job's time is for the mail in hand, for a slow provider, and for the end of the run.
SHARE_OF_TIMEOUT = 0.8


def _enroll(work: Work) -> Json:
    started = tally.start(work.claim.db).as_json()
    if not cast("EmailDuePayload", work.payload).enroll:
        return {"queued": 0, "started": started}
    return {"queued": sequences.enroll_newcomers(work.claim.db), "started": started}


def _send(work: Work, enrolled: Json) -> Json:
    # A checkpoint of a release without a tally says nothing of the start: then it counts from here.
    started = Start.from_json(enrolled["started"]) if "started" in enrolled else tally.start(work.claim.db)

    def keep_going() -> bool:
        row = work.claim.db.fetch_one(
            "select 1 from public.agent_jobs where id = %s and claim_no = %s and status = 'running'"
            " and cancel_requested_at is null",
            [work.claim.job_id, work.claim.claim_no],
        )
        return row is not None

    milliseconds = work.settings.worker_job_timeout_ms
    timeout = milliseconds / 1000 if milliseconds else KIND.timeout_seconds
    sender = Sender(work.claim.db, work.settings, run=str(work.claim.job_id), keep_going=keep_going)
    limit = cast("EmailDuePayload", work.payload).limit
    summary = sender.send_due(limit, seconds=max(1.0, timeout * SHARE_OF_TIMEOUT - work.seconds_since_start()))
    # What earlier attempts of this job have done is a part of it.
    counted = tally.count(work.claim.db, str(work.claim.job_id), started)
    work.progress.log(f"Due mail: {counted.told}", **counted.as_json())
    return {**summary.as_json(), **counted.as_json(), "told": counted.told}


def _summarize(work: Work, done: Json) -> None:
    """Record the counts as an asset materialization, and let another job go on where this one left mail behind."""
    run = str(work.claim.job_id)
    if done["more"]:
        send_soon(work.claim.db, after=work.claim.job_id)
    send_after_leases(work.claim.db, after=work.claim.job_id)
    if emitted_before(work, "mail_run", run):
        return
    counts = {name: value for name, value in done.items() if isinstance(value, int)}
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["mail", "due"],
            description=f"Due mail: {done['told']}",
            metadata={**counts, "more": done["more"], "errors": "; ".join(done["errors"]) or "none", "mail_run": run},
        )
    )


OPS = (
    AgentOp("enroll", "Queue the active sequences for whoever has confirmed since.", _enroll),
    AgentOp(
        "send_due",
        "Send what is due, each mail once, until the limit or until nothing is due.",
        _send,
        needs=("enroll",),
        acts=True,
        after=_summarize,
    ),
)

email_process_due = build_agent_job(KIND, OPS)
