"""From a job type and its ops to a Dagster job.

An op is a function of its `Work` and of the outputs of the ops it needs. It returns JSON, which is saved as
the job's checkpoint under the op's name; where the checkpoint is there already, the op is not run again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from jobs.pods import pod_tags
from resources import run_tags
from resources.job_session import JobSession, OnFailure
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.database.patience import patiently
from studio.job_types import JobType, Payload
from studio.outbound import OutboundClient
from studio.settings import Settings, get_settings
from studio.storage import Storage, storage_from_settings
from studio.text import clip
from studio.tracing import current

if TYPE_CHECKING:
    from studio.model.client import Model

# A tool call in the log is a line to skim; the whole of it is in the event's data.
BRIEF_CHARS = 200
RESOURCE_KEYS = {"agent_job", "anthropic", "outbound"}


class OpProgress:
    """Reports the work of an op: log lines and tool calls through Dagster's log, text to the event stream."""

    def __init__(self, context: dg.OpExecutionContext, session: JobSession) -> None:
        self._log = context.log
        self._writer = session.writer
        self._op = context.op.name

    def log(self, message: str, **data: Any) -> None:
        """Log a line; it is mirrored to the event stream with `data`."""
        self._say(message, "log", data)

    def delta(self, text: str, **data: Any) -> None:
        """Pass streamed text straight to the event stream: as a Dagster event each piece would cost too much."""
        self._writer.delta(text, {"op": self._op, **data})

    def tool_call(self, tool: str, **data: Any) -> None:
        """Log the use of a tool."""
        self._say(f"{tool} ← {_brief(data)}", "tool_call", {"tool": tool, **data})

    def tool_result(self, tool: str, **data: Any) -> None:
        """Log what a tool gave."""
        self._say(f"{tool} → {_brief(data)}", "tool_result", {"tool": tool, **data})

    def _say(self, message: str, event_type: str, data: dict[str, Any]) -> None:
        # The event mirror reads this mark off the log record.
        self._log.info(message, extra={"greenlight": {"type": event_type, "data": data}})


@dataclass(frozen=True)
class Work:
    """What an op works with."""

    claim: Claim
    payload: Payload
    settings: Settings
    progress: OpProgress
    model: "Callable[[], Model]"
    outbound: Callable[[], OutboundClient]
    dagster: dg.OpExecutionContext

    def storage(self) -> Storage:
        """Return the artifacts' storage; raise `SettingsError` where it is half configured."""
        return storage_from_settings(self.settings)

    def seconds_since_start(self) -> float:
        """Return how long the run has been going."""
        record = self.dagster.instance.get_run_record_by_id(self.dagster.run_id)
        started = record.start_time if record is not None else None
        return max(0.0, time.time() - started) if started else 0.0


@dataclass(frozen=True)
class AgentOp:
    """An op of an agent job.

    `compute` takes the `Work` and the outputs of `needs`, in that order. A `transactional` op takes a
    connection after the work, whose transaction also saves the op's checkpoint. `after` is called with the
    output whenever the op's checkpoint stands, also where an earlier attempt had saved it. Where `ends` says so of
    the output, nothing is left to do: the job is finished, and the ops that follow are skipped.

    Where the connection to the database breaks, `compute` and `after` run again, as they would in another attempt. Of
    an op that `acts` in the world, `compute` does not: only another claim may find out what it has done.
    """

    name: str
    description: str
    compute: Callable[..., Json]
    needs: Sequence[str] = ()
    transactional: bool = False
    acts: bool = False
    after: Callable[[Work, Json], None] | None = None
    ends: Callable[[Json], bool] | None = None


class AgentJobConfig(dg.Config):
    """What a run started by hand needs: `job_id`, or `project_id` and `payload`.

    A run started by pickup is told its job by its tags and needs nothing.
    """

    job_id: str | None = Field(default=None, description="An existing job to run now (from `greenlight jobs list`).")
    project_id: str | None = Field(
        default=None, description="The project of a new job that this run inserts and claims."
    )
    payload: dict[str, Any] | None = Field(
        default=None, description="The payload of the new job, as in `greenlight enqueue`; projectId may be left out."
    )


@dg.config_mapping
def agent_job_config(config: AgentJobConfig) -> dict[str, Any]:
    """Hand the run's configuration to the resource that claims the job."""
    given = {name: value for name, value in dict(config).items() if value is not None}
    return {"resources": {"agent_job": {"config": given}}}


