"""Any object becomes JSON that PostgreSQL takes, within a bound of work and of bytes, and the work never notices."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import hashlib
import inspect
import itertools
import json
import re
import sys
import threading
import types
import uuid
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretBytes, SecretStr

from studio.database.connection import Database
from studio.database.reading import JSON_DEPTH
from studio.errors import ModelUnavailable
from studio.secrets import HIDDEN
from studio.tracing import plain
from studio.tracing.payload import LIMIT_BYTES, Payload, call_arguments, serialised, stored
from studio.tracing.redaction import Redactor

NOTHING_SECRET = Redactor()


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def read(text: str) -> Any:
    """Return JSON as PostgreSQL reads it: without NaN, NUL and lone surrogates."""
    assert b"\x00" not in text.encode("utf-8")
    value = json.loads(text, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    assert "\\u0000" not in text.replace("\\\\", "")
    assert depth_of(value) < JSON_DEPTH
    return value


def check(payload: Payload) -> Any:
    assert payload.text is not None
    assert len(payload.text.encode("utf-8")) <= LIMIT_BYTES
    assert re.fullmatch("[0-9a-f]{64}", payload.sha256)
    shown = read(payload.text)
    if payload.size > LIMIT_BYTES:
        assert isinstance(shown, str)
    else:
        assert payload.size == len(payload.text.encode())
    return shown


# --- any object


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Loud(str):
    def __str__(self) -> str:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Point(NamedTuple):
    x: int
    y: int


Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Claim:
    number: int
    key: str = dataclasses.field(default="hunter2", repr=False)
    opened: Any = None


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: int = 2


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    name: str
    key: str = Field(default="hunter2", repr=False)
    internal: str = Field(default="internal", exclude=True)
    held: Any = None


class Hostile:
    """Breaks at everything that can be asked of an object."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__
    __len__ = __hash__ = __bool__ = __iter__ = __repr__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    def model_dump(self) -> dict[str, Any]:
        raise RuntimeError("no")


class HostileMeta(type):
    def __hash__(cls) -> int:
        raise RuntimeError("no")


class HostileClass(metaclass=HostileMeta):
    pass


class BadModel(Model):
    def model_dump(self, **_: Any) -> dict[str, Any]:
        raise RuntimeError("no")


