"""The last step before Chromium, as root: give it its profile, and become its user.

    python -I -S hand_over.py USER PROGRAM ARGUMENTS…

It is started by path and without site packages, so it imports nothing of ours but what lies beside it.
"""

from __future__ import annotations

import os
import sys

_PROFILE = "--user-data-dir="


def main() -> None:
    """See the module."""
    user, program, *arguments = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from studio.browser.account import become

    for argument in arguments:
        if argument.startswith(_PROFILE):
            _give(argument.removeprefix(_PROFILE), int(user))
    become(int(user))
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is wanted


def _give(folder: str, user: int) -> None:
    os.chown(folder, user, user)
    # Playwright's temporary folder holds it: passed through, not listed.
    os.chmod(os.path.dirname(folder), 0o711)  # noqa: S103 - others may pass, and no more


if __name__ == "__main__":
    main()