def build_agent_job(kind: JobType, ops: Sequence[AgentOp], *, on_failure: OnFailure | None = None) -> dg.JobDefinition:
    """Return the Dagster job of a job type. The last of `ops` finishes the job; all run in one process."""
    # Definitions are known by name in the whole repository, and several jobs have an op `load_context`: each job's
    # definition has a name of its own, and the op keeps its name in the job.
    named = {spec.name: f"{kind.dagster_job}_{spec.name}" for spec in ops}
    definitions = [_op(spec, named[spec.name], last=ops[-1].name, on_failure=on_failure) for spec in ops]
    dependencies: dict[dg.NodeInvocation, dict[str, dg.IDependencyDefinition]] = {
        dg.NodeInvocation(named[spec.name], alias=spec.name): {
            _input(need): dg.DependencyDefinition(need) for need in spec.needs
        }
        for spec in ops
    }
    graph = dg.GraphDefinition(
        name=kind.dagster_job, node_defs=definitions, dependencies=dependencies, description=kind.description
    )
    return graph.to_job(
        name=kind.dagster_job,
        description=kind.description,
        config=agent_job_config,
        executor_def=dg.in_process_executor,
        tags={
            run_tags.JOB_TYPE: kind.name,
            run_tags.LANE: kind.lane,
            run_tags.LAST_OP: ops[-1].name,
            **pod_tags(kind, get_settings()),
        },
    )


def _input(need: str) -> str:
    # Inputs may not be called like Dagster's own arguments (`context`), op names may.
    return f"{need}_output"


def _op(spec: AgentOp, name: str, *, last: str, on_failure: OnFailure | None) -> dg.OpDefinition:
    def compute(context: dg.OpExecutionContext, inputs: dict[str, Any]) -> Iterator[dg.Output[Json]]:
        session: JobSession = context.resources.agent_job
        session.raise_refusal()
        if not session.active:
            context.log.info("Another run has this job; this one has nothing to do.")
            return
        session.on_failure = on_failure
        try:
            with session.step(spec.name) as step:
                given = {need: inputs[_input(need)] for need in spec.needs}
                step.set_input(given)
                output = _run(spec, context, session, list(given.values()))
                step.set_output(output)
        except BaseException as exc:
            session.fail(exc)
            raise
        ends = spec.ends is not None and spec.ends(output)
        if ends or spec.name == last:
            session.finish()
        if not ends:
            yield dg.Output(output)

    return dg.OpDefinition(
        name=name,
        description=spec.description,
        compute_fn=compute,
        ins={_input(need): dg.In(dagster_type=dg.Any) for need in spec.needs},
        # Optional, so that a run without a claim can end quietly: Dagster then skips what follows.
        outs={"result": dg.Out(dagster_type=dg.Any, is_required=False, io_manager_key="agent_job_steps")},
        required_resource_keys=RESOURCE_KEYS,
    )


def _run(spec: AgentOp, context: dg.OpExecutionContext, session: JobSession, inputs: list[Json]) -> Json:
    work = Work(
        claim=session.claim,
        payload=session.payload,
        settings=session.settings,
        progress=OpProgress(context, session),
        model=context.resources.anthropic.get,
        outbound=context.resources.outbound.get,
        dagster=context,
    )
    done, output = session.claim.saved_step(spec.name)
    if done:
        context.log.info(f"{spec.name} was finished by an earlier attempt; its output is taken.")
        current().set_attributes({"greenlight.step.saved": True})
    elif spec.transactional:

        def in_transaction(conn: Connection) -> Json:
            return spec.compute(work, conn, *inputs)

        output = session.claim.once_in_transaction(spec.name, in_transaction)
    elif spec.acts:
        output = session.claim.once(spec.name, lambda: spec.compute(work, *inputs))
    else:
        output = patiently(lambda: session.claim.once(spec.name, lambda: spec.compute(work, *inputs)))
    if (after := spec.after) is not None:
        patiently(lambda: after(work, output))
    return output


def emitted_before(work: Work, key: str, value: str) -> bool:
    """Return whether the job's stream holds an artifact event with this value: an attempt may end right after it."""
    row = work.claim.db.fetch_one(
        "select 1 from public.agent_job_events where job_id = %s and type = 'artifact' and data ->> %s = %s limit 1",
        [work.claim.job_id, key, value],
    )
    return row is not None


def _brief(data: dict[str, Any]) -> str:
    parts: list[str] = []
    for name, value in data.items():
        if name == "step" or value in ([], {}, None):
            continue
        if isinstance(value, dict):
            parts += [f"{key}={item}" for key, item in value.items()]
        elif isinstance(value, list):
            parts.append(f"{name}: {', '.join(str(item) for item in value)}")
        else:
            parts.append(f"{name}={value}")
    return clip(", ".join(parts), BRIEF_CHARS)
