"""The tables as Markdown, and their places in `docs/scaling.md`, between comments with their names."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.simulation import streaming, validate
from benchmarks.simulation.ceilings import Ceiling, claim_seconds, project_rate
from benchmarks.simulation.fleet import Observed
from benchmarks.simulation.measured import published
from benchmarks.simulation.scales import PROJECTS, Scale, Study
from benchmarks.simulation.sizing import Sizing, hearing_seconds
from benchmarks.simulation.validate import Checked, Compared
from studio.errors import InvalidInput
from studio.job_types import LANES, Lane
from studio.paths import ROOT

FILE = ROOT / "docs" / "scaling.md"
_REMOVALS = {"setting": "a setting", "code": "code", "machine": "machines", "cell": "another cell"}


def tables(study: Study, say: Callable[[str], None]) -> dict[str, str]:
    """Return all tables by name. Simulates; `say` hears of each step."""
    say("the error …")
    found = {
        "validation": validation(validate.over_rounds(study.measured)),
        "published": compared(validate.compare(study.measured, published())),
        "writers": compared(validate.writers(study.measured)),
        "streams": compared(streaming.compare(study.measured)),
    }
    found |= arithmetic(study)
    scales = []
    for projects in PROJECTS:
        say(f"{projects:,} projects …")
        scales.append(study.scale(projects))
    found["needs"] = needs(study, scales)
    found["feels"] = feels(scales)
    say("changes …")
    rows = [
        (
            change.what,
            f"{change.lock:.0%}",
            _number(change.lock_wait_ms),
            f"{_number(change.chat_p50_ms)} / {_number(change.chat_p95_ms)}",
            f"{change.database:.0%}",
            _number(change.night_hours),
        )
        for change in study.changes()
    ]
    header = ("100,000 projects, as the night begins", "lock held", "wait for it, ms", "chat p50 / p95, ms")
    found["changes"] = _table((*header, "database busy", "night, h"), rows)
    agreement = [
        (f"{projects:,.0f}", part, f"{expected:.2g}", f"{seen:.2g}", f"{100 * (seen / expected - 1):+.0f} %")
        for projects, part, expected, seen in study.agreement(say)
    ]
    found["agreement"] = _table(("projects", "busiest hour of people", "arithmetic", "simulated", "off by"), agreement)
    return found


def arithmetic(study: Study) -> dict[str, str]:
    """Return the tables that need no simulation."""
    kinds = [
        (
            cost.kind.name,
            cost.kind.lane,
            _number(cost.kind.per_project_day),
            _number(cost.slot),
            _number(1_000 * cost.worker),
            _number(1_000 * cost.database),
            _number(cost.commits),
            _number(cost.dagster_events),
            _number(cost.wal / 1_000),
        )
        for cost in study.kinds
    ]
    header = ("kind", "lane", "per project and day", "slot, s", "worker, ms", "database, ms", "commits that notify")
    operations = [
        (name, _number(cost["cpu_us"]), _number(cost["wal_bytes"]), _number(cost["ms"]))
        for name, cost in study.measured.database["operations"].items()
        if isinstance(cost, dict)
    ]
    return {
        "ceilings": ceilings(study.ceilings()),
        "kinds": _table((*header, "events of Dagster", "log, kB"), kinds),
        "operations": _table(("statement", "server, µs", "log, bytes", "wait, ms"), operations),
        "single": _single(study),
    }


def validation(checked: Sequence[Checked]) -> str:
    """Return the table of the simulation's error against the stack."""
    rows = [
        (
            one.what,
            f"{_number(one.measured)} {one.unit}",
            f"{_number(one.simulated)} {one.unit}",
            "fitted" if one.fitted else f"{one.error:+.0f} %",
            "" if one.errors[0] == one.errors[1] else f"{one.errors[0]:+.0f} … {one.errors[1]:+.0f} %",
            f"± {one.noise:.0f} %" if one.noise else "",
            f"{one.others:.2f}",
        )
        for one in checked
    ]
    header = (
        "load",
        "measured",
        "simulated",
        "off by (median)",
        "over the rounds",
        "the machine itself varied",
        "others, cores",
    )
    error = validate.typical_error(list(checked))
    return f"{_table(header, rows)}\n\nOf what was not fitted, half is off by less than {error:.0f} %."


