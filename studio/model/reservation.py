"""A reservation in the spend ledger while its call runs."""

from __future__ import annotations

import time
from uuid import UUID

from studio.database.connection import Database
from studio.model import spend
from studio.model.prices import PriceList, Usage
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
