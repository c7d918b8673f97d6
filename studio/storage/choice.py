"""Which storage the settings mean."""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from pathlib import Path

from studio import links
from studio.errors import SettingsError
from studio.settings import Settings
from studio.storage.base import BUCKET, Storage
from studio.storage.folder import FolderStorage


def storage_from_settings(settings: Settings) -> Storage:
    """Return the bucket where `SUPABASE_URL` is set, else the folder.

    Raise `SettingsError` where only one of the two Supabase variables is set.
    """
    key = settings.supabase_service_role_key
    if settings.supabase_url is None and key is None:
        return folder_storage(settings)
    if settings.supabase_url is None or key is None:
        lacking = "SUPABASE_URL" if settings.supabase_url is None else "SUPABASE_SERVICE_ROLE_KEY"
        raise SettingsError(
            f"{lacking} is not set, so the artifacts' storage is half configured.",
            "Set it, or unset the other one to keep artifacts in the data folder.",
        )
    return _bucket(os.getpid(), settings.supabase_url, key.get_secret_value())


@functools.cache
def _bucket(_process: int, url: str, key: str) -> Storage:
    """One per process: it keeps connections, which a forked child must not share."""
    # Here, because importing it takes longer than all the rest of a command that stores nothing.
    from studio.storage.bucket import SupabaseStorage

    return SupabaseStorage(url, key)


def folder_storage(settings: Settings) -> FolderStorage:
    """Return the storage in the data folder, whose links `web` serves."""

    def link(path: str, expires_seconds: int) -> str:
        return links.file_url(settings, path, timedelta(seconds=expires_seconds))

    return FolderStorage(folder(settings), link)


def look_url(settings: Settings, path: str, lifetime: timedelta) -> str:
    """Return a link under which a browser looks at a file, in a frame too: on the origin of public pages.

    Raise `SettingsError` without such an origin. `NotFound` comes from the folder alone: a bucket is not asked for
    every link on a page.
    """
    if settings.supabase_url is None:
        return folder_storage(settings).signed_url(path, expires_seconds=round(lifetime.total_seconds()))
    return links.file_url(settings, path, lifetime)


def folder(settings: Settings) -> Path:
    """Return where the artifacts of a data folder lie."""
    return settings.data_dir / "artifacts" / BUCKET
