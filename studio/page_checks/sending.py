"""A stranger's form is sent once: what is known of it stands under the job's claim, for the attempts that follow.

An attempt may be killed at any moment, and another one follows where only the picture was missing. Who gets a form
twice has two sign-ups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.claims import Claim
from studio.page_checks.posting import SENT_BEFORE, Form

# A part of the op `look`, and forgotten with it.
STEP = "look/form"
# What a page did meanwhile is long, and nobody asks for it.
_NOT_KEPT = frozenset({"requests", "messages"})


class SentOnce:
    """Sends at most once over all attempts at the claim's job."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __call__(self, send: Callable[[], Form | None]) -> Form | None:
        """Return what came of `send`, or of the `send` of an earlier attempt; `SENT_BEFORE` where nobody knows.

        Raise `LeaseLost` before it is sent where the claim is no longer current.
        """
        _, noted = self._claim.saved_step(STEP)
        if noted is not None and noted["begun"]:
            return SENT_BEFORE if noted["form"] is None else noted["form"]
        self._note(begun=True)
        form = send()
        if form is None:
            # It was lost with its browser, in the middle or before.
            return None
        kept = {name: value for name, value in form.items() if name not in _NOT_KEPT}
        # One that could not be filled in may be sent by the next attempt.
        self._note(begun=form.get("pressed") is True, form=kept)
        return form

    def _note(self, *, begun: bool, form: dict[str, Any] | None = None) -> None:
        self._claim.write(lambda conn: self._claim.save_step(conn, STEP, {"begun": begun, "form": form}))
