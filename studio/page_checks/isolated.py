"""Questions to a page from a world beside its own: the page cannot answer in its place, nor keep it from asking.

They are asked over the browser's protocol, which also works in a page that may run no script of its own, as
published pages may not.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import OutboundFailed

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

WORLD = "greenlight"
_SCRIPTS = Path(__file__).resolve().parent / "scripts"


class Isolated:
    """The world of our own in a tab's main frame. `observe` comes before the navigation, `ask` after it."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session
        session.send("Page.enable")

    def observe(self) -> None:
        """Have the page watched from its first moment on."""
        self._session.send(
            "Page.addScriptToEvaluateOnNewDocument", {"worldName": WORLD, "source": script("observe.js")}
        )

    def ask(self, *parts: str, seconds: float, **constants: float) -> Any:
        """Return the JSON value of a script after its libraries; `constants` are defined before them.

        Raise `OutboundFailed` where the page gives none, `playwright.sync_api.Error` where it is gone.
        """
        frame = self._session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        # Under a name that the frame has already this is the same world.
        world = self._session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": WORLD})
        defined = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in constants.items())
        answer = self._session.send(
            "Runtime.evaluate",
            {
                "contextId": world["executionContextId"],
                # In a block of its own: what one question defines is not in the way of the next.
                "expression": f"{{\n{defined}{''.join(parts)}\n}}",
                "returnByValue": True,
                "awaitPromise": True,
                "timeout": seconds * 1000,
            },
        )
        if "exceptionDetails" in answer:
            raise OutboundFailed(
                f"The page did not let itself be looked at: {_told(answer['exceptionDetails'])}",
                "Open it in a browser and see whether it can be used.",
                reason="broken",
            )
        return answer["result"].get("value")


@cache
def script(name: str) -> str:
    """Return one of our scripts."""
    return (_SCRIPTS / name).read_text("utf-8")


@cache
def axe() -> str:
    """Return axe-core, such that it also runs where a page may run no script.

    There no timer ever fires; axe only uses them to do something a little later.
    """
    from importlib.resources import files

    source = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    soon = "const setTimeout = (work, _, ...values) => { Promise.resolve().then(() => work(...values)); return 1; };"
    return f"(() => {{ {soon}\n{source}\n}})();\n"


def _told(details: dict[str, Any]) -> str:
    thrown = details.get("exception", {})
    return str(thrown.get("description") or thrown.get("value") or details.get("text", "no reason"))[:300]
