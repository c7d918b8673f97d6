"""What the jobs of `tests.support.effects` write, for tests that count it without loading them."""

from __future__ import annotations

LINES = 3
TABLE = "create table if not exists public.effects (job_id uuid not null, op text not null, claim_no integer not null)"
