"""`greenlight` as a test runs it: in this process or in one of its own, on a database with jobs in every state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from studio import claims
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.queue import (
    LEASE,
)

IDEA = "A tool library for neighbours."
NOBODY = "00000000-0000-4000-8000-000000000000"
DEADLINE = 60.0


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON that was printed, alone."""
        assert self.err == ""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, f"not one line: {self.out!r}"
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Standard output with its line breaks taken out, for texts that a table or a panel may fold."""
        return " ".join(self.out.split())

    def fails(self, *said: str, code: int = 1) -> None:
        """Require an error of one line without a traceback, which says all of `said`."""
        assert self.code == code, self
        assert self.out == ""
        assert "Traceback" not in self.err
        assert all(text in self.err for text in said), self.err
        if code == 1:
            assert self.err.startswith("Error: ")
            assert self.err.count("\n") == 1, f"not one line: {self.err!r}"


Greenlight = Callable[..., Ran]


def process(*arguments: object, **environment: str) -> Ran:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from greenlight_dagster.cli.main import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def claimed(db: Database, job_id: UUID) -> Claim:
    with db.transaction() as conn:
        return claims.claim_by_id(conn, db, job_id, "worker", f"run-{uuid4()}", LEASE)


def bring_to(db: Database, job_id: UUID, status: str) -> None:
    if status == "queued":
        return
    claim = claimed(db, job_id)
    if status == "completed":
        claim.complete()
    elif status == "failed":
        claim.fail("The model refuses the key.", permanent=True, retry_base=timedelta(0))
    elif status == "canceled":
        claim.cancel("Not wanted.")


def findings(ran: Ran) -> dict[str, dict[str, str]]:
    return {finding["what"]: finding for finding in json.loads(ran.out)}
