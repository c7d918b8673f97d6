"""A worker whose browser is busy for ever: it says so, and is then interrupted or killed.

python -m tests.integration.browser_session.held namespaces|plain
"""

from __future__ import annotations

import sys
import threading

from studio.browser.session import browser_session
from studio.egress import no_network
from studio.settings import Settings
from tests.integration.browser_session import works


def main() -> None:
    with browser_session(Settings(), resolve=no_network, namespaces=sys.argv[1] == "namespaces") as session:

        def say() -> None:
            while "holding" not in session.kept:
                waiting.wait(0.02)
            print(session.facts.alone, flush=True)

        waiting = threading.Event()
        threading.Thread(target=say, daemon=True).start()
        session.run(works.hold, {})


if __name__ == "__main__":
    main()
