"""Run a web application: `python -m web studio --port 3030`, `python -m web public --port 3080`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from studio.database.connection import Database
from studio.database.pooled import Haste
from studio.errors import StudioError
from studio.listening import listening_socket, port_number
from studio.settings import Settings, get_settings
from web.server import WebServer

logger = logging.getLogger("web")

# A person waits for a page so long and no longer; some forty of them share this process's threads.
HASTE = Haste(wait_seconds=2, statement_seconds=10, lock_seconds=4)

Application = Literal["studio", "public"]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m web",
        description="studio: API, event streams and pages of a Greenlight studio, for its owners. public: published"
        " pages, shared packets, waitlists and signed files, on an origin of their own.",
        epilog="example: DATABASE_URL=postgresql://localhost/greenlight python -m web studio --port 3030",
    )
    parser.add_argument("application", choices=("studio", "public"))
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=0, help="port; 0 takes a free one (default)")
    parser.add_argument("--port-file", type=Path, help="file that receives the port once it listens")
    parser.add_argument("--descriptor", type=int, help="a listening socket that this process has inherited")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    with Database.from_settings(settings, application_name=f"greenlight-{options.application}", haste=HASTE) as db:
        server = server_of(options.application, settings, db, port_file=options.port_file)
        sock = _socket(options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        logger.info("The %s application listens on %s port %d", options.application, *sock.getsockname()[:2])
        await server.serve(sockets=[sock])


def server_of(
    application: Application, settings: Settings, db: Database, *, port_file: Path | None = None
) -> WebServer:
    """Return the server of an application. Each imports what it needs: the public one knows nothing of sign-in."""
    if application == "public":
        from web.public.app import create_public_app

        return WebServer(create_public_app(settings, db), port_file=port_file, trusted_proxies=settings.trusted_proxies)
    from web.app import create_app
    from web.connections import StudioConnection

    app = create_app(settings, db)
    _open_files()
    return WebServer(
        app,
        port_file=port_file,
        trusted_proxies=settings.trusted_proxies,
        http=StudioConnection,
        at_end=app.state.site.close,
    )


def _open_files() -> None:
    """Allow as many open files as the system lets us: each event stream is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _socket(options: argparse.Namespace) -> socket.socket:
    if options.descriptor is not None:
        return socket.socket(fileno=options.descriptor)
    return listening_socket(options.host, options.port)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = arguments(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(serve(options, get_settings()))
    except StudioError as exc:
        logger.error("%s", exc)
        return 1
    except OSError as exc:
        logger.error("The web application cannot start on %s:%d: %s.", options.host, options.port, exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
