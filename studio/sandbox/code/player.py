"""The code agent's turns: look, write the tests, write the code, run, mend what fails, build, report.

Which turn is next follows from the conversation alone, so that a run that was interrupted goes on where it stopped.
The store is written by its tests: its first draft lacks what one of them asks for, and what a failing test says leads
to the line that mends it. Whatever else fails is told as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from studio.sandbox import tokens
from studio.sandbox.code import files, product, report, transcript
from studio.sandbox.code.product import Product
from studio.sandbox.code.speech import say
from studio.sandbox.code.transcript import Made, Transcript, outcome_of
from studio.sandbox.reply import Block, Reply, text_reply
from studio.sandbox.request import MessagesRequest

OPENING = "You are the engineering agent of a startup studio"
_NEEDED_TOOLS = frozenset({"bash", "read", "write"})

# Far more than the way through takes; whoever is sent in circles comes to an end here.
MAX_TURNS = 28
# A file that was refused is written once more: a tool may have been busy.
_MAX_REFUSALS = 2
# Room for what is said beside the calls of a turn.
_SPOKEN_TOKENS = 200
_TEST_SECONDS = 120

_LOOK = "pwd; ls -la; python3 --version; command -v make || true"
_FULL = re.compile(r"no space left|disk quota|read-only file system|permission denied|file too large", re.IGNORECASE)

# The test that the first draft fails, where the fault is, and what mends it.
FAILING = "test_spaces_alone_are_no_title"
_PLACE = r"^def tidy"
_OLD = '    if not text:\n        raise Refused(field, "missing")\n'
_NEW = '    text = " ".join(text.split())\n'
_SHOWN_LINES = 12


def plays(request: MessagesRequest) -> bool:
    """Say whether a request is the code agent's: by the tools it is offered, and by how its orders begin."""
    return (
        request.schema is None
        and set(request.tool_names) >= _NEEDED_TOOLS
        and request.system_text.lstrip().startswith(OPENING)
        and request.messages[-1]["role"] == "user"
    )


def turn(request: MessagesRequest) -> Reply:
    """Return the agent's next turn."""
    past = transcript.read(request.messages)
    made = product.product_of(request.facts, _readme(request, past))
    reply = None
    if request.tool_choice["type"] != "none" and past.turns < MAX_TURNS:
        reply = _next(request, made, past)
    if reply is not None:
        return reply
    wanted = {**files.files_of(made, files.TESTS), **files.files_of(made, files.CODE)}
    if any(not edit.failed for edit in past.of("edit")):
        wanted[made.path("store.py")] = files.content_of(made, "store.py")
    return text_reply(report.final(made, past, wanted, past.runs(*_tests(made)), past.runs(*_builds(made))))


def _tests(made: Product) -> tuple[str, str]:
    """Return the commands that run the tests: through make, and where there is none."""
    return _within(made, "make test"), _within(made, "python3 -m unittest discover -s tests -t .")


def _builds(made: Product) -> tuple[str, str]:
    """Return the commands that build and list what there is: through make, and where there is none."""
    listing = "ls -la . tests static"
    return _within(made, f"make build && {listing}"), _within(made, f"python3 -m compileall -q . && {listing}")


def _within(made: Product, command: str) -> str:
    # In a shell of its own: the tool keeps one shell, which is to stay where it is.
    return f"(cd {made.folder} && {command})" if made.folder else f"({command})"


def _has_make(past: Transcript) -> bool:
    return any(line.rstrip().endswith("/make") for call in past.runs(_LOOK) for line in call.result.splitlines())


