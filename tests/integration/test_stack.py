"""The whole stack with real processes: it answers, survives the death of its parts, and leaves nothing behind.

One stack serves all tests of this module; they build on each other in the order in which they stand.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from greenlight_dagster.stack import descent, state
from greenlight_dagster.stack.parts import CODE_SERVER, DAEMON, POSTGRES, SANDBOX, STUDIO_PART, UI, WEB
from greenlight_dagster.stack.ports import LOOPBACK
from greenlight_dagster.stack.stack import Stack
from studio import projects, queue
from studio.database.connection import Database
from studio.database.embedded import EmbeddedPostgres
from studio.errors import StackError
from studio.queue import Job, NewJob
from studio.settings import Settings
from tests.support.waiting import eventually

# A busy machine needs a while to import Dagster in three processes at once.
PATIENCE_SECONDS = 120
OWNER = "stack-test"


class Listener:
    """Takes what the stack says to a person, and does something at a given word."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.reactions: dict[str, Callable[[], None]] = {}

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        for word, react in self.reactions.items():
            if word in line:
                react()


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def stack(listener: Listener) -> Iterator[Stack]:
    """A running stack. Not under pytest's own folders: those may be too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="greenlight-stack-"))
    with pytest.MonkeyPatch.context() as patch:
        # The autouse fixture that hides the developer's own settings begins later than this one.
        for name, field in Settings.model_fields.items():
            patch.delenv(str(field.validation_alias or name), raising=False)
        # The last test wants to see a run interrupted, not finished.
        running = Stack(folder, Settings(drain_seconds=0), ui_port=0, web_port=0, studio_port=0, log=listener)
        try:
            with running:
                yield running
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    with Database(stack.environment()["DATABASE_URL"], pool_size=2) as opened:
        yield opened


def ask_dagster(stack: Stack, question: str) -> dict[str, Any]:
    """Put a GraphQL question to the UI's server."""
    request = urllib.request.Request(
        f"{stack.addresses['ui']}/graphql",
        json.dumps({"query": question}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer["data"]


def pid_of(stack: Stack, part: str) -> int:
    return state.running_state(stack.folder).processes[part].pid


def kill(stack: Stack, part: str) -> None:
    """Kill the process of a part and wait until another has taken its place."""
    victim = pid_of(stack, part)
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: pid_of(stack, part) != victim, PATIENCE_SECONDS, f"the restart of {part}")


def enqueue(database: Database) -> UUID:
    with database.transaction() as conn:
        project = projects.create(conn, Settings(), owner_clerk_id=OWNER, idea="A marketplace for used lab equipment")
        payload = {"projectId": str(project), "ownerClerkId": OWNER}
        return queue.enqueue(conn, NewJob("phase0.generate_packet", project, payload)).job_id


def job_in(database: Database, job_id: UUID, *statuses: str) -> Job | None:
    job = queue.get(database, job_id)
    return job if job.status in statuses else None


def test_every_part_answers(stack: Stack) -> None:
    with urllib.request.urlopen(f"{stack.addresses['ui']}/server_info", timeout=30) as reply:
        assert "dagster_version" in json.load(reply)
    answer = ask_dagster(
        stack,
        """{
          workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
          instance { daemonHealth { allDaemonStatuses { daemonType healthy } } }
        }""",
    )
    locations = answer["workspaceOrError"]["locationEntries"]
    assert locations == [{"name": "greenlight", "locationOrLoadError": {"__typename": "RepositoryLocation"}}]
    daemons = {
        entry["daemonType"]: entry["healthy"] for entry in answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    }
    assert daemons["SENSOR"] is daemons["SCHEDULER"] is True
    assert stack.addresses["sandbox"] == stack.environment()["ANTHROPIC_BASE_URL"]
    with urllib.request.urlopen(f"{stack.addresses['web']}/healthz", timeout=30) as reply:
        assert json.load(reply) == {"status": "ok", "database": "ok"}
    assert stack.addresses["web"] == stack.environment()["GREENLIGHT_PAGES_URL"]
    with urllib.request.urlopen(f"{stack.addresses['studio']}/healthz", timeout=30) as reply:
        assert json.load(reply) == {"status": "ok", "database": "ok"}
    assert stack.addresses["studio"] == stack.environment()["APP_BASE_URL"]
    assert stack.addresses["ui"] == stack.environment()["GREENLIGHT_DAGSTER_UI_URL"]
    parts = {POSTGRES, SANDBOX, CODE_SERVER, DAEMON, UI, WEB, STUDIO_PART, "migrations", "total"}
    assert parts <= stack.timings.keys()


def test_another_process_works_on_it_with_what_it_exports(stack: Stack) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from greenlight_dagster.stack.state import running_environment\n"
        "os.environ.update(running_environment(Path(sys.argv[1])))\n"
        "from studio.settings import Settings; from studio.database.connection import Database\n"
        "print(Database.from_settings(Settings()).fetch_one('select count(*) as n from agent_jobs')['n'])\n"
    )
    said = subprocess.run([sys.executable, "-c", script, str(stack.folder)], capture_output=True, text=True, check=True)
    assert said.stdout == "0\n"
    assert state.running_environment(stack.folder) == stack.environment()
    assert (stack.folder / state.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_shell_that_takes_over_its_exports_works_on_it(stack: Stack, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    exported = subprocess.run(
        ["greenlight", "env"],
        env={**environment, "GREENLIGHT_DATA_DIR": str(stack.folder)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    script = f"{exported}\ngreenlight projects create --json 'Out of a shell' && greenlight jobs list --json"
    said = subprocess.run(["sh", "-ec", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    created, jobs = (json.loads(line) for line in said.stdout.splitlines())
    with Database(stack.environment()["DATABASE_URL"], pool_size=1) as database:
        assert projects.get(database, UUID(created["project_id"])).idea_description == "Out of a shell"
    assert jobs == []
    looked = subprocess.run(
        ["greenlight", "doctor", "--json"],
        env={**environment, "GREENLIGHT_DATA_DIR": str(stack.folder)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert looked.returncode == 0, looked.stdout
    found = {finding["what"]: finding for finding in json.loads(looked.stdout)}
    assert found["sensors"]["state"] == "ok"
    assert found["sensors"]["detail"].startswith("9 tick")
    assert found["run launcher"]["detail"].startswith("0 of 24 slots taken, 0 runs wait")


def test_a_test_run_goes_through_the_real_pipeline_and_is_traced_from_the_queue_on(stack: Stack) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "greenlight", "traces", "test", "--only", "queue-standard", "--json"],
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    [result] = json.loads(done.stdout)["results"]
    assert result["scenario"] == "queue-standard"
    with Database(stack.environment()["DATABASE_URL"]) as db:
        [trace] = db.fetch_all("select * from public.pipeline_traces where kind = 'synthetic'")
        spans = db.fetch_all("select * from public.pipeline_spans where trace_id = %s", [trace["trace_id"]])
    assert (trace["pipeline_name"], trace["status"], trace["outcome"]) == ("bench.standard", "ok", "completed")
    by_name = {span["span_name"]: span for span in spans}
    wait, launch = by_name["queue:wait"], by_name["launch"]
    assert trace["start_time"] == wait["start_time"] <= launch["start_time"] <= launch["end_time"]
    assert (trace["queue_ms"], trace["launch_ms"]) == (wait["duration_ms"], launch["duration_ms"])
    assert [name for name in by_name if name.startswith("step:")]


def test_a_second_start_is_refused_and_told_where_the_first_one_is(stack: Stack) -> None:
    with pytest.raises(StackError, match="already") as refusal:
        Stack(stack.folder, Settings()).start()
    assert str(os.getpid()) in refusal.value.message
    assert stack.addresses["ui"] in refusal.value.message
    assert state.running_state(stack.folder).id == stack.id


def test_nothing_listens_beyond_this_machine_and_ctrl_c_reaches_the_supervisor_alone(stack: Stack) -> None:
    everyone = descent.marked(stack.id) | descent.family([pid_of(stack, POSTGRES)])
    listening = {
        entry.laddr
        for process in everyone
        for entry in process.net_connections("inet")
        if entry.status == psutil.CONN_LISTEN
    }
    assert {address.ip for address in listening} == {LOOPBACK}
    assert len(listening) == 4  # UI, sandbox, studio and public pages; the rest have sockets in private folders
    assert os.getsid(0) not in {os.getsid(process.pid) for process in everyone}


def test_whoever_comes_while_the_web_application_is_dead_is_served_by_the_next(
    stack: Stack, listener: Listener
) -> None:
    address = stack.addresses["web"]
    os.kill(pid_of(stack, WEB), signal.SIGKILL)
    # Not refused and not told to come back: the address is the stack's, and lasts.
    with urllib.request.urlopen(f"{address}/healthz", timeout=PATIENCE_SECONDS) as reply:
        assert json.load(reply)["status"] == "ok"
    eventually(lambda: "web is back." in listener.lines, PATIENCE_SECONDS, "the word that it is back")
    assert stack.addresses["web"] == address


def test_a_killed_code_server_is_replaced_and_the_queue_goes_on(
    stack: Stack, database: Database, listener: Listener
) -> None:
    daemon = pid_of(stack, DAEMON)
    kill(stack, CODE_SERVER)
    eventually(lambda: "code-server is back." in listener.lines, PATIENCE_SECONDS, "the word that it is back")
    job_id = enqueue(database)
    job = eventually(lambda: job_in(database, job_id, "completed", "failed"), PATIENCE_SECONDS, "the job's end")
    assert (job.status, job.attempts, job.last_error) == ("completed", 1, None)
    assert pid_of(stack, DAEMON) == daemon


def test_a_killed_database_is_replaced_and_the_sensors_go_on(stack: Stack) -> None:
    daemon = pid_of(stack, DAEMON)
    kill(stack, POSTGRES)
    with Database(stack.environment()["DATABASE_URL"], pool_size=1) as database:
        job_id = enqueue(database)
        job = eventually(lambda: job_in(database, job_id, "completed", "failed"), PATIENCE_SECONDS, "the job's end")
    assert (job.status, job.attempts, job.last_error) == ("completed", 1, None)
    assert pid_of(stack, DAEMON) == daemon


def test_a_stop_gives_the_running_job_back_and_leaves_no_process(
    stack: Stack, database: Database, listener: Listener
) -> None:
    # A model that does not answer keeps the run where it is, until it is interrupted.
    sandbox = psutil.Process(pid_of(stack, SANDBOX))
    sandbox.suspend()
    listener.reactions["Interrupting"] = sandbox.resume
    job_id = enqueue(database)
    began = eventually(lambda: job_in(database, job_id, "running"), PATIENCE_SECONDS, "the claim")
    eventually(lambda: queue.get(database, job_id).dagster_run_id, PATIENCE_SECONDS, "the run")
    recorded = state.running_state(stack.folder).processes
    everyone = descent.marked(stack.id) | descent.family([recorded[POSTGRES].pid])
    assert len(everyone) > len(recorded)  # the run is there as well
    database.close()

    stack.stop()

    assert any("Interrupting" in line for line in listener.lines)
    assert descent.marked(stack.id) == set()
    assert {process for process in everyone if descent.alive(process)} == set()
    assert [child for child in psutil.Process().children() if "greenlight_dagster" in " ".join(child.cmdline())] == []
    assert not (stack.folder / state.FILE_NAME).exists()
    with pytest.raises(StackError, match="No stack runs"):
        state.running_environment(stack.folder)

    server = EmbeddedPostgres(stack.folders.postgres)
    server.start()
    try:
        with Database(server.url("greenlight"), pool_size=1) as afterwards:
            job = queue.get(afterwards, job_id)
    finally:
        server.stop()
    assert (job.status, job.attempts, job.claim_no) == ("queued", 0, began.claim_no)
