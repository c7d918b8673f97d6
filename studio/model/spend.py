"""The spend ledger: reserve a call's worst case, settle its real cost.

The arithmetic is in SQL (migration `model_spend`), in one statement per reservation, so that racing
workers cannot overspend together. What a lost worker had reserved counts in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.database.patience import patiently
from studio.errors import BudgetExhausted, InvalidInput, NotFound
from studio.model.prices import MICROS, Usage

# A billion dollars: far from where 64 bits end, and from what anybody means.
LARGEST_CAP = 10**15


@dataclass(frozen=True)
class Budget:
    """Caps and spend of a project: money in micro-dollars."""

    cap_micros: int | None
    cap_tokens: int | None
    cap_calls: int | None
    spent_micros: int
    reserved_micros: int
    spent_tokens: int
    reserved_tokens: int
    calls: int


@dataclass(frozen=True)
class Spender:
    """On whose account a call is made: the project, and the job's claim where there is one."""

    project_id: UUID
    job_id: UUID | None = None
    claim_no: int | None = None


@dataclass(frozen=True)
class Spent:
    """What a job has cost so far. `cost_micros` counts calls of lost workers in full."""

    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int
    searches: int


def set_budget(conn: Connection, project_id: UUID, usd: Decimal, tokens: int, calls: int) -> None:
    """Set a project's caps, in the caller's transaction; what was spent stays."""
    if usd < 0 or tokens < 0 or calls < 0:
        raise InvalidInput("A budget cannot be negative.", "Use 0 to stop all model calls.")
    if usd * MICROS > LARGEST_CAP or tokens > LARGEST_CAP or calls > LARGEST_CAP:
        raise InvalidInput("A budget this large is a slip.", "Stay below a billion dollars, and 10^15 tokens or calls.")
    with translated():
        conn.execute(
            "insert into public.project_budgets (project_id, cap_micros, cap_tokens, cap_calls)"
            " values (%(p)s, %(m)s, %(t)s, %(c)s) on conflict (project_id) do update set"
            " cap_micros = excluded.cap_micros, cap_tokens = excluded.cap_tokens, cap_calls = excluded.cap_calls,"
            " updated_at = now()",
            {"p": project_id, "m": int(usd * MICROS), "t": tokens, "c": calls},
        )


def budget(db: Database, project_id: UUID) -> Budget:
    """Return the project's budget, or raise `NotFound`."""
    with db.connection() as conn:
        found = budget_in(conn, project_id)
    if found is None:
        raise NotFound(f"Project {project_id} has no budget.", "Set one with `greenlight projects budget`.")
    return found


def budget_in(conn: Connection, project_id: UUID) -> Budget | None:
    """Return the project's budget as the caller's transaction sees it, None where it has none."""
    row = conn.execute(
        "select cap_micros, cap_tokens, cap_calls, spent_micros, reserved_micros, spent_tokens, reserved_tokens,"
        " calls from public.project_budgets where project_id = %s",
        [project_id],
    ).fetchone()
    return Budget(**row) if row else None


