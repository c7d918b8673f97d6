"""Delivery: effects on systems of others, each at most once, whatever dies on the way.

An effect's row says `sending`, committed, before its request leaves. What became of it is written by the one who
sent it. Where that never happened, whoever comes next asks the provider, where it can be asked; where not, the row
is `unknown` and held for a person. Nothing is ever sent again on a guess.

Whoever sends or asks holds a lock for as long, which ends with its connection: so a sender that is alive, though its
claim is lost, is not taken for dead while its request may still be under way.
"""

from __future__ import annotations

import abc
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.database.patience import patiently
from studio.errors import (
    LeaseLost,
    OutcomeUnknown,
    ProviderUnavailable,
    StudioError,
)
from studio.outbox import Entry, Status, entry_from_row, get
from studio.progress import Progress
from studio.queue import transiently
from studio.text import canonical_json, sha256_hex, storable_json

# A sender that lives has an answer, or none, within the provider's timeout; this is for what it does around it.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Receipt:
    """What a provider says it did: its own id, where it gives one, and what else is worth keeping."""

    provider_id: str | None = None
    response: Mapping[str, Any] = field(default_factory=dict)


class Courier(abc.ABC):
    """One effect at one provider. A subclass says what is asked for, how, and how to ask what became of it.

    `open` is called before anything is sent, and raises where configuration is missing. `request` then says what
    will be asked for, without secrets, in the transaction that notes that it leaves: it raises where the project's
    permissions, as they are at that moment, forbid it.
    """

    effect: str
    provider: str
    can_be_asked = False

    @abc.abstractmethod
    def open(self) -> None:
        """Load what the provider needs; raise `SettingsError` where it is missing."""

    @abc.abstractmethod
    def request(self, conn: Connection) -> dict[str, Any]:
        """Return what to ask for, as it may be stored and shown; raise `PermissionRefused` where it may not be."""

    @abc.abstractmethod
    def send(self, request: Mapping[str, Any], idempotency_key: str) -> Receipt:
        """Ask for it, once; raise `ProviderUnavailable`, `ProviderRefused` or `OutcomeUnknown`."""

    def ask(self, request: Mapping[str, Any]) -> Receipt | None:
        """Return what an earlier request did, None where it did nothing; only where `can_be_asked`."""
        raise OutcomeUnknown(f"{self.provider} cannot be asked what became of {self.effect}.", "Look there yourself.")


