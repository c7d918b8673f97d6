"""`greenlight up` and `greenlight env`: the stack on a persistent folder, and how another shell joins it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Annotated

import typer

from greenlight_dagster.cli.output import JsonFlag, out, print_json
from greenlight_dagster.stack.stack import UI_PORT, Stack
from greenlight_dagster.stack.state import running_environment
from studio.settings import get_settings


def up(
    ui_port: Annotated[int, typer.Option(help="The Dagster UI's port; the next free one where it is taken.")] = UI_PORT,
    webserver: Annotated[bool, typer.Option("--ui/--no-ui", help="Whether to start the Dagster UI.")] = True,
) -> None:
    """Start database, code server, daemon and Dagster UI on the data folder, and keep them until Ctrl-C."""
    settings = get_settings()
    stack = Stack(settings.data_dir, settings, webserver=webserver, ui_port=ui_port, log=_say)
    try:
        with stack:
            out.print(f"[bold green]Greenlight is up[/] on {stack.folder}", highlight=False, soft_wrap=True)
            for name, address in stack.addresses.items():
                out.print(f"  {name:<12}{address}", highlight=False, soft_wrap=True)
            out.print(f'Try: {_program()} projects create "An idea"    Stop with Ctrl-C.', highlight=False)
            stack.wait()
            out.print("Stopping; runs in flight get time to finish. Ctrl-C again hurries.")
    except KeyboardInterrupt:
        # Ctrl-C is how a person ends this command.
        pass
    out.print("Stopped.")


def env(as_json: JsonFlag = False) -> None:
    """Print the exports with which another shell, or `dagster job execute`, works on the running stack."""
    environment = running_environment(get_settings().data_dir)
    if as_json:
        print_json(environment)
        return
    for name, value in sorted(environment.items()):
        out.print(f"export {name}={shlex.quote(value)}", highlight=False, soft_wrap=True, markup=False)


def _program() -> str:
    """Return how this program is called from where the person is."""
    if shutil.which("greenlight"):
        return "greenlight"
    return os.path.relpath(sys.argv[0])


def _say(line: str) -> None:
    out.print(line, style="dim", highlight=False, soft_wrap=True, markup=False)
