"""What a click in the Dagster UI does: the same GraphQL mutations, with the same variables.

`Clicks` sends them to whatever executes GraphQL: a web server over HTTP, or `in_process`, which is the schema of
the web server over a workspace of this process. There, runs are launched by `ForkingLauncher`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import httpx
from dagster import DagsterInstance, DagsterRun
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value
from dagster_graphql.schema import create_schema

from greenlight_dagster.stack.folders import CODE_LOCATION
from tests.support.dagster import JOB_NAME, DagsterHome
from tests.support.forks import Command

Execute = Callable[[str, dict[str, Any]], dict[str, Any]]

REPOSITORY = "__repository__"
# What the UI adds to whatever it launches.
FROM_UI = {"key": "dagster/from_ui", "value": "true"}

_LAUNCHED = """
  __typename
  ... on LaunchRunSuccess { run { id } }
  ... on PythonError { message stack }
  ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } }
"""
LAUNCH = (
    f"mutation L($executionParams: ExecutionParams!) {{ launchRun(executionParams: $executionParams) {{{_LAUNCHED}}} }}"
)
REEXECUTE = f"""mutation R($executionParams: ExecutionParams, $reexecutionParams: ReexecutionParams) {{
  launchRunReexecution(executionParams: $executionParams, reexecutionParams: $reexecutionParams) {{{_LAUNCHED}}}
}}"""
TERMINATE = """mutation T($runId: String!, $policy: TerminateRunPolicy) {
  terminateRun(runId: $runId, terminatePolicy: $policy) {
    __typename
    ... on TerminateRunSuccess { run { id } }
    ... on TerminateRunFailure { message }
    ... on PythonError { message }
  }
}"""
PERSISTED = """query P($runId: ID!) { runOrError(runId: $runId) {
  ... on Run { executionPlan { artifactsPersisted } canTerminate }
} }"""


class Clicks:
    """The buttons of the UI. Each returns the id of the run it made, and fails the test where there is none."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    @classmethod
    def at(cls, address: str) -> Clicks:
        """Click in the UI of a web server."""

        def execute(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            answer = httpx.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=60)
            return dict(answer.raise_for_status().json())

        return cls(execute)

    def launch(self, config: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> str:
        """Launchpad: launch the job with a configuration."""
        return self._launched(LAUNCH, {"executionParams": self._params(config, {"tags": _pairs(tags or {})})})

    def reexecute(self, run: DagsterRun, strategy: str) -> str:
        """Re-execute a run: `ALL_STEPS` or `FROM_FAILURE`."""
        params = {"parentRunId": run.run_id, "strategy": strategy, "extraTags": [FROM_UI]}
        return self._launched(REEXECUTE, {"reexecutionParams": params})

    def reexecute_steps(self, run: DagsterRun, keys: Sequence[str]) -> str:
        """Re-execute the selected steps of a run, or all from a selected one on."""
        root = run.root_run_id or run.run_id
        hidden = ("dagster/is_resume_retry", "dagster/step_selection")
        tags = {name: value for name, value in run.tags.items() if name not in hidden}
        tags |= {"dagster/parent_run_id": run.run_id, "dagster/root_run_id": root}
        tags |= {"dagster/step_selection": ",".join(keys)}
        metadata = {"parentRunId": run.run_id, "rootRunId": root, "tags": _pairs(tags)}
        return self._launched(
            REEXECUTE, {"executionParams": {**self._params(run.run_config, metadata), "stepKeys": keys}}
        )

    def terminate(self, run_id: str, *, force: bool = False) -> None:
        """Terminate a run; with `force` mark it as canceled at once."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if force else "SAFE_TERMINATE"
        answer = self._data(TERMINATE, {"runId": run_id, "policy": policy})["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def offers_to_resume(self, run_id: str) -> bool:
        """Return whether the UI enables *from failure* and the selections of steps."""
        return bool(self._data(PERSISTED, {"runId": run_id})["runOrError"]["executionPlan"]["artifactsPersisted"])

    def _params(self, config: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
        tags = [*metadata["tags"], FROM_UI]
        return {
            "runConfigData": json.loads(json.dumps(config, default=str)),
            "executionMetadata": {**metadata, "tags": tags},
            "selector": {
                "repositoryLocationName": CODE_LOCATION,
                "repositoryName": REPOSITORY,
                "pipelineName": JOB_NAME,
            },
        }

    def _launched(self, query: str, variables: dict[str, Any]) -> str:
        [answer] = self._data(query, variables).values()
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["id"])

    def _data(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        answer = self._execute(query, variables)
        assert not answer.get("errors"), answer["errors"]
        data = answer["data"]
        assert isinstance(data, dict)
        return data


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": value} for name, value in tags.items()]


@contextlib.contextmanager
def in_process(instance: DagsterInstance) -> Iterator[Clicks]:
    """Lend clicks on the web server's schema, with the definitions loaded in this process."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name="greenlight_dagster.definitions")
    origin = InProcessCodeLocationOrigin(target, location_name=CODE_LOCATION)
    schema = create_schema()
    with WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace:

        def execute(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            context = workspace.create_request_context()
            result = asyncio.run(schema.execute_async(query, context_value=context, variable_values=variables))
            return {"data": result.data, "errors": [str(error) for error in result.errors or []]}

        yield Clicks(execute)


class ForkingLauncher(RunLauncher, ConfigurableClass):
    """Launches a run as `dagster api execute_run` in a process of its own, as every launcher does, but forked."""

    home: ClassVar[DagsterHome]
    commands: ClassVar[dict[str, Command]] = {}

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> ForkingLauncher:
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        run, origin = context.dagster_run, context.job_code_origin
        assert origin is not None
        arguments = ExecuteRunArgs(origin, run.run_id, self._instance.get_ref(), set_exit_code_on_failure=True)
        self.commands[run.run_id] = self.home.dagster("api", "execute_run", serialize_value(arguments))

    def terminate(self, run_id: str) -> bool:
        return False  # Dagster's own answer where a launcher cannot; the watcher then asks the run itself

    def join(self, timeout: int = 30) -> None:
        for command in self.commands.values():
            command.wait(timeout)
