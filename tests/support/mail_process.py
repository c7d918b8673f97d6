"""A sender as the whole life of a process, which kills itself where a test wants it."""

from __future__ import annotations

import os
import signal
from typing import Any
from uuid import uuid4

from studio.database.connection import Database
from studio.mail.due import DueMail
from studio.mail.folder import OutboxFolder
from studio.mail.resend import Resend
from studio.mail.sender import Sender
from studio.settings import Settings

POINTS: dict[str, list[tuple[type[Any], str]]] = {
    "claim": [(DueMail, "claim")],
    "begin": [(DueMail, "begin")],
    "send": [(OutboxFolder, "send"), (Resend, "send")],
    "finish": [(DueMail, "finish")],
}


def die_after(point: str, times: int) -> None:
    """Let this process end without a word right after the `times`-th claim, beginning, sending or finish."""
    left = times

    def deadly(work: Any) -> Any:
        def struck(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            result = work(*args, **kwargs)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return struck

    for kind, name in POINTS[point]:
        setattr(kind, name, deadly(getattr(kind, name)))


def send(db_url: str, settings: Settings, limit: int, die: str) -> None:
    """Send what is due, as the whole life of a process."""
    point, _, times = die.partition(":")
    if point:
        die_after(point, int(times))
    with Database(db_url) as db:
        Sender(db, settings, run=str(uuid4())).send_due(limit)
