"""What of an agent's work outlives the process: its conversation in the job's steps, its workspace in the storage.

Of each turn two steps are kept, `write/{turn}/answer` and `write/{turn}/results`; the second names a file with what the
turn has changed in the workspace. These files have no asset: they are swept when the job can no longer go on from them
(see `studio.assets.sweep`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from studio.claims import Claim
from studio.code import archive
from studio.code.workspace import Changes, Workspace, WorkspaceFile
from studio.errors import NotFound
from studio.storage import Storage
from studio.text import sha256_hex

# The op whose parts these steps are: executing it again forgets them.
STEP = "write"
# A file of the storage takes 25 MiB, and what cannot be compressed grows a little.
PART_BYTES = 20 * 1024**2


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

    def keep_results(self, turn: int, results: dict[str, Any]) -> dict[str, Any]:
        """Keep what the tools of a turn said, and what they have changed or why that is lost; return what is kept."""
        changes = self._changes()
        paths = self.store(f"turn-{turn}", changes) if changes else []
        kept = {**results, "changes": paths, "lost": changes.lost}
        self._keep(f"{STEP}/{turn}/results", kept)
        return kept

    # --- the workspace

    def store(self, name: str, changes: Changes) -> list[str]:
        """Store changes under a name of this job's, and return where; the same changes are the same files."""
        digest = _digest(changes)
        paths: list[str] = []
        for number, part in enumerate(parts(changes), 1):
            path = f"{self._claim.job.project_id}/code/{self._claim.job_id}/{name}-{digest}-{number}.tar.gz"
            data = archive.pack(part.written, part.removed)
            self._storage.upload(path, data, content_type=archive.MIME_TYPE, upsert=True)
            paths.append(path)
        return paths

    def workspace(self, base: Sequence[str]) -> Workspace:
        """Return the workspace as the last kept turn left it, from the files of its beginning on.

        Raises `NotFound` where a file is gone.
        """
        workspace = Workspace()
        for path in [*base, *self._paths()]:
            workspace.apply(archive.unpack(self._storage.read(path)))
        return workspace

    def forget(self) -> None:
        """Forget all turns: the work begins anew."""
        self._claim.write(lambda conn: self._claim.forget_steps(conn, [STEP]))

    def readable(self, base: Sequence[str]) -> bool:
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
            paths += results["changes"]
            turn += 1
        return paths

    def _kept(self, step: str) -> dict[str, Any] | None:
        found, output = self._claim.saved_step(step)
        return output if found else None

    def _keep(self, step: str, output: dict[str, Any]) -> None:
        self._claim.write(lambda conn: self._claim.save_step(conn, step, output))


def parts(changes: Changes) -> list[Changes]:
    """Return changes in pieces that the storage takes; nothing that a commit may hold is too large for one."""
    pieces: list[list[WorkspaceFile]] = [[]]
    size = 0
    for file in changes.written:
        size += len(file.content)
        if pieces[-1] and size > PART_BYTES:
            pieces.append([])
            size = len(file.content)
        pieces[-1].append(file)
    first, *others = pieces
    return [Changes(tuple(first), changes.removed), *(Changes(tuple(piece)) for piece in others)]


def _digest(changes: Changes) -> str:
    told = [[_told(file) for file in sorted(changes.written, key=lambda file: file.path)], sorted(changes.removed)]
    return sha256_hex(json.dumps(told))[:12]


def _told(file: WorkspaceFile) -> list[Any]:
    return [file.path, file.executable, file.link, sha256_hex(file.content.decode("latin-1"))]
