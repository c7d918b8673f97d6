"""The checks of a generation: what its code declares to build and test is run, each once, and what it said is kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from studio.claims import Claim, Json
from studio.code import declared, declared_run
from studio.code.sandbox import Limits, Sandbox, SandboxKind
from studio.code.workbench import registry_hosts
from studio.code.workspace import WorkspaceFile
from studio.progress import Progress
from studio.settings import Settings
from studio.tracing.redaction import Redactor

STEP = "check"
# Of an output, what a line of the log carries.
LOGGED_CHARS = 2_000


def run(
    claim: Claim, settings: Settings, progress: Progress, kind: SandboxKind, files: Sequence[WorkspaceFile]
) -> list[Json]:
    """Run what `files` declare, each in a fresh sandbox, and return what came of each; see `CheckResult.as_json`.

    Each is a part of the job's step and not run again by a later attempt. What they print has no known secret in it.
    """
    hosts = registry_hosts(settings)
    found = declared.declared(files, network=bool(hosts))
    if not found:
        progress.log("The project declares neither a build nor tests.")
    modules = declared_run.python_modules([file.path for file in files])
    redactor = Redactor.from_settings(settings)

    def once(one: declared.DeclaredCheck) -> Json:
        with Sandbox(
            kind, Limits.of(settings), registry_hosts=hosts, note=lambda line: progress.log(line, step=STEP)
        ) as sandbox:
            sandbox.put(files)
            seconds = settings.code_command_seconds
            return declared_run.run(one, sandbox, seconds=seconds, modules=modules, clean=redactor.text).as_json()

    results: list[Json] = []
    for number, one in enumerate(found, 1):
        result = claim.once(f"{STEP}/{number}", partial(once, one))
        progress.log(f"{one.command}: {result['outcome']}", **{**result, "output": result["output"][-LOGGED_CHARS:]})
        results.append(result)
    return results
