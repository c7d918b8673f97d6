"""From an error as it is stored to its cause in plain words, and what to do about it. Facts and rules, no model."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio import errors
from studio.operations.cause_rules import RULES, Facts, by_class
from studio.operations.failures import Failure

# An error in the middle of a stream carries the stream's 200, which tells nothing.
_STATUS = re.compile(r"\b(?:HTTP|Error code:|answered) ([345]\d\d)\b", re.IGNORECASE)
_WHO = re.compile(r"([A-Z][\w .-]{1,40}?) (?:answered \d{3}|did not answer|broke the connection|cannot be reached)")
_SENTENCES = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")
# The SDK of the model prints the whole answer; the service's own sentence lies in it.
_OF_SERVICE = re.compile(r"(?:Error code: \d{3} - )?\{'.*?'message': ['\"](.+?)['\"][,}]", re.DOTALL)
# A line of a stack that is of our own code; through plumbing everything passes.
_OWN_CODE = re.compile(r"\s*(?:studio|web|jobs|sensors|schedules|resources|greenlight_dagster)[./]\S*:\d+")
_PLUMBING = re.compile(r"\s*studio[./](?:database|tracing)[./]")
_CAUSED = re.compile(r"caused by ([\w.]+): ?(.*)")
# How the studio's own errors begin what is to be done.
_ADVICE = re.compile(
    r"(?:Add|Approve|Ask|Cancel|Change|Check|Choose|Come|Correct|Give|Install|Look|Make|Raise|Remove|Restart|Retry|Run|Save|See"
    r"|Set|Start|Stop|Turn|Use|Wait|Write)\b"
)
# Whether it is tried again is known by now, and said elsewhere.
_AGAIN = re.compile(r"(?:The job|It) (?:is|was) (?:tried again|asked again|retried)\b")


@dataclass(frozen=True)
class Cause:
    """Why something failed: a clause without capital and full stop, and a sentence that says what to do."""

    words: str
    advice: str


def cause_of(failure: Failure) -> Cause:
    """Return why the attempt failed, in words."""
    facts = _facts(failure)
    words, advice = next(((words, advice) for fits, words, advice in RULES if fits(facts)), by_class(facts))
    named = words.format(
        status=f" (HTTP {facts.status})" if facts.status else "", who=facts.who or "the provider", kind=facts.kind
    )
    return Cause(named, _given_advice(failure) or advice)


def message_of(failure: Failure) -> str:
    """Return what the error said where it came up, without what it advised."""
    error = failure.trace.error or (failure.origin.error if failure.origin else None) or ""
    if failure.origin is not None and failure.origin.fingerprint is not None:
        error = failure.origin.error or error
    said = _OF_SERVICE.match(error)
    sentences = _SENTENCES.split(" ".join((said[1] if said else error).split()))
    while len(sentences) > 1 and (_ADVICE.match(sentences[-1]) or _AGAIN.match(sentences[-1])):
        sentences.pop()
    return " ".join(sentences)


def type_of(failure: Failure) -> str:
    """Return the name of the error's type, without its module."""
    of_origin = failure.origin.error_type if failure.origin is not None else None
    return (failure.trace.error_type or of_origin or "").rpartition(".")[2].lstrip("_")


def place_of(stack: str) -> str:
    """Return the innermost place of a stack that lies in our own code; nothing where none does.

    The database says the same of issues (`place_of_error`), whose stacks may be gone before them.
    """
    own = [line.strip() for line in stack.split("\n") if _OWN_CODE.match(line)]
    return next((line for line in reversed(own) if not _PLUMBING.match(line)), own[-1] if own else "")


def led_to_it(failure: Failure) -> list[tuple[str, str]]:
    """Return type and message of each error that led to the one that came up, the innermost last."""
    stack = failure.origin.stack if failure.origin is not None else None
    return [(kind.rpartition(".")[2], said.strip()) for kind, said in _CAUSED.findall(stack or "")]


def _given_advice(failure: Failure) -> str | None:
    """Return what the error itself says is to be done, or what the error says that the job was ended with."""
    # What libraries advise is meant for whoever uses them.
    own = failure.trace.error if hasattr(errors, type_of(failure)) else None
    for text in (own, failure.ending.error if failure.ending else None):
        last = _SENTENCES.split(" ".join((text or "").split()))[-1]
        if _ADVICE.match(last):
            return last if last.endswith((".", "!")) else last + "."
    return None


def _facts(failure: Failure) -> Facts:
    origin, trace = failure.origin, failure.trace
    causes = led_to_it(failure)
    texts = [
        trace.error,
        origin and origin.error,
        *(text for _, text in causes),
        failure.ending and failure.ending.error,
    ]
    said = " ".join(text for text in texts if text)
    refusals = [said for request in failure.requests for said in request.refusals]
    status = _STATUS.search(said) or (_STATUS.search(refusals[-1]) if refusals else None)
    given = origin.attributes.get("http.response.status_code") if origin is not None else None
    who = _WHO.search(said)
    kind = type_of(failure)
    error_class = trace.error_class or (origin and origin.error_class) or "unknown"
    return Facts(
        kind=kind,
        kinds=frozenset({kind, *(name for name, _ in causes)}),
        text=said.lower(),
        error_class=error_class,
        status=int(status[1]) if status else given if isinstance(given, int) else None,
        who=who[1] if who else "",
        at_model=_at_model(failure, kind, error_class),
        answering=any(request.first_token_ms is not None for request in failure.requests[-1:]),
    )


def _at_model(failure: Failure, kind: str, error_class: str) -> bool:
    if error_class in ("database", "cancelled", "lost worker"):
        # Calls are reserved and settled in the database, in the middle of a question.
        return False
    at = failure.origin.category if failure.origin is not None else ""
    return error_class == "model" or kind.startswith("Model") or at in ("llm", "chat")
