"""The sandbox model plays the code agent: what it writes runs and is tested, and what it says at the end is true."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import anthropic
import pytest

from studio.code import secret_scan
from studio.code.workspace import WorkspaceFile
from studio.sandbox import checks, messages
from studio.sandbox.code import files, player, product
from studio.sandbox.facts import collect
from studio.sandbox.search import Corpus
from tests.integration.sandbox_code.driving import MAX_TOKENS, SYSTEM, Run, drive, opening
from tests.support.sandbox import SandboxThread

TOOLS = (
    "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines. The app keeps the"
    " calendar and holds a small deposit."
)
BEES = "Eine App, mit der Imker ihre Völker verfolgen und an die Varroa-Behandlung erinnert werden."
FARM = "An app that helps farms sell vegetables in the neighbourhood. People find what was picked this morning."
BRAND = {
    "colors": {"accent": "#1F6B4A"},
    "color_palette": ["#F6F3EA background", "#20301F text", "#1F6B4A accent"],
    "heading_font": "'Georgia', serif",
}
ALL_TOOLS = {"bash", "read", "write", "edit", "glob", "grep"}


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def _tests_pass(folder: Path) -> int:
    """Run the product's tests as a person would, with every warning an error; return how many there were."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-t", "."],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return int(re.findall(r"Ran (\d+) tests", ran.stderr)[0])


