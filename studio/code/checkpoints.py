"""What of an agent's work outlives the process: its conversation in the job's steps, its workspace in the storage.

Of each turn two steps are kept, `write/{turn}/answer` and `write/{turn}/results`; the second names a file with what the
turn has changed in the workspace. These files have no asset: a day after the job they are swept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from studio.claims import Claim
from studio.code import archive
from studio.code.workspace import Changes, Workspace, WorkspaceFile
from studio.errors import NotFound, UnsafeOutput
from studio.storage import Storage
from studio.storage.base import MAX_BYTES
from studio.text import sha256_hex

# The op whose parts these steps are: executing it again forgets them.
STEP = "write"


class Checkpoints:
    """The journal of one job. `changes` looks at the live workspace; see `Sandbox.changes`."""

    def __init__(self, claim: Claim, storage: Storage, changes: Callable[[], Changes]) -> None:
        self._claim = claim
        self._storage = storage
        self._changes = changes

    # --- the conversation (`studio.agents.coder.Journal`)

    def answer(self, turn: int) -> dict[str, Any] | None:
        """Return the kept answer of a turn."""
        return self._kept(f"{STEP}/{turn}/answer")

    def keep_answer(self, turn: int, answer: dict[str, Any]) -> None:
        """Keep what the model answered: it is paid for."""
        self._keep(f"{STEP}/{turn}/answer", answer)

    def results(self, turn: int) -> dict[str, Any] | None:
        """Return what the tools of a turn said."""
        return self._kept(f"{STEP}/{turn}/results")

    def keep_results(self, turn: int, results: dict[str, Any]) -> None:
        """Keep what the tools of a turn said, and what they have changed.

        Raises `UnsafeOutput` where that is more than a workspace may hold.
        """
        changes = self._changes()
        path = self.store(f"turn-{turn}", changes) if changes else None
        self._keep(f"{STEP}/{turn}/results", {**results, "changes": path})

    # --- the workspace

    def store(self, name: str, changes: Changes) -> str:
        """Store changes under a name of this job's, and return where; the same changes are the same file."""
        data = archive.pack(changes.written, changes.removed)
        if len(data) > MAX_BYTES:
            raise UnsafeOutput(
                f"The workspace has grown by {len(data):,} bytes at once, beyond the limit of {MAX_BYTES:,}.",
                "Ask for less, or have large files left out.",
            )
        path = f"{self._claim.job.project_id}/code/{self._claim.job_id}/{name}-{_digest(changes)}.tar.gz"
        self._storage.upload(path, data, content_type=archive.MIME_TYPE, upsert=True)
        return path

    def workspace(self, base: str | None) -> Workspace:
        """Return the workspace as the last kept turn left it, from the file of its beginning on.

        Raises `NotFound` where a file is gone.
        """
        workspace = Workspace()
        for path in [base, *self._paths()]:
            if path is not None:
                workspace.apply(archive.unpack(self._storage.read(path)))
        return workspace

    def forget(self) -> None:
        """Forget all turns: the work begins anew."""
        self._claim.write(lambda conn: self._claim.forget_steps(conn, [STEP]))

    def readable(self, base: str | None) -> bool:
        """Whether everything that was kept is still there."""
        try:
            self.workspace(base)
        except NotFound:
            return False
        return True

    def _paths(self) -> list[str]:
        paths: list[str] = []
        turn = 1
        while (results := self.results(turn)) is not None:
            if results["changes"] is not None:
                paths.append(results["changes"])
            turn += 1
        return paths

    def _kept(self, step: str) -> dict[str, Any] | None:
        found, output = self._claim.saved_step(step)
        return output if found else None

    def _keep(self, step: str, output: dict[str, Any]) -> None:
        self._claim.write(lambda conn: self._claim.save_step(conn, step, output))


def _digest(changes: Changes) -> str:
    told = [[_told(file) for file in sorted(changes.written, key=lambda file: file.path)], sorted(changes.removed)]
    return sha256_hex(json.dumps(told))[:12]


def _told(file: WorkspaceFile) -> list[Any]:
    return [file.path, file.executable, file.link, sha256_hex(file.content.decode("latin-1"))]
