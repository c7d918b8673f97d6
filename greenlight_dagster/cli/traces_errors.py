"""`greenlight traces errors`: what went wrong, by kind, and one kind with all that is known of it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from greenlight_dagster.cli.context import read_database
from greenlight_dagster.cli.moments import parse_stretch
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table, since
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.operations import explanation, issues
from studio.operations.failures import Failure
from studio.operations.issues import ERROR_CLASSES, IssueDetail
from studio.operations.wording import several, times
from studio.text import clip, printable

# A line or two of a narrow terminal; the one error has all of it.
MESSAGE_CHARS = 80
PLACE_CHARS = 60
OCCURRENCES = 10
# As many as tell one trace from another; every command takes the beginning of an id.
ID_DIGITS = 12
_BARS = "▁▂▃▄▅▆▇█"
_LABEL_CHARS = 15


def errors(
    fingerprint: Annotated[
        str | None, typer.Argument(metavar="FINGERPRINT", help="Show this error, by its fingerprint or its beginning.")
    ] = None,
    error_class: Annotated[
        str | None, typer.Option("--class", help=f"Only of this class: {', '.join(ERROR_CLASSES)}.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    since_when: Annotated[
        str | None, typer.Option("--since", help="Only what came up so long ago or later, for instance 24h or 7d.")
    ] = None,
    resolved: Annotated[bool, typer.Option("--resolve", help="Say that the error is mended.")] = False,
    reopened: Annotated[bool, typer.Option("--reopen", help="Take that back.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 30,
    as_json: JsonFlag = False,
) -> None:
    """List errors by kind, or show one kind: why it happens, how often, and what became of its jobs.

    An error that is resolved is open again as soon as it comes up once more.
    """
    if error_class is not None and error_class not in ERROR_CLASSES:
        raise InvalidInput(f"There is no class {error_class!r}.", f"One of: {', '.join(ERROR_CLASSES)}.")
    if fingerprint is None and (resolved or reopened):
        raise InvalidInput("Say which error.", "Give its fingerprint, as `greenlight traces errors` lists it.")
    if resolved and reopened:
        raise InvalidInput("It cannot be both.", "Give --resolve or --reopen.")
    if fingerprint is None:
        _list(error_class, everything, since_when, limit, as_json)
        return
    if resolved or reopened:
        resolve(fingerprint, reopen=reopened, as_json=as_json)
        return
    with read_database() as (db, _):
        detail = issues.get(db, fingerprint)
        failure, told = _newest(db, detail)
    if as_json:
        print_json({**vars(detail), "explanation": told, "newest": failure})
    else:
        _show(detail, failure, told)


def resolve(fingerprint: str, *, reopen: bool = False, as_json: bool = False) -> None:
    """Say that an error is mended, or take that back, and tell how it stands."""
    with read_database() as (db, settings):
        whole = issues.get(db, fingerprint).issue.fingerprint
        change = issues.reopen if reopen else issues.resolve
        with db.transaction() as conn:
            issue = change(conn, whole, settings.owner_clerk_id)
    if as_json:
        print_json(issue)
        return
    out.print(f"It is {issue.status} now.", highlight=False)
    if issue.status == "resolved":
        out.print("It is open again as soon as it comes up once more.", highlight=False)


def _list(error_class: str | None, everything: bool, since_when: str | None, limit: int, as_json: bool) -> None:
    with read_database() as (db, _):
        found = issues.find(
            db,
            # Cancelled work is never open: whoever asks for it means all of it.
            status=None if everything or error_class == issues.CANCELLED else "open",
            error_class=error_class,
            since=parse_stretch(since_when, "--since") if since_when else None,
            limit=limit,
        )
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "class", "status", "count", "fatal", "last seen", "first seen", "error", "where"),
        [
            (
                issue.fingerprint[:ID_DIGITS],
                issue.error_class,
                "reopened" if issue.is_reopened else issue.status,
                issue.count,
                issue.fatal_count,
                issue.last_seen,
                issue.first_seen,
                clip(f"{issue.error_type.rpartition('.')[2]}: {' '.join(issue.message.split())}", MESSAGE_CHARS),
                None if issue.place is None else clip(issue.place, PLACE_CHARS),
            )
            for issue in found
        ],
        empty="No error is like that." if error_class or since_when or everything else "No error is open.",
        below=("error", "where"),
    )


def _newest(db: Database, detail: IssueDetail) -> tuple[Failure | None, str | None]:
    """Return the attempt in which it came up last, and what happened; None where it is no longer kept."""
    if detail.issue.last_trace_id is None:
        return None, None
    try:
        failure = issues.failure(db, detail.issue.last_trace_id)
        return failure, explanation.explain(db, detail.issue.last_trace_id)
    except NotFound:
        return None, None


def _show(detail: IssueDetail, failure: Failure | None, told: str | None) -> None:
    issue = detail.issue
    out.print(f"[bold]{escape(issue.error_type or issue.error_class)}[/]", highlight=False)
    out.print(printable(issue.message), markup=False, highlight=False, soft_wrap=True)
    _say("fingerprint", issue.fingerprint)
    _say("class", issue.error_class)
    _say("status", _status(detail))
    _say("seen", f"{times(issue.count)}, and ended {several(issue.fatal_count, 'attempt')}")
    _say("first, last", f"{since(issue.first_seen)}, {since(issue.last_seen)}")
    if issue.place:
        _say("where", issue.place)
    _say("last 48 hours", _bars([bar.count for bar in detail.hours]))
    _say("last 30 days", _bars([bar.count for bar in detail.days]))
    types = ", ".join(f"{kind.pipeline_name} ({kind.count})" for kind in detail.job_types)
    _say("in", f"{types or 'no job'}; {several(detail.job_count, 'job')}")
    if told is not None:
        out.print()
        out.print(printable(told), markup=False, highlight=False, soft_wrap=True)
    if failure is not None and failure.path:
        out.print()
        _say("on the way", " › ".join(place.name for place in failure.path))
        _say("look at it", f"greenlight traces show {failure.trace.id[:ID_DIGITS]}")
    out.print()
    print_table(
        ("trace", "in", "attempt", "at", "ended it", "project"),
        [
            (
                one.trace_id.hex[:ID_DIGITS],
                one.span_name,
                one.attempt,
                one.at,
                "yes" if one.fatal else "no",
                None if one.project_name is None else clip(" ".join(one.project_name.split()), 40),
            )
            for one in detail.occurrences[:OCCURRENCES]
        ],
        empty="None of its traces is kept any more.",
        below=("project",),
    )


def _status(detail: IssueDetail) -> str:
    issue = detail.issue
    if issue.status == "resolved" and issue.resolved_at is not None:
        return f"resolved {since(issue.resolved_at)} by {issue.resolved_by}"
    if issue.is_reopened and issue.reopened_at is not None:
        by = f" by {issue.reopened_by}" if issue.reopened_by else ", because it came back"
        return f"open again since {since(issue.reopened_at)}{by}"
    return issue.status


def _bars(counts: list[int]) -> str:
    """Return counts as a line of bars; the highest one says how many it is."""
    most = max(counts, default=0)
    if not most:
        return "none"
    bars = "".join(" " if not count else _BARS[(count * len(_BARS) - 1) // most] for count in counts)
    return f"{bars}  (at most {most})"


def _say(what: str, words: str) -> None:
    out.print(f"[bold]{what:<{_LABEL_CHARS}}[/]", end="", highlight=False)
    out.print(printable(words), markup=False, highlight=False, soft_wrap=True)