def compared(figures: Iterable[Compared]) -> str:
    """Return a table of figures that were measured once."""
    rows = [
        (
            one.what,
            f"{_number(one.measured)} {one.unit}",
            f"{_number(one.simulated)} {one.unit}",
            "fitted" if one.fitted else f"{one.error:+.0f} %",
        )
        for one in figures
    ]
    return _table(("", "measured", "simulated", "off by"), rows)


def ceilings(found: Sequence[Ceiling]) -> str:
    """Return the table of what stops where."""
    rows = [(_rounded(one.projects), one.part, one.because, _REMOVALS[one.removal], one.removed_by) for one in found]
    return _table(("projects", "what stops there", "because", "it takes", "namely"), rows)


def needs(study: Study, scales: Sequence[Scale]) -> str:
    """Return the table of what each number of projects needs."""

    def row(what: str, value: Callable[[Scale], str]) -> tuple[str, ...]:
        return (what, *(value(scale) for scale in scales))

    def cells(amount: Callable[[Scale], float]) -> Callable[[Scale], str]:
        def shown(scale: Scale) -> str:
            whole = f"{amount(scale):,.0f}" if amount(scale) >= 10 else _number(amount(scale))
            return whole if scale.sizing.cells == 1 else f"{scale.sizing.cells} × {whole}"

        return shown

    megabytes = study.workload.run_megabytes
    rows = [
        row("cells (a cell: database server, daemon, code server)", lambda scale: f"{scale.sizing.cells:,}"),
        row("jobs a day", lambda scale: f"{scale.sizing.runs_per_day * scale.sizing.cells:,.0f}"),
        *(row(f"slots, {lane}", cells(functools.partial(_slots_of, lane))) for lane in LANES),
        row("cores of workers", cells(lambda scale: scale.sizing.worker_cores)),
        row(
            "memory of workers, GB",
            cells(lambda scale: megabytes * (sum(scale.sizing.slots.values()) + 3 * scale.sizing.machines) / 1_000),
        ),
        row("cores of daemon and code server", cells(lambda scale: scale.sizing.control_cores)),
        row("the daemon is at work", lambda scale: f"{scale.sizing.daemon:.1%}"),
        row("cores of PostgreSQL", cells(lambda scale: scale.sizing.database_cores)),
        row("connections", cells(lambda scale: scale.sizing.connections)),
        row("commits a second, busiest hour", cells(lambda scale: scale.sizing.commits_per_second)),
        row("the lock of those that notify is held", lambda scale: f"{scale.sizing.notifying:.1%}"),
        row("log (WAL) a day, GB", cells(lambda scale: scale.sizing.wal_per_day)),
        row("storage: what is pruned by age, GB", cells(lambda scale: scale.sizing.pruned_stock)),
        row("storage: more each month, GB", cells(lambda scale: scale.sizing.stored_per_month)),
        row("event streams at once", cells(lambda scale: scale.sizing.streams)),
        row("web processes for them", cells(lambda scale: scale.sizing.stream_processes)),
        row("messages of a broker a second", cells(lambda scale: scale.sizing.broker_per_second)),
        row("**all of it: cores**", lambda scale: f"{_cores(scale.sizing):,}"),
        row("all of it: log a day, GB", lambda scale: f"{scale.sizing.cells * scale.sizing.wal_per_day:,.0f}"),
        row(
            "all of it: storage after a year, TB",
            lambda scale: _number(
                scale.sizing.cells * (scale.sizing.pruned_stock + 12 * scale.sizing.stored_per_month) / 1_000
            ),
        ),
    ]
    return _table(("", *(f"{scale.sizing.projects:,.0f} projects" for scale in scales)), rows)