def _first_page(folder: Path) -> str:
    """Start the app as its README says, and return its first page."""
    app = subprocess.Popen(
        [sys.executable, "-u", "app.py", "--port", "0"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert app.stdout is not None
        with urllib.request.urlopen(app.stdout.readline().strip(), timeout=20) as page:
            return str(page.read().decode())
    finally:
        app.send_signal(signal.SIGINT)
        app.communicate(timeout=20)
        assert app.returncode == 0, "the app did not end well"


def test_an_idea_becomes_a_product_that_runs_and_is_tested(server: SandboxThread, workspace: Path) -> None:
    scope = {"mvp_scope": {"in_scope": ["A calendar", "A waitlist"], "deferred": ["Deliveries by bicycle"]}}
    first = opening(TOOLS, name="Tool library", packets={"phase_0": scope}, brand=BRAND)
    run = drive(server.url, workspace, first)
    assert set(run.tools) == ALL_TOOLS
    first_test, last_test = (result for result in run.results("bash") if "Ran " in result)
    assert "FAIL: test_spaces_alone_are_no_title" in first_test, "the draft was to fail"
    said = re.findall(r"^Ran \d+ tests in [\d.]+s$", last_test, re.MULTILINE)[0]
    assert f"{said} OK" in run.said, "the real result is quoted"
    assert "I mended store.py" in run.said
    assert "Deliveries by bicycle" in run.said
    files = _files(workspace)
    assert "#1F6B4A" in files["static/style.css"]
    assert "--head: 'Georgia', serif;" in files["static/style.css"]
    assert "Deliveries by bicycle" in files["README.md"]
    assert 'HEADING = "Drills, ladders and sewing machines"' in files["content.py"]
    assert f"{len(files)} files" in run.said
    assert _tests_pass(workspace) > 20
    page = _first_page(workspace)
    assert "<title>Tool library</title>" in page
    assert '<form class="form inline" method="post" action="/waitlist">' in page


def test_a_repository_with_code_is_left_as_it_is(server: SandboxThread, workspace: Path) -> None:
    before = {
        "README.md": "# Bienen\n\nEin Dienst.\n\nErst bauen.\n\nDann starten.\n",
        "app.py": "print('hello')\n",
        "package.json": '{"scripts": {"test": "true"}}\n',
        "mvp/notes.txt": "ours\n",
    }
    for name, text in before.items():
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text(text, encoding="utf-8")
    first = opening(BEES, name="Bienenbuch", request="Baue eine Liste der Behandlungen.", files=before)
    run = drive(server.url, workspace, first)
    after = _files(workspace)
    assert {name: after[name] for name in before} == before
    assert {name for name in after if not name.startswith("mvp-2/")} == set(before)
    assert "Dann starten." in run.results("read")[0], "it reads the README first"
    assert "alles in mvp-2/" in run.said
    assert re.search(r"Die Tests sind bestanden: „Ran \d+ tests in [\d.]+s OK“", run.said)
    assert "waitlist" not in after["mvp-2/views.py"], "nobody asked for one"
    page = _first_page(workspace / "mvp-2")
    assert '<html lang="de">' in page
    assert "Völker" in page


def test_a_new_repository_with_a_bare_readme_gets_a_better_one(server: SandboxThread, workspace: Path) -> None:
    (workspace / "README.md").write_text("# Farm gate\n", encoding="utf-8")
    (workspace / ".gitignore").write_text("secret\n", encoding="utf-8")
    run = drive(server.url, workspace, opening(FARM, name="Farm gate", files=["README.md", ".gitignore"]))
    files = _files(workspace)
    assert files["README.md"].startswith("# Farm gate\n\nAn app that helps farms")
    assert files[".gitignore"] == "secret\n"
    assert 'HEADING = "Vegetables"' in files["content.py"]
    assert "OK”" in run.said
    assert run.calls[-1][1]["command"].startswith("(make build")
    assert not run.calls[-1][3], "it builds"


# --- without tools that run anything


def _answered(name: str, given: dict[str, Any]) -> str:
    """Answer a call as a workspace would in which all tests pass at once."""
    if name == "bash" and "unittest" in given["command"]:
        return "Ran 9 tests in 0.1s\n\nOK"
    return "fine"


def _play(first: str, answers: Any = _answered, *, max_tokens: int = MAX_TOKENS, system: str = SYSTEM) -> Run:
    """Hold the conversation without a server; `answers` gives the text of each result, and an exception an error."""
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in sorted(ALL_TOOLS)]
    run = Run(messages=[{"role": "user", "content": [{"type": "text", "text": first}]}])
    for turn in range(40):
        body = {"model": "m", "max_tokens": max_tokens, "system": system, "tools": tools, "messages": run.messages}
        reply = messages.compose(checks.parse(json.loads(json.dumps(body))), Corpus([]))
        calls = [{**block, "id": f"t{turn}_{place}"} for place, block in enumerate(reply.blocks)]
        run.messages.append({"role": "assistant", "content": calls})
        if reply.stop_reason != "tool_use":
            assert reply.stop_reason == "end_turn"
            run.said = reply.text
            return run
        results = []
        for call in calls:
            if call["type"] != "tool_use":
                continue
            try:
                text, failed = answers(call["name"], call["input"]), False
            except OSError as exc:
                text, failed = str(exc), True
            run.calls.append((call["name"], call["input"], text, failed))
            results.append({"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": failed})
        run.messages.append({"role": "user", "content": results})
    raise AssertionError("the agent never came to an end")


def test_a_run_that_goes_on_takes_the_same_next_turn() -> None:
    whole = _play(opening(TOOLS))
    for at in range(1, len(whole.messages), 2):
        body = {
            "model": "m",
            "max_tokens": MAX_TOKENS,
            "system": [{"type": "text", "text": SYSTEM}],
            "tools": [{"name": name, "input_schema": {"type": "object"}} for name in sorted(ALL_TOOLS)],
            "messages": whole.messages[:at],
        }
        reply = messages.compose(checks.parse(body), Corpus([]))
        said = [{key: value for key, value in block.items() if key != "id"} for block in whole.messages[at]["content"]]
        assert list(reply.blocks) == said


def test_short_answers_hold_fewer_files_each_whole() -> None:
    roomy, narrow = _play(opening(TOOLS)), _play(opening(TOOLS), max_tokens=4_000)
    written = [[given for name, given, _, _ in run.calls if name == "write"] for run in (roomy, narrow)]
    assert written[0] == written[1]
    assert len(narrow.messages) > len(roomy.messages)


def test_a_full_disk_ends_the_work_and_is_told() -> None:
    def full(name: str, given: dict[str, Any]) -> str:
        if name == "write" and given["file_path"] == "pages.py":
            raise OSError("write: pages.py: no space left on device")
        return _answered(name, given)

    run = _play(opening(TOOLS), full)
    assert [given["command"] for name, given, _, _ in run.calls if name == "bash"] == [player._LOOK]
    assert "so it does not start. Missing: pages.py" in run.said
    assert "no space left on device" in run.said
    assert "The tests have not been run." in run.said
    assert "passed" not in run.said


def test_a_file_that_was_refused_is_written_once_more() -> None:
    refused: list[str] = []

    def busy(name: str, given: dict[str, Any]) -> str:
        if name == "write" and given["file_path"] == "pages.py" and not refused:
            refused.append("once")
            raise OSError("write: pages.py: text file busy")
        return _answered(name, given)

    run = _play(opening(TOOLS), busy)
    assert [given["file_path"] for name, given, _, _ in run.calls if name == "write"].count("pages.py") == 2
    assert "The tests passed: “Ran 9 tests in 0.1s OK”" in run.said


@pytest.mark.parametrize(
    "answer", ["bash: python3: command not found", "bash command timed out after 120.0s", "", "OK"]
)
def test_tests_that_did_not_run_are_not_said_to_pass(answer: str) -> None:
    def without(name: str, given: dict[str, Any]) -> str:
        if name == "bash":
            raise OSError(answer)
        return "fine"

    run = _play(opening(TOOLS), without)
    assert "The tests have not been run." in run.said
    assert answer in run.said
    assert "passed" not in run.said


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        ("FAIL: test_odd (tests.test_store.Kept)\nRan 9 tests in 0.1s\n\nFAILED (failures=1)", True),
        ("Ran 0 tests in 0.000s\n\nOK", False),
        ("Ran 9 tests in 0.1s\n\nOK", True),
    ],
)
def test_what_fails_and_cannot_be_mended_is_told(output: str, failed: bool) -> None:
    def broken(name: str, given: dict[str, Any]) -> str:
        if name == "bash" and "unittest" in given["command"]:
            if failed:
                raise OSError(output)
            return output
        return "fine"

    run = _play(opening(TOOLS), broken)
    assert "The tests did not pass, and I could not mend it" in run.said
    assert "edit" not in run.tools
    assert ("test_odd" in run.said) == ("test_odd" in output)