class BadField:
    __dataclass_fields__ = Claim.__dataclass_fields__
    number = 1
    opened = None

    @property
    def key(self) -> str:
        raise RuntimeError("no")


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Items(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("a query")

    __iter__ = __len__ = items  # type: ignore[assignment]


async def coroutine() -> None:
    """Never awaited on purpose."""


def closed_coroutine() -> Any:
    made = coroutine()
    made.close()
    return made


async def async_generator() -> Any:
    yield 1


CASES: dict[str, tuple[object, Any]] = {
    "none": (None, None),
    "true": (True, True),
    "text": ("ein Gedanke — 思", "ein Gedanke — 思"),
    "text of a class": (Loud("loud"), "loud"),
    "nan": ([float("nan"), float("inf"), -float("inf")], ["NaN", "Infinity", "-Infinity"]),
    "huge integer": ({"n": 10**5000}, {"n": "<integer of 16610 bits>"}),
    "large integer": (10**4000, 10**4000),
    "nul": ({"a\x00": "b\x00c", "d": "\\u0000", "e": "\\\x00"}, {"a�": "b�c", "d": "\\u0000", "e": "\\�"}),
    "surrogates": ({"a\ud800": "b\udfff"}, {"a�": "b�"}),
    "keys": (
        {1: 3, None: 2, False: 1, 1.5: 4, (1, "a"): 5, Color.RED: 6, date(2026, 3, 1): 7},
        {"1": 3, "null": 2, "false": 1, "1.5": 4, '[1,"a"]': 5, "red": 6, "2026-03-01": 7},
    ),
    "two keys of one text": ({1: "a", "1": "b"}, {"1": "a", "1′": "b"}),
    "tuple": ((1, (2, [])), [1, [2, []]]),
    "named tuple": ([Point(1, 2), Pair("x", [])], [{"x": 1, "y": 2}, {"a": "x", "b": []}]),
    "sets": ([{"b", "a", "c"}, frozenset({5})], [["a", "b", "c"], [5]]),
    "containers": (
        [deque([1]), OrderedDict(a=1), defaultdict(list, b=2), types.MappingProxyType({"c": 3}), {"d": 4}.items()],
        [[1], {"a": 1}, {"b": 2}, {"c": 3}, [["d", 4]]],
    ),
    "a dictionary with code of its own": (Items(a=1), {"a": 1}),
    "enums": ([Color.RED, Level.HIGH, Right.READ | Right.WRITE], ["red", 3, 3]),
    "times": (
        [datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 1), time(12, 30), timedelta(hours=1.5)],
        ["2026-03-01T00:00:00+00:00", "2026-03-01", "12:30:00", "1:30:00"],
    ),
    "uuid": (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    "numbers": ([Decimal("1.10"), Decimal("NaN"), 1 + 2j], ["1.10", "NaN", "(1+2j)"]),
    "path": (Path("/tmp/a b"), "/tmp/a b"),
    "bytes": ([b"abc", bytearray(b"d"), memoryview(b"e"), b"\xff\xfe\xfd"], ["abc", "d", "e", "<3 bytes>"]),
    "dataclass": (Claim(1), {"number": 1, "key": HIDDEN, "opened": None}),
    "slots": (Slotted(1), {"a": 1, "b": 2}),
    "pydantic": (
        Model(name="n", held=Claim(2), more={1}),
        {"name": "n", "key": HIDDEN, "held": {"number": 2, "key": HIDDEN, "opened": None}, "more": [1]},
    ),
    "pydantic root": (RootModel[list[int]]([1]), {"root": [1]}),
    "pydantic, never validated": (Model.model_construct(name=3), {"name": 3, "key": HIDDEN, "held": None}),
    "pydantic that breaks": (BadModel(name="n"), {"name": "n", "key": HIDDEN, "held": None}),
    "a field that breaks": (BadField(), {"number": 1, "key": HIDDEN, "opened": None}),
    "secrets": ([SecretStr("hunter2"), SecretBytes(b"hunter2")], [HIDDEN, HIDDEN]),
    "exceptions": (
        [ModelUnavailable("Busy.", "Wait."), KeyError("k"), Broken()],
        [
            {"error": "studio.errors.ModelUnavailable", "message": "Busy. Wait."},
            {"error": "KeyError", "message": "'k'"},
            {"error": "tests.unit.tracing.test_payload.Broken", "message": "<unreadable>"},
        ],
    ),
    "class": ([Claim, int], ["<class tests.unit.tracing.test_payload.Claim>", "<class int>"]),
    "functions": (
        [refuse, len, [].append, Path().exists, functools.partial(refuse, "a")],
        [
            "<function tests.unit.tracing.test_payload.refuse>",
            "<function builtins.len>",
            "<function builtins.list.append>",
            "<function pathlib.Path.exists>",
            "<functools.partial>",
        ],
    ),
    "generators": (
        [iter([1]), (x for x in "a"), async_generator(), closed_coroutine(), map(str, [1])],
        ["<list_iterator>", "<generator>", "<async generator>", "<coroutine>", "<map>"],
    ),
    "pattern": (re.compile("a+"), "a+"),
    "hostile": ({"a": Hostile(), "b": 1}, {"a": "<tests.unit.tracing.test_payload.Hostile>", "b": 1}),
    "hostile class": ([HostileClass(), 1], ["<unreadable>", 1]),
    "clients": (
        [
            Database("postgresql://studio:hunter2@localhost/studio"),
            httpx.Client(auth=("studio", "hunter2")),
            anthropic.Anthropic(api_key="hunter2"),
            threading.Lock(),
        ],
        ["<studio.database.connection.Database>", "<httpx.Client>", "<anthropic.Anthropic>", "<_thread.lock>"],
    ),
}


@pytest.mark.parametrize(("value", "shown"), CASES.values(), ids=CASES)
def test_an_object_is_shown(value: object, shown: Any) -> None:
    assert read(serialised(value)) == shown


def test_a_message_of_the_model_is_shown_by_its_fields() -> None:
    message = anthropic.types.Message.model_validate(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "sandbox",
            "content": [{"type": "text", "text": "Yes.", "citations": None}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 5},
            "of_tomorrow": {"a": 1},
        }
    )
    shown = read(serialised({"answer": message}))["answer"]
    assert shown["content"][0]["text"] == "Yes."
    assert shown["usage"]["output_tokens"] == 5
    assert shown["of_tomorrow"] == {"a": 1}


