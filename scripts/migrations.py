"""Look whether the new migrations may be rolled out beside the previous release, or write down a release's contract.

Without arguments the texts of the new migrations are read, and the payloads of jobs compared with the contract of the
previous release (`supabase/contract.json`). That needs no database. Whether the schema that they make keeps it,
a test says, or `--schema`, on a database of its own.

With `--release` the contract is written anew, from the schema as it is: at a release, when its version is set. What
`supabase/retiring.txt` lists is to be dropped by the next one, and must not occur in the code any more.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from studio.database.connection import Database
from studio.database.contract import CONTRACT, Contract, breaches, payloads, things_of, unaccepted
from studio.database.embedded import EmbeddedPostgres
from studio.database.migration_files import read_folder, release_number
from studio.database.migrations import migrate
from studio.database.review import review
from studio.paths import MIGRATIONS, ROOT
from studio.release import release

RETIRING = ROOT / "supabase" / "retiring.txt"
# Where a thing that retires may still be named.
_SPARED = ("supabase/", "types/", "CHANGELOG.md", "docs/", "tests/")


def main() -> int:
    """Check, or write; return the exit code."""
    if "--release" in sys.argv[1:]:
        return write()
    contract, migrations = Contract.load(), read_folder(MIGRATIONS)
    things = {path: thing for path, thing in contract.things.items() if not path.startswith("payload ")}
    if "--schema" in sys.argv[1:]:
        with migrated() as db:
            things = things_of(db)
        problems = unaccepted(contract, breaches(contract, things | payloads()), migrations)
    else:
        # The schema is taken to be as it was; headers are judged with the schema.
        found = breaches(contract, things | payloads())
        problems = [f"{breach.path} {breach.problem}" for breach in found]
    problems += review(migrations, contract)
    for problem in problems:
        print(problem)
    return bool(problems)


def write() -> int:
    """Write the contract of this release, once: what comes after it may break it no more."""
    before = Contract.load()
    if release_number(release()) <= release_number(before.release):
        print(f"The contract is that of release {before.release}: set a higher version in pyproject.toml first.")
        return 1
    retiring = [line.strip() for line in RETIRING.read_text(encoding="utf-8").splitlines()]
    retiring = [line for line in retiring if line and not line.startswith("#")]
    with migrated() as db:
        things = things_of(db) | payloads()
        used = [*unknown(retiring, things), *still_used(retiring, db)]
    for problem in used:
        print(problem)
    if used:
        return 1
    CONTRACT.write_text(
        Contract(release(), read_folder(MIGRATIONS)[-1].version, things, retiring).dump(), encoding="utf-8"
    )
    print(f"{CONTRACT.relative_to(ROOT)} is the contract of release {release()}.")
    return 0


def unknown(retiring: list[str], things: dict[str, object]) -> list[str]:
    """Return a sentence about each of `retiring` that there is not."""
    return [f"{RETIRING.name} lists “{thing}”, which there is not." for thing in retiring if thing not in things]


def still_used(retiring: list[str], db: Database) -> list[str]:
    """Return a sentence about each of `retiring` whose name occurs in the code, or in what the database runs."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    texts = {
        name: Path(ROOT, name).read_text(encoding="utf-8", errors="replace")
        for name in files.split("\0")
        if name and not name.startswith(_SPARED) and Path(ROOT, name).is_file()
    }
    bodies = db.fetch_all(
        "select 'function ' || proname as name, prosrc as text from pg_proc where pronamespace = 'public'::regnamespace"
        " union all select 'view ' || relname, pg_get_viewdef(oid) from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('v', 'm')"
    )
    texts |= {row["name"]: row["text"] for row in bodies}
    found = []
    for thing in retiring:
        word = re.compile(rf"\b{re.escape(thing.split()[-1])}\b")
        users = sorted(name for name, text in texts.items() if name != thing and word.search(text))
        if users:
            found.append(f"{thing} is to retire, but its name occurs in {', '.join(users[:5])}.")
    return found


@contextlib.contextmanager
def migrated() -> Iterator[Database]:
    """Lend a database that all migrations have made."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            server.ensure_database("contract")
            with Database(server.url("contract"), pool_size=1) as db:
                migrate(db)
                yield db
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
