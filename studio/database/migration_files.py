"""The files of migrations, and what they say about themselves.

A header is a comment that begins a line:

    -- contract: 20260308000500_payload_versions, since release 0.2.0
    -- compatible: table agent_jobs constraint agent_jobs_status_check: it admits one status more

`contract` says that the migration takes away what the named one has replaced, and which release is the first whose
code does without it. `compatible` accepts one finding of the checks, for the reason that follows.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from studio.errors import MigrationError
from studio.text import sha256_hex

_FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>\w+)\.sql")
_CREATE_TABLE = re.compile(
    r"^\s*create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:public\.)?(\w+)", re.I | re.M
)
_CONTRACT_LINE = re.compile(r"^--\s*contract\s*:(?P<text>.*)$", re.I | re.M)
_CONTRACT = re.compile(r"\s*(?P<replaced_by>\d{14}_\w+?)(?:\.sql)?\s*,\s*since release\s+(?P<release>\d+(?:\.\d+)*)\s*")
_ACCEPTED = re.compile(r"^--\s*compatible\s*:\s*(?P<finding>[^:\n]+?)\s*:\s*(?P<reason>\S.*)$", re.I | re.M)
# In the order in which PostgreSQL's scanner tries them; a comment in a comment is not worth a parser.
_LEXEME = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)"
    r"|(?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?P=tag)\$|\$\$.*?\$\$)"
    r"|(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')"
    r'|(?P<name>"(?:[^"]|"")*")'
    r"|(?P<end>;)"
    r"|(?P<other>.)",
    re.S,
)
_INDEX = re.compile(
    r"create\s+(?P<unique>unique\s+)?index\s+if\s+not\s+exists\s+(?P<name>\w+)\s+on\s+(?:only\s+)?(?P<table>[\w.]+)",
    re.I,
)


class Contract(NamedTuple):
    """What a migration that takes something away says: what replaced it, and the first release that does without."""

    replaced_by: str
    release: str


class Statement(NamedTuple):
    """One statement of a file: where it begins, as it stands without comments, and with its texts blanked as well."""

    line: int
    text: str
    bare: str


class NewIndex(NamedTuple):
    """An index that a migration makes in a way that lets it be there already."""

    name: str
    table: str
    statement: str

    def concurrently_on(self, name: str, relation: str) -> str:
        """Return the statement that makes it under `name` on `relation`, without keeping writers out."""
        match = _INDEX.match(self.statement)
        assert match is not None  # noqa: S101 - it was read from such a statement
        unique = match["unique"] or ""
        return f"create {unique}index concurrently if not exists {name} on {relation}{self.statement[match.end() :]}"


class Migration(NamedTuple):
    """A migration file."""

    version: str
    name: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file's text, in hex."""
        return sha256_hex(self.text)

    @property
    def tables(self) -> set[str]:
        """The tables that it creates."""
        return {name.lower() for name in _CREATE_TABLE.findall(self.text)}

    @property
    def indexes(self) -> list[NewIndex]:
        """The indexes that it makes by `create index if not exists`."""
        found = []
        for statement in statements(self.text):
            if match := _INDEX.match(statement.bare):
                found.append(NewIndex(match["name"].lower(), match["table"].lower(), statement.text))
        return found

    @property
    def accepted(self) -> dict[str, str]:
        """The findings that it accepts, with the reasons."""
        return {
            " ".join(match["finding"].lower().split()): match["reason"].strip()
            for match in _ACCEPTED.finditer(self.text)
        }


def contract_of(text: str) -> Contract | None:
    """Return the contract header of a migration's text, None where it has none.

    Raise `MigrationError` for one that cannot be read.
    """
    line = _CONTRACT_LINE.search(text)
    if line is None:
        return None
    match = _CONTRACT.fullmatch(line["text"])
    if match is None:
        raise MigrationError(
            f"The header “contract:{line['text']}” cannot be read.",
            "Write `-- contract: <migration that replaced it>, since release <first release that does without it>`.",
        )
    return Contract(match["replaced_by"], match["release"])


def statements(text: str) -> list[Statement]:
    """Return the statements of a migration, in their order."""
    found: list[Statement] = []
    start: int | None = None
    parts: list[str] = []
    bare: list[str] = []

    def close() -> None:
        nonlocal start
        if start is not None:
            whole = "".join(parts).strip()
            found.append(Statement(text.count("\n", 0, start) + 1, whole, " ".join("".join(bare).split())))
        start = None
        parts.clear()
        bare.clear()

    for lexeme in _LEXEME.finditer(text):
        if lexeme["comment"] is not None:
            parts.append(" ")
            bare.append(" ")
        elif lexeme["end"] is not None:
            close()
        elif start is not None or not lexeme[0].isspace():
            start = lexeme.start() if start is None else start
            parts.append(lexeme[0])
            bare.append("''" if lexeme["dollar"] or lexeme["string"] else lexeme[0])
    close()
    return found


def release_number(release: str) -> tuple[int, ...]:
    """Return a release such as `0.2.0` as numbers that can be compared; what is no number ends it."""
    numbers: list[int] = []
    for part in release.split("."):
        digits = re.match(r"\d+", part)
        if digits is None:
            break
        numbers.append(int(digits[0]))
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def read_folder(folder: Path) -> list[Migration]:
    """Return the migrations of `folder`, oldest first. Raise `MigrationError` for a file that is none."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(
                f"{path.name} is not named like a migration.", "Name it <14-digit timestamp>_<name>.sql."
            )
        migration = Migration(match["version"], match["name"], path, path.read_text(encoding="utf-8"))
        if (twin := migrations.get(migration.version)) is not None:
            raise MigrationError(
                f"{twin.path.name} and {path.name} have the same version.", "Give one of them a later one."
            )
        migrations[migration.version] = migration
    if not migrations:
        raise MigrationError(f"There are no migrations in {folder}.", "Check the installation.")
    return list(migrations.values())
