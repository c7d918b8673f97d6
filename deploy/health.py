"""Is what listens in this container well? `health.py 3030/readyz 3080/healthz`: exit code 0 where each answers 200.

For the health checks of containers, every few seconds: it imports little and is over in some tens of milliseconds. It
asks as `localhost`, which the web applications allow for these paths, whatever their public names are.
"""

from __future__ import annotations

import http.client
import sys

# Docker gives up after ten; two that hang are told apart from one.
SECONDS = 4.0


def trouble(asked: str) -> str | None:
    """Return what is wrong with `asked`, a port and a path such as `3030/readyz`; None where all is well."""
    port, _, path = asked.partition("/")
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=SECONDS)
    try:
        connection.request("GET", f"/{path}", headers={"Host": "localhost"})
        answer = connection.getresponse()
        said = answer.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as exc:
        return f"{asked}: {type(exc).__name__}: {exc}"
    finally:
        connection.close()
    return None if answer.status == http.HTTPStatus.OK else f"{asked}: {answer.status} {said}"


def main(asked: list[str]) -> int:
    """Ask all of them; print what is wrong, which `docker inspect` shows."""
    if not asked:
        sys.stderr.write("usage: health.py PORT/PATH …\n")
        return 2
    troubles = [found for found in map(trouble, asked) if found]
    sys.stdout.write("\n".join(troubles))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
