"""`make bench`: measure, print the table, write the JSON; exit with 1 where a figure is short of its bound."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import flame, machine, plan, report
from benchmarks.figures import missed
from benchmarks.picture import draw
from benchmarks.server import Server
from studio.errors import StudioError
from studio.paths import ROOT
from studio.settings import Settings, get_settings

RESULTS = ROOT / "benchmarks" / "results" / "latest.json"

# In a file or a pipe nothing says how wide a line may be; the table wants this much.
WIDTH = 170

out, err = Console(width=None if sys.stdout.isatty() else WIDTH), Console(stderr=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the suite and return the exit code."""
    given = _parser().parse_args(arguments)
    forget_surroundings()
    try:
        with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder, Server(Path(folder)) as server:
            if given.flame:
                for picture in flame.record(server, say):
                    out.print(str(picture), highlight=False, soft_wrap=True)
                return 0
            facts = machine.facts(server.version())
            figures = list(plan.run(server, given.only or plan.NAMES, quick=given.quick, say=say))
    except StudioError as exc:
        err.print(f"Error: {exc}", style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    report.show(out, facts, figures)
    report.write(given.json, report.as_json(facts, figures, quick=given.quick))
    say(f"Written to {given.json}.")
    if given.picture is not None:
        reached = {
            figure.what.removeprefix("commit → "): figure.ours for figure in figures if figure.benchmark == "path"
        }
        if not reached:
            err.print("Error: --picture needs the benchmark path.", style="red", highlight=False)
            return 1
        given.picture.write_text(draw(reached))
    return 1 if missed(figures) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little, to see that everything works")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=plan.NAMES, help=", ".join(plan.NAMES))
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"default: {RESULTS}")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the path of a job (needs the benchmark path)"
    )
    parser.add_argument("--flame", action="store_true", help="instead, record flame graphs of a burst (py-spy)")
    return parser


def forget_surroundings() -> None:
    """Forget the developer's own settings, which the stacks' processes would inherit."""
    for name, field in Settings.model_fields.items():
        os.environ.pop(str(field.validation_alias or name).upper(), None)
    os.environ.pop("DAGSTER_HOME", None)
    get_settings.cache_clear()


def say(line: str) -> None:
    """Tell whoever waits what is being done."""
    err.print(line, style="dim", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