def test_what_the_work_still_needs_is_not_consumed() -> None:
    def numbers() -> Iterator[int]:
        yield from range(3)

    given: list[Any] = [numbers(), iter([0, 1, 2]), (n for n in range(3)), map(int, "012")]
    with Path(__file__).open(encoding="utf-8") as file:
        serialised([*given, file])
        serialised(Model(name="n", held=given[0]))
        assert file.readline().startswith('"""')
    for numbers_left in given:
        assert list(numbers_left) == [0, 1, 2]


def test_a_cycle_and_a_twin() -> None:
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = [cycle]
    twin = [Claim(1)]
    assert read(serialised(cycle)) == {"a": 1, "self": ["<cycle>"]}
    assert read(serialised([twin, twin])) == [[{"number": 1, "key": HIDDEN, "opened": None}]] * 2


@pytest.mark.parametrize("depth", [plain.DEPTH + 1, 300, 5_000])
@pytest.mark.parametrize("kind", ["list", "dict", "model"])
def test_depth_is_bounded(kind: str, depth: int) -> None:
    value: Any = "end"
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value} if kind == "dict" else Claim(1, opened=value)
    assert depth_of(read(serialised(value))) == plain.DEPTH
    assert plain.DEPTH < JSON_DEPTH


@pytest.mark.parametrize(
    "value", [{"a": [1, "x" * 10]}, [Claim(1), {2}], {"a": Hostile()}], ids=["plain", "any", "bad"]
)
def test_there_may_be_next_to_no_stack_left(value: Any) -> None:
    def below(frames: int) -> str:
        return serialised(value) if frames == 0 else below(frames - 1)

    seen = set()
    with pytest.raises(RecursionError):  # noqa: PT012 - it is how one finds out where the stack ends
        for frames in itertools.count(sys.getrecursionlimit() - len(inspect.stack()) - 60):
            text = below(frames)
            seen.add(text)
            read(text)
    assert len(seen) > 1, "there was always enough"


def test_what_interrupts_the_thread_goes_through() -> None:
    class Stop(BaseException):
        pass

    @dataclasses.dataclass
    class Interrupted:
        a: int = 1

        def __getattribute__(self, name: str) -> Any:
            raise Stop

    with pytest.raises(Stop):
        serialised([Interrupted()])


# --- bounds of work


def test_of_a_huge_object_only_so_much_is_looked_at() -> None:
    looked_at = itertools.count()

    @dataclasses.dataclass
    class Watched:
        a: int = 1

        def __getattribute__(self, name: str) -> Any:
            next(looked_at)
            return 1

    shown = read(serialised([[Watched() for _ in range(200)] for _ in range(1_000)]))
    assert next(looked_at) <= plain.CEILING_CHARS / plain.VALUE_CHARS
    assert shown[0][0] == {"a": 1}
    assert re.fullmatch(r"… \d+ more", shown[-1])


@pytest.mark.parametrize(
    "value",
    [
        "x" * 9_000_000,
        ["x" * 1_000] * 9_000,
        {"a": {"b": "é" * 9_000_000}},
        list(range(900_000)),
        {n: n for n in range(50_000)},
        [10**4000] * 700,
        b"x" * 9_000_000,
        [[[[[1] * 32] * 32] * 32] * 32] * 32,
    ],
    ids=["text", "texts", "nested", "numbers", "keys", "digits", "bytes", "tree"],
)
def test_of_a_huge_value_the_beginning_is_kept(value: object) -> None:
    text = serialised(value)
    read(text)
    assert len(text) < 1.1 * plain.CEILING_CHARS
    assert " more" in text or "bytes" in text


