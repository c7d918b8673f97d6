"""The workbench: the tools of an agent, over a sandbox that is opened when the first of them is used.

A sandbox that breaks, because a command has used up its memory or killed the tools themselves, is made anew from what
the last turn left. The agent is told; one that does it again and again is stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from studio.code.sandbox import Limits, Sandbox, SandboxKind
from studio.code.workspace import Changes, Workspace
from studio.errors import SandboxBroken, StudioError, UnsafeOutput
from studio.settings import Settings

# A command that breaks the sandbox can be a slip; the third time it is a habit.
MOST_BREAKS = 3


class Workbench:
    """The tools of one attempt; close it. `workspace` says what the workspace holds when a sandbox is opened."""

    def __init__(
        self,
        kind: SandboxKind,
        limits: Limits,
        *,
        workspace: Callable[[], Workspace],
        seconds: float,
        registry_hosts: Sequence[str],
        note: Callable[[str], None],
    ) -> None:
        self._kind = kind
        self._limits = limits
        self._workspace = workspace
        self._seconds = seconds
        self._registry_hosts = registry_hosts
        self._note = note
        self._sandbox: Sandbox | None = None
        self._breaks = 0
        self._lost = ""

    def described(self) -> Sequence[dict[str, Any]]:
        """Return name, description and input schema of each tool."""
        return self._open().tools()

    def use(self, name: str, given: dict[str, Any], *, seconds: float) -> tuple[str | list[dict[str, Any]], bool]:
        """Use a tool; return what it says, and whether that is an error.

        It has `seconds`, and never more than one command has. Raises `SandboxBroken` where it broke a third time.
        """
        try:
            outcome = self._open().call(name, given, seconds=min(self._seconds, seconds))
        except SandboxBroken as exc:
            self._broke(exc)
            return f"The sandbox ended: {exc.message} The working folder is again as it was before this turn.", True
        return outcome.content, outcome.is_error

    def changes(self) -> Changes:
        """Return what has changed in the workspace since the last look.

        Where it holds more than can be taken over, or the sandbox has broken and nothing has changed since, the
        workspace is as the last look left it, and `lost` says why. What has changed since a break is all there is:
        of the break itself whoever used the tool was told.
        """
        changes = Changes()
        try:
            if self._sandbox is not None:
                changes = self._sandbox.changes()
        except (UnsafeOutput, SandboxBroken) as exc:
            self._broke(exc)
        lost, self._lost = self._lost, ""
        return changes if changes else dataclasses.replace(changes, lost=lost)

    def close(self) -> None:
        """End the sandbox and all that runs in it."""
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            sandbox.close()

    def _broke(self, exc: StudioError) -> None:
        self._breaks += 1
        self._lost = exc.message
        self.close()
        self._note(f"The workspace is made anew: {exc.message}")
        if self._breaks >= MOST_BREAKS:
            raise SandboxBroken(
                f"The sandbox broke {self._breaks} times. {exc.message}", "Look at what the agent runs."
            ) from exc

    def _open(self) -> Sandbox:
        if self._sandbox is None:
            sandbox = Sandbox(self._kind, self._limits, registry_hosts=self._registry_hosts, note=self._note)
            self._sandbox = sandbox
            sandbox.__enter__()
            sandbox.put(self._workspace().files.values())
        return self._sandbox


def registry_hosts(settings: Settings) -> list[str]:
    """Return the hosts that generated code may reach; none by default, and none where nothing may go out at all."""
    if not settings.outbound_enabled:
        return []
    return [host.strip() for host in (settings.code_network_hosts or "").split(",") if host.strip()]