class Delivery:
    """Delivers the effects of one execution, under one claim."""

    def __init__(
        self,
        claim: Claim,
        execution_id: UUID,
        *,
        timeout: float,
        progress: Progress,
        grace: float = GRACE_SECONDS,
    ) -> None:
        """`timeout` is how long a provider may take to answer, `grace` what its sender needs beside, in seconds."""
        self._claim = claim
        self._execution_id = execution_id
        self._timeout = timeout
        self._grace = grace
        self._progress = progress

    def deliver(self, courier: Courier, key: str) -> Receipt:
        """Have the effect done, at most once under `key`, and return the provider's receipt.

        What an earlier attempt has done is not done again. Raises `OutcomeUnknown` where nobody knows whether it
        has, `ProviderUnavailable` where a later attempt may know or do more, and what `courier` raises.
        """
        entry = self._enlist(courier, key)
        if entry.status != "done":
            courier.open()
            with _alone(self._claim.db, entry.id, self._timeout + self._grace, courier.provider):
                # Whoever was here before may have settled it.
                entry = self._enlist(courier, key)
                if entry.status in ("sending", "unknown"):
                    entry = self._settle(courier, entry)
                if entry.status != "done":
                    entry = self._send(courier, entry)
        return Receipt(entry.provider_id, entry.response or {})

    def _enlist(self, courier: Courier, key: str) -> Entry:
        row = self._claim.write(
            lambda conn: conn.execute(
                "select * from public.enlist_outbox_effect(%s, %s, %s, %s, %s, %s)",
                [self._claim.job_id, self._claim.claim_no, self._execution_id, courier.effect, courier.provider, key],
            ).fetchone()
        )
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return entry_from_row(row)

    def _send(self, courier: Courier, entry: Entry) -> Entry:
        def leave(conn: Connection) -> Entry:
            request = storable_json(courier.request(conn))
            text = canonical_json(request)
            row = conn.execute(
                "select * from public.send_outbox_effect(%s, %s, %s, %s, %s::jsonb, %s)",
                [self._claim.job_id, self._claim.claim_no, entry.id, entry.attempts, text, sha256_hex(text)],
            ).fetchone()
            assert row is not None  # noqa: S101 - the function returns a row or raises
            return entry_from_row(row)

        sending = self._claim.write(leave)
        self._progress.tool_call(courier.effect, provider=courier.provider, request=sending.request)
        try:
            receipt = courier.send(sending.request, sending.idempotency_key)
        except OutcomeUnknown as exc:
            if courier.can_be_asked:
                # It stays `sending`: the next attempt asks.
                raise ProviderUnavailable(exc.message, "The next attempt asks what became of it.") from exc
            self._record(sending, "unknown", error=str(exc))
            raise self._held(sending, exc.message) from exc
        except ProviderUnavailable as exc:
            self._record(sending, "pending", error=str(exc))
            raise
        except StudioError as exc:
            self._record(sending, "failed", error=str(exc))
            raise
        self._record(sending, "done", receipt)
        self._progress.tool_result(courier.effect, provider=courier.provider, provider_id=receipt.provider_id)
        return self._read(sending.id)

    def _settle(self, courier: Courier, entry: Entry) -> Entry:
        """Find out what became of an earlier attempt's request."""
        if not courier.can_be_asked:
            if entry.status == "sending":
                why = entry.error or "Its run ended before it was known what came of it."
                entry = self._settled(entry, "unknown", error=why)
            raise self._held(entry, f"Nobody knows whether {entry.effect} at {entry.provider} was done")
        self._wait_until_settled(entry)
        self._progress.tool_call(f"look_for_{entry.effect}", provider=entry.provider)
        # A restore may have lost that it was ever sent, and with it what was asked for.
        request = entry.request if entry.attempts else storable_json(self._claim.write(courier.request))
        receipt = courier.ask(request)
        self._progress.tool_result(f"look_for_{entry.effect}", found=receipt is not None)
        if receipt is None:
            return self._settled(entry, "pending", error="The provider was asked, and knows of none.")
        return self._settled(entry, "done", receipt)

    def _wait_until_settled(self, entry: Entry) -> None:
        """Wait until the provider has had its time: what it is still working on it does not know of yet."""
        row = self._claim.db.fetch_one(
            "select extract(epoch from now() - sent_at)::float8 as seconds from public.outbox where id = %s", [entry.id]
        )
        passed = row["seconds"] if row and row["seconds"] is not None else 0.0
        if passed < self._timeout:
            self._progress.log(f"{entry.provider} is asked in {self._timeout - passed:.0f} s what became of it.")
            time.sleep(self._timeout - passed)

    def _settled(self, entry: Entry, status: Status, receipt: Receipt | None = None, error: str | None = None) -> Entry:
        row = self._claim.write(
            lambda conn: conn.execute(
                "select * from public.settle_outbox_effect(%s, %s, %s, %s, %s, %s::jsonb, %s)",
                [self._claim.job_id, self._claim.claim_no, entry.id, status, *_answer(receipt), error],
            ).fetchone()
        )
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return entry_from_row(row)

    def _record(self, entry: Entry, status: Status, receipt: Receipt | None = None, error: str | None = None) -> None:
        """Say what became of the request, also where the job is lost by now: nobody else knows."""

        def say() -> bool:
            with translated(), self._claim.db.transaction() as conn:
                row = conn.execute(
                    "select public.record_outbox_effect(%s, %s, %s, %s, %s, %s::jsonb, %s) as said",
                    [entry.job_id, entry.claim_no, entry.id, status, *_answer(receipt), error],
                ).fetchone()
            return bool(row and row["said"])

        if not patiently(lambda: transiently(say)):
            raise LeaseLost(f"Somebody else has taken over {entry.effect} of job {entry.job_id}.", "This one stops.")

    def _read(self, entry_id: UUID) -> Entry:
        return get(self._claim.db, entry_id)

    def _held(self, entry: Entry, what: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{what.rstrip('.')}.",
            f"Look there, then say so: greenlight outbox resolve {entry.id} --done, or --retry.",
        )


@contextlib.contextmanager
def _alone(db: Database, entry_id: UUID, seconds: float, provider: str) -> Iterator[None]:
    """Be the only one who sends or asks for this row; the lock ends with its connection, whatever dies.

    Raise `ProviderUnavailable` where somebody else is still at it after `seconds`.
    """
    conn = db.connect_directly()
    try:
        # A transaction of its own, which a pooler keeps on one session; it writes nothing and so disturbs nobody.
        conn.execute("begin")
        conn.execute("set local idle_in_transaction_session_timeout = 0")
        conn.execute("select set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])
        try:
            conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"outbox:{entry_id}"])
        except psycopg.errors.LockNotAvailable as exc:
            raise ProviderUnavailable(
                f"An earlier run is still waiting for {provider}.", "It is looked at again later."
            ) from exc
        yield
    finally:
        conn.close()


def _answer(receipt: Receipt | None) -> tuple[str | None, str | None]:
    if receipt is None:
        return None, None
    return receipt.provider_id, json.dumps(storable_json(dict(receipt.response)))
