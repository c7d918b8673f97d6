"""`python -m benchmarks.simulation`: how many workers, databases and stream servers so many projects need.

Prints the tables of docs/scaling.md; `--write` writes them there, `--chart` draws the ceilings. `measure` takes the
service times anew, on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.__main__ import forget_surroundings
from benchmarks.simulation import chart, document, measured, remeasure, workload
from benchmarks.simulation.scales import Study
from studio.errors import StudioError


def main(arguments: list[str] | None = None) -> int:
    """Do what is asked for and return the exit code."""
    given = _parser().parse_args(arguments)
    forget_surroundings()
    try:
        if given.what == "measure":
            remeasure.measure(
                given.record,
                quick=given.quick,
                rounds=given.rounds,
                patience=given.patience,
                only=given.only,
                say=_say,
            )
            _say(f"Written to {given.record}.")
            return 0
        study = Study(measured.load(given.record), workload.load(given.workload))
        made = document.arithmetic(study) if given.what == "ceilings" else document.tables(study, _say)
        for name, table in made.items():
            print(f"\n## {name}\n\n{table}")
        if given.write is not None:
            document.write(given.write, made)
        if given.chart is not None:
            given.chart.write_text(chart.draw(study.ceilings()), encoding="utf-8")
    except StudioError as exc:
        print(f"Error: {exc}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("tables", "ceilings", "measure"),
        default="tables",
        help="all tables (minutes), those without simulation (seconds), or new measurements (half an hour)",
    )
    parser.add_argument("--record", type=Path, default=measured.FILE, metavar="FILE", help="service times")
    parser.add_argument("--workload", type=Path, default=workload.FILE, metavar="FILE", help="what is assumed")
    parser.add_argument("--write", type=Path, nargs="?", const=document.FILE, metavar="FILE", help="a document")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ceilings as SVG")
    parser.add_argument("--quick", action="store_true", help="measure little, to see that everything works")
    parser.add_argument(
        "--only", nargs="+", choices=remeasure.PARTS, default=remeasure.PARTS, help="measure these parts anew"
    )
    parser.add_argument("--rounds", type=int, default=remeasure.ROUNDS, help="stacks that are measured")
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait so long for other programs to fall silent before each measurement, and try it twice",
    )
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
