"""What a migration's text gives away: statements that keep others out, or take away what they rely on.

Only migrations that the previous release does not have are looked at; what has landed is never edited. Most rules are
those of the linter `squawk`. Ours know what it cannot: that the runner gives up a lock after a moment, makes indexes
beforehand, and which tables exist and grow.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from studio.database.contract import Contract
from studio.database.migration_files import Migration, Statement, contract_of, release_number, statements
from studio.errors import MigrationError

# The oldest server that the studio supports.
POSTGRES = "15"
# What does not apply here.
EXCLUDED = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-identity",
    # The runner sets them.
    "require-lock-timeout",
    "require-statement-timeout",
    # The runner makes indexes beforehand; that they can be made so is a rule of ours.
    "require-concurrent-index-creation",
    # Whether what comes in their place will do, the contract says: it looks at the schema, not at the statement.
    "ban-drop-function",
    "ban-drop-constraint",
)
# A name that would mean the same without its quotes.
_QUOTED = re.compile(r'"([a-z_][a-z0-9_]*)"')
_DROPS = re.compile(r"^(?:ban-drop-|renaming-)")
_IGNORED = re.compile(r"--\s*squawk-ignore", re.I)

_INDEX = re.compile(r"create\s+(?:unique\s+)?index\b.*?\bon\s+(?:only\s+)?(?:public\.)?(?P<table>\w+)", re.I)
_BEFOREHAND = re.compile(r"create\s+(?:unique\s+)?index\s+if\s+not\s+exists\s+\w+\s+on\b", re.I)
_ROWS = re.compile(
    r"(?:update|delete\s+from|merge\s+into|truncate(?:\s+table)?)\s+(?:only\s+)?(?:public\.)?(?P<table>\w+)", re.I
)
# Of a table that is there; what a migration writes out itself are few.
_FILLS = re.compile(
    r"insert\s+into\s+(?:public\.)?(?P<into>\w+)\b.*\bfrom\s+(?:only\s+)?(?:public\.)?(?P<table>\w+)", re.I
)
# Inside a `with` as well: its parts are carried out.
_WITH = re.compile(r"^with\b.*\b(?P<rows>(?:update|delete\s+from|merge\s+into)\s+(?:only\s+)?(?:public\.)?\w+)", re.I)
# What else carries out anything: a block, a function that is asked, a statement in another.
_ANYTHING = re.compile(r"(?:do|call|prepare|execute|explain|select|values|table)\b", re.I)
_NEVER = {
    r"(?:set|reset|discard)\b": "changes how the runner works: how long it waits for a table, and as whom",
    r"(?:begin|commit|rollback|start\s+transaction|savepoint)\b": "ends the runner's transaction",
    r"lock\b": "locks tables for as long as the migration takes",
    r"(?:vacuum|cluster|reindex)\b": "cannot be carried out in a transaction, or keeps everybody out",
    r"refresh\s+materialized\s+view\s+(?!concurrently)": "keeps readers out; say `concurrently`",
    r"alter\s+table\b.*\bset\s+(?:un)?logged\b": "writes the whole table anew while everybody waits",
    r"alter\s+table\b.*\bset\s+tablespace\b": "writes the whole table anew while everybody waits",
    r"alter\s+table\b.*\bset\s+access\s+method\b": "writes the whole table anew while everybody waits",
}


def review(migrations: Iterable[Migration], contract: Contract) -> list[str]:
    """Return in sentences, with file and line, what is wrong with the new ones of `migrations`.

    Raise `MigrationError` where the linter is not installed.
    """
    known = list(migrations)
    new = [migration for migration in known if migration.version > contract.newest_migration]
    problems = []
    for migration in new:
        problems += [f"{migration.path.name}{place}: {what}" for place, what in _problems(migration, known, contract)]
    return problems + _linted(new)


def _problems(migration: Migration, known: list[Migration], contract: Contract) -> Iterator[tuple[str, str]]:
    if problem := _of_contract(migration, known, contract):
        yield "", problem
    if _IGNORED.search(migration.text):
        yield "", "accept a finding by a header with its reason: `-- compatible: <rule>: <reason>`"
    used = set()
    for statement in statements(migration.text):
        for finding, what in _of_statement(statement, contract.tables):
            if finding in migration.accepted:
                used.add(finding)
            else:
                yield f":{statement.line}", what
    for finding in migration.accepted.keys() - used:
        if finding.startswith(("rows of ", "do", "index on ")):
            yield "", f"accepts “{finding}”, but has no such statement"


def _of_contract(migration: Migration, known: list[Migration], contract: Contract) -> str | None:
    try:
        header = contract_of(migration.text)
    except MigrationError as exc:
        return str(exc)
    if header is None:
        return None
    released = {f"{other.version}_{other.name}" for other in known if other.version <= contract.newest_migration}
    if header.replaced_by not in released:
        return (
            f"{header.replaced_by} is not of release {contract.release} or before: what it replaces may be taken away"
            " only when a release has done without it"
        )
    if release_number(header.release) > release_number(contract.release):
        return f"release {header.release} is not out yet; the last one is {contract.release}"
    if not contract.retiring:
        return f"release {contract.release} has listed nothing as retiring (supabase/retiring.txt)"
    return None


def _of_statement(statement: Statement, tables: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a statement, under the name by which a header accepts it."""
    bare = _QUOTED.sub(r"\1", statement.bare)
    for pattern, why in _NEVER.items():
        if re.match(pattern, bare, re.I):
            yield "", f"“{bare[:60]}” {why}"
    if _ANYTHING.match(bare):
        yield "do", f"“{bare[:60]}” can do anything; accept it by `-- compatible: do: <reason>`"
    if (index := _INDEX.match(bare)) and index["table"].lower() in tables and not _BEFOREHAND.match(bare):
        yield (
            f"index on {index['table'].lower()}",
            f"{index['table']} exists already: write `create index if not exists <name> on …`, and the runner makes it"
            " beforehand without keeping writers out",
        )
    within = _WITH.match(bare)
    rows = _ROWS.match(within["rows"] if within else bare) or _FILLS.match(bare)
    if rows and rows["table"].lower() in tables:
        yield (
            f"rows of {rows['table'].lower()}",
            f"changes rows of {rows['table']}, which may be many, in one transaction: leave that to the upkeep, or"
            f" accept it by `-- compatible: rows of {rows['table'].lower()}: <reason>`",
        )