def reserve(db: Database, spender: Spender, *, step: str, agent: str, model: str, micros: int, usage: Usage) -> UUID:
    """Reserve the worst case of a call and return the call's id.

    Raises `BudgetExhausted` where money, tokens or calls are not covered, `LeaseLost` for a claim that is
    no longer current.
    """

    def reserved() -> UUID:
        with db.connection() as conn, translated():
            row = conn.execute(
                "select public.reserve_model_call(%s, %s, %s, %s, %s, %s, %s, %s) as id",
                [
                    spender.project_id,
                    spender.job_id,
                    spender.claim_no,
                    step,
                    agent,
                    model,
                    micros,
                    usage.tokens,
                ],
            ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return UUID(str(row["id"]))

    try:
        # A reservation whose id was lost is settled with the abandoned ones: too dear rather than too cheap.
        return patiently(reserved)
    except BudgetExhausted as exc:
        if (explained := _explained(db, spender.project_id, micros, usage)) is not None:
            raise explained from exc
        raise


def _explained(db: Database, project_id: UUID, micros: int, usage: Usage) -> BudgetExhausted | None:
    try:
        now = budget(db, project_id)
    except NotFound:
        return None
    if now.cap_micros is None or now.cap_tokens is None or now.cap_calls is None:
        return None
    needs: list[str] = []
    if now.spent_micros + now.reserved_micros + micros > now.cap_micros:
        left = now.cap_micros - now.spent_micros - now.reserved_micros
        needs.append(f"it may cost ${usd(micros)}, and ${usd(max(0, left))} of ${usd(now.cap_micros)} are left")
    if now.spent_tokens + now.reserved_tokens + usage.tokens > now.cap_tokens:
        left = now.cap_tokens - now.spent_tokens - now.reserved_tokens
        needs.append(f"it may use {usage.tokens:,} tokens, and {max(0, left):,} are left")
    if now.calls + 1 > now.cap_calls:
        needs.append("its only call is used" if now.cap_calls == 1 else f"all {now.cap_calls:,} calls are used")
    if not needs:
        needs.append("other calls had reserved what was left")
    exhausted = BudgetExhausted(
        f"The project's budget does not cover the next model call: {'; '.join(needs)}.",
        "Raise it with `greenlight projects budget`.",
    )
    # What only other calls' reservations keep out fits when they have settled, so a later attempt may succeed.
    exhausted.permanent = not (
        now.spent_micros + micros <= now.cap_micros
        and now.spent_tokens + usage.tokens <= now.cap_tokens
        and now.calls + 1 <= now.cap_calls
    )
    return exhausted


def settle(
    db: Database, call_id: UUID, *, micros: int, usage: Usage, duration_ms: int, error: str | None = None
) -> None:
    """Settle a reserved call to what it really cost; a second settlement does nothing."""

    def settled() -> None:
        with db.connection() as conn, translated():
            conn.execute(
                "select public.settle_model_call(%s, %s, %s, %s, %s, %s, %s)",
                [call_id, micros, usage.input_tokens, usage.output_tokens, usage.searches, duration_ms, error],
            )

    patiently(settled)


def calls_of_job(db: Database, job_id: UUID) -> list[dict[str, Any]]:
    """Return a job's model calls as they are stored, in their order."""
    return db.fetch_all(
        "select step, agent, model, status, input_tokens, output_tokens, searches, cost_micros, reserved_micros,"
        " duration_ms, error, created_at from public.model_calls where job_id = %s order by created_at, id",
        [job_id],
    )


def spent_by_job(db: Database, job_id: UUID) -> Spent:
    """Return what a job's model calls have cost so far, over all its attempts."""
    with db.connection() as conn:
        return spent_by_job_in(conn, job_id)


def spent_by_job_in(conn: Connection, job_id: UUID, *, after: datetime | None = None) -> Spent:
    """Return what a job's model calls (those begun after `after`) have cost, as the caller's transaction sees it."""
    row = conn.execute(
        "select count(*)::int as calls,"
        " coalesce(sum(coalesce(cost_micros, reserved_micros)), 0)::bigint as cost_micros,"
        " coalesce(sum(input_tokens), 0)::bigint as input_tokens,"
        " coalesce(sum(output_tokens), 0)::bigint as output_tokens, coalesce(sum(searches), 0)::int as searches"
        " from public.model_calls where job_id = %(job)s"
        " and (%(after)s::timestamptz is null or created_at > %(after)s)",
        {"job": job_id, "after": after},
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always returns a row
    return Spent(**row)


def usd(micros: int) -> str:
    """Return micro-dollars as dollars with as many places as they need, at least two."""
    text = f"{Decimal(micros) / MICROS:.6f}".rstrip("0")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.ljust(2, '0')}"
