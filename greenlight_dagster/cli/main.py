"""The `greenlight` command: its commands, and how an error reaches a person.

An expected error is one sentence with its remedy and exit code 1; a wrong call is exit code 2; a traceback is
shown only with `--debug`.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import psycopg
import typer

from greenlight_dagster.cli import (
    approvals,
    bench,
    chat,
    checks,
    code,
    db,
    demo,
    doctor,
    files,
    integrations,
    jobs,
    life,
    limits,
    mail_hours,
    nightshift,
    outbox,
    pages,
    projects,
    reports,
    sharing,
    sign_in,
    stack,
    tenant_limits,
    traces,
    work,
    workers,
)
from greenlight_dagster.cli.output import EXIT_INTERRUPTED, INTERRUPTS, err, print_error
from studio.database.errors import translate
from studio.errors import StudioError

log = logging.getLogger("greenlight")

app = typer.Typer(
    name="greenlight",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="An autonomous startup studio: an idea goes in, reviewed work comes out.",
    epilog="Example: greenlight demo",
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and log lines.")] = False,
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    # On the handler, because libraries set levels of their own on their loggers.
    handler.setLevel(logging.DEBUG if debug else logging.ERROR)
    logging.basicConfig(level=handler.level, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])


app.command(epilog="Example: greenlight up --ui-port 3100")(stack.up)
app.command(epilog='Example: greenlight demo "A bakery that delivers by bicycle"')(demo.demo)
app.command(epilog="Example: greenlight launch 7b0e1c9a-… --guidance 'Aim it at schools'")(work.launch)
app.command(
    epilog="Example: greenlight enqueue phase0.generate_packet --project 7b0e1c9a-…"
    ' --payload \'{"ownerClerkId": "local-owner"}\''
)(work.enqueue)
app.command("sign-in", epilog="Example: greenlight sign-in --json")(sign_in.sign_in)
app.command(epilog='Example: greenlight chat 7b0e1c9a-… "What should we do next?"')(chat.chat)
app.command(epilog='Example: eval "$(greenlight env)"')(stack.env)
app.command(epilog="Example: greenlight doctor --json")(doctor.doctor)
app.command(epilog="Example: greenlight worker --lane standard=4 --lane realtime=2")(workers.worker)
app.command(epilog="Example: greenlight workers --here")(workers.workers)
app.command(epilog="Example: greenlight limits --json")(tenant_limits.limits)
projects.app.command(epilog="Example: greenlight projects budget 7b0e1c9a-… --usd 40 --reason 'The second round'")(
    limits.budget
)
projects.app.command(epilog="Example: greenlight projects permissions 7b0e1c9a-… --email-send --ads --ads-cap 20")(
    limits.permissions
)
projects.app.command(epilog="Example: greenlight projects mail 7b0e1c9a-… --timezone Europe/Rome --quiet 21:00-08:00")(
    mail_hours.mail
)
projects.app.command(epilog="Example: greenlight projects files 7b0e1c9a-… --phase 1")(files.files)
projects.app.command(epilog="Example: greenlight projects share 7b0e1c9a-… --phase 0 --days 30")(sharing.share)
projects.app.command("shares", epilog="Example: greenlight projects shares 7b0e1c9a-…")(sharing.list_shares)
projects.app.command(epilog="Example: greenlight projects unshare 7b0e1c9a-… 0f3c5a7e-…")(sharing.unshare)
projects.app.command(epilog="Example: greenlight projects export 7b0e1c9a-… --phase 1 -o packet.pdf")(sharing.export)
projects.app.command(epilog="Example: greenlight projects audit 7b0e1c9a-…")(limits.audit)
projects.app.command(epilog="Example: greenlight projects pause 7b0e1c9a-… --reason 'Back in May'")(life.pause)
projects.app.command(epilog="Example: greenlight projects resume 7b0e1c9a-…")(life.resume)
projects.app.command(epilog="Example: greenlight projects kill 7b0e1c9a-… --reason 'Nobody wants it' --yes")(life.kill)
projects.app.add_typer(integrations.app, name="integrations")
app.add_typer(projects.app, name="projects")
app.add_typer(approvals.app, name="approvals")
app.add_typer(jobs.app, name="jobs")
app.add_typer(code.app, name="code")
app.add_typer(reports.app, name="report")
app.add_typer(checks.app, name="check")
app.add_typer(outbox.app, name="outbox")
app.add_typer(pages.app, name="pages")
app.add_typer(traces.app, name="traces")
app.add_typer(nightshift.app, name="nightshift")
app.add_typer(db.app, name="db")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; everything a person should know has been printed."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.TyperException as exc:
        show = getattr(exc, "show", None)
        if show is None:
            print_error(str(exc))
        else:
            show()
        return exc.exit_code
    except INTERRUPTS:
        err.print("Interrupted.")
        return EXIT_INTERRUPTED
    except StudioError as exc:
        _trace(arguments, exc)
        print_error(exc.message, exc.remedy)
        return 1
    except psycopg.Error as exc:
        _trace(arguments, exc)
        known = translate(exc)
        if isinstance(known, StudioError):
            print_error(known.message, known.remedy)
        else:
            print_error(f"The database refuses: {str(exc).strip()}.", "Run again with --debug for details.")
        return 1
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; there is nobody left to tell, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as exc:  # noqa: BLE001 - the process's boundary
        _trace(arguments, exc)
        print_error(f"Unexpected {type(exc).__name__}: {exc}.", "Run again with --debug for details.")
        return 1
    return code if isinstance(code, int) else 0


def _trace(arguments: list[str], exc: Exception) -> None:
    if "--debug" in arguments:
        log.error("%s", exc, exc_info=exc)
    else:
        log.debug("%s", exc)