def linter() -> str:
    """Return the path of squawk. Raise `MigrationError` where it is not installed."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("squawk", path=beside) or shutil.which("squawk")
    if found is None:
        raise MigrationError("The linter squawk is not installed.", "Run `make install`.")
    return found


def _linted(migrations: list[Migration]) -> list[str]:
    if not migrations:
        return []
    by_path = {str(migration.path): migration for migration in migrations}
    command = [linter(), "--reporter", "json", "--pg-version", POSTGRES, "--assume-in-transaction"]
    command += [part for rule in EXCLUDED for part in ("--exclude", rule)]
    done = subprocess.run([*command, *by_path], capture_output=True, text=True, check=False)  # noqa: S603 - our own files
    try:
        found = json.loads(done.stdout)
    except ValueError as exc:
        raise MigrationError(f"squawk says: {done.stderr.strip() or done.stdout.strip()}.") from exc
    problems = []
    for finding in found:
        migration, rule = by_path[finding["file"]], finding["rule_name"]
        # Which things they are is compared with what the last release has listed, on the schema itself.
        if rule in migration.accepted or (_DROPS.match(rule) and contract_of(migration.text) is not None):
            continue
        problems.append(f"{migration.path.name}:{finding['line'] + 1}: {rule}: {finding['message']}")
    return problems
