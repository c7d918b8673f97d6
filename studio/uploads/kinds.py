"""Which files people may upload: by name, by what they say it is, and by what it begins with."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from pathlib import PurePosixPath

from studio.errors import InvalidInput

# The list is the seed's (domain specification §8 and §10). The first of each is the one that is kept; the others are
# what browsers and systems call it.
_TYPES: dict[str, tuple[str, ...]] = {
    "pdf": ("application/pdf", "application/x-pdf"),
    "ppt": ("application/vnd.ms-powerpoint", "application/mspowerpoint", "application/x-mspowerpoint"),
    "pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation",),
    "doc": ("application/msword", "application/vnd.ms-word"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
    "png": ("image/png",),
    "jpg": ("image/jpeg", "image/jpg", "image/pjpeg"),
    "jpeg": ("image/jpeg", "image/jpg", "image/pjpeg"),
    "webp": ("image/webp",),
    "txt": ("text/plain",),
    "md": ("text/markdown", "text/x-markdown", "text/plain"),
}
EXTENSIONS = tuple(_TYPES)
# What a browser says of a file whose type it does not know.
_UNKNOWN = frozenset({"", "application/octet-stream"})
# A path's last name may have 200 bytes, of which time, id and two dashes take 51 until the year 2286.
MAX_NAME_BYTES = 140
# Control, format (which turns text around), surrogate, private, unassigned, line and paragraph ends.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# What a file system or a shell gives a meaning of its own.
_SPECIAL = re.compile(r'[\\/:*?"<>|%#&;`$\'{}\[\]^~!]+')
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# An office file of this many parts is no document; looking through it would take long.
_MOST_PARTS = 10_000
# Text has tabs, line ends and form feeds; any other control character makes it something else.
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def clean_name(name: str) -> str:
    """Return a file name that can stand in a path and a header: composed, short, with its extension in lower case.

    Raise `InvalidInput` where nothing is left of it or its extension is none of `EXTENSIONS`.
    """
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    seen = "".join(" " if unicodedata.category(char) in _UNSEEN else char for char in base)
    stem, _, extension = _SPECIAL.sub("-", " ".join(seen.split())).rpartition(".")
    extension = extension.strip().lower()
    if extension not in _TYPES:
        raise InvalidInput(
            f"Files like {name[:80]!r} cannot be uploaded.", f"Choose one of these: {', '.join(EXTENSIONS)}."
        )
    room = MAX_NAME_BYTES - len(extension) - 1
    # Dots and dashes at an edge are refused by one storage or taken for an option by some program.
    short = stem.strip(" .-").encode()[:room].decode(errors="ignore").strip(" .-")
    return f"{short or 'file'}.{extension}"


def checked_type(filename: str, mime_type: str) -> str:
    """Return the type of a file of a clean name; raise `InvalidInput` where it is announced as something else."""
    known = _TYPES[_extension(filename)]
    said = mime_type.partition(";")[0].strip().lower()
    if said not in _UNKNOWN and said not in known:
        raise InvalidInput(
            f"{filename} is announced as {said[:80]}, but its name says {known[0]}.",
            "Give the file the extension of what it is.",
        )
    return known[0]


def require_content(filename: str, data: bytes) -> None:
    """Raise `InvalidInput` where a file is not what its name says, by what is in it."""
    extension = _extension(filename)
    if not _fits(extension, data):
        raise InvalidInput(
            f"{filename} does not hold what a .{extension} file holds.",
            "Save it as UTF-8 text." if extension in ("txt", "md") else "Open it, save it again, and upload that.",
        )


def _fits(extension: str, data: bytes) -> bool:
    match extension:
        case "pdf":
            # Readers accept some bytes before the mark, and scanners' programs write them.
            return b"%PDF-" in data[:1024]
        case "png":
            return data.startswith(b"\x89PNG\r\n\x1a\n")
        case "jpg" | "jpeg":
            return data.startswith(b"\xff\xd8\xff")
        case "webp":
            return data[:4] == b"RIFF" and data[8:12] == b"WEBP"
        case "doc" | "ppt":
            return data.startswith(_OLE)
        case "docx":
            return _holds(data, "word/")
        case "pptx":
            return _holds(data, "ppt/")
    return _NO_TEXT.search(data) is None and _is_utf8(data)


def _holds(data: bytes, folder: str) -> bool:
    """Whether it is an office file with parts in `folder`, by its table of contents; nothing is unpacked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeError):
        return False
    return (
        len(names) <= _MOST_PARTS and "[Content_Types].xml" in names and any(name.startswith(folder) for name in names)
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _extension(filename: str) -> str:
    return PurePosixPath(filename).suffix.removeprefix(".")