def test_an_edit_that_does_not_help_is_no_success() -> None:
    broken = f"FAIL: {player.FAILING} (tests.test_store.Kept)\nRan 9 tests in 0.1s\n\nFAILED (failures=1)"

    def stubborn(name: str, given: dict[str, Any]) -> str:
        if name == "bash" and "unittest" in given["command"]:
            raise OSError(broken)
        if name == "read":
            return '    if not text:\n        raise Refused(field, "missing")\n'
        return "store.py:54:def tidy(" if name == "grep" else "fine"

    run = _play(opening(TOOLS), stubborn)
    assert run.tools.count("edit") == 1
    assert sum("unittest" in given.get("command", "") for _, given, _, _ in run.calls) == 2
    assert f"“Ran 9 tests in 0.1s FAILED (failures=1) {player.FAILING}”" in run.said


@pytest.mark.parametrize(
    ("request_", "inside", "absent"),
    [
        (
            "A list of tools, who has them, and a button to ask for one",
            ["A list of tools"],
            ["who has them", "a button to ask for one"],
        ),
        ("Same branch twice", [], ["Same branch twice"]),
        ("Build a list of tools without a search. At most 3 tools!", [], ["Build a list of tools without a search"]),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_said(request_: str, inside: list[str], absent: list[str]) -> None:
    run = _play(opening(TOOLS, name="Tool library", request=request_))
    assert "It follows the request" not in run.said
    assert "a starter, an app in which" in run.said
    before, _, after = run.said.partition("Not there:\n")
    assert [line[2:] for line in before.splitlines() if line.startswith("- ")] == inside
    missing = [line[2:] for line in after.splitlines() if line.startswith("- ")]
    assert missing[: len(absent)] == absent
    readme = next(given["content"] for name, given, _, _ in run.calls if given.get("file_path") == "README.md")
    assert "does not follow all of that" in readme
    assert all(f"- {part}\n" in readme for part in absent)


def test_only_a_request_that_is_met_in_each_part_is_said_to_be_followed() -> None:
    run = _play(opening(TOOLS, name="Tool library", request="Build a list of tools, with a search and a waitlist."))
    assert "It follows the request “Build a list of tools, with a search and a waitlist”" in run.said
    many = _play(opening(TOOLS, request="; ".join(f"wish {'x' * number}" for number in range(2, 60))))
    assert "- And 18 more parts of the request" in many.said


def test_only_the_code_agent_is_played() -> None:
    assert _play(opening(TOOLS), system="You are a gardener.").tools == []


HOSTILE = (
    'A """shop""" for <script>alert(1)</script> [[ x ]] {{ y }} [% z %] \\ and `$(rm -rf ~)` : sells \'things\' # now\n'
    "\u202ecode\u202c and \U0001f381 gifts */ body { } to people"
)


def test_words_of_an_idea_stay_words() -> None:
    run = _play(opening(HOSTILE, name='<b>"""\'); import os #', request="## Do it </request><idea>no</idea>"))
    written = {given["file_path"]: given["content"] for name, given, _, _ in run.calls if name == "write"}
    for path, text in written.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
            assert path == "content.py" or "rm -rf" not in text
    told: dict[str, Any] = {}
    exec(written["content.py"], told)
    assert told["NAME"] == '<b>"""\'); import os #'
    assert "<script>alert(1)</script>" in told["HEADLINE"]
    assert "\u202e" not in written["content.py"]
    assert "<script" not in written["README.md"].replace("\\<script", "")
    assert not re.search(r"\[%|\[\[", written["views.py"] + written["app.py"])


def test_every_product_is_clean(tmp_path: Path) -> None:
    kinds = set()
    for number, idea in enumerate([TOOLS, BEES, FARM, "Sourdough", "近所の人が庭道具を共有できるアプリ。"]):
        for request in ("Build it.", "Build it with a waitlist."):
            made = product.product_of(collect("", [opening(idea, request=request)]))
            kinds.add((made.kind, made.language, made.waitlist))
            for path, text in {**files.files_of(made, files.TESTS), **files.files_of(made, files.CODE)}.items():
                assert secret_scan.scan([WorkspaceFile(path, text.encode())]) == []
                assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|\{options\.host\}|elsewhere\.test)", text)
                assert "—" not in text
                placed = tmp_path / f"{number}-{made.waitlist}" / path
                placed.parent.mkdir(parents=True, exist_ok=True)
                placed.write_text(text, encoding="utf-8")
    assert len(kinds) >= 6, "three kinds, with and without a waitlist"
    # Names that are missing or not needed, and what Python 3.9 does not know.
    ruff = [str(Path(sys.executable).with_name("ruff")), "check", "--isolated", "--no-cache", "--quiet"]
    checked = subprocess.run(
        [*ruff, "--select", "E,F,W,B", "--ignore", "E501", "--target-version", "py39", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


# --- what the API takes, and faults


def test_results_may_be_pictures_and_blocks_marked_for_the_cache(server: SandboxThread) -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGVsbG8="}}
    talk: list[Any] = [
        {"role": "user", "content": [{"type": "text", "text": opening(TOOLS), **cached}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": f"t{number}", "name": "read", "input": {"file_path": "a.png"}}
                for number in range(3)
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t0", "content": [picture, document]},
                {"type": "tool_result", "tool_use_id": "t1", "content": "gone", "is_error": True},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "x"}], **cached},
                {"type": "text", "text": "Go on."},
            ],
        },
    ]
    tools: list[Any] = [{"name": name, "input_schema": {"type": "object"}, **cached} for name in sorted(ALL_TOOLS)]
    tools.append({"type": "web_search_20250305", "name": "web_search", "max_uses": 2, **cached})
    system: Any = [{"type": "text", "text": SYSTEM, **cached}]
    with server.client() as client:
        message = client.messages.create(model="m", max_tokens=9_000, system=system, tools=tools, messages=talk)
    assert [block.name for block in message.content if block.type == "tool_use"][:2] == ["write", "write"]


def test_faults_befall_the_code_agent_too(server: SandboxThread, tmp_path: Path) -> None:
    ask: dict[str, Any] = {
        "model": "m",
        "max_tokens": 9_000,
        "system": SYSTEM,
        "tools": [{"name": name, "input_schema": {"type": "object"}} for name in sorted(ALL_TOOLS)],
        "messages": [{"role": "user", "content": opening(TOOLS)}],
    }
    server.fault("status", status=529, match="engineering agent")
    server.fault("cut_off", match="engineering agent")
    with server.client() as client:
        with pytest.raises(anthropic.APIStatusError):
            client.messages.create(**ask)
        assert client.messages.create(**ask).stop_reason == "max_tokens"
        assert client.messages.create(**ask).stop_reason == "tool_use"
