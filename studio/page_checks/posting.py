"""`form_post`: the form is filled in with a test address and sent, and what came of it is looked at.

On a page of this studio the address is one that its waitlist knows for a check: it has to arrive there, counts
nowhere and is taken out again. On anybody else's page a form is sent only where somebody has asked for that check
itself, with an address that is reserved for examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from studio.database.connection import Connection
from studio.job_types import CHECKS, CheckName
from studio.page_checks.causes import cause_of
from studio.page_checks.results import CheckResult, failed, judged, not_applicable, not_measured, unseen
from studio.page_checks.seen import Seen


@dataclass(frozen=True)
class Arrived:
    """A test address that the waitlist has taken: for which list, and with which words of consent."""

    project_id: UUID
    source: str
    consent_words: str | None


# Takes the test address off the list again and returns what arrived; None where nothing did.
Arrival = Callable[[], Arrived | None]


def named_by_somebody(checks: Sequence[str]) -> bool:
    """Say whether a list of checks asks for `form_post` itself, rather than for all that there are."""
    return "form_post" in checks and set(checks) != set(CHECKS)


class Once(Protocol):
    """Sees to it that a stranger's form is sent once, however many attempts a check takes."""

    def __call__(self, send: Callable[[], Form | None]) -> Form | None:
        """Return what came of `send`, or of the `send` of an earlier attempt; `SENT_BEFORE` where nobody knows."""


Form = Mapping[str, Any]
# What an attempt finds that comes after one of which only the beginning is known.
SENT_BEFORE: Form = {"reached": True, "sent_before": True}


def form_post(seen: Seen, *, own: bool, asked: bool, arrival: Arrival) -> CheckResult:
    """Pass where the form was sent, taken, and answered with another page, and on our own page has arrived.

    `own` says whether it is a page of this studio, `asked` whether a stranger's form may be sent.
    """
    check: CheckName = "form_post"
    if not own and not asked:
        return not_applicable(
            check, "The page is on somebody else's site, whose form is only sent where this check is asked for by name."
        )
    known = seen.desktop.get("forms")
    if known is not None and not known["count"]:
        return failed(check, "There is no form.", forms=0)
    if silence := seen.silence("form"):
        return unseen(check, silence)
    form = seen.pages["form"]
    if form.get("sent_before"):
        told = (
            "An earlier attempt has sent the form, or was about to; its answer was not seen, and it is not sent twice."
        )
        return not_measured(check, told, lasting=True)
    evidence: dict[str, Any] = {
        name: form.get(name)
        for name in ("action", "method", "filled", "posted_to", "posted_by", "status", "answered_at", "shows")
    }
    if form.get("to_us"):
        told = "The form leads to this studio's own waitlist, which is only tried from its published page."
        return not_applicable(check, told, **evidence)
    # A stranger's form is not sent again, so what was not seen of it stays so.
    final = not own and form["pressed"]
    if cause := cause_of(form.get("unfilled")):
        why = f"The form could not be filled in and sent: {cause.why}"
        return unseen(check, cause._replace(why=why, lasting=final), **evidence)
    if lacking := form.get("lacking"):
        told = f"The form asks for what a check does not have, in its field {lacking}."
        return not_measured(check, told, lasting=True, **evidence)
    if not form["sent"]:
        return failed(check, f"The form could not be sent: {form['why']}.", **evidence)
    problems: list[str] = []
    missing: list[str] = []
    status = form["status"]
    if form["failure"]:
        problems.append(f"Sending the form failed: {form['failure']}")
    elif status is None:
        late = "The form was sent, and nobody answered in time"
        (problems if form.get("owed") else missing).append(late)
    elif status >= 400:
        problems.append(f"The form is answered with status {status}")
    if status is not None and not form["changed"]:
        problems.append("The page shows the same as before, as if nothing had been sent")
    if own:
        arrived = arrival()
        evidence["arrived"] = arrived is not None
        if arrived is not None:
            evidence |= {"source": arrived.source, "consent_words": arrived.consent_words}
        elif not missing:
            # One whose answer is still to come may still arrive.
            problems.append("The address that the form sent did not arrive on the project's waitlist")
    well = (
        "The form was sent, its test address arrived on the waitlist and was taken off again."
        if own
        else f"The form was sent and answered with status {status}."
    )
    return judged(check, problems, well, missing=missing, lasting=final, **evidence)


def take_arrival(conn: Connection, job_id: UUID) -> Arrived | None:
    """Take the job's test address off the waitlist of checks, in the caller's transaction; return it, None for none."""
    row = conn.execute(
        "delete from public.waitlist_checks where job_id = %s returning project_id, source, consent", [job_id]
    ).fetchone()
    if row is None:
        return None
    return Arrived(row["project_id"], row["source"], row["consent"].get("words"))
