"""Between the SDK and the wire: what may be sent twice, how long an answer may take, what an error means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2

from studio.errors import ModelError, ModelRefused, ModelUnavailable
from studio.text import clip

# A gateway gave up waiting: the model behind it may have answered, and may be paid for.
AMBIGUOUS_STATUSES = frozenset({408, 502, 504})
# How much of a foreign error a person is shown.
SHOWN_ERROR_CHARS = 400


class BrokenAfterSending(anthropic.AnthropicError):
    """The request broke after it was sent; it may have been billed, so nobody sends it again."""


def do_not_resend(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """Middleware of the SDK: let it retry a request only that never reached the service, or was refused by it."""
    try:
        response = call_next(request)
    except anthropic.APIConnectionError as exc:
        if isinstance(exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise  # never reached the service: the SDK may try again
        # The SDK looks for retryable errors along the chain of causes, so this one has none.
        raise BrokenAfterSending(one_line(exc)) from None
    if response.status_code in AMBIGUOUS_STATUSES:
        raise BrokenAfterSending(f"a gateway answered {response.status_code}; the model may have worked all the same")
    return response


class Bounded(httpx2.SyncByteStream):
    """The bytes of an answer until `deadline`. A service that only says that it lives may not hold a job for ever."""

    def __init__(self, stream: httpx2.SyncByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("The answer takes too long.")
            yield chunk

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()


def unbilled(exc: anthropic.AnthropicError) -> bool:
    """Whether the service certainly did not bill the request: it refused it, or never got it."""
    if isinstance(exc, anthropic.APIStatusError):
        return exc.status_code >= 400  # an error event in mid-stream carries the stream's 200
    return isinstance(exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def translated(exc: anthropic.AnthropicError, model: str) -> ModelError:
    """Return the studio's error for an error of the SDK."""
    if isinstance(exc, anthropic.AuthenticationError | anthropic.PermissionDeniedError):
        return ModelRefused(f"The model service refuses the key: {one_line(exc)}.", "Check ANTHROPIC_API_KEY.")
    if isinstance(exc, anthropic.APIStatusError) and exc.status_code in range(400, 500):
        if exc.status_code in (408, 409, 429):
            return ModelUnavailable(f"The model service is busy: {one_line(exc)}.", "The job is tried again.")
        return ModelRefused(
            f"The model service rejects the request to {model!r}: {one_line(exc)}.",
            "Check CLAUDE_DIRECT_MODEL and the account's limits.",
        )
    return ModelUnavailable(f"The model cannot be reached: {one_line(exc)}.", "The job is tried again.")


def one_line(exc: BaseException) -> str:
    """Return what `exc` says, on one line of bounded length."""
    return clip(" ".join(_said(exc).split()).rstrip(".") or type(exc).__name__, SHOWN_ERROR_CHARS)


def _said(exc: BaseException) -> str:
    if isinstance(exc, anthropic.APIStatusError) and isinstance(exc.body, dict):
        # The SDK prints the whole answer as a dictionary; the service's own sentence lies in it.
        error = exc.body.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        if isinstance(message, str) and message.strip():
            # An error that comes in the middle of an answer carries the status with which the answer began.
            status = f" (HTTP {exc.status_code})" if exc.status_code >= 400 else " (in the middle of its answer)"
            return f"{message.strip().rstrip('.')}{status}"
    return str(exc)
