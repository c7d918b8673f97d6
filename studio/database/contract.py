"""What the previous release relies on in the database, and what of it a newer schema breaks.

During a deploy the previous release works on the new schema, and after a rollback it goes on to do so. So everything
that its release had written down, in `supabase/contract.json`, must be there and mean the same: tables and columns
with their types and what they demand, functions with their arguments, what keeps rows apart and who may do what.
Payloads of jobs belong to it, because the jobs that one release enqueues another one runs.

Some differences only a person can judge, such as a check that admits a status more. The migration that makes one says
so in a header (`studio.database.migration_files`). To take something away wants two releases: one whose code does
without it and whose contract lists it as `retiring`, and a later one whose migration drops it with a `contract` header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from studio import sql
from studio.database.connection import Database
from studio.database.migration_files import Migration, contract_of
from studio.job_types import JOB_TYPES, JobType
from studio.paths import ROOT

CONTRACT = ROOT / "supabase" / "contract.json"

_BELOW = re.compile(
    r"(?P<owner>(?:table|view) \S+) (?P<kind>column|constraint|unique|trigger|rule|policy) (?P<name>\S+)"
)
# What keeps rows of the table that is named from being deleted, while there is one that refers to them.
_KEEPS = re.compile(r"FOREIGN KEY .* REFERENCES (?P<table>\w+)\((?!.* ON DELETE (?:CASCADE|SET))", re.S)


@dataclass(frozen=True)
class Contract:
    """What a release relies on: `things` by their paths, and of those the `retiring` ones that its code is free of."""

    release: str
    newest_migration: str
    things: Mapping[str, Any]
    retiring: Sequence[str] = field(default_factory=list)

    def dump(self) -> str:
        """Return it as the text of its file, one thing per line."""
        head = {"release": self.release, "newest_migration": self.newest_migration, "retiring": sorted(self.retiring)}
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        things = ",\n".join(f"  {json.dumps(path)}: {json.dumps(thing)}" for path, thing in sorted(self.things.items()))
        return "{\n" + ",\n".join(lines) + ',\n "things": {\n' + things + "\n }\n}\n"

    @classmethod
    def load(cls, path: Path = CONTRACT) -> Contract:
        """Read the contract of the previous release."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    @property
    def tables(self) -> set[str]:
        """The names of its tables."""
        return {path.split()[1] for path in self.things if path.startswith("table ") and path.count(" ") == 1}


class Breach(NamedTuple):
    """What the previous release would not find as it left it. `path` is how a header names it."""

    path: str
    problem: str


def things_of(database: Database) -> dict[str, Any]:
    """Return what the schema of `database` offers, by path."""
    found: dict[str, Any] = {}
    for row in database.fetch_all(sql.load("contract")):
        # Two functions of one name are a choice that PostgREST cannot make.
        found[row["path"]] = "more than one" if row["path"] in found and row["thing"] else row["thing"]
    return found


def payloads(kinds: Iterable[JobType] = JOB_TYPES.values()) -> dict[str, Any]:
    """Return the payloads of job types, by path: their fields as JSON schema."""
    found = {}
    for kind in kinds:
        schema = kind.payload.model_json_schema(by_alias=True)
        fields = {name: _plain(part) for name, part in schema.get("properties", {}).items()}
        found[f"payload {kind.name}"] = {
            "version": kind.payload_version,
            "fields": fields,
            "required": sorted(schema.get("required", [])),
            **({"$defs": _plain(schema["$defs"])} if "$defs" in schema else {}),
        }
    return found


def _plain(part: Any) -> Any:
    """Return a piece of JSON schema without what nobody checks a payload against."""
    if isinstance(part, dict):
        return {key: _plain(value) for key, value in part.items() if key not in ("title", "description")}
    return [_plain(value) for value in part] if isinstance(part, list) else part


def breaches(contract: Contract, things: Mapping[str, Any]) -> list[Breach]:
    """Return what of `contract` is missing or means something else in `things`, and what there refuses its writes."""
    found = []
    for path, before in contract.things.items():
        if path not in things:
            if not any(path.startswith(f"{other} ") and other not in things for other in contract.things):
                found.append(Breach(path, "is not there any more"))
        elif problem := _difference(path.split()[0], before, things[path], path):
            found.append(Breach(path, problem))
    for path in things:
        if path in contract.things or not (below := _BELOW.fullmatch(path)):
            continue
        if problem := _demand(below["kind"], path, below["owner"], contract, things):
            found.append(Breach(path, problem))
    return sorted(found)


