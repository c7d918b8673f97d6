"""Running a module as an ordinary user, by root: `python -m tests.support.unprivileged MODULE …`.

Python and the checkout may lie where nobody else may look. So the process first makes a view of the files of its own,
in which the way there is open, and nothing else behind it is to be seen.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from pathlib import Path

from studio.code.sandbox.inside import linux
from studio.paths import ROOT

NOBODY = 65_534


def become_nobody() -> None:
    """Open the way to Python and the checkout, and give up being root."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    needed = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, ROOT)}
    needed = {path for path in needed if not any(path != other and path.is_relative_to(other) for other in needed)}
    stage = Path(tempfile.mkdtemp(prefix="greenlight-view-"))
    linux.mount("tmpfs", str(stage), "tmpfs", 0)
    for index, path in enumerate(sorted(needed)):
        closed = [parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001]
        if not closed:
            continue
        kept = stage / str(index)
        kept.mkdir()
        linux.mount(str(path), str(kept), None, linux.MS_BIND | linux.MS_REC)
        linux.mount("tmpfs", str(closed[0]), "tmpfs", 0, "mode=0755")
        path.mkdir(parents=True)
        linux.mount(str(kept), str(path), None, linux.MS_BIND | linux.MS_REC)
    linux.unmount(str(stage))
    stage.rmdir()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    os.environ["HOME"] = "/"


if __name__ == "__main__":
    become_nobody()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