@pytest.mark.parametrize("left", [0, 1, 20, 1_999, 2_500, 3_001, 3_100, 99_999])
def test_a_text_is_cut_only_where_nobody_sees_the_cut(left: int) -> None:
    secret = "hunter2-" * 30
    look = plain.Plain()
    look.charge(plain.CEILING_CHARS - left)
    assert look.text("y" * 3_000 + secret) in ("y" * 3_000 + secret, "… 3240 more characters")
    assert look.text(secret) == secret


def test_a_text_behind_all_that_is_kept_is_cut() -> None:
    look = plain.Plain()
    look.charge(plain.CEILING_CHARS - 2 * LIMIT_BYTES - 1)
    assert look.text("y" * 200_000) == "y" * (2 * LIMIT_BYTES + 1) + "… 99999 more characters"


def test_large_bytes_are_only_counted() -> None:
    assert serialised([b"x" * 5_000_000]) == '["<5000000 bytes>"]'


def test_no_more_is_copied_than_may_be_looked_at() -> None:
    assert len(plain.Plain().copied(itertools.count)) <= plain.CEILING_CHARS // plain.VALUE_CHARS + 1


def test_a_container_that_changes_while_it_is_copied_is_copied_again() -> None:
    tries = iter([RuntimeError, RuntimeError, None])

    def iterate() -> Iterator[int]:
        if (error := next(tries)) is not None:
            raise error("dictionary changed size during iteration")
        return iter([1, 2])

    assert plain.Plain().copied(iterate) == [1, 2]


def test_other_threads_may_change_what_is_looked_at() -> None:
    over = threading.Event()
    changing: dict[Any, Any] = {"plain": {}, "any": deque(), "set": set(), "claim": Claim(1)}

    def change() -> None:
        for n in itertools.count():
            if over.is_set():
                return
            changing["plain"][str(n % 97)] = [n]
            changing["plain"].pop(str((n + 31) % 97), None)
            changing["any"].append(n)
            changing["set"] ^= {n % 53}
            if len(changing["any"]) > 50:
                changing["any"].clear()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            assert read(serialised(changing)).keys() == changing.keys()
            assert isinstance(read(serialised(changing["plain"])), dict)
    finally:
        over.set()
        thread.join()


# --- arguments


class Agent:
    def run(self, idea: str, /, step: str = "research", *rest: int, budget: int = 5, **more: Any) -> None: ...

    @classmethod
    def make(cls, idea: str) -> None: ...


def plain_function(a: int, b: int = 2) -> None: ...


RUN, MAKE, PLAIN = map(inspect.signature, (Agent.run, Agent.make.__func__, plain_function))  # type: ignore[attr-defined]
AGENT = Agent()


@pytest.mark.parametrize(
    ("signature", "args", "kwargs", "named"),
    [
        (PLAIN, (1, 2), {}, {"a": 1, "b": 2}),
        (PLAIN, (1,), {"b": 3}, {"a": 1, "b": 3}),
        (PLAIN, (), {"b": 3, "a": 1}, {"a": 1, "b": 3}),
        (RUN, (AGENT, "idea"), {}, {"idea": "idea"}),
        (
            RUN,
            (AGENT, "idea", "plan", 1, 2),
            {"budget": 7},
            {"idea": "idea", "step": "plan", "rest": (1, 2), "budget": 7},
        ),
        (RUN, (AGENT, "idea"), {"tone": "dry"}, {"idea": "idea", "tone": "dry"}),
        (RUN, (AGENT, "idea"), {"idea": 2}, {"args": (AGENT, "idea"), "kwargs": {"idea": 2}}),
        (MAKE, (Agent, "idea"), {}, {"idea": "idea"}),
        (PLAIN, (1, 2, 3), {}, {"args": (1, 2, 3), "kwargs": {}}),
        (PLAIN, (1,), {"a": 1}, {"args": (1,), "kwargs": {"a": 1}}),
        (PLAIN, (), {}, {}),
    ],
    ids=[
        "positional",
        "both",
        "keyword",
        "method",
        "rest",
        "further keyword",
        "clash",
        "class method",
        "too many",
        "twice",
        "none",
    ],
)
def test_arguments_have_names(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any], named: dict[str, Any]
) -> None:
    assert call_arguments(signature, args, kwargs) == named


