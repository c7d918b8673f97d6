"""The first process of a sandbox: it prepares what is left to prepare, starts the server, watches, and ends it all.

In a namespace of processes, whatever else runs there ends with the first one: so nothing outlives it, however it was
started. It ends when the studio closes its end of the control pipe, which also happens when the studio is killed,
and when the server ends. Where there is no such namespace, it adopts what is orphaned and ends that itself.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
from typing import NoReturn

from . import linux, processes, server, system_calls
from .plan import Plan
from .watch import Watch

# The kernel ends what is inside first when the machine has no memory left.
_OUT_OF_MEMORY_SCORE = "1000"
_OPEN_FILES = 4096
_FAILED = 1


def main() -> NoReturn:
    """Be the first process, as bubblewrap starts it: the plan is the only argument."""
    run(json.loads(sys.argv[1]))


def run(plan: Plan) -> NoReturn:
    """Be the first process. What fails on the way is said on the status pipe."""
    try:
        _prepare(plan)
        server_pid = os.fork()
    except OSError as exc:
        _say(plan["status"], "failed", str(exc))
        os._exit(_FAILED)
    if server_pid == 0:
        _be_server(plan)
    _watch(plan, server_pid)


def _prepare(plan: Plan) -> None:
    os.umask(0o022)
    os.chdir("/")
    linux.no_new_privileges()
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(_OUT_OF_MEMORY_SCORE)
    except PermissionError as exc:
        # A first process that another kept out of its own /proc is no reason to give up.
        _say(plan["status"], "note", f"The kernel will not prefer to end this sandbox when memory runs out: {exc}")
    # Nobody inside may look into, trace or follow the open files of this process, nor of the server.
    linux.set_dumpable(False)
    if not plan["isolated"]:
        linux.adopt_orphans()
    for filesystem in plan["filesystems"]:
        owner = plan["identity"] or {"uid": os.getuid(), "gid": os.getgid()}
        options = f"mode=0755,uid={owner['uid']},gid={owner['gid']}"
        try:
            linux.mount_memory(filesystem["target"], filesystem["bytes"], filesystem["inodes"], options)
        except PermissionError as exc:
            # Some systems let bubblewrap mount, and nobody after it: its own file system is limited in size alone.
            if not os.path.ismount(filesystem["target"]):
                raise
            _say(plan["status"], "note", f"{filesystem['target']} has no limit on the number of its files: {exc}")


def _be_server(plan: Plan) -> NoReturn:
    """Give up every right, and be the server."""
    code = _FAILED
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 2)
        # As many as the studio may have open: theirs keep their numbers.
        most_open, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        os.closerange(3, most_open)
        _bind(plan)
        if plan["isolated"]:
            system_calls.forbid()
        os.environ.clear()
        os.environ.update(plan["environment"])
        os.makedirs(plan["home"], exist_ok=True)
        os.chdir(plan["workspace"])
        code = server.serve(plan)
    finally:
        os._exit(code)


def _bind(plan: Plan) -> None:
    bounds = plan["bounds"]
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, bounds["file_bytes"])
    # Not the address space: what runs JavaScript reserves far more of it than it ever uses.
    _limit(resource.RLIMIT_DATA, bounds["memory_bytes"])
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_MEMLOCK, 65_536)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    if plan["isolated"]:
        # The kernel counts it per user and namespace: without one, it would count all that this account runs.
        _limit(resource.RLIMIT_NPROC, bounds["processes"])
        linux.drop_bounding_set()
    identity = plan["identity"]
    if identity is not None:
        os.setgroups([])
        os.setresgid(identity["gid"], identity["gid"], identity["gid"])
        os.setresuid(identity["uid"], identity["uid"], identity["uid"])
    if plan["isolated"]:
        linux.keep_capabilities()
    linux.set_dumpable(False)


def _limit(what: int, value: int) -> None:
    _, hardest = resource.getrlimit(what)
    if hardest != resource.RLIM_INFINITY:
        value = min(value, hardest)
    resource.setrlimit(what, (value, value))


def _watch(plan: Plan, server_pid: int) -> NoReturn:
    control, status = plan["control"], plan["status"]
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    if plan["isolated"]:
        linux.keep_capabilities(*_watching_rights())
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    os.set_blocking(woken, False)
    os.set_blocking(status, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    watch = Watch(plan, server_pid, lambda text: _say(status, "note", text))
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(woken, select.POLLIN)
    next_look = time.monotonic()
    try:
        while True:
            ready = dict(poll.poll(max(0.0, next_look - time.monotonic()) * 1000))
            if control in ready:
                _end(plan)
            if woken in ready:
                os.read(woken, 4096)
            for pid, code in processes.reap():
                if pid == server_pid:
                    _say(status, "ended", _how(code))
                    _end(plan)
            # By the clock: something that starts and ends without pause must not keep it from looking.
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + watch.look()
    except OSError as exc:
        _say(status, "ended", f"its watch failed: {exc}")
        _end(plan)


def _end(plan: Plan) -> NoReturn:
    if not plan["isolated"]:
        processes.end_descendants(os.getpid())
        # With the home beside it: whoever made them may be gone.
        shutil.rmtree(os.path.dirname(plan["workspace"]), ignore_errors=True)
    os._exit(0)


def _watching_rights() -> list[int]:
    """To end processes of another user and to read how much memory they hold, as far as they are there."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("CapPrm:"))
    held = int(line.split()[1], 16)
    return [right for right in (linux.CAP_KILL, linux.CAP_SYS_PTRACE) if held >> right & 1]


def _how(code: int) -> str:
    if os.WIFSIGNALED(code):
        return f"it was ended by signal {os.WTERMSIG(code)}"
    return f"it ended with code {os.waitstatus_to_exitcode(code)}"


def _say(status: int, what: str, text: str) -> None:
    """Write one short line, at once or not at all: nobody may be listening any more."""
    try:
        os.write(status, json.dumps({what: text[:500]}).encode("ascii") + b"\n")
    except OSError as exc:
        if exc.errno not in (errno.EAGAIN, errno.EPIPE):
            raise
