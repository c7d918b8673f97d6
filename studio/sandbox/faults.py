"""Faults that a test orders: each befalls the next request it matches, in the order they were given."""

from __future__ import annotations

from collections import deque
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from studio.sandbox.errors import invalid

Kind = Literal[
    "status",
    "hang",
    "not_json",
    "wrong_schema",
    "cut_off",
    "drop",
    "slow",
    "text",
    "stream_error",
]
KINDS = get_args(Kind)
# Far more than any test needs; a runaway script must not fill the memory.
MAX_FAULTS = 1_000


class Fault(BaseModel):
    """One fault.

    status        answer with this HTTP `status` and, with `retry_after`, that many seconds in its header
    hang          say nothing for `seconds`: at the start or, with `where: middle`, after half of a stream
    not_json      answer with prose where JSON was asked for
    wrong_schema  answer with JSON whose values have the wrong types
    cut_off       end in the middle of the text with `stop_reason: max_tokens`
    drop          close the connection in the middle of the answer
    slow          wait `delay_ms` before each piece of the answer
    text          answer with exactly this `text`
    stream_error  send an `error` event of `status` in the middle of the stream (an error response without one)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    match: str | None = Field(default=None, description="Only requests whose body contains this text.")
    times: int = Field(default=1, ge=1, le=MAX_FAULTS)
    status: int = Field(default=529, ge=400, le=599)
    retry_after: float | None = Field(default=None, ge=0)
    seconds: float = Field(default=60.0, gt=0, le=3600)
    where: Literal["start", "middle"] = "start"
    delay_ms: float = Field(default=200.0, ge=0, le=60_000)
    text: str = ""

    @model_validator(mode="before")
    @classmethod
    def _needed(cls, data: Any) -> Any:
        needed = {"status": "status", "text": "text"}
        if isinstance(data, dict) and (field := needed.get(data.get("kind", ""))) and field not in data:
            raise ValueError(f"a fault of kind {data['kind']} needs `{field}`")
        return data


_LIST = TypeAdapter(list[Fault])


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self._queue: deque[Fault] = deque()

    def order(self, data: Any) -> int:
        """Append a JSON list of faults and return how many are waiting. Raise the API's 400 for a bad one."""
        try:
            ordered = _LIST.validate_python(data)
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise invalid(f"faults.{where}: {first['msg']}") from exc
        each = [fault.model_copy(update={"times": 1}) for fault in ordered for _ in range(fault.times)]
        if len(self._queue) + len(each) > MAX_FAULTS:
            raise invalid(f"faults: at most {MAX_FAULTS} faults can wait")
        self._queue.extend(each)
        return len(self._queue)

    def take(self, body: str) -> Fault | None:
        """Remove and return the first waiting fault that matches a request's body, or None."""
        for fault in self._queue:
            if fault.match is None or fault.match in body:
                self._queue.remove(fault)
                return fault
        return None

    def pending(self) -> list[dict[str, Any]]:
        """Return the faults still waiting, as JSON-like values."""
        return [fault.model_dump(exclude_defaults=True) for fault in self._queue]

    def clear(self) -> None:
        """Forget all waiting faults."""
        self._queue.clear()