# --- the bound of bytes

ANY_TEXT = st.text(st.characters(exclude_categories=()))
OBJECTS: st.SearchStrategy[Any] = st.sampled_from(list(CASES)).map(lambda name: CASES[name][0])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary() | OBJECTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(ANY_TEXT | st.integers() | st.none(), inner, max_size=4)
        | st.builds(Claim, st.integers(), opened=inner)
        | st.builds(Model, name=st.text(), held=inner)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)
REDACTOR = Redactor(["hunter2", 'qu"ote\\d', "\nnewline"])


@settings(deadline=None)
@given(ANYTHING, st.sampled_from([1, 1, 1, 1_000]))
@example({"a": "\ud800\x00\\u0000"}, 1)
def test_whatever_it_is_it_is_stored_as_json_within_the_limit(value: Any, times: int) -> None:
    text = serialised([value] * times)
    read(text)
    check(stored(text, REDACTOR))


@pytest.mark.parametrize("shift", range(7))
@pytest.mark.parametrize("piece", ["\x01", '"', "\\", "é", "思", "\U0001f600"], ids=ascii)
def test_nothing_is_cut_in_two(piece: str, shift: int) -> None:
    kept = check(stored(serialised("x" * shift + piece * LIMIT_BYTES), NOTHING_SECRET))
    assert kept == "x" * shift + piece * (len(kept) - shift)
    taken = len(json.dumps(piece, ensure_ascii=False).encode()) - 2
    assert len(kept) - shift == (LIMIT_BYTES - 2 - shift) // taken


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=5), st.integers(0, 40))
def test_of_anything_else_the_beginning_of_its_json_is_kept(pieces: list[str], shift: int) -> None:
    text = serialised(["x" * shift, *pieces * (2 * LIMIT_BYTES // (3 * len(pieces)))])
    payload = stored(text, NOTHING_SECRET)
    assert payload.size > LIMIT_BYTES
    assert text.startswith(check(payload))
    assert len((payload.text or "").encode()) > LIMIT_BYTES - 12


@pytest.mark.parametrize(("length", "whole"), [(LIMIT_BYTES - 2, True), (LIMIT_BYTES - 1, False)], ids=["fits", "over"])
def test_the_limit_is_counted_in_bytes(length: int, whole: bool) -> None:
    text = serialised("é" * (length // 2) + "x" * (length % 2))
    payload = stored(text, NOTHING_SECRET)
    assert payload.size == length + 2
    assert (payload.text == text) is whole


def test_size_and_hash_are_those_of_the_whole_without_secrets() -> None:
    value = ["hunter2", "x" * 100_000]
    payload = stored(serialised(value), Redactor(["hunter2"]))
    clean = json.dumps([HIDDEN, "x" * 100_000], ensure_ascii=False, separators=(",", ":")).encode()
    assert payload.size == len(clean)
    assert payload.sha256 == hashlib.sha256(clean).hexdigest()


@pytest.mark.parametrize("before", range(LIMIT_BYTES - 24, LIMIT_BYTES, 4))
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text]], ids=["text", "list"])
def test_no_part_of_a_secret_is_left_at_the_cut(wrap: Callable[[str], object], before: int) -> None:
    text = serialised(wrap("x" * before + "hunter2-hunter2-hunter2" + "y" * 100))
    payload = stored(text, Redactor(["hunter2-hunter2-hunter2"]))
    assert "h" not in check(payload)


def test_what_is_shown_of_a_coroutine_needs_no_loop() -> None:
    async def main() -> str:
        task = asyncio.ensure_future(asyncio.sleep(0))
        text = serialised([task, asyncio.get_running_loop()])
        await task
        return text

    assert read(asyncio.run(main()))[0] == "<_asyncio.Task>"