def _cores(sized: Sizing) -> int:
    """Return the cores of all cells; each web process takes one."""
    one = sized.worker_cores + sized.control_cores + sized.database_cores + sized.stream_processes
    return sized.cells * one


def feels(scales: Sequence[Scale]) -> str:
    """Return the table of what founders wait for, from a job's commit to its op."""

    def waits(seen: Observed, kind: str) -> str:
        return f"{_number(seen.percentile_ms(kind, 50))} / {_number(seen.percentile_ms(kind, 99))} ms"

    rows = []
    for scale in scales:
        for hour, seen in (("busiest of people", scale.people), ("the night begins", scale.night)):
            rows.append(
                (
                    f"{scale.sizing.projects:,.0f}",
                    hour,
                    waits(seen, "chat"),
                    waits(seen, "approval"),
                    f"{seen.launched:.1f}",
                    f"{seen.daemon:.0%}",
                    f"{seen.database:.0%}",
                    f"{seen.lock:.0%}",
                    _number(scale.night_hours) if seen.hour == "night" else "",
                )
            )
    header = ("projects", "hour", "chat, p50 / p99", "approval, p50 / p99", "runs/s of a cell", "daemon", "database")
    return _table((*header, "lock", "night done in, h"), rows)


def _slots_of(lane: Lane, scale: Scale) -> float:
    return float(scale.sizing.slots[lane])


def _single(study: Study) -> str:
    measured = study.measured
    rows = [
        ("commits a second of events of one project (its counter's row)", _number(project_rate(measured))),
        ("claims of five, while 250 jobs of the lane run, ms", _number(1_000 * claim_seconds(measured, 250))),
        ("the same, while 10,000 run, ms", _number(1_000 * claim_seconds(measured, 10_000))),
        ("what one more who listens costs the server for a notification, µs", _number(1e6 * hearing_seconds(measured))),
        ("a web process: an event that is followed there, µs", _number(1e6 * study.streams.read)),
        ("a web process: one that is not, µs", _number(1e6 * study.streams.heard)),
        ("a web process: a frame more for the same event, µs", _number(1e6 * study.streams.frame)),
    ]
    if measured.broker:
        rows += [
            ("a hop through Celery and Redis, p50 / p99, ms", _pair(measured.broker, "hop_ms")),
            ("what it costs the broker / the worker's parent, ms", _costs(measured.broker)),
        ]
    return _table(("measured", ""), rows)


def _pair(values: Mapping[str, float], name: str) -> str:
    return f"{_number(values[f'{name}_p50'])} / {_number(values[f'{name}_p99'])}"


def _costs(broker: Mapping[str, float]) -> str:
    return f"{_number(broker['broker_cpu_ms'])} / {_number(broker['worker_cpu_ms'])}"


def written(text: str, made: Mapping[str, str]) -> str:
    """Return a document with the tables of `made` in their places; raise `InvalidInput` where one has none."""
    for name, table in made.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        found = pattern.search(text)
        if found is None:
            raise InvalidInput(f"The document has no place for the table {name!r}.", f"Add <!-- begin {name} -->.")
        begin, end = found[1], found[2]
        text = f"{text[: found.start()]}{begin}\n{table}\n\n{end}{text[found.end() :]}"
    return text


def write(path: Path, made: Mapping[str, str]) -> None:
    """Write the tables into a document."""
    path.write_text(written(path.read_text(encoding="utf-8"), made), encoding="utf-8")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines)


def _number(value: float) -> str:
    """Return a number with three digits that count."""
    if math.isnan(value):
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 1 else 1}f}".removesuffix(".0")


def _rounded(value: float) -> str:
    """Return a number with two digits that count: more would pretend."""
    digits = max(0, math.floor(math.log10(value)) - 1)
    return f"{round(value / 10**digits) * 10**digits:,}"
