"""The program that git asks for a token: it answers for one server alone, whatever git was redirected to.

Git starts it anew for each question (https://git-scm.com/docs/git-credential), so it imports next to nothing: neither
the studio nor what would take longer than the answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

# GitHub's own name for whoever comes with a token.
USER = "x-access-token"
MAX_TOKEN_BYTES = 8192

# Set for the git process: the descriptor of the file that holds the token, and whom it is for.
DESCRIPTOR = "GREENLIGHT_GIT_TOKEN_FD"
PROTOCOL = "GREENLIGHT_GIT_PROTOCOL"
HOST = "GREENLIGHT_GIT_HOST"


def answer(action: str, asked: str, environment: Mapping[str, str]) -> str:
    """Return what git is told: `username=…` and `password=…` in lines; nothing where it asks for another server."""
    fields = dict(line.partition("=")[::2] for line in asked.splitlines())
    expected = (environment.get(PROTOCOL), environment.get(HOST))
    if action != "get" or None in expected or (fields.get("protocol"), fields.get("host")) != expected:
        return ""
    # From its beginning, wherever an earlier question has left it.
    token = os.pread(int(environment[DESCRIPTOR]), MAX_TOKEN_BYTES, 0).decode()
    return f"username={USER}\npassword={token}\n"


if __name__ == "__main__":
    sys.stdout.write(answer(sys.argv[-1], sys.stdin.read(), os.environ))
