"""`greenlight up` and `greenlight env`: the stack on a persistent folder, and how another shell joins it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from greenlight_dagster.cli import sign_in
from greenlight_dagster.cli.output import JsonFlag, err, out, print_json
from greenlight_dagster.stack.ports import EVERYWHERE, LOOPBACK
from greenlight_dagster.stack.stack import UI_PORT, Stack
from greenlight_dagster.stack.state import running_environment
from studio.settings import Settings, get_settings

# As a person calls them.
_OTHERS = {"ui": "Dagster UI", "web": "published pages"}


def up(
    port: Annotated[
        int | None, typer.Option(help="The studio's port; by default that of the last time, or 3030.")
    ] = None,
    ui_port: Annotated[int, typer.Option(help="The Dagster UI's port; the next free one where it is taken.")] = UI_PORT,
    web_port: Annotated[
        int | None,
        typer.Option(help="The port of published pages; by default that of the last time, or 3080."),
    ] = None,
    webserver: Annotated[bool, typer.Option("--ui/--no-ui", help="Whether to start the Dagster UI.")] = True,
    web: Annotated[
        bool, typer.Option("--web/--no-web", help="Whether to start the studio and the published pages.")
    ] = True,
    host: Annotated[
        str,
        typer.Option(
            help="127.0.0.1, or 0.0.0.0 in a container of which only a proxy is a neighbour: the Dagster UI has no"
            " sign-in of its own."
        ),
    ] = LOOPBACK,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as JSON; the rest goes aside.")] = False,
) -> None:
    """Start database, web application, code server, daemon and Dagster UI on the data folder, until Ctrl-C."""
    if host not in (LOOPBACK, EVERYWHERE):
        raise typer.BadParameter(f"give {LOOPBACK} or {EVERYWHERE}", param_hint="--host")
    settings = get_settings()
    # Standard output is the program's that reads the JSON.
    console = err if as_json else out

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, soft_wrap=True, markup=False)

    stack = Stack(
        settings.data_dir,
        settings,
        webserver=webserver,
        web=web,
        studio=web,
        bind=host,
        ui_port=ui_port,
        web_port=web_port,
        studio_port=port,
        log=say,
    )
    try:
        with stack:
            known = Settings.model_validate(stack.environment())
            link = way_in(known, asked=as_json)
            if as_json:
                err.print(f"[bold green]Greenlight is up[/] on {stack.folder}", highlight=False, soft_wrap=True)
                print_json({"folder": stack.folder, "addresses": stack.addresses, "sign_in": link})
            else:
                _welcome(stack, link)
            stack.wait()
            console.print("Stopping; runs in flight get time to finish. Ctrl-C again hurries.")
    except KeyboardInterrupt:
        # Ctrl-C is how a person ends this command.
        pass
    console.print("Stopped.")


def way_in(known: Settings, *, asked: bool) -> str | None:
    """Return how a person gets in: on this machine, or where it was `asked` for, by a link that works once.

    What a studio elsewhere prints is a log, which others read and which is kept; there it is the sign-in page.
    """
    base = known.app_base_url
    if base is None or asked or urlsplit(base).hostname in (LOOPBACK, "localhost"):
        return sign_in.link_to(known) if base else None
    return f"{base.rstrip('/')}/sign-in"


def _welcome(stack: Stack, link: str | None) -> None:
    """Print the one link that a person needs; where the other parts are, for whoever looks for them."""
    out.print(f"[bold green]Greenlight is up[/] on {stack.folder}", highlight=False, soft_wrap=True)
    if link is None:
        return
    out.print()
    out.print(f"  Open the studio:  [bold]{link}[/]", highlight=False, soft_wrap=True)
    out.print()
    others = {name: address for name, address in stack.addresses.items() if name in _OTHERS}
    told = ", ".join(f"{_OTHERS[name]} on port {address.rpartition(':')[2]}" for name, address in others.items())
    once = "The link works once, within an hour; " if not link.endswith("/sign-in") else ""
    more = f"`{_program()} sign-in` prints {'another' if once else 'a way in'}"
    out.print(
        f"{once}{more}. {told}. Stop with Ctrl-C.",
        style="dim",
        highlight=False,
        markup=False,
    )
    if get_settings().broker_url is not None:
        out.print(
            f"Runs go to the fleet: `{_program()} worker` starts workers, `{_program()} workers` lists them.",
            style="dim",
            highlight=False,
            markup=False,
        )


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
