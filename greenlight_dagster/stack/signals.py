"""What Ctrl-C, SIGTERM and SIGHUP mean while a stack runs."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """All three raise `KeyboardInterrupt` in the main thread; while the stack stops, they set `hurry` instead.

    Python hands signals to the main thread alone: in another one, `catch` and `restore` do nothing.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.hurry = threading.Event()
        self._stopping = stopping
        self._former: dict[int, Any] = {}

    def catch(self) -> None:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                former = signal.getsignal(number)
                # `nohup` has its reasons. A shell that starts us in the background ignores SIGINT, and the
                # parts would inherit that and be deaf to SIGTERM too: Dagster copies the one to the other.
                if number != signal.SIGHUP or former is not signal.SIG_IGN:
                    self._former[number] = former
                    signal.signal(number, self._on_signal)

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._former.items():
                signal.signal(number, handler)
            self._former.clear()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():
            self.hurry.set()
            return
        raise KeyboardInterrupt
