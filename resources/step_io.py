"""Outputs of ops are the job's checkpoints: they live in `agent_job_steps`, under the op's name.

An op saves its output itself, in one transaction with what it did, so writing is done when Dagster asks for
it. Reading works in every run of the job, also in a re-execution from failure, which skips the ops that made
the outputs.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from resources.job_session import JobSession


class StepIOManager(dg.IOManager):
    """Loads the outputs of finished ops of the session's job."""

    def __init__(self, session: JobSession) -> None:
        self._session = session

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Do nothing: the op has saved its output."""

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the saved output of the upstream op."""
        # A run that begins in the middle loads inputs before any op has had its say.
        self._session.raise_refusal()
        upstream = context.upstream_output
        step = upstream.step_key if upstream is not None else ""
        found, output = self._session.claim.saved_step(step)
        if not found:
            raise dg.Failure(
                f"Step {step!r} of job {self._session.claim.job_id} has no saved output.",
                metadata={"what to do": "Re-execute all steps."},
            )
        return output


@dg.io_manager(required_resource_keys={"agent_job"}, description="Reads op outputs from agent_job_steps.")
def step_io_manager(context: dg.InitResourceContext) -> StepIOManager:
    """Return the IO manager of the run's job."""
    return StepIOManager(context.resources.agent_job)
