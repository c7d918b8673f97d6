"""Rules that tell the cause of an error: the first one that fits says it, the error's class where none does.

A rule looks at the type and the text of the error where it came up, at the status of the answer that it is about, and
at where in the work that was.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What rules look at: an error and what led to it.

    `kinds` are the names of their types without modules, `kind` that of the outermost; `text` is what they say, in
    lower case. `status` is that of an HTTP answer, `who` a provider's name.
    """

    kind: str
    kinds: frozenset[str]
    text: str
    error_class: str
    status: int | None
    who: str
    at_model: bool
    answering: bool

    def is_a(self, *kinds: str) -> bool:
        """Whether the error, or what led to it, is one of these."""
        return not self.kinds.isdisjoint(kinds)

    def says(self, *texts: str) -> bool:
        """Whether the error says any of these."""
        return any(text in self.text for text in texts)


_Rule = tuple[Callable[[Facts], bool], str, str]

# Of the second answer: the first one is only told to the model.
_MISFITS = ("ModelAnswerInvalid", "ValidationError", "JSONDecodeError")

_WAIT = "Wait until the service recovers: look at its status page, and at the limits of the account."
_NETWORK = "Look at the network between the worker and the service, and at the service's status page."

_OF_MODELS: list[_Rule] = [
    (
        lambda f: f.is_a("BudgetExhausted") or f.says("budget does not cover", "has no budget"),
        "the project's budget is exhausted: it does not cover the next call of the model",
        "Raise the budget (`greenlight projects budget`).",
    ),
    (
        lambda f: f.at_model and (f.is_a(*_MISFITS) or f.says("does not fit")),
        "the model gave an invalid answer twice: neither fits the form that was asked for",
        "Look at the answers in the trace; the prompt or the limit on the answer's length may be to blame.",
    ),
    (
        lambda f: f.at_model and (f.status in (401, 403) or f.is_a("AuthenticationError", "PermissionDeniedError")),
        "the model service refused the key{status}",
        "Check ANTHROPIC_API_KEY.",
    ),
    (
        lambda f: f.at_model and (f.status == 429 or f.is_a("RateLimitError")),
        "the model service was asked too often for the account's limits{status}",
        "Let fewer jobs run at once (WORKER_CONCURRENCY), or have the account's limits raised.",
    ),
    (
        lambda f: f.at_model and (f.status == 529 or f.is_a("OverloadedError") or f.says("overloaded")),
        "the model service was overloaded{status}",
        _WAIT,
    ),
    (
        lambda f: (
            f.at_model and (f.says("timed out", "took longer than", "takes too long") or f.error_class == "timeout")
        ),
        "the model did not finish its answer in time",
        "Look at the service's status page; GREENLIGHT_MODEL_TIMEOUT allows it longer.",
    ),
    (
        lambda f: f.at_model and f.status is not None and f.status >= 500,
        "the model service failed{status}",
        _WAIT,
    ),
    (
        lambda f: f.at_model and f.status is not None and 400 <= f.status < 500,
        "the model service rejected the request{status}",
        "Check CLAUDE_DIRECT_MODEL and the account's limits.",
    ),
    (
        lambda f: f.at_model and f.says("declined to answer"),
        "the model declined to answer",
        "Change the idea or the guidance.",
    ),
    (
        lambda f: (
            f.at_model
            and (
                f.answering
                or f.says("stream of the model broke", "ended before the answer", "incomplete", "peer closed")
            )
            and _broke(f)
        ),
        "the connection to the model broke in the middle of its answer",
        _NETWORK,
    ),
    (
        lambda f: f.at_model and _broke(f),
        "the connection to the model service broke, or could not be made",
        _NETWORK,
    ),
]
_OF_DATABASES: list[_Rule] = [
    (
        lambda f: f.says("administrator command", "shutting down", "starting up", "crash of another server process"),
        "the database ended the connection, because it was shut down or restarted",
        "Nothing is to be done where that was meant; else look into the log of the database.",
    ),
    (
        lambda f: f.says("statement timeout"),
        "a statement took longer than the database allows (statement timeout)",
        "Look at the statement in the trace, and at what else the database was doing.",
    ),
    (
        lambda f: f.is_a("LockNotAvailable") or f.says("lock timeout"),
        "a statement waited too long for a lock that another session held (lock timeout)",
        "Find who held the lock (`pg_stat_activity`, `pg_locks`).",
    ),
    (
        lambda f: f.is_a("DeadlockDetected") or f.says("deadlock detected"),
        "two transactions waited for each other (deadlock), and the database broke off this one",
        "Look at what the two did, in the log of the database.",
    ),
    (
        lambda f: f.is_a("PoolTimeout") or f.says("couldn't get a connection"),
        "no connection to the database became free in time",
        "Raise GREENLIGHT_DB_POOL_SIZE, or find what holds connections.",
    ),
    (
        lambda f: (
            f.error_class == "database"
            and f.says(
                "connection", "cannot be reached", "could not connect", "closed the", "is lost", "database was away"
            )
        ),
        "the connection to the database broke: it was restarted, or could not be reached",
        "Check that the database runs (`greenlight doctor`).",
    ),
    (
        lambda f: f.error_class == "database",
        "the database refused what it was asked",
        "Look at the statement in the trace.",
    ),
]
_OF_PROVIDERS: list[_Rule] = [
    (
        lambda f: f.is_a("OutcomeUnknown") and f.status is not None,
        "{who} failed{status}, and nobody knows whether it did what it was asked",
        "See there what became of it, then say so (`greenlight outbox resolve`).",
    ),
    (
        lambda f: f.is_a("OutcomeUnknown") and f.says("in time", "timed out"),
        "{who} did not answer in time, and nobody knows whether it did what it was asked",
        "See there what became of it, then say so (`greenlight outbox resolve`).",
    ),
    (
        lambda f: f.is_a("OutcomeUnknown"),
        "the connection to {who} broke after it had been asked, and nobody knows whether it did it",
        "See there what became of it, then say so (`greenlight outbox resolve`).",
    ),
    (
        lambda f: _of_provider(f) and f.status in (401, 403),
        "{who} refused the credentials{status}",
        "Check the account's key, and what it may do.",
    ),
    (
        lambda f: _of_provider(f) and f.status is not None and f.status >= 500,
        "{who} failed{status}",
        _WAIT,
    ),
    (
        lambda f: _of_provider(f) and f.status is not None and f.status >= 400,
        "{who} refused what it was asked{status}",
        "Correct what was asked for.",
    ),
    (
        lambda f: (_of_provider(f) or f.is_a("OutboundFailed")) and f.says("in time", "timed out"),
        "{who} did not answer in time",
        _NETWORK,
    ),
    (lambda f: _of_provider(f), "{who} could not be reached, or broke the connection", _NETWORK),
]
_OF_THE_REST: list[_Rule] = [
    (
        lambda f: f.is_a("LeaseLost"),
        "the attempt lost its lease, so that another one may have the job; what it did after that was refused",
        "Look at what kept it from renewing in time: a database that did not answer, a machine that stood still.",
    ),
    (
        lambda f: f.says("took longer than its"),
        "the attempt took longer than it may",
        "See in the trace where the time went; the job's limit is WORKER_JOB_TIMEOUT_MS.",
    ),
    (
        lambda f: f.is_a("SettingsError"),
        "the configuration is missing something or contradicts itself",
        "Correct the configuration.",
    ),
    (
        lambda f: f.is_a("PermissionRefused"),
        "a permission, a mode or a cap forbids it",
        "See what the project may do (`greenlight projects show`).",
    ),
    (
        lambda f: f.is_a("InvalidPayload", "ValidationError") or f.error_class == "validation",
        "a value that the work was given cannot be used: it is invalid",
        "Correct the value and start the job again.",
    ),
    (
        lambda f: f.error_class == "unknown" and _is_builtin(f.kind),
        "an error in our own code ({kind})",
        "It is a bug: mend it at the place that the stack names, then resolve the error.",
    ),
]
RULES: list[_Rule] = [*_OF_MODELS, *_OF_DATABASES, *_OF_PROVIDERS, *_OF_THE_REST]

_CLASSES = {
    "model": ("the model gave no usable answer", "Look at the question and the answer in the trace."),
    "provider": ("a service that the studio acts through did not do what it was asked", _NETWORK),
    "timeout": ("something took longer than it may", "See in the trace where the time went."),
}


def by_class(facts: Facts) -> tuple[str, str]:
    """Return the words and the advice for an error that no rule fits."""
    return _CLASSES.get(
        facts.error_class, ("an error that no rule knows", "Look at the failing span and its stack in the trace.")
    )


def _of_provider(facts: Facts) -> bool:
    return facts.error_class == "provider" or facts.is_a("ProviderRefused", "ProviderUnavailable")


def _broke(facts: Facts) -> bool:
    return facts.says("connect", "broke", "closed", "ended before", "reset", "incomplete", "cannot be reached") or (
        facts.is_a("RemoteProtocolError", "LocalProtocolError", "ReadError", "WriteError", "CloseError")
    )


def _is_builtin(kind: str) -> bool:
    known = getattr(builtins, kind, None)
    return isinstance(known, type) and issubclass(known, Exception)
