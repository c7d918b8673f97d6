"""The errors of the studio.

StudioError                   something a person can act on; says what is wrong and what to do
├── SettingsError             the configuration is missing something or contradicts itself
├── InvalidInput              a value from outside cannot be used
│   ├── InvalidPayload        a job's payload does not fit its model
│   ├── LinkRefused           the token of a link is forged, damaged, expired, or meant for something else
│   └── TooLarge              it is more than is taken
├── RateLimited               somebody asks more often than is allowed
│   └── LimitReached          a project has as much of what all share as it may
├── NotFound                  no such project, job, packet…
├── Conflict                  the thing has changed, or somebody else holds it
│   ├── LeaseLost             the claim a write was made under is no longer the current one
│   ├── JobBusy               another run holds a live lease on the job
│   └── DecisionConflict      an approval was decided, or shows something else by now
├── DatabaseError             the database is unreachable or refuses
│   ├── MigrationError        the migration history cannot be continued
│   └── DatabaseRestored      it was set back or promoted, and nobody has said yet what that means
├── UnknownJobType            no such job type
├── NoHandler                 the job type is registered, but nothing can run it yet
├── PayloadTooNew             a later release wrote the job's payload, and this one does not understand it
├── PermissionRefused         a permission, mode or cap forbids it
├── BudgetExhausted           the project's spend cap does not cover the next call
├── ModelError                the language model gave no usable answer
│   ├── ModelUnavailable      it could not be reached, is overloaded, or timed out (worth a retry)
│   ├── ModelRefused          key, permission or request rejected (a retry changes nothing)
│   │   └── ModelDeclined     the model itself would not answer this question
│   └── ModelAnswerInvalid    an answer came, but does not fit the schema, twice
├── ProviderError             a service that the studio acts through did not do what was asked
│   ├── ProviderUnavailable   it certainly did nothing, and may do it later (worth a retry)
│   ├── ProviderRefused       it certainly did nothing, and asking again changes nothing
│   └── OutcomeUnknown        it may have done it or not: never blindly asked again
├── StorageError              the artifact storage did not do what was asked
│   ├── StorageUnavailable    it could not be reached (worth a retry)
│   └── StorageRefused        the path, the size or the key is not accepted
│       └── StorageConflict   a file lies under this path already
├── OutboundRefused           the guard does not let this address be fetched
│   └── OutboundOff           nothing may be fetched at all: the settings say so
├── OutboundFailed            an address that may be fetched gave no usable answer
├── NoSandbox                 no sandbox can be made here, so nobody else's code is run
├── SandboxBroken             the sandbox ended before its work did (worth a retry)
├── UnsafeOutput              what an agent made may not leave the studio: secrets, links out of it, too much
├── RepositoryError           git could not do what was asked
│   ├── RepositoryUnavailable it could not be reached (worth a retry)
│   └── RepositoryRefused     it refuses: no such repository, no right to write, a branch that is taken
├── BrowserUnavailable        no browser could be started, or it ended in the middle (worth a retry)
└── StackError                the embedded stack cannot start, or is running already
"""

from __future__ import annotations


class StudioError(Exception):
    """Something went wrong that a person can act on.

    `message` is one sentence that names what is wrong; `remedy` is one that says what to do.
    `permanent` is true where running the same job again cannot help.
    """

    permanent = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class SettingsError(StudioError):
    """The configuration is missing something or contradicts itself."""

    permanent = True


class InvalidInput(StudioError):
    """A value from outside cannot be used."""

    permanent = True


class InvalidPayload(InvalidInput):
    """A job's payload does not fit its model."""


class LinkRefused(InvalidInput):
    """The token of a link is forged, damaged or meant for something else; or it was good and has `expired`."""

    def __init__(self, message: str, remedy: str = "", *, expired: bool = False) -> None:
        super().__init__(message, remedy)
        self.expired = expired


class TooLarge(InvalidInput):
    """It is more than is taken."""


class RateLimited(StudioError):
    """Somebody asks more often than is allowed; `retry_after` says how many seconds to wait."""

    def __init__(self, message: str, remedy: str = "", *, retry_after: int) -> None:
        super().__init__(message, remedy)
        self.retry_after = retry_after