def _difference(kind: str, before: Any, now: Any, path: str) -> str | None:
    if before == now:
        return None
    if kind == "function" and isinstance(before, dict):
        return _of_function(before, now)
    if kind == "payload":
        return _of_payload(before, now)
    if " column " in path and " default " in str(now) and str(now).partition(" default ")[0] == str(before):
        return None  # it has got a default
    return f"was “{before}” and is “{now}”"


def _of_function(before: dict[str, Any], now: Any) -> str | None:
    if not isinstance(now, dict):
        return "there is more than one of this name, and PostgREST cannot choose"
    if before["returns"] != now["returns"]:
        return f"returned {before['returns']} and returns {now['returns']}"
    if before["definer"] != now["definer"]:
        return "runs with other rights"
    old, new = before["arguments"], now["arguments"]
    for position, (name, kind, default) in enumerate(old):
        if position >= len(new) or new[position][:2] != [name, kind]:
            return f"its argument {name} {kind} is not where it was"
        if default and not new[position][2]:
            return f"its argument {name} has lost its default"
        if default and default != new[position][2]:
            return f"its argument {name} was {default} by default and is {new[position][2]}"
    for name, _, default in new[len(old) :]:
        if not default:
            return f"its new argument {name} has no default"
    return None


def _of_payload(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    if now["version"] > before["version"]:
        return None
    if now["version"] < before["version"]:
        return f"was of version {before['version']} and is of version {now['version']}"
    return "has other fields under the same version: add an upgrade (studio/job_types.py)"


def _demand(kind: str, path: str, owner: str, contract: Contract, things: Mapping[str, Any]) -> str | None:
    """Say what something new, at `path` among `things`, demands of who does not know it."""
    thing = str(things[path])
    if owner not in contract.things:
        kept = _KEEPS.match(thing) if kind == "constraint" else None
        if kept is None or kept["table"] not in contract.tables:
            return None
        return (
            f"is new, and keeps the previous release from deleting rows of {kept['table']}: say what `on delete` does"
        )
    if kind == "column":
        if owner.startswith("view") or "not null" not in thing or "default" in thing or "generated" in thing:
            return None
        return "is new, must not be null and has no default, so that the previous release cannot insert"
    if kind == "policy":
        # Any other only ever admits more.
        return "is new, and hides rows from the previous release" if thing.startswith("restrictive ") else None
    if kind in ("trigger", "rule"):
        return "is new, and may refuse or change what the previous release writes"
    parts = filter(None, map(_BELOW.fullmatch, contract.things))
    known = {part["name"] for part in parts if part["kind"] == "column" and part["owner"] == owner}
    words = set(re.findall(r"\w+", thing))
    # The table's own name stands for a row of it.
    if words & {*known, owner.rpartition(" ")[2]} or _refuses_defaults(
        kind, thing, [str(column) for word in words if (column := things.get(f"{owner} column {word}"))]
    ):
        return f"is new, and may refuse what the previous release writes: {thing}"
    return None


def _refuses_defaults(kind: str, thing: str, columns: list[str]) -> bool:
    """Say whether a constraint of new `columns` alone may refuse what they are where nobody says anything of them."""
    if kind == "unique" or thing.startswith("UNIQUE"):
        # One null is as good as another, and another one all the same.
        null = any("not null" not in column and "default" not in column for column in columns)
        return not null or "NULLS NOT DISTINCT" in thing
    return "IS NOT NULL" in thing or "IS TRUE" in thing or "coalesce" in thing.lower()


def unaccepted(contract: Contract, found: Iterable[Breach], migrations: Iterable[Migration]) -> list[str]:
    """Return in sentences the breaches that no new migration may make, and the headers that accept nothing."""
    new = [migration for migration in migrations if migration.version > contract.newest_migration]
    accepted = {finding: migration for migration in new for finding in migration.accepted}
    contracts = [migration for migration in new if contract_of(migration.text) is not None]
    retired = {
        path
        for path in contract.things
        if any(path == thing or path.startswith(f"{thing} ") for thing in contract.retiring)
    }
    complaints = []
    for breach in found:
        if contracts and breach.path in retired and breach.problem == "is not there any more":
            continue
        if accepted.pop(breach.path.lower(), None) is None:
            complaints.append(f"{breach.path} {breach.problem}")
    prefixes = ("table ", "view ", "function ", "type ", "payload ")
    for finding, migration in accepted.items():
        if finding.startswith(prefixes):
            complaints.append(f"{migration.path.name} accepts “{finding}”, but there is no such breach")
    return complaints
