"""What has become of one request: what went wrong, and who kept whom waiting."""

from __future__ import annotations

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

    def taken(self, done: bool, now: float) -> None:
        """Note that the client begins to take a piece, or has taken it."""
        if done and self.taking_since is not None:
            self.taking_seconds += now - self.taking_since
        self.taking_since = None if done else now
