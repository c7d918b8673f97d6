"""Why a permitted request gave no usable answer, in words."""

from __future__ import annotations

import ssl
from typing import Literal

import httpcore

from studio.addresses import Target, shown
from studio.errors import OutboundFailed

# Why a permitted fetch gave nothing. The first three say what DNS answered: no such name; a name without
# an address; no usable answer. `refused` is a closed port, `limit` an endless head or too many redirects.
Reason = Literal["no_name", "no_address", "no_dns", "refused", "unreachable", "timeout", "tls", "broken", "limit"]

MAX_ERROR_LENGTH = 200


def failed(target: Target, what: str, reason: Reason, *, sent: bool = False) -> OutboundFailed:
    """Return the error that says `what` of the address; `sent` that the request may have arrived."""
    return OutboundFailed(f"{shown(target.url)} {what}.", "Try again later.", reason=reason, sent=sent)


def connection_failure(target: Target, exc: httpcore.ConnectError) -> OutboundFailed:
    """Return the error that a connection which did not come about stands for."""
    cause = exc.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return failed(target, f"has a certificate that does not fit ({cause.verify_message})", "tls")
    if isinstance(cause, ssl.SSLError):
        return failed(target, "offers no usable encrypted connection", "tls")
    if isinstance(cause, ConnectionRefusedError):
        return failed(target, "refuses connections", "refused")
    return failed(target, f"cannot be reached ({brief(exc)})", "unreachable")


def brief(exc: Exception) -> str:
    """Return what an error of the connection says, in at most 200 characters."""
    return (str(exc) or type(exc).__name__)[:MAX_ERROR_LENGTH]
