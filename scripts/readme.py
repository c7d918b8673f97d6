"""Write the generated parts of the README: the configuration table and the table of job types.

With `--check` nothing is written, and the exit code is 1 where the page is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from studio.job_types import JOB_TYPES
from studio.settings import Settings

README = Path(__file__).resolve().parent.parent / "README.md"


def settings_table() -> str:
    """Return the table of environment variables, in the order of the settings module."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True) if field.default_factory else field.default
        lines.append(f"| `{field.validation_alias}` | {_shown(default)} | {_meaning(name, field.description)} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, SecretStr):
        return "secret"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}`" for key in value)
    if isinstance(value, float | Decimal | int):
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
    if isinstance(value, BaseModel):
        return f"`{value.model_dump_json()}`"
    return f"`{value}`"


def _meaning(name: str, description: str | None) -> str:
    if description is None:
        raise SystemExit(f"The setting {name} has no description.")
    return description.replace("|", "\\|")


def job_types_table() -> str:
    """Return the table of the registry."""
    lines = ["| job type | agent | priority | lane | what it does |", "| --- | --- | --- | --- | --- |"]
    for kind in JOB_TYPES.values():
        what = kind.description if kind.has_handler else f"{kind.description} *No handler yet.*"
        lines.append(f"| `{kind.name}` | {kind.agent_key} | {kind.priority} | {kind.lane} | {what} |")
    return "\n".join(lines)


PARTS: dict[str, Callable[[], str]] = {"settings": settings_table, "job types": job_types_table}


def generated(page: str) -> str:
    """Return `page` with every generated part as it should be."""
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- {name}: begin \(make docs\) -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        page, count = pattern.subn(lambda found, make=make: f"{found[1]}{make()}\n{found[2]}", page)
        if count != 1:
            raise SystemExit(f"The README has no single part {name!r}.")
    return page


def main() -> int:
    """Write or check the README."""
    page = README.read_text(encoding="utf-8")
    wanted = generated(page)
    if "--check" in sys.argv[1:]:
        if page != wanted:
            print("README.md is out of date: run `make docs`.")
            return 1
        return 0
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
