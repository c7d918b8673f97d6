"""Egress: the one way out for what we run and do not trust, a proxy that connects to checked addresses alone.

| module | what it holds |
|---|---|
| `proxy` | the proxy, and who may be reached through it |
| `connection` | one connection: asked, checked, connected, passed on |
| `head` | the request line and headers |
| `pipe` | bytes in both directions, within limits |
| `record` | what has become of a request |
"""

from __future__ import annotations

from studio.egress.proxy import Egress, EgressRequest, no_network, only_hosts, public_only, with_own_origins

__all__ = ["Egress", "EgressRequest", "no_network", "only_hosts", "public_only", "with_own_origins"]
