"""Write the TypeScript types of the HTTP API (`types/api.ts`) and of the database (`types/database.ts`).

They are made by the programs that their users would take: `openapi-typescript`, and the engine behind `supabase gen
types typescript` on a migrated database of its own. Both come from npm, pinned by `types_ts/package-lock.json`.

With `--check` nothing is written and npm is not needed: each file tells what it was made of, and the exit code is 1
where that has changed since.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from studio.database.connection import Database
from studio.database.embedded import PORT, SUPERUSER, EmbeddedPostgres
from studio.database.migrations import MIGRATIONS, migrate
from studio.settings import Settings
from web.app import create_app

ROOT = Path(__file__).resolve().parent.parent
API = ROOT / "types" / "api.ts"
DATABASE = ROOT / "types" / "database.ts"
TOOLS = ROOT / "scripts" / "types_ts"
# Beside the virtual environment, because it is as much of this checkout, and as little of the repository.
INSTALLED = ROOT / ".venv" / "types_ts"
_MADE_OF = "// Written by `make types`. Made of: "
_NAME = "types"


def described() -> str:
    """Return the description of the API as one text, the same for the same API."""
    # Nothing is asked of a database, and no setting changes the description.
    app = create_app(Settings(_env_file=None), None)  # type: ignore[arg-type, call-arg]
    api = json.loads(json.dumps(app.openapi()))
    _name_refusals(api)
    return json.dumps(api, sort_keys=True, ensure_ascii=False, indent=1)


def _name_refusals(api: dict[str, Any]) -> None:
    """Name the refusals that routes share, instead of writing them out for each: two thirds of the file."""
    shared: dict[str, Any] = api["components"].setdefault("responses", {})
    for methods in api["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status >= "400" and shared.setdefault(f"Refusal{status}", answer) == answer:
                    operation["responses"][status] = {"$ref": f"#/components/responses/Refusal{status}"}


def digest_of_api() -> str:
    """Return what stands for the description of the API."""
    return hashlib.sha256(described().encode()).hexdigest()


def digest_of_database() -> str:
    """Return what stands for the migrations."""
    digest = hashlib.sha256()
    for file in sorted(MIGRATIONS.glob("*.sql")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def outdated() -> list[Path]:
    """Return the files that were made of something else than what is there now."""
    expected = {API: digest_of_api(), DATABASE: digest_of_database()}
    return [file for file, digest in expected.items() if _made_of(file) != digest]


def _made_of(file: Path) -> str | None:
    if not file.exists():
        return None
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix(_MADE_OF) if first.startswith(_MADE_OF) else None


def install() -> None:
    """Install the locked tools, unless they are there."""
    lock = (TOOLS / "package-lock.json").read_bytes()
    stamp = INSTALLED / "installed.lock"
    if not (stamp.exists() and stamp.read_bytes() == lock):
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(TOOLS / name, INSTALLED / name)
        # No package's own script runs on this machine.
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True)
        stamp.write_bytes(lock)
    shutil.copy(TOOLS / "database.js", INSTALLED / "database.js")


def types_of_api() -> str:
    """Return the types of the API."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "openapi.json"), Path(folder, "api.ts")
        source.write_text(described(), encoding="utf-8")
        tool = INSTALLED / "node_modules" / ".bin" / "openapi-typescript"
        subprocess.run([tool, source, "--output", target, "--alphabetize"], check=True, stdout=subprocess.DEVNULL)
        return target.read_text(encoding="utf-8")


def types_of_database() -> str:
    """Return the types of the public schema, read from a database that all migrations have made."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        server.start()
        try:
            server.ensure_database(_NAME)
            with Database(server.url(_NAME), pool_size=1) as db:
                migrate(db)
            sockets = str(conninfo_to_dict(server.url(_NAME))["host"])
            where = {"PGHOST": sockets, "PGPORT": str(PORT), "PGUSER": SUPERUSER, "PGDATABASE": _NAME}
            made = subprocess.run(
                ["node", "database.js"], cwd=INSTALLED, env={**os.environ, **where}, check=True, stdout=subprocess.PIPE
            )
        finally:
            server.stop()
    return made.stdout.decode()


def compile_them() -> None:
    """Let the compiler read what was written."""
    tool = INSTALLED / "node_modules" / ".bin" / "tsc"
    subprocess.run([tool, "--noEmit", "--strict", "--skipLibCheck", "false", API, DATABASE], check=True)


def main() -> int:
    """Write the files, or look whether they are up to date."""
    if "--check" in sys.argv[1:]:
        old = outdated()
        for file in old:
            print(f"{file.relative_to(ROOT)} is out of date. Run `make types`.")
        return bool(old)
    install()
    API.parent.mkdir(exist_ok=True)
    API.write_text(f"{_MADE_OF}{digest_of_api()}\n{types_of_api()}", encoding="utf-8")
    DATABASE.write_text(f"{_MADE_OF}{digest_of_database()}\n{types_of_database()}", encoding="utf-8")
    compile_them()
    return 0


if __name__ == "__main__":
    sys.exit(main())
