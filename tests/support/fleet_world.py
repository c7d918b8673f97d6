"""The world that a fleet acts in: a model, ad and code providers, a post office, and a storage. Those count.

They run in the test's process and listen where the test says: on this machine, or on a host of `tests.support.hosts`,
whose workers reach them over the network that a test cuts.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from uuid import UUID

from studio.listening import listening_socket
from tests.support.actions import ACCOUNT, GITHUB_TOKEN, META_TOKEN
from tests.support.approvals import ADS, REPOSITORY
from tests.support.mail import KEY, ResendServer
from tests.support.providers import Providers, providers
from tests.support.sandbox import SandboxThread
from tests.support.supabase_storage import KEY as STORAGE_KEY
from tests.support.supabase_storage import SupabaseServer

# A word of the model every so often: an answer takes seconds, and is struck in its middle.
CHUNK_DELAY_MS = 30.0

Listen = Callable[[], socket.socket]


def on_this_machine() -> socket.socket:
    """Return a listening socket on loopback."""
    return listening_socket("127.0.0.1", 0)


class World:
    """A context manager. `variables` are the settings under which a studio acts in it."""

    def __init__(self, listen: Listen = on_this_machine, *, chunk_delay_ms: float = CHUNK_DELAY_MS) -> None:
        self._listen = listen
        self._left = contextlib.ExitStack()
        self._delay = chunk_delay_ms
        self.providers: Providers
        self.resend: ResendServer
        self.model: SandboxThread
        self.storage: SupabaseServer

    def __enter__(self) -> World:
        self.providers = self._left.enter_context(providers(self._listen()))
        self.resend = self._left.enter_context(ResendServer(self._listen()))
        self.model = self._left.enter_context(SandboxThread(chunk_delay_ms=self._delay, listener=self._listen()))
        self.storage = self._left.enter_context(SupabaseServer(self._listen()))
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a studio in this world."""
        return {
            # Not the embedded stack's own name for a key, which would have it start a model of its own.
            "ANTHROPIC_API_KEY": "key-of-the-world",
            "ANTHROPIC_BASE_URL": self.model.url,
            "CLAUDE_DIRECT_MODEL": "sandbox",
            # Each request is a call of its own in the ledger.
            "GREENLIGHT_MODEL_RETRIES": "0",
            "GITHUB_TOKEN": GITHUB_TOKEN,
            "GREENLIGHT_GITHUB_URL": self.providers.url,
            "META_ACCESS_TOKEN": META_TOKEN,
            "META_AD_ACCOUNT_ID": ACCOUNT,
            "GREENLIGHT_META_URL": self.providers.url,
            "RESEND_API_KEY": KEY,
            "RESEND_FROM_EMAIL": "Studio <mail@studio.test>",
            "GREENLIGHT_RESEND_URL": self.resend.url,
            # A folder is one machine's alone.
            "SUPABASE_URL": self.storage.url,
            "SUPABASE_SERVICE_ROLE_KEY": STORAGE_KEY,
            # The studio may ask nobody else.
            "GREENLIGHT_OUTBOUND": "false",
        }

    def happened(self, action: str, approval: UUID, project: UUID) -> int | None:
        """Return how often what was approved has really happened; None for what nobody here counts."""
        if action == ADS:
            return self.providers.effects_for(f"gl-{approval.hex}")
        if action == REPOSITORY:
            return self.providers.effects_for(str(approval))
        return None

    def model_requests(self) -> list[str]:
        """Return the trace of every request to the model, in hex; empty where one has none."""
        journal = self.model.journal
        assert journal.dropped == 0, "the model has forgotten requests"
        parents = [str(entry["traceparent"] or "") for entry in journal.entries()]
        # W3C's traceparent: version, trace, span, flags.
        return [parent.split("-")[1] if parent.count("-") == 3 else "" for parent in parents]
