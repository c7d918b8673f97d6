"""Run the sandbox model: `python -m studio.sandbox --port 0 --port-file FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.listening import listening_socket, port_number
from studio.sandbox.routes import DEFAULT_CHUNK_DELAY_MS, Sandbox
from studio.sandbox.search import Corpus
from studio.sandbox.server import SandboxServer

logger = logging.getLogger("studio.sandbox")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(
        prog="python -m studio.sandbox",
        description="A local model that speaks the Anthropic Messages API and knows only what a request says.",
        epilog="example: python -m studio.sandbox --port 8899 --corpus ./passages",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=0, help="port; 0 takes a free one (default)")
    parser.add_argument("--port-file", type=Path, help="file that receives the port once it listens")
    parser.add_argument("--corpus", type=Path, help="folder of Markdown files that the web search returns")
    parser.add_argument(
        "--chunk-delay-ms",
        type=float,
        default=DEFAULT_CHUNK_DELAY_MS,
        help="pause before each piece of a stream (default: %(default)s)",
    )
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    sandbox = Sandbox(Corpus.load(options.corpus), chunk_delay_ms=max(options.chunk_delay_ms, 0.0))
    server = SandboxServer(sandbox, port_file=options.port_file)
    sock = listening_socket(options.host, options.port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    host = f"[{options.host}]" if ":" in options.host else options.host
    logger.info("The sandbox model listens on http://%s:%d", host, sock.getsockname()[1])
    await server.serve(sockets=[sock])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = arguments(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        asyncio.run(serve(options))
    except StudioError as exc:
        logger.error("%s", exc)
        return 1
    except OSError as exc:
        logger.error("The sandbox model cannot start on %s:%d: %s.", options.host, options.port, exc)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
