"""`code.generate_mvp` as a Dagster run: shown with its files and checks, and ended with all that it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import yaml
from dagster import AssetKey, DagsterInstance

from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.queue import NewJob
from tests.support.code import JOB_TYPE, OWNER, STEPS
from tests.support.dagster import DAGSTER_WARNINGS, DagsterHome, defs, events, make_project, steps, wait_for
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_turns import bash, say, turn, write
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures", "tests.support.scripted_fixtures"]
pytestmark = DAGSTER_WARNINGS

Scripted = Callable[..., ScriptedModel]

# What is promised; a machine that runs other tests beside this one is given longer.
PATIENCE_SECONDS = 2.0 if FULL else 30.0
SLEEPY = "setsid sleep 500 & sleep 400"
MOMENTS = ["a tool"] + (["an answer", "a check"] if FULL else [])
WAYS = ["a cancel"] + (["a kill"] if FULL else [])


def asked(database: Database) -> UUID:
    payload = {"ownerClerkId": OWNER, "description": "A tracker of who has which tool."}
    project_id = make_project(database, email=None)
    with database.transaction() as conn:
        return queue.enqueue(conn, NewJob(JOB_TYPE, project_id, payload)).job_id


def test_a_run_shows_what_was_written(instance: DagsterInstance, database: Database) -> None:
    """With the model that the embedded stack brings."""
    job_id = asked(database)
    job = defs.resolve_job_def(JOB_TYPES[JOB_TYPE].dagster_job)
    result = job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)
    assert result.success, queue.get(database, job_id).last_error
    assert set(steps(database, job_id)) == set(STEPS)
    (record,) = instance.fetch_materializations(AssetKey(["code", "mvp"]), limit=5).records
    shown = record.asset_materialization
    assert shown is not None
    metadata = {name: value.value for name, value in shown.metadata.items()}
    assert "| `app.py` | added |" in metadata["files"]
    assert "| `make test` | passed |" in metadata["checks"]
    assert metadata["finished"] is True
    said = [row["data"] for row in events(database, job_id, "artifact")]
    assert [data["commit"] for data in said] == [metadata["commit"]]
    kinds = {row["data"].get("tool") for row in events(database, job_id, "tool_call")}
    assert kinds == {"bash", "read", "write", "edit", "glob", "grep"}
    assert len(events(database, job_id, "tool_result")) == len(events(database, job_id, "tool_call"))
    row = database.fetch_one("select finished, checks from public.code_generations where job_id = %s", [job_id])
    assert row is not None
    assert row["finished"]
    assert [check["outcome"] for check in row["checks"]] == ["passed", "passed"]


@pytest.mark.chaos
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_it_ends_with_all_that_it_runs(
    home: DagsterHome, database: Database, scripted: Scripted, moment: str, way: str
) -> None:
    done = say("Done.")
    script = {
        "a tool": [turn(bash(SLEEPY)), done],
        "an answer": [turn(write("a.txt", "x")), done],
        "a check": [turn(write("Makefile", f"test:\n\t{SLEEPY}\n")), done],
    }[moment]
    model = scripted(*script)
    gate = model.hold(1) if moment == "an answer" else None
    job_id = asked(database)
    file = home.folder / "run.yaml"
    file.write_text(yaml.safe_dump({"job_id": str(job_id)}))
    command = home.dagster(
        "job",
        "execute",
        "-m",
        "greenlight_dagster.definitions",
        "-j",
        JOB_TYPES[JOB_TYPE].dagster_job,
        "-c",
        str(file),
        ANTHROPIC_BASE_URL=model.url,
    )
    if gate is not None:
        assert gate.reached.wait(60)
    else:
        eventually(lambda: sleeping(command.pid), 60, "the command in the sandbox")
    tree = psutil.Process(command.pid).children(recursive=True)
    assert tree
    began = time.monotonic()
    if way == "a cancel":
        queue.cancel(database, job_id, "Enough.")
    else:
        command.kill()
    left = PATIENCE_SECONDS - (time.monotonic() - began)
    _, alive = psutil.wait_procs(tree, timeout=max(0.1, left))
    assert alive == []
    if way == "a cancel":
        command.wait()
        assert wait_for(database, job_id, "canceled").last_error == "Enough."
        assert list(Path(home.folder / "data" / "repositories").glob("*.git/refs/heads/greenlight/*")) == []


def sleeping(pid: int) -> list[psutil.Process]:
    """Return what sleeps below a process, in whatever session."""
    found: list[psutil.Process] = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if child.name() == "sleep":
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found if len(found) >= 2 else []
