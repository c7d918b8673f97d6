"""What has become of one request: what went wrong, and who kept whom waiting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Record:
    """What has become of one request so far; written by its connection alone."""

    host: str = ""
    port: int = 0
    refused: str | None = None
    failed: str | None = None
    # Whether what went wrong is a matter of this machine's network or settings, and says nothing of the host.
    here: bool = False
    bytes_received: int = 0
    # Readings of `time.monotonic`.
    connected_at: float | None = None
    sent_at: float | None = None
    heard_at: float | None = None
    ended_at: float | None = None
    # How long the client took to take what came since the server was sent something, and since when it takes so.
    taking_seconds: float = 0.0
    taking_since: float | None = None

    def silent_for(self, at: float, *, altogether: bool) -> float | None:
        """Return for how many seconds the server, at the moment `at`, has owed an answer; None where it was not there.

        They are counted from the last byte that was passed either way (`altogether`), or from the last one that it
        was sent, whatever drips from it since. A client that is slow to take an answer is not waiting for it.
        """
        if self.connected_at is None or self.connected_at > at or (self.ended_at is not None and self.ended_at < at):
            return None
        said = [self.connected_at, self.sent_at, self.heard_at if altogether else None]
        taking = self.taking_seconds + (max(0.0, at - self.taking_since) if self.taking_since is not None else 0.0)
        return max(0.0, at - max(moment for moment in said if moment is not None) - taking)

    def answered(self) -> bool:
        """Say whether the server has spoken since it was last sent something."""
        said = self.connected_at if self.sent_at is None else self.sent_at
        return self.heard_at is not None and said is not None and self.heard_at > said

    def taken(self, done: bool, now: float) -> None:
        """Note that the client begins to take a piece, or has taken it."""
        if done and self.taking_since is not None:
            self.taking_seconds += now - self.taking_since
        self.taking_since = None if done else now


def all_silent_for(records: Iterable[Record], at: float, *, altogether: bool) -> float | None:
    """Return for how many seconds a server, at the moment `at`, has owed an answer on all connections; None on none.

    Which of them a request went out on nobody knows: the shortest silence is the only one that is surely its own. Those
    on which the server has spoken last are left out where there are others: whoever asks it again and again would hide
    the one that gets nothing. Where there are no others they count: a server speaks last after a handshake, too.
    """
    silent = [
        (one.answered(), seconds)
        for one in records
        if (seconds := one.silent_for(at, altogether=altogether)) is not None
    ]
    waiting = [seconds for answered, seconds in silent if not answered]
    return min(waiting or [seconds for _, seconds in silent], default=None)
