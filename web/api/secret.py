"""Secrets that programs bring in a header, and never in an address, which stands in logs (domain spec §14, D34)."""

from __future__ import annotations

import hmac

from pydantic import SecretStr
from starlette.exceptions import HTTPException


def is_secret(given: str | None, secret: SecretStr | None) -> bool:
    """Say whether `given` is the secret, in a time that does not tell how nearly; one that is not set is nobody's."""
    if given is None or secret is None or not secret.get_secret_value():
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.get_secret_value().encode())


def refused() -> HTTPException:
    """Return the answer to who does not know the secret; it is the same where none is set."""
    return HTTPException(401, "This needs a secret that you have not given.")
