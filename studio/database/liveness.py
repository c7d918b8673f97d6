"""How both ends of a connection learn that the other one's machine has vanished: TCP by itself waits for hours."""

from __future__ import annotations

import psycopg

# A connection that waits sends nothing, and would never learn that its server's machine is gone.
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
# The same in the other direction, of which the server's default is two hours: so long a machine that has vanished in
# the middle of a transaction would keep its locks. Well below a lease, after which somebody else needs them.
SERVER_KEEPALIVE = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2 -c tcp_user_timeout=20000"
)


def keepalive(url: str) -> dict[str, int]:
    """Return what libpq is to be told beside `url`: what the URL says about keepalives stands."""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Whoever connects is told.
        return {}
    return {name: value for name, value in KEEPALIVE.items() if name not in given}