def _next(request: MessagesRequest, made: Product, past: Transcript) -> Reply | None:
    """Return the next turn with calls, None where there is nothing left to do but to report."""
    offered = set(request.tool_names)
    language = made.language
    if not past.calls:
        return _calls(say(language, "look"), _looks(request, offered))
    if any(call.failed and _FULL.search(call.result) for call in past.of("write")):
        return None
    for names, key in ((files.TESTS, "tests_first"), (files.CODE, "code")):
        contents = files.files_of(made, names)
        missing = [path for path in contents if not past.written(path) and len(past.refusals(path)) < _MAX_REFUSALS]
        if missing:
            told = "again" if any(past.refusals(path) for path in missing) else key
            spoken = say(language, told, kind=say(language, f"kind_{made.kind}"))
            return _calls(spoken, _writes(contents, missing, request.max_tokens))
    if not all(past.written(made.path(name)) for name in files.NEEDED):
        return None
    return _run_and_mend(made, past, offered)


def _looks(request: MessagesRequest, offered: set[str]) -> list[Block]:
    """Return the calls that look around: what is there, which tools, and the README where there is one."""
    calls = [_call("glob", pattern="**/*")] if "glob" in offered else []
    calls.append(_call("bash", command=_LOOK))
    readme = product.readme_among(product.listed_files(request.facts))
    return [*calls, _call("read", file_path=readme)] if readme else calls


def _readme(request: MessagesRequest, past: Transcript) -> str | None:
    """Return what the README says that was there before, None where it was not read."""
    path = product.readme_among(product.listed_files(request.facts))
    return next((call.result for call in past.of("read") if call.text("file_path") == path and not call.failed), None)


def _writes(contents: dict[str, str], missing: Sequence[str], max_tokens: int) -> list[Block]:
    """Return the calls that write as many of the missing files as one answer may hold, at least one."""
    left = max_tokens - _SPOKEN_TOKENS
    calls: list[Block] = []
    for path in missing:
        call = _call("write", file_path=path, content=contents[path])
        left -= tokens.of_value(call["input"]) + tokens.TOOL_OVERHEAD
        if calls and left < 0:
            break
        calls.append(call)
    return calls


def _run_and_mend(made: Product, past: Transcript, offered: set[str]) -> Reply | None:
    language, without_make = made.language, not _has_make(past)
    runs = past.runs(*_tests(made))
    run = _call("bash", command=_tests(made)[without_make], timeout_ms=_TEST_SECONDS * 1000)
    if not runs:
        return _calls(say(language, "run"), [run])
    outcome = outcome_of(runs[-1])
    if outcome.passed:
        build = _call("bash", command=_builds(made)[without_make])
        return None if past.runs(*_builds(made)) else _calls(say(language, "build"), [build])
    edits = past.of("edit")
    if edits:
        # Whatever came of it: the tests say so, once more and no oftener.
        again = not past.after(edits[-1], "bash") and not edits[-1].failed
        return _calls(say(language, "run_again"), [run]) if again else None
    if FAILING not in outcome.broken or not {"grep", "edit"} <= offered:
        return None
    return _mend(made, past, runs[-1])


def _mend(made: Product, past: Transcript, run: Made) -> Reply | None:
    """Return the turn that looks for the fault, reads around it, or mends it."""
    language, path = made.language, made.path("store.py")
    searches = past.after(run, "grep")
    if not searches:
        return _calls(say(language, "failed", test=FAILING), [_call("grep", pattern=_PLACE, path=path)])
    found = re.search(r"(?:^|:)(\d+):def tidy", searches[-1].result, re.MULTILINE)
    if searches[-1].failed or found is None:
        return None
    line = int(found.group(1))
    reads = [call for call in past.after(searches[-1], "read") if call.text("file_path") == path]
    if not reads:
        around = _call("read", file_path=path, view_range=[line, line + _SHOWN_LINES])
        return _calls(say(language, "read", line=line, path=path), [around])
    if reads[-1].failed or _OLD.rstrip("\n") not in reads[-1].result:
        return None
    mending = _call("edit", file_path=path, old_string=_OLD, new_string=_NEW + _OLD)
    return _calls(say(language, "edit"), [mending])


def _call(name: str, **given: object) -> Block:
    return {"type": "tool_use", "name": name, "input": given}


def _calls(spoken: str, calls: Sequence[Block]) -> Reply:
    return Reply(({"type": "text", "text": spoken}, *calls), stop_reason="tool_use")
