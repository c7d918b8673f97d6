"""Where generated code runs: walled off from this machine, bounded, and gone when it is closed."""

from __future__ import annotations

from studio.code.sandbox.answers import Ran, ToolOutcome
from studio.code.sandbox.kinds import SandboxKind, choose, describe
from studio.code.sandbox.limits import Limits
from studio.code.sandbox.sandbox import Sandbox

__all__ = ["Limits", "Ran", "Sandbox", "SandboxKind", "ToolOutcome", "choose", "describe"]
