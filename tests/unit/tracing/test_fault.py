"""An error becomes a fault: of a class, with a fingerprint that its like share, a short stack, and no secret."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import enum
import functools
import subprocess
import sys
import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anthropic
import dagster as dg
import httpcore
import httpx
import httpx2
import psycopg
import psycopg2
import psycopg_pool
import pytest
import sqlalchemy.exc
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from studio import errors
from studio.secrets import HIDDEN
from studio.tracing import fault as faults
from studio.tracing.classification import classified
from studio.tracing.fault import (
    Fault,
    fault_of,
    fault_of_return,
    lost_worker,
    normalised,
    returned_failure,
)
from studio.tracing.marks import mark, marked
from studio.tracing.redaction import Redactor

HERE, THERE = UUID(int=1), UUID(int=2)
REDACTOR = Redactor(["hunter2"])
REQUEST = httpx2.Request("POST", "https://model.example/v1/messages")


def raised(what: BaseException | Callable[[], object]) -> BaseException:
    """Return an error as somebody catches it, with its traceback."""
    try:
        if isinstance(what, BaseException):
            raise what
        what()
    except BaseException as exc:  # noqa: BLE001 - whatever it is
        return exc
    raise AssertionError("nothing was raised")


def fault(what: BaseException | Callable[[], object]) -> Fault:
    return fault_of(raised(what), REDACTOR)


def module(name: str, source: str, **names: Any) -> SimpleNamespace:
    """Return the functions of a module of this name, as if it were part of the studio or of a library."""
    held = {"__name__": name, **names}
    exec(compile(textwrap.dedent(source), f"{name}.py", "exec"), held)
    return SimpleNamespace(**held)


def caused(exc: BaseException, by: BaseException | None, *, context: BaseException | None = None) -> BaseException:
    exc.__cause__ = by
    if by is None:
        exc.__suppress_context__ = False
        exc.__context__ = context
    return exc


def hidden(exc: BaseException, context: BaseException) -> BaseException:
    """Return `exc` as `raise exc from None` leaves it."""
    exc.__context__ = context
    exc.__suppress_context__ = True
    return exc


def invalid() -> ValidationError:
    exc = raised(lambda: TypeAdapter(int).validate_python("x"))
    assert isinstance(exc, ValidationError)
    return exc


def status(kind: type[anthropic.APIStatusError], code: int) -> anthropic.APIStatusError:
    return kind("no", response=httpx2.Response(code, request=REQUEST), body=None)


# --- classes

STUDIO = {
    errors.ModelUnavailable: "model",
    errors.ModelRefused: "model",
    errors.ModelDeclined: "model",
    errors.ModelAnswerInvalid: "model",
    errors.DatabaseError: "database",
    errors.MigrationError: "database",
    errors.ProviderUnavailable: "provider",
    errors.ProviderRefused: "provider",
    errors.OutcomeUnknown: "provider",
    errors.StorageUnavailable: "provider",
    errors.StorageConflict: "provider",
    errors.OutboundFailed: "provider",
    errors.InvalidInput: "validation",
    errors.InvalidPayload: "validation",
    errors.TooLarge: "validation",
    errors.SettingsError: "validation",
    errors.PermissionRefused: "validation",
    errors.BudgetExhausted: "validation",
    errors.NotFound: "validation",
    errors.Conflict: "validation",
    errors.OutboundRefused: "validation",
    errors.LeaseLost: "lost worker",
    errors.StudioError: "unknown",
}

CLASSES: dict[str, tuple[BaseException, str]] = {
    **{kind.__name__: (kind("No."), found) for kind, found in STUDIO.items()},
    "outbound, too slow": (errors.OutboundFailed("No.", reason="timeout"), "timeout"),
    "psycopg": (psycopg.errors.UndefinedTable("no such table"), "database"),
    "psycopg, statement too slow": (psycopg.errors.QueryCanceled("statement timeout"), "database"),
    "pool": (psycopg_pool.PoolTimeout("no connection"), "database"),
    "psycopg2": (psycopg2.OperationalError("away"), "database"),
    "sqlalchemy": (sqlalchemy.exc.OperationalError("select", {}, Exception("away")), "database"),
    "sqlalchemy, too slow": (sqlalchemy.exc.TimeoutError("pool"), "database"),
    "anthropic, busy": (status(anthropic.RateLimitError, 429), "model"),
    "anthropic, key": (status(anthropic.AuthenticationError, 401), "model"),
    "anthropic, unreachable": (anthropic.APIConnectionError(request=REQUEST), "model"),
    "anthropic, too slow": (anthropic.APITimeoutError(REQUEST), "timeout"),
    "httpx2": (httpx2.RemoteProtocolError("broke"), "model"),
    "httpx2, too slow": (httpx2.ReadTimeout("slow"), "timeout"),
    "httpx": (httpx.ConnectError("refused"), "provider"),
    "httpx, too slow": (httpx.ConnectTimeout("slow"), "timeout"),
    "httpcore, too slow": (httpcore.ReadTimeout("slow"), "timeout"),
    "connection": (ConnectionRefusedError(111, "refused"), "provider"),
    "too slow": (TimeoutError(), "timeout"),
    "future, too slow": (concurrent.futures.TimeoutError(), "timeout"),
    "asyncio, too slow": (caused(TimeoutError(), asyncio.CancelledError()), "timeout"),
    "pydantic": (invalid(), "validation"),
    "interrupt": (KeyboardInterrupt(), "cancelled"),
    "exit": (SystemExit(1), "cancelled"),
    "task cancelled": (asyncio.CancelledError(), "cancelled"),
    "future cancelled": (concurrent.futures.CancelledError(), "cancelled"),
    "dagster interrupted": (dg.DagsterExecutionInterruptedError(), "cancelled"),
    "value": (ValueError("no"), "unknown"),
    "key": (KeyError("no"), "unknown"),
    # The outermost that means something decides…
    "wrapper": (caused(RuntimeError("step failed"), errors.ModelRefused("No.")), "model"),
    "studio's wrapper": (caused(errors.StudioError("No."), psycopg.OperationalError("away")), "database"),
    "answer does not fit": (caused(errors.ModelAnswerInvalid("No."), invalid()), "model"),
    "context": (caused(RuntimeError(), None, context=psycopg.OperationalError("away")), "database"),
    "hidden context": (hidden(RuntimeError(), psycopg.OperationalError("away")), "unknown"),
    "interrupted at an error": (caused(KeyboardInterrupt(), None, context=errors.ModelRefused("No.")), "cancelled"),
    # … unless it says what took too long.
    "model, too slow": (caused(errors.ModelUnavailable("No."), httpx2.ReadTimeout("slow")), "timeout"),
    "model, too slow, deep": (
        caused(errors.ModelUnavailable("No."), caused(anthropic.APIConnectionError(request=REQUEST), TimeoutError())),
        "timeout",
    ),
    "model, too slow, translated": (
        caused(errors.ModelUnavailable("No."), hidden(anthropic.AnthropicError(), anthropic.APITimeoutError(REQUEST))),
        "timeout",
    ),
    "model, refused after it was slow": (
        caused(errors.ModelRefused("No."), None, context=httpx2.ReadTimeout("slow")),
        "model",
    ),
    "provider, too slow": (caused(errors.ProviderUnavailable("No."), httpx.ReadTimeout("slow")), "timeout"),
    "database, too slow": (caused(errors.DatabaseError("No."), psycopg_pool.PoolTimeout("slow")), "database"),
    "database, too slow for us": (caused(errors.DatabaseError("No."), TimeoutError()), "database"),
    # Several at once.
    "group": (ExceptionGroup("all", [ValueError("no"), errors.StorageUnavailable("No.")]), "provider"),
    "group, others cancelled": (
        BaseExceptionGroup("all", [asyncio.CancelledError(), errors.ModelRefused("No.")]),
        "model",
    ),
    "group, all cancelled": (BaseExceptionGroup("all", [asyncio.CancelledError()]), "cancelled"),
}


@pytest.mark.parametrize(("exc", "found"), CLASSES.values(), ids=CLASSES)
def test_the_class_of_an_error(exc: BaseException, found: str) -> None:
    assert classified(exc) == found
    assert fault_of(exc, REDACTOR).error_class == found


def test_every_error_of_the_studio_has_a_class() -> None:
    known = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StudioError)]
    unknown = {kind for kind in known if classified(kind.__new__(kind)) == "unknown"}
    assert unknown == {errors.StudioError, errors.StackError}


def test_a_timeout_of_asyncio_is_one() -> None:
    async def slow() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)

    assert fault(lambda: asyncio.run(slow())).error_class == "timeout"


def test_the_sdk_of_the_model_is_not_loaded_to_tell() -> None:
    loaded = (
        "import sys, studio.tracing.fault; print({'anthropic', 'sqlalchemy', 'dagster', 'httpx'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"


# --- messages


def test_a_message_is_readable_and_holds_no_secret() -> None:
    found = fault(ValueError("no hunter2\x00\ud800\x1b[31m token=abc123\r\n\r\n  second line  \n" + "x\n" * 50))
    assert found.message.splitlines()[:2] == [f"no {HIDDEN}���[31m token={HIDDEN}", "  second line"]
    assert len(found.message.splitlines()) == faults.MESSAGE_LINES + 1
    assert len(fault(ValueError("x" * 100_000)).message) == faults.MESSAGE_CHARS


def test_an_error_that_says_nothing_is_called_by_its_type() -> None:
    assert fault(TimeoutError()).message == "TimeoutError"
    assert fault(ValueError(" " * 1_000_000 + "so late that nobody looks")).message == "ValueError"


@pytest.mark.parametrize(
    ("code", "body", "message"),
    [
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded."}},
            "Overloaded (HTTP 529)",
        ),
        (200, {"type": "error", "error": {"message": "Overloaded."}}, "as the SDK says"),
        (400, {"error": {"message": "no hunter2"}}, f"no {HIDDEN} (HTTP 400)"),
        (400, {"error": "no"}, "as the SDK says"),
        (502, "<html>", "as the SDK says"),
        (500, {"error": {"message": " "}}, "as the SDK says"),
    ],
    ids=["refused", "in the middle", "secret", "other answer", "no answer", "no sentence"],
)
def test_the_error_of_a_service_says_the_services_own_sentence(code: int, body: object, message: str) -> None:
    response = httpx2.Response(code, request=REQUEST)
    exc = anthropic.APIStatusError("as the SDK says", response=response, body=body)
    assert fault(exc).message == message
    assert f": {message}\n" in fault(caused(RuntimeError("step failed"), exc)).stack + "\n"


def test_what_is_merely_interrupted_says_so() -> None:
    for exc in (dg.DagsterExecutionInterruptedError(), KeyboardInterrupt(), asyncio.CancelledError()):
        assert fault(exc).message == "interrupted"
    assert fault(asyncio.CancelledError("The job was canceled.")).message == "The job was canceled."


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Weird(Exception):
    __module__ = None  # type: ignore[assignment]

    @property
    def __cause__(self) -> BaseException:  # type: ignore[override]
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "exc", [Broken(), Weird("no"), type("Änd", (Exception,), {})("\x00")], ids=["text", "chain", "nul"]
)
def test_an_error_that_is_broken_itself_is_described_all_the_same(exc: Exception) -> None:
    found = fault(exc)
    assert found.message
    assert found.type
    assert len(found.fingerprint) == 16


def test_the_name_of_a_type() -> None:
    assert fault(ValueError("no")).type == "ValueError"
    assert fault(errors.ModelRefused("No.")).type == "ModelRefused"
    assert fault(psycopg.errors.UndefinedTable("no")).type == "psycopg.errors.UndefinedTable"
    assert fault(Broken()).type == "tests.unit.tracing.test_fault.Broken"

    class Local(Exception):
        pass

    assert fault(Local()).type == "tests.unit.tracing.test_fault.Local"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Job 5 took 12.5 s (-3)", "Job <n> took <n> s (<n>)"),
        ("no row 0b5f3c9e-1111-4a2b-8c3d-000000000000", "no row <uuid>"),
        ("at 0x7f45cfe751d0, commit 8d4cb0fcc3e1", "at <hex>, commit <hex>"),
        ('relation "jobs_5" does not exist', "relation <text> does not exist"),
        ("key 'a b' and `c` and “d”", "key <text> and <text> and <text>"),
        ("the campaign's token can't", "the campaign's token can't"),
        ("GET https://example.org/a?b=5#c failed", "GET <url> failed"),
        ("mail to a.b+c@example.org bounced", "mail to <email> bounced"),
        ("no file /var/lib/x-1/y.txt or ./z", "no file <path> or <path>"),
        ("since 2026-03-01T12:00:00.123+00:00, 2026-03-01 and 12:30:05", "since <time>, <time> and <time>"),
        ('port "127.0.0.1", 5432 failed', "port <text>, <n> failed"),
        ("and/or\n\n two   lines", "and/or two lines"),
        ("a decade of cafe and facade", "a decade of cafe and facade"),
    ],
)
def test_what_varies_is_replaced(message: str, said: str) -> None:
    assert normalised(message) == said


@settings(deadline=None)
@given(st.text(max_size=300) | st.lists(st.sampled_from(list("a1f\"'`/.:-@ \n0x<>")), max_size=200).map("".join))
def test_a_normalised_message_is_short_and_stable(message: str) -> None:
    once = normalised(message)
    assert len(once) <= 300
    assert "\n" not in once
    assert not any(digit in once for digit in "0123456789")


@pytest.mark.parametrize("piece", ["a" * 50, "1", "a@", "/a", '"', "'", "f0", "0:", "a://", "\\", "~/."])
def test_normalising_takes_no_longer_for_odd_text(piece: str) -> None:
    assert len(normalised(piece * 1_000_000)) <= 300
    assert normalised(" " * 10_000 + piece) == ""


# --- fingerprints

AGENT = """
def ask(exc):
    raise exc

