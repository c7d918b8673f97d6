"""An agent's work becomes a commit on a new branch: inspected, checked as committed, offered, and paid for once."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from studio import memory
from studio.code.sandbox import sandbox
from studio.errors import InvalidInput, ModelUnavailable, NotFound, PermissionRefused, UnsafeOutput
from tests.support.code import Builder
from tests.support.scripted_model import ScriptedModel
from tests.support.scripted_turns import bash, say, turn, write

pytest_plugins = ["tests.support.scripted_fixtures"]

Scripted = Callable[..., ScriptedModel]
MakeBuilder = Callable[..., Builder]

APP = "def greet(name):\n    return f'Hello, {name}'\n"
TEST = (
    "import unittest\nfrom app import greet\n\n\nclass Greets(unittest.TestCase):\n    def test_it(self):\n"
    "        self.assertEqual(greet('Ada'), 'Hello, Ada')\n"
)
MAKEFILE = "build:\n\tpython3 -m compileall -q .\n\ntest:\n\tpython3 -m unittest -v\n"
WORK = (
    turn(write("app.py", APP), write("test_app.py", TEST), write("Makefile", MAKEFILE), text="I begin."),
    turn(bash("make test 2>&1 | tail -3 && echo '*.pyc' > .gitignore && ls")),
    say("A greeting, with a test that passes."),
)


def git(repository: Path, *arguments: str) -> str:
    """Ask git, as a person would who clones it; root may read what another user has made."""
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", repository, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_work_becomes_a_commit_on_a_branch_that_a_person_can_clone(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    model = scripted(*WORK)
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)
    done = builder.attempt(job_id)

    repository = builder.repository(project_id)
    branch = done["push"]["branch"]
    assert branch == "greenlight/mvp-v1"
    assert git(repository, "show", f"{branch}:app.py") == APP
    assert set(git(repository, "ls-tree", "-r", "--name-only", branch).split()) == {
        ".gitignore",
        "Makefile",
        "README.md",
        "app.py",
        "test_app.py",
    }
    # The default branch is what it was.
    assert git(repository, "log", "--format=%H", "-1", f"{branch}~1") == git(repository, "log", "--format=%H", "main")

    row = builder.row(job_id)
    assert (row["commit_sha"], row["branch"], row["finished"]) == (done["push"]["sha"], branch, True)
    assert row["summary"] == "A greeting, with a test that passes."
    assert [(c["command"], c["outcome"], c["exit_code"]) for c in row["checks"]] == [
        ("make build", "passed", 0),
        ("make test", "passed", 0),
    ]
    assert {file["path"]: file["status"] for file in row["files"]} == dict.fromkeys(
        [".gitignore", "Makefile", "app.py", "test_app.py"], "added"
    )
    assert (row["turns"], row["pull_request_url"], row["left_out"]) == (3, None, [])
    assert row["cost_micros"] > 0
    remembered = {(m.category, m.key): m.value for m in memory.recall(builder.db, project_id)}
    assert remembered["decision", "mvp_tech_stack"].startswith("Python (2 files) at ")
    assert "2 passed" in remembered["learning", "mvp_generation_completed"]
    # What the agent saw is what its shell printed, inside.
    assert "OK" in model.results(1)[0].text
    told = "\n".join(line for line, _ in builder.told.logs)
    assert "The sandbox is made with " in told


def test_a_failing_test_is_recorded_as_failing(builder_of: MakeBuilder, scripted: Scripted, project_id: UUID) -> None:
    broken = TEST.replace("Hello, Ada", "Goodbye, Ada")
    model = scripted(turn(write("app.py", APP), write("test_app.py", broken)), say("All tests pass."))
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)
    builder.attempt(job_id)
    (check,) = builder.row(job_id)["checks"]
    assert (check["command"], check["outcome"], check["exit_code"]) == ("python3 -m unittest discover", "failed", 1)
    assert "AssertionError" in check["output"]


@pytest.mark.parametrize("moment", ["in an answer", "between the steps"])
def test_another_attempt_goes_on_where_the_first_one_was(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID, moment: str
) -> None:
    model = scripted(*WORK)
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)
    if moment == "in an answer":
        model.fault(1, "drop")
        with pytest.raises(ModelUnavailable):
            builder.attempt(job_id)
    else:

        def die(step: str) -> None:
            if step == "offer":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            builder.attempt(job_id, before=die)
    asked = len(model.played)
    done = builder.attempt(job_id)
    assert done["push"]["branch"] == "greenlight/mvp-v1"
    assert [check["outcome"] for check in builder.row(job_id)["checks"]] == ["passed", "passed"]
    assert model.played == ([0, 1, 1, 2] if moment == "in an answer" else [0, 1, 2])
    assert len(model.played) - asked == (2 if moment == "in an answer" else 0)
    assert git(builder.repository(project_id), "branch", "--format=%(refname:short)").split() == [
        "greenlight/mvp-v1",
        "main",
    ]


def test_a_second_wish_gets_a_branch_of_its_own(builder_of: MakeBuilder, scripted: Scripted, project_id: UUID) -> None:
    builder = builder_of(scripted(*WORK).url)
    builder.attempt(builder.asked(project_id))
    other = builder_of(scripted(turn(write("other.txt", "x")), say("Another.")).url)
    done = other.attempt(other.asked(project_id, "Another thing."))
    assert done["push"]["branch"] == "greenlight/mvp-v1-2"
    # Each begins at the default branch: what nobody has merged is nobody's ground.
    assert "app.py" not in git(other.repository(project_id), "ls-tree", "--name-only", "greenlight/mvp-v1-2")


def test_a_request_with_a_secret_in_it_is_refused_before_anything_is_paid(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    model = scripted(*WORK)
    builder = builder_of(model.url)
    with pytest.raises(UnsafeOutput, match="the request"):
        builder.attempt(builder.asked(project_id, "Use the key a-link-secret-of-the-tests-0123456789 for it."))
    assert model.played == []


def test_what_an_agent_and_its_tests_say_keeps_no_secret(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    said = say("Done, with a-link-secret-of-the-tests-0123456789.")
    makefile = "test:\n\t@echo It is a-link-secret-of-the-''tests-0123456789.\n"
    builder = builder_of(scripted(turn(write("app.py", APP), write("Makefile", makefile)), said).url)
    job_id = builder.asked(project_id)
    builder.attempt(job_id)
    row = builder.row(job_id)
    assert row["summary"] == "Done, with •••."
    assert [check["output"] for check in row["checks"]] == ["It is •••."]
    assert builder.told.streamed.endswith("Done, with •••.")
    assert "tests-0123456789" not in str(builder.told.logs)


def test_a_later_attempt_works_on_what_was_inspected(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    """The checkpoints of the workspace are swept, and the project is renamed, between the push and its record."""
    model = scripted(turn(write("app.py", APP)), say("Done."))
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)

    def die(step: str) -> None:
        if step == "offer":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        builder.attempt(job_id, before=die)
    for kept in Path(builder.settings.data_dir).rglob("turn-*.tar.gz"):
        kept.unlink()
    builder.db.execute("update public.projects set name = 'Another name' where id = %s", [project_id])
    # As if the process had died before the step was saved.
    builder.db.execute("delete from public.agent_job_steps where job_id = %s and step in ('push', 'check')", [job_id])
    done = builder.attempt(job_id)
    assert done["push"]["branch"] == "greenlight/mvp-v1"
    assert git(builder.repository(project_id), "branch", "--format=%(refname:short)").split() == [
        "greenlight/mvp-v1",
        "main",
    ]


def test_an_agent_whose_workspace_is_gone_begins_anew(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    model = scripted(turn(write("app.py", APP)), turn(write("b.py", APP)), say("Done."))
    model.fault(1, "drop")
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)

    def die(step: str) -> None:
        if step == "inspect":
            raise KeyboardInterrupt

    def lose() -> None:
        for kept in Path(builder.settings.data_dir).rglob("turn-*.tar.gz"):
            kept.unlink()

    with pytest.raises(ModelUnavailable):
        builder.attempt(job_id)
    lose()
    with pytest.raises(KeyboardInterrupt):
        builder.attempt(job_id, before=die)
    assert model.played == [0, 1, 0, 1, 2]
    # It has said its last word: only somebody can say that it is to be paid for again.
    lose()
    with pytest.raises(NotFound, match="What the agent wrote is gone") as gone:
        builder.attempt(job_id)
    assert "from the step `write` on" in gone.value.remedy
    claim = builder.claimed(job_id)
    claim.write(lambda conn: claim.forget_steps(conn, ["write"]))
    claim.release("It begins anew.")
    builder.attempt(job_id)
    assert {file["path"] for file in builder.row(job_id)["files"]} == {"app.py", "b.py"}
    assert model.played == [0, 1, 0, 1, 2, 0, 1, 2]


def test_more_than_a_file_of_the_storage_takes_is_kept_in_parts(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    command = "for n in 1 2 3; do head -c 9000000 /dev/zero > $n.bin; done"
    builder = builder_of(scripted(turn(bash(command)), say("Done.")).url)
    job_id = builder.asked(project_id)
    done = builder.attempt(job_id)
    assert len(done["inspect"]["archives"]) == 2
    assert {file["path"]: file["size"] for file in builder.row(job_id)["files"]} == dict.fromkeys(
        ["1.bin", "2.bin", "3.bin"], 9_000_000
    )


def test_secrets_are_not_pushed_and_nothing_is_said_of_what_they_are(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    secret = "a-link-secret-of-the-tests-0123456789"
    builder = builder_of(scripted(turn(write("config.py", f"KEY = '{secret}'\n")), say("Done.")).url)
    with pytest.raises(UnsafeOutput, match=r"config\.py:1") as caught:
        builder.attempt(builder.asked(project_id))
    assert secret not in str(caught.value)
    assert secret not in str(builder.told.logs)
    assert "greenlight/" not in git(builder.repository(project_id), "branch")


def test_nothing_changed_is_no_success(builder_of: MakeBuilder, scripted: Scripted, project_id: UUID) -> None:
    builder = builder_of(scripted(say("I have built everything, and all tests pass.")).url)
    with pytest.raises(InvalidInput, match="has changed nothing"):
        builder.attempt(builder.asked(project_id))


def test_an_agent_that_a_limit_stops_has_its_work_offered_as_unfinished(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    turns = [turn(write(f"{number}.txt", "x"), text="More to come.") for number in range(9)]
    builder = builder_of(scripted(*turns).url, code_budget_usd="0.02")
    job_id = builder.asked(project_id)
    builder.attempt(job_id)
    row = builder.row(job_id)
    assert not row["finished"]
    assert row["unfinished_reason"].startswith("It has spent $")
    assert 0 < row["turns"] < 9
    assert len(row["files"]) == row["turns"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("touch 1 2 3 4", "there are more than 3 files in the workspace"),
        ("kill -9 $PPID", "The server in the sandbox ended"),
    ],
)
def test_work_whose_last_changes_could_not_be_kept_is_unfinished(
    builder_of: MakeBuilder,
    scripted: Scripted,
    project_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    why: str,
) -> None:
    monkeypatch.setattr(sandbox, "MAX_FILES", 3)
    model = scripted(turn(write("app.py", APP)), turn(bash(f"rm app.py; {command}")), say("All is done."))
    # The process that has lost them is not the one that hears the last word.
    model.fault(2, "drop")
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)
    with pytest.raises(ModelUnavailable):
        builder.attempt(job_id)
    builder.attempt(job_id)
    row = builder.row(job_id)
    assert not row["finished"]
    assert why in row["unfinished_reason"]
    assert [file["path"] for file in row["files"]] == ["app.py"]
    assert "set back to what it was before this turn" in model.seen[-1].body["messages"][-1]["content"][-1]["text"]


def test_what_is_done_after_a_break_is_not_said_to_be_lost(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    model = scripted(turn(bash("kill -9 $PPID"), write("app.py", APP)), say("All is done."))
    builder = builder_of(model.url)
    job_id = builder.asked(project_id)
    done = builder.attempt(job_id, until="write")
    assert done["write"]["reason"] is None
    broken, written = model.seen[-1].body["messages"][-1]["content"]
    assert "The sandbox ended" in str(broken["content"])
    assert not written.get("is_error", False)
    kept = builder.db.fetch_one(
        "select output from agent_job_steps where job_id = %s and step = 'write/1/results'", [job_id]
    )
    assert kept is not None
    assert (len(kept["output"]["changes"]), kept["output"]["lost"]) == (1, "")


def test_what_may_not_leave_stays_and_is_named(builder_of: MakeBuilder, scripted: Scripted, project_id: UUID) -> None:
    plant = (
        "mkdir -p .github/workflows .git/hooks && echo 'on: push' > .github/workflows/x.yml"
        " && echo 'touch /tmp/pwned' > .git/hooks/pre-push && ln -s /etc/passwd leak && ln -s app.py inside"
        " && echo '* filter=evil' > .gitattributes"
    )
    builder = builder_of(scripted(turn(write("app.py", APP), bash(plant)), say("Done.")).url)
    job_id = builder.asked(project_id)
    done = builder.attempt(job_id)
    tree = git(builder.repository(project_id), "ls-tree", "-r", "--name-only", done["push"]["sha"]).split()
    assert sorted(tree) == [".gitattributes", "README.md", "app.py", "inside"]
    assert {left["path"] for left in builder.row(job_id)["left_out"]} == {".github/workflows/x.yml", "leak"}


def test_a_repository_at_github_needs_the_permission(
    builder_of: MakeBuilder, scripted: Scripted, project_id: UUID
) -> None:
    model = scripted(*WORK)
    builder = builder_of(model.url, github_token="ghp_abcdefghijklmnop0123456789")
    job_id = builder.asked(project_id, repoUrl="https://github.com/acme/shop")
    with pytest.raises(PermissionRefused, match="repo_write"):
        builder.attempt(job_id)
    assert model.played == []
