"""What is assumed of projects and their owners: `workload.json` beside this file, or another of the same form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.errors import InvalidInput
from studio.job_types import Lane

FILE = Path(__file__).parent / "workload.json"
HOURS = 24


@dataclass(frozen=True)
class Kind:
    """One kind of work. `seconds` it waits for models and others beside its computing; `spread` is that of their log.

    `follows` says whether it comes with people's days or with the night shift; `measured_as` is the kind of the record
    whose costs it has, apart from the `streams_seconds` of text that a sandbox model writes in no time.
    """

    name: str
    lane: Lane
    per_project_day: float
    follows: Literal["people", "night"]
    seconds: float
    spread: float
    streams_seconds: float
    measured_as: str
    why: str


@dataclass(frozen=True)
class Workload:
    """All that is assumed. `hours` are shares of a founder's own day, `zones` of founders by hours from UTC."""

    kinds: tuple[Kind, ...]
    mails_per_project_day: float
    page_minutes_per_project_day: float
    followed_share: float
    surge: float
    night_hours: float
    mail_hours: float
    mail_seconds: float
    run_megabytes: float
    cloud_flush_ms: float
    hours: tuple[float, ...]
    zones: Mapping[float, float]

    def by_hour(self) -> list[float]:
        """Return which share of a day's work of people comes in each hour of UTC."""
        shares = [0.0] * HOURS
        for zone, founders in self.zones.items():
            for local, share in enumerate(self.hours):
                # A zone of half hours stands half in each.
                begin = (local - zone) % HOURS
                first, part = int(begin), begin % 1
                shares[first] += founders * share * (1 - part)
                shares[(first + 1) % HOURS] += founders * share * part
        whole = sum(shares)
        return [share / whole for share in shares]

    @property
    def busiest(self) -> int:
        """The hour of UTC in which people do most."""
        shares = self.by_hour()
        return shares.index(max(shares))

    def at_hour(self, hour: int) -> float:
        """Return how many times the mean of a usual day people do in an hour of UTC, on a day of surge."""
        return self.surge * HOURS * self.by_hour()[hour % HOURS]


def load(path: Path = FILE) -> Workload:
    """Read a workload; raise `InvalidInput` where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        values = {name: found[name]["value"] for name in _VALUES}
        hours = tuple(float(share) for share in found["hours"]["value"])
        if len(hours) != HOURS:
            raise ValueError(f"{len(hours)} hours in a day")
        return Workload(
            kinds=tuple(Kind(name=name, **kind) for name, kind in found["kinds"].items()),
            hours=hours,
            zones={float(zone): float(share) for zone, share in found["zones"]["value"].items()},
            **values,
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise InvalidInput(f"{path} is no workload: {exc!r}.", f"Begin with a copy of {FILE}.") from exc


_VALUES = (
    "mails_per_project_day",
    "page_minutes_per_project_day",
    "followed_share",
    "surge",
    "night_hours",
    "mail_hours",
    "mail_seconds",
    "run_megabytes",
    "cloud_flush_ms",
)