def tell(exc):
    raise exc

def wrap(call, error):
    try:
        call()
    except Exception as exc:
        raise error from exc
"""
RESEARCH = module("studio.agents.research", AGENT)
PLAN = module("studio.agents.plan", AGENT)
LIBRARY = module(
    "library.client", "def send(call):\n    return call()\n\ndef transport(call):\n    return send(call)\n"
)


def fingerprint(what: BaseException | Callable[[], object]) -> str:
    return fault(what).fingerprint


def no(n: int = 1) -> ValueError:
    return ValueError(f"row {n} of 'a{n}' is bad")


def test_the_same_error_from_two_jobs_has_one_fingerprint() -> None:
    first = module("jobs.first", "def run(call): call()")
    second = module("jobs.second", "def start(call): call()\ndef run(call): start(call)")
    one = fingerprint(lambda: first.run(lambda: RESEARCH.ask(no(1))))
    assert one == fingerprint(lambda: second.run(lambda: RESEARCH.ask(no(2))))
    assert len(one) == 16
    assert int(one, 16) >= 0


def test_an_edit_makes_no_new_error_of_it() -> None:
    edited = module("studio.agents.research", "# moved\n\n\n" + textwrap.dedent(AGENT))
    assert fingerprint(lambda: edited.ask(no())) == fingerprint(lambda: RESEARCH.ask(no()))


def test_an_error_that_passed_none_of_our_code_is_where_it_came_up() -> None:
    elsewhere = module("other.client", "def send(call): return call()\ndef fail(): raise ValueError('bad')")
    one = fingerprint(lambda: LIBRARY.send(elsewhere.fail))
    assert one == fingerprint(lambda: elsewhere.send(elsewhere.fail))
    assert one != fingerprint(module("other.client", "def ask(): raise ValueError('bad')").ask)


def test_a_comprehension_is_no_place_of_its_own() -> None:
    inner = module("studio.agents.research", "def ask(exc):\n    return [fail(exc) for _ in 'a']", fail=RESEARCH.tell)
    direct = module("studio.agents.research", "def ask(exc):\n    return fail(exc)", fail=LIBRARY.send)
    plain = module("studio.agents.research", "def ask(exc):\n    return [fail() for _ in 'a']", fail=lambda: 1 / 0)
    assert fingerprint(lambda: inner.ask(no())) == fingerprint(lambda: RESEARCH.tell(no()))
    assert fingerprint(lambda: plain.ask(no())) == fingerprint(lambda: direct.ask(lambda: 1 / 0))


@pytest.mark.parametrize(
    "other",
    [
        lambda: RESEARCH.tell(no()),
        lambda: PLAN.ask(no()),
        lambda: RESEARCH.ask(ValueError("row 1 of 'a1' is worse")),
        lambda: RESEARCH.ask(KeyError("row 1 of 'a1' is bad")),
        lambda: RESEARCH.ask(caused(no(), KeyError())),
        lambda: LIBRARY.send(lambda: (_ for _ in ()).throw(no())),
    ],
    ids=["function", "module", "message", "type", "cause", "elsewhere"],
)
def test_another_error_has_another_fingerprint(other: Callable[[], object]) -> None:
    assert fingerprint(other) != fingerprint(lambda: RESEARCH.ask(no()))


def test_an_error_of_a_library_is_where_we_called_it() -> None:
    def through(call: Callable[[Any], object]) -> str:
        return fingerprint(lambda: RESEARCH.wrap(lambda: call(lambda: 1 / 0), errors.StudioError("No.")))

    ask = module("studio.agents.research", "def ask(call): send(call)", send=LIBRARY.send).ask
    ask_deeper = module("studio.agents.research", "def ask(call): send(call)", send=LIBRARY.transport).ask
    plan = module("studio.agents.plan", "def ask(call): send(call)", send=LIBRARY.send).ask
    assert through(ask) == through(ask_deeper)
    assert through(ask) != through(plan)


@pytest.mark.parametrize("plumbing", ["studio.tracing.traced", "studio.database.connection"])
def test_what_everything_passes_through_is_no_place(plumbing: str) -> None:
    pipe = module(plumbing, "def through(call): call()\ndef fail(): raise ValueError('bad')")
    one = module("studio.tasks", "def make(call): call()").make
    two = module("studio.shares", "def make(call): call()").make
    assert fingerprint(lambda: one(pipe.fail)) != fingerprint(lambda: two(pipe.fail))
    assert fingerprint(lambda: pipe.through(lambda: RESEARCH.ask(no()))) == fingerprint(lambda: RESEARCH.ask(no()))


def test_of_errors_side_by_side_the_order_decides_nothing() -> None:
    def group(*calls: Callable[[], object]) -> str:
        return fingerprint(ExceptionGroup("all", [raised(call) for call in calls]))  # type: ignore[type-var]

    ask, plan = (lambda: RESEARCH.ask(no())), (lambda: PLAN.ask(KeyError("no")))
    assert group(ask, plan) == group(plan, ask)
    assert group(ask, plan) != group(ask, ask)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert fingerprint(errors.ModelUnavailable("The model took longer than the 60 s of profile x.")) == fingerprint(
        errors.ModelUnavailable("The model took longer than the 30 s of profile x.")
    )
    # Issues that people have resolved are known by it: it may not change by itself.
    assert lost_worker("phase0", [], "It was killed.", REDACTOR).fingerprint == "da908be390418650"
    assert fault_of(errors.ModelRefused("No."), REDACTOR).fingerprint == "b4570b2f47f9d9a3"


# --- stacks


def test_a_stack_shows_our_frames_and_where_libraries_were_left() -> None:
    inner = module("studio.database.connection", "def query():\n    raise KeyError('hunter2')")
    middle = module(
        "studio.agents.plan", "\n\ndef ask(): transport(query)", transport=LIBRARY.transport, query=inner.query
    )
    runner = module("dagster.runner", "def go(call): call()")
    work = functools.partial(RESEARCH.wrap, middle.ask, no())
    outer = module("jobs.first", "class Job:\n  def run(self): go(work)", go=runner.go, work=work)
    found = fault(functools.partial(runner.go, outer.Job().run))
    assert found.stack.splitlines() == [
        "jobs.first.Job.run:2",
        "dagster.runner.go:1",
        "studio.agents.research.wrap:12",
        f"caused by KeyError: '{HIDDEN}'",
        "studio.agents.research.wrap:10",
        "studio.agents.plan.ask:3",
        "library.client.send:2",
        "studio.database.connection.query:2",
    ]


def test_of_errors_side_by_side_each_is_followed_by_its_causes() -> None:
    group = ExceptionGroup("all", [caused(ValueError("a"), KeyError("b")), TypeError("c")])
    assert fault_of(group, REDACTOR).stack.splitlines() == [
        "caused by ValueError: a",
        "caused by KeyError: 'b'",
        "caused by TypeError: c",
    ]


def test_of_a_library_alone_the_innermost_frame_is_shown() -> None:
    assert fault(lambda: LIBRARY.transport(lambda: int("x"))).stack.startswith(f"{__name__}.")
    assert len(fault(lambda: LIBRARY.transport(lambda: int("x"))).stack.splitlines()) == 1


def test_a_stack_without_end_stays_short() -> None:
    endless = module("studio.agents.research", "def ask(): ask()")
    found = fault(endless.ask)
    assert found.type == "RecursionError"
    assert len(found.stack.splitlines()) < 30
    assert "more" in found.stack


def test_a_stack_has_at_most_four_kilobytes_and_keeps_the_innermost() -> None:
    exc: BaseException = raised(lambda: RESEARCH.ask(ValueError("the root")))
    for n in range(100):
        exc = caused(errors.StudioError(f"wrapper {n} " + "ü" * 300), exc)
    long = fault_of(exc, REDACTOR)
    assert len(long.stack.encode()) <= faults.STACK_BYTES
    assert long.stack.startswith("…\ncaused by")
    short = fault_of(
        caused(errors.StudioError("ü" * 3_000), exc.__cause__ and raised(lambda: RESEARCH.ask(no()))), REDACTOR
    )
    assert short.stack.endswith("studio.agents.research.ask:3")


def test_a_circle_of_causes_ends() -> None:
    one, two = ValueError("one"), KeyError("two")
    one.__cause__, two.__cause__ = two, one
    assert fault_of(one, REDACTOR).stack == "caused by KeyError: 'two'"
    assert marked(one, HERE) is None


# --- failures that are no errors


def test_a_returned_failure_is_a_fault() -> None:
    found = fault_of_return("No hunter2 for 5 rows", "agent:research", REDACTOR)
    assert found.type == "ReturnedFailure"
    assert found.message == f"No {HIDDEN} for 5 rows"
    assert found.error_class == "unknown"
    assert found.stack == "agent:research"
    assert found.fingerprint == fault_of_return("No hunter2 for 6 rows", "agent:research", REDACTOR).fingerprint
    assert found.fingerprint != fault_of_return("No hunter2 for 5 rows", "agent:plan", REDACTOR).fingerprint
    assert fault_of_return("", "agent:plan", REDACTOR).message


def test_a_lost_worker_is_a_fault() -> None:
    found = lost_worker("phase0", ["job:phase0", "agent:research", "llm:anthropic"], "Its lease ran out.", REDACTOR)
    assert found.error_class == "lost worker"
    assert found.message == (
        "The process that worked on phase0 is gone. Its lease ran out."
        " In flight: job:phase0, agent:research, llm:anthropic."
    )
    assert found.stack.splitlines()[-1] == "llm:anthropic"
    # What was in flight is chance.
    assert found.fingerprint == lost_worker("phase0", ["launch"], "Its lease ran out.", REDACTOR).fingerprint
    assert found.fingerprint != lost_worker("build", ["launch"], "Its lease ran out.", REDACTOR).fingerprint
    many = lost_worker("phase0", [f"agent:{n}" for n in range(10_000)], "", REDACTOR)
    assert len(many.message) <= faults.MESSAGE_CHARS
    assert len(many.stack.encode()) <= faults.STACK_BYTES
    assert many.stack.endswith("agent:9999")
    for names in (["a"] * 3_000, ["ab"] * 3_000, ["ü" * 1_999] * 3):
        assert len(lost_worker("phase0", names, "", REDACTOR).stack.encode()) <= faults.STACK_BYTES


class Outcome(enum.Enum):
    FAILED = "failed"
    DONE = "done"


@dataclasses.dataclass
class Result:
    success: Any = None
    status: Any = None
    error: Any = None
    reason: Any = None


class Answer(BaseModel):
    ok: bool
    message: str = ""


class Lazy:
    @property
    def success(self) -> bool:
        raise RuntimeError("a query")


class FalseLike:
    """What numpy's False is: false, but not False."""

    def __bool__(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is False

    __hash__ = None  # type: ignore[assignment]


WITHOUT_REASON = "It returned a failure and did not say why."


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"success": False, "error": "No."}, "No."),
        ({"ok": False, "message": "No."}, "No."),
        ({"status": "failed", "reason": "No."}, "No."),
        ({"status": "ERROR"}, WITHOUT_REASON),
        ({"success": False, "error": None, "message": "", "reason": "No."}, "No."),
        ({"success": False, "error": ValueError("No.")}, "No."),
        ({"success": False, "error": {"type": "x", "message": "No."}}, "No."),
        ({"success": False, "error": {"code": 5}}, '{"code":5}'),
        ({"success": False, "error": [], "reason": "No."}, "No."),
        ({"success": False, "error": Broken()}, WITHOUT_REASON),
        ({"success": True, "ok": False}, WITHOUT_REASON),
        (Result(success=False, error="No."), "No."),
        (Result(status=Outcome.FAILED, reason="No."), "No."),
        (Answer(ok=False, message="No."), "No."),
        (SimpleNamespace(ok=False), WITHOUT_REASON),
    ],
    ids=str,
)
def test_a_result_says_that_it_is_a_failure(result: object, said: str) -> None:
    assert returned_failure(result) == said


