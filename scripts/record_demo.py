"""Run the demo and draw what it shows as an SVG: `record_demo.py docs/demo.svg`."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from greenlight_dagster.cli.context import adopt
from greenlight_dagster.cli.demo import DEFAULT_IDEA
from greenlight_dagster.cli.packet_view import packet_panels
from greenlight_dagster.cli.tailing import follow_job
from greenlight_dagster.stack.stack import Stack
from studio import projects
from studio.database.connection import Database
from studio.launch import launch
from studio.packets import versions
from studio.settings import get_settings

WIDTH = 104
# The verdict and the figures behind it: what fits into a picture that is still read.
PANELS_SHOWN = 3


def main(target: Path) -> None:
    """Write the picture to `target`."""
    settings = get_settings().model_copy(update={"database_url": None, "dagster_database_url": None})
    with (
        tempfile.TemporaryDirectory(prefix="greenlight-record-") as folder,
        Stack(Path(folder) / "data", settings, webserver=False, studio=False, log=print) as stack,
    ):
        adopt(stack.environment())
        with Database.from_settings(get_settings()) as db:
            with db.transaction() as conn:
                project_id = projects.create(conn, settings, owner_clerk_id=settings.owner_clerk_id, idea=DEFAULT_IDEA)
                launched = launch(conn, project_id)
            view = follow_job(db, launched.job_id, settings=get_settings(), live=False)
            packet = versions.latest(db, project_id, 0)
    if packet is None:
        raise SystemExit("The demo made no packet.")
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text("$ make demo", style="bold"))
        console.print(view.render())
        for panel in list(packet_panels(packet.packet))[:PANELS_SHOWN]:
            console.print(panel)
        svg = console.export_svg(title="greenlight demo")
    # The picture must not fetch a font from anywhere; the viewer's monospace font serves.
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
