"""Where artifacts lie: a folder by default, Supabase Storage where it is configured.

paths        which paths there may be, and their spelling as Supabase keys
names        what a file is, by its name
base         what every storage does
folder       files in the data folder; their links are served by `web`
bucket       the private bucket of a Supabase project
choice       which of them the settings mean
"""

from studio.storage.base import BUCKET, MAX_BYTES, Storage, StoredFile
from studio.storage.choice import storage_from_settings

__all__ = ["BUCKET", "MAX_BYTES", "Storage", "StoredFile", "storage_from_settings"]
