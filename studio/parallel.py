"""Pieces of work side by side, each in its own thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def side_by_side(*work: Callable[[], T]) -> list[T]:
    """Run each piece of work in its own thread with the caller's context; raise the first error after all ended.

    Returns what they returned, in their order. The threads are daemons: an interrupt must end the run at once,
    not after the last model call.
    """
    results: dict[int, Future[T]] = {index: Future() for index in range(len(work))}

    def run(index: int) -> None:
        try:
            results[index].set_result(work[index]())
        except BaseException as exc:  # noqa: BLE001 - a thread's boundary: the caller raises it again
            results[index].set_exception(exc)

    for index in results:
        Thread(target=copy_context().run, args=(run, index), name=f"side-{index}", daemon=True).start()
    wait(results.values())
    return [future.result() for future in results.values()]
