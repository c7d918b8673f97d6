"""The mail address that a check leaves in a form: nobody's, and known for what it is by this installation alone.

It names the job that left it and carries a proof that only the holder of `GREENLIGHT_LINK_SECRET` can make, so that
nobody can have a sign-up pass for a check, or a check for a sign-up.
"""

from __future__ import annotations

import hmac
import re
from uuid import UUID

from studio import links
from studio.settings import Settings

# RFC 2606: no mail can ever be sent there.
DOMAIN = "greenlight-check.invalid"
# The same RFC's domain for examples: forms of other sites refuse what can obviously be nobody's.
EXAMPLE_DOMAIN = "example.com"
_PURPOSE = "page-check-address"
# Of 64: 80 bits, and a local part below the 64 characters that there may be.
_PROOF_CHARS = 20
_ADDRESS = re.compile(rf"check-([0-9a-f]{{32}})-([0-9a-f]{{{_PROOF_CHARS}}})@{re.escape(DOMAIN)}")


def check_address(settings: Settings, job_id: UUID) -> str:
    """Return the address that the job leaves on a page of the studio's own. Raise `SettingsError` without a secret."""
    return f"check-{job_id.hex}-{_proof(settings, job_id)}@{DOMAIN}"


def example_address(job_id: UUID) -> str:
    """Return the address that the job leaves on somebody else's page."""
    return f"greenlight-check-{job_id.hex[:12]}@{EXAMPLE_DOMAIN}"


def checking_job(settings: Settings, email: str) -> UUID | None:
    """Return the job that left this address; None where it was no check of this installation's."""
    found = _ADDRESS.fullmatch(email)
    if found is None:
        return None
    job_id = UUID(found[1])
    return job_id if hmac.compare_digest(found[2], _proof(settings, job_id)) else None


def _proof(settings: Settings, job_id: UUID) -> str:
    return links.keyed_hash(settings, _PURPOSE, job_id.hex)[:_PROOF_CHARS]
