"""What git's words about a server mean: whether it can be tried again, and what a person can do.

Git says it in English where its locale is C (`studio.code.git`); the codes are HTTP's.
"""

from __future__ import annotations

import re

from studio.code.git import Ended
from studio.code.remote import Remote
from studio.errors import RepositoryError, RepositoryRefused, RepositoryUnavailable

_NO_ACCESS = re.compile(
    r"could not read (Username|Password)|Authentication failed|returned error: 40[13]|Permission to .* denied"
    r"|Write access to repository not granted|invalid credentials",
    re.IGNORECASE,
)
_MISSING = re.compile(r"repository .* not found|returned error: 404|does not appear to be a git repository", re.I)
_MOVED = re.compile(r"returned error: 30[0-9]|unable to update url base from redirection|maximum .*redirects", re.I)
_DAMAGED = re.compile(r"fsck error|error in object|index-pack failed|invalid index-pack output|bad object", re.I)
_GONE = re.compile(r"not our ref|couldn't find remote ref|did not send all necessary objects|no such remote ref", re.I)
_LATER = re.compile(
    r"returned error: (408|425|429|5[0-9]{2})|could not resolve|couldn't connect|failed to connect|timed? ?out"
    r"|too slow|early EOF|hung up|unexpected disconnect|empty reply|connection (reset|refused)|RPC failed"
    r"|recv failure|send failure|SSL_|TLS|transfer closed|HTTP/2 stream|protocol error|bad pack header",
    re.IGNORECASE,
)


def network_failure(ended: Ended, remote: Remote) -> RepositoryError:
    """Return the error that a git command stands for which spoke to `remote` and did not do what it was asked."""
    said = ended.said
    if _NO_ACCESS.search(said):
        return _no_access(remote)
    if _MISSING.search(said):
        return RepositoryRefused(f"There is no repository {remote.name}, or its account may not see it.", _look(remote))
    if _MOVED.search(said):
        return RepositoryRefused(f"{remote.name} answers with a redirect.", "Give the address that it has now.")
    if _GONE.search(said):
        return RepositoryRefused(
            f"A commit of {remote.name} that this builds on is not there any more.", "Start it anew on what is there."
        )
    # Before damage: a transfer that breaks off leaves a damaged pack, too.
    if _LATER.search(said):
        return RepositoryUnavailable(f"{remote.name} cannot be reached: {ended.line}", "It is tried again later.")
    if _DAMAGED.search(said):
        return RepositoryRefused(f"Git does not accept what {remote.name} holds: {ended.line}", "Repair it with git.")
    return RepositoryError(f"Git failed with {remote.name}: {ended.line or ended.exit_code}", "It is tried again.")


def push_refused(ended: Ended, remote: Remote, branch: str) -> RepositoryRefused:
    """Return the error for a branch that the repository itself has declined."""
    return RepositoryRefused(
        f"{remote.name} does not take the branch {branch}: {ended.line}", "See what its rules ask for."
    )


def _no_access(remote: Remote) -> RepositoryRefused:
    if remote.token is None:
        return RepositoryRefused(
            f"{remote.name} is private or does not exist, and there is no token for it.",
            "Save a GitHub token in the project's settings.",
        )
    return RepositoryRefused(
        f"GitHub refuses the token for {remote.name}.",
        "Check that it is valid and may read and write the repository's contents and pull requests.",
    )


def _look(remote: Remote) -> str:
    return "Check the address" + (", and what the token may reach." if remote.token else ", or save a GitHub token.")
