"""The figures of 7 and 30 days are counted by the database's clock, and add up only what can be added."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from studio.database.connection import Database
from studio.kpis import Kpis, kpis
from tests.support.queue import make_project


def measured(db: Database, project: UUID) -> Kpis:
    with db.connection() as conn:
        return kpis(conn, project)


def event(db: Database, project: UUID, name: str, ago: str = "1 hour", count: int = 1) -> None:
    db.execute(
        "insert into public.project_analytics_events (project_id, event_name, occurred_at)"
        " select %s, %s, now() - %s::interval from generate_series(1, %s)",
        [project, name, ago, count],
    )


def payment(
    db: Database, project: UUID, cents: int, ago: str = "1 hour", currency: str = "USD", status: str = "succeeded"
) -> None:
    db.execute(
        "insert into public.project_payment_events (project_id, provider, event_type, status, amount_cents, currency,"
        " occurred_at) values (%s, 'stripe', 'charge', %s, %s, %s, now() - %s::interval)",
        [project, status, cents, currency, ago],
    )


def test_a_project_without_anything_has_zeros(database: Database) -> None:
    found = measured(database, make_project(database))
    assert found == Kpis(0, 0, Decimal(0), 0, 0, 0, 0, Decimal(0), 0, 0, "USD", 0)
    assert found.lines()[0] == (
        "Last 7 days: 0 visits, 0 leads, no conversion without visits, 0 payments, revenue 0.00 USD"
    )


def test_leads_of_all_three_names_and_conversion_to_four_places(database: Database) -> None:
    project = make_project(database)
    event(database, project, "traffic", count=3)
    event(database, project, "traffic", "8 days", count=4)
    for name in ("lead", "signup", "waitlist_submit"):
        event(database, project, name, "10 days" if name == "lead" else "1 hour")
    # Another project's, and other names, are not counted.
    event(database, make_project(database), "traffic", count=50)
    event(database, project, "Traffic")
    event(database, project, "leads")
    found = measured(database, project)
    assert (found.traffic_7d, found.leads_7d, found.conversion_7d) == (3, 2, Decimal("0.6667"))
    assert (found.traffic_30d, found.leads_30d, found.conversion_30d) == (7, 3, Decimal("0.4286"))


@pytest.mark.parametrize(
    ("ago", "week", "month"),
    [
        ("0 seconds", 1, 1),
        ("6 days 23:59:00", 1, 1),
        ("7 days 00:01:00", 0, 1),
        ("29 days 23:59:00", 0, 1),
        ("30 days 00:01:00", 0, 0),
        # What another client has dated into the future has not happened.
        ("-1 hour", 0, 0),
    ],
)
def test_the_windows_end_now_and_begin_7_and_30_days_ago(database: Database, ago: str, week: int, month: int) -> None:
    project = make_project(database)
    event(database, project, "traffic", ago)
    payment(database, project, 500, ago)
    found = measured(database, project)
    assert (found.traffic_7d, found.payments_7d, found.revenue_cents_7d) == (week, week, 500 * week)
    assert (found.traffic_30d, found.payments_30d, found.revenue_cents_30d) == (month, month, 500 * month)


def test_only_payments_that_succeeded_are_revenue(database: Database) -> None:
    project = make_project(database)
    payment(database, project, 1999)
    payment(database, project, 5000, status="failed")
    payment(database, project, 5000, status="refunded")
    found = measured(database, project)
    assert (found.payments_7d, found.revenue_cents_7d) == (1, 1999)


def test_currencies_are_not_added_up(database: Database) -> None:
    project = make_project(database)
    payment(database, project, 1000, currency="eur")
    payment(database, project, 1000, "8 days", currency="EUR")
    payment(database, project, 99_000, currency="JPY")
    found = measured(database, project)
    assert (found.currency, found.revenue_cents_7d, found.revenue_cents_30d) == ("EUR", 1000, 2000)
    assert (found.payments_7d, found.payments_30d, found.foreign_payments_30d) == (2, 3, 1)
    assert found.lines()[1].endswith("3 payments, revenue 20.00 EUR (and 1 payment in other currencies)")
