"""A project's figures over the last 7 and 30 days: visits, leads, conversion, payments, revenue."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from uuid import UUID

from studio.database.connection import Connection


@dataclass(frozen=True)
class Kpis:
    """What was measured (domain specification §10), by the database's clock.

    Conversion is leads per visit to four places, 0 without visits. Revenue is in cents of `currency`, the one in
    which most payments of the 30 days were made; `foreign_payments_30d` of them were made in others and stand in
    no sum.
    """

    traffic_7d: int
    leads_7d: int
    conversion_7d: Decimal
    payments_7d: int
    revenue_cents_7d: int
    traffic_30d: int
    leads_30d: int
    conversion_30d: Decimal
    payments_30d: int
    revenue_cents_30d: int
    currency: str
    foreign_payments_30d: int

    def lines(self) -> list[str]:
        """Return the figures in two lines of words, for prompts and mails."""
        return [_line(self, 7), _line(self, 30)]


def kpis(conn: Connection, project_id: UUID) -> Kpis:
    """Return the project's figures; all are 0 where nothing was measured."""
    row = conn.execute("select * from public.project_kpis(%s)", [project_id]).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns its row
    return Kpis(**{field.name: row[field.name] for field in fields(Kpis)})


def _line(figures: Kpis, days: int) -> str:
    visits, leads, payments, cents, conversion = (
        getattr(figures, f"{name}_{days}d") for name in ("traffic", "leads", "payments", "revenue_cents", "conversion")
    )
    rate = f"{conversion * 100:.2f} % conversion" if visits else "no conversion without visits"
    foreign = figures.foreign_payments_30d if days == 30 else 0
    others = f" (and {counted(foreign, 'payment')} in other currencies)" if foreign else ""
    return (
        f"Last {days} days: {counted(visits, 'visit')}, {counted(leads, 'lead')}, {rate},"
        f" {counted(payments, 'payment')}, revenue {Decimal(cents) / 100:.2f} {figures.currency}{others}"
    )


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, which takes an s, or es where one could not say it."""
    ending = "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{count} {noun}{'' if count == 1 else ending}"
