"""Following a job until it ends: live on a terminal, line by line into a pipe, or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from rich.live import Live

from greenlight_dagster.cli.output import out, print_json
from greenlight_dagster.cli.run_view import RunView, line
from studio import events, queue
from studio.database.connection import Database
from studio.events import Event
from studio.settings import Settings

# The display draws streamed words as they come; faster than this no eye follows.
FRAMES_PER_SECOND = 12


def follow_job(
    db: Database,
    job_id: UUID,
    *,
    settings: Settings,
    after: int = 0,
    live: bool | None = None,
    as_json: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> RunView:
    """Show the job's events after seq `after` until it ends, and return what they said.

    `live` draws one changing picture instead of lines; by default where the output is a terminal.
    """
    job = queue.get(db, job_id)
    view = RunView()

    def ended() -> bool:
        return stop() or (queue.get(db, job_id).ended and events.last_seq_of_job(db, job_id) <= seen)

    seen = after
    # Without LISTEN the pause between looks is all there is; with it, the safety net keeps its own.
    poll = None if settings.listens else settings.worker_poll_ms / 1000
    stream = events.follow(
        db, job.project_id, after, job_id=job_id, listen=settings.listens, stop=ended, poll_seconds=poll
    )
    if as_json or not (out.is_terminal if live is None else live):
        for event in stream:
            seen = event.seq
            view.apply(event)
            _print(event, as_json)
        return view
    picture = Live(view.render(), console=out, refresh_per_second=FRAMES_PER_SECOND, get_renderable=view.render)
    try:
        # Not as a context manager: Ctrl-C while it starts would leave standard output in its hands.
        picture.start(refresh=True)
        for event in stream:
            seen = event.seq
            view.apply(event)
    finally:
        picture.stop()
    return view


def _print(event: Event, as_json: bool) -> None:
    if as_json:
        print_json(event)
    elif (text := line(event)) is not None:
        out.print(text, highlight=False, soft_wrap=True)