NO_FAILURES: list[object] = [
    *(None, False, 0, "", "failed", [], {}, object(), dict, Outcome.FAILED, Lazy(), lambda: False),
    *({"success": None}, {"success": 0}, {"ok": ""}, {"success": FalseLike()}, {"error": "No."}),
    *({"success": True, "error": "No."}, {"ok": True, "status": "failed"}),
    *({"status": "completed"}, {"status": 500}, {"status": None}, {"status": Outcome.DONE}),
    *(Result(), Result(success=0), Answer(ok=True)),
]


@pytest.mark.parametrize("result", NO_FAILURES, ids=range(len(NO_FAILURES)))
def test_any_other_result_is_none(result: object) -> None:
    assert returned_failure(result) is None


# --- one failure, one origin


class Stubborn(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("no")


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    n: int = 1


class Slots(Exception):
    __slots__ = ()


@pytest.mark.parametrize(
    "exc",
    [
        ValueError(),
        KeyboardInterrupt(),
        Stubborn(),
        Frozen(),
        Slots(),
        invalid(),
        psycopg2.Error(),
        asyncio.CancelledError(),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_an_error_has_one_origin(exc: BaseException) -> None:
    assert marked(exc, HERE) is None
    fault = fault_of(exc, REDACTOR)
    mark(exc, HERE, fault)
    assert marked(exc, HERE) is fault
    # The same object may be raised again in another trace.
    assert marked(exc, THERE) is None
    mark(exc, THERE, fault)
    assert marked(exc, THERE) is fault


def test_equal_errors_are_two() -> None:
    mark(Frozen(1), HERE, fault_of(Frozen(1), REDACTOR))
    assert marked(Frozen(1), HERE) is None


WRAPPERS: dict[str, Callable[[BaseException], BaseException]] = {
    "from": lambda exc: caused(errors.StudioError("No."), exc),
    "from, twice": lambda exc: caused(errors.StudioError("No."), caused(KeyError(), exc)),
    "from none": lambda exc: hidden(KeyError(), exc),
    "group": lambda exc: BaseExceptionGroup("all", [ValueError(), exc]),
    "group in a group": lambda exc: caused(KeyError(), BaseExceptionGroup("all", [BaseExceptionGroup("b", [exc])])),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_what_a_marked_error_leads_to_is_the_same_failure(wrap: Callable[[BaseException], BaseException]) -> None:
    exc = ValueError()
    fault = fault_of(exc, REDACTOR)
    mark(exc, HERE, fault)
    outer = wrap(exc)
    assert marked(outer, HERE) is fault
    # It is known from now on, even if what it came from is taken away.
    outer.__cause__ = outer.__context__ = None
    assert marked(outer, HERE) is fault


def test_what_fails_while_an_error_is_handled_is_another_failure() -> None:
    first = ValueError()
    mark(first, HERE, fault_of(first, REDACTOR))
    assert marked(caused(KeyError(), None, context=first), HERE) is None


def test_a_second_attempt_fails_anew() -> None:
    first = raised(research_fails)
    mark(first, HERE, fault_of(first, REDACTOR))
    assert marked(raised(research_fails), HERE) is None


def research_fails() -> None:
    RESEARCH.ask(no())