class LimitReached(RateLimited):
    """A project has as much as it may of what all share: places in the queue, room in the storage."""

    def __init__(self, message: str, remedy: str = "") -> None:
        # Nobody knows when a job ends or a file goes; a minute is soon enough to look again.
        super().__init__(message, remedy, retry_after=60)


class NotFound(StudioError):
    """There is no such thing, or it belongs to someone else."""

    permanent = True


class Conflict(StudioError):
    """The thing has changed, or somebody else holds it."""


class LeaseLost(Conflict):
    """The claim under which a write was made is no longer the job's current one."""


class JobBusy(Conflict):
    """Another run holds a live lease on the job."""


class DecisionConflict(Conflict):
    """The approval has been decided, or shows something else by now; `expected_version` is the one to look at."""

    permanent = True

    def __init__(self, message: str, remedy: str = "", *, expected_version: int, status: str = "pending") -> None:
        super().__init__(message, remedy)
        self.expected_version = expected_version
        self.status = status


class DatabaseError(StudioError):
    """The database is unreachable or refuses."""


class MigrationError(DatabaseError):
    """The migration history cannot be continued."""


class DatabaseRestored(DatabaseError):
    """The database was restored or promoted since it was last used, and gives out no work until that is settled."""


class UnknownJobType(StudioError):
    """No job type has this name."""

    permanent = True


class PayloadTooNew(StudioError):
    """A later release wrote the payload; a worker of that release can run the job."""


class NoHandler(StudioError):
    """The job type is registered, but nothing can run it yet."""

    permanent = True


class PermissionRefused(StudioError):
    """A permission, runtime mode or cap forbids it."""

    permanent = True


class BudgetExhausted(StudioError):
    """The project's spend cap does not cover the worst case of the next model call."""

    permanent = True


class ModelError(StudioError):
    """The language model gave no usable answer."""


class ModelUnavailable(ModelError):
    """The model could not be reached, is overloaded, or timed out; a retry may help."""


class ModelRefused(ModelError):
    """The model rejects the key, the permission or the request; a retry changes nothing."""

    permanent = True


class ModelDeclined(ModelRefused):
    """The model itself would not answer this question; it may answer others."""


class ModelAnswerInvalid(ModelError):
    """The model answered twice, and neither answer fits the schema."""

    permanent = True


class ProviderError(StudioError):
    """A service that the studio acts through did not do what was asked."""


class ProviderUnavailable(ProviderError):
    """The provider certainly did nothing, and may do it when asked again."""


class ProviderRefused(ProviderError):
    """The provider certainly did nothing, and asking again changes nothing."""

    permanent = True


class OutcomeUnknown(ProviderError):
    """The provider may have done it or not; it is asked what it knows, or a person looks."""

    permanent = True


class StorageError(StudioError):
    """The artifact storage did not do what was asked."""


class StorageUnavailable(StorageError):
    """The storage could not be reached; a retry may help."""


class StorageRefused(StorageError):
    """The path, the size or the key is not accepted."""

    permanent = True


class StorageConflict(StorageRefused):
    """A file lies under this path already, and was not to be replaced."""


class OutboundRefused(StudioError):
    """The guard does not let this address be fetched."""

    permanent = True


class OutboundOff(OutboundRefused):
    """Outbound requests are turned off; that says nothing of the address."""


class OutboundFailed(StudioError):
    """An address that may be fetched gave no usable answer; `reason` is one of `studio.outbound_failure.Reason`.

    `sent` is true where the request may have arrived all the same.
    """

    def __init__(self, message: str, remedy: str = "", *, reason: str = "unreachable", sent: bool = False) -> None:
        super().__init__(message, remedy)
        self.reason = reason
        self.sent = sent


class NoSandbox(StudioError):
    """No sandbox can be made here, and the settings do not allow to do without."""

    permanent = True


class SandboxBroken(StudioError):
    """The sandbox ended before its work did; a retry may help."""


class UnsafeOutput(StudioError):
    """What an agent has made may not leave the studio."""

    permanent = True


class RepositoryError(StudioError):
    """Git could not do what was asked."""


class RepositoryUnavailable(RepositoryError):
    """The repository could not be reached; a retry may help."""


class RepositoryRefused(RepositoryError):
    """The repository refuses; asking again changes nothing."""

    permanent = True


class BrowserUnavailable(StudioError):
    """No browser could be started, or it ended in the middle; a retry may help."""


class StackError(StudioError):
    """The embedded stack cannot start, or is running already."""
