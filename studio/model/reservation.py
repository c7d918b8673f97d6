"""A reservation in the spend ledger while its call runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from uuid import UUID

import anthropic
import httpx2

from studio.database.connection import Database
from studio.errors import ModelUnavailable
from studio.model import spend
from studio.model.prices import PriceList, Usage
from studio.model.transport import one_line, translated, unbilled
from studio.tracing import genai


class Reservation:
    """A call's reserved worst case, until it is settled."""

    def __init__(self, db: Database, prices: PriceList, model: str, call_id: UUID) -> None:
        self._db = db
        self._prices = prices
        self._model = model
        self._started = time.perf_counter()
        self.call_id = call_id
        self.cost_micros = 0
        self.settled = False

    def settle(self, usage: Usage, error: str | None = None) -> None:
        """Settle to what `usage` costs."""
        self._settle(self._prices.cost_micros(self._model, usage), usage, error)

    def settle_in_full(self, micros: int, worst: Usage, error: str) -> None:
        """Settle to the whole reservation: what was used is unknown."""
        self._settle(micros, worst, error)

    def _settle(self, micros: int, usage: Usage, error: str | None) -> None:
        self.cost_micros = micros
        self.settled = True
        duration_ms = round((time.perf_counter() - self._started) * 1000)
        spend.settle(self._db, self.call_id, micros=micros, usage=usage, duration_ms=duration_ms, error=error)
        # What was used is unknown where a request broke off, and the whole reservation counts: money, but no tokens.
        genai.settled(self._model, micros, None if error else usage, self.call_id)


@contextlib.contextmanager
def settling(reservation: Reservation, model: str, micros: int, worst: Usage, *, late: str) -> Iterator[None]:
    """Settle the reservation of a call that breaks, and raise the studio's error for what broke it.

    `late` names how long it may take.
    """
    try:
        yield
    except anthropic.AnthropicError as exc:
        if unbilled(exc):
            reservation.settle(Usage(), error=one_line(exc))
        else:
            reservation.settle_in_full(micros, worst, one_line(exc))
        raise translated(exc, model) from exc
    except BaseException as exc:
        # Interrupted or timed out in mid-stream: what was used is unknown, so it counts in full.
        if not reservation.settled:
            reservation.settle_in_full(micros, worst, one_line(exc))
        if isinstance(exc, httpx2.TimeoutException):
            raise ModelUnavailable(f"The model took longer than {late}.", "The job is tried again.") from exc
        if isinstance(exc, httpx2.HTTPError):
            raise ModelUnavailable(f"The stream of the model broke: {one_line(exc)}.", "") from exc
        raise
