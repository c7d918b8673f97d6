"""Run the web application: `python -m web --port 3080 --port-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from studio.database.connection import Database
from studio.errors import StudioError
from studio.listening import listening_socket, port_number
from studio.settings import Settings, get_settings
from web.app import create_app
from web.server import WebServer

logger = logging.getLogger("web")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m web",
        description="Published pages, waitlists and signed files of a Greenlight studio.",
        epilog="example: DATABASE_URL=postgresql://localhost/greenlight python -m web --port 3080",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=0, help="port; 0 takes a free one (default)")
    parser.add_argument("--port-file", type=Path, help="file that receives the port once it listens")
    parser.add_argument("--descriptor", type=int, help="a listening socket that this process has inherited")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    with Database.from_settings(settings, application_name="greenlight-web") as db:
        server = WebServer(
            create_app(settings, db), port_file=options.port_file, trusted_proxies=settings.trusted_proxies
        )
        sock = _socket(options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, server.stop)
        logger.info("The web application listens on %s port %d", *sock.getsockname()[:2])
        await server.serve(sockets=[sock])


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
