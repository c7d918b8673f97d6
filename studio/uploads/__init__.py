"""Uploads: files that people give to a project. Announced, brought, completed.

announcing   the pending row, which fixes name, type and size, and how much room there is
kinds        which files are taken, by name, announced type and content
arriving     the bytes that come to the studio, and the look at what has arrived, by which a file counts
leading      tickets for bringing files, and links under which they are saved
sweep        what never came

The bytes come to the studio, or straight into the bucket with a ticket of Supabase's. What an upload holds is never
shown on the studio's pages: it leaves as an attachment, by a signed link (domain specification §14, D11). A file never
changes once it has arrived.
"""

from studio.uploads.announcing import KIND, Announced, announce, pending
from studio.uploads.arriving import Body, complete, keep
from studio.uploads.leading import (
    DOWNLOAD_LIFETIME,
    DirectStorage,
    Ticket,
    admit,
    download_url,
    given_name,
    is_upload,
    ticket,
)
from studio.uploads.sweep import PENDING_AGE, sweep_pending

__all__ = [
    "DOWNLOAD_LIFETIME",
    "KIND",
    "PENDING_AGE",
    "Announced",
    "Body",
    "DirectStorage",
    "Ticket",
    "admit",
    "announce",
    "complete",
    "download_url",
    "given_name",
    "is_upload",
    "keep",
    "pending",
    "sweep_pending",
    "ticket",
]
