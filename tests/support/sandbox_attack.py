"""An attack on a real sandbox from inside, by the hostile agent and by bombs, and what came of it as plain data.

It also runs as a program of its own, because an ordinary user's sandbox is another one than root's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil

from studio.code.sandbox import Limits, Ran, Sandbox, SandboxKind
from studio.code.workspace import WorkspaceFile
from studio.paths import ROOT
from tests.support.waiting import eventually

MEBIBYTE = 1024 * 1024
LIMITS = Limits(memory_bytes=320 * MEBIBYTE, processes=48, file_bytes=16 * MEBIBYTE, disk_bytes=32 * MEBIBYTE)
SECRET = "a-secret-of-the-worker"
SECONDS = 60.0
AGENT = (ROOT / "tests" / "support" / "hostile_agent.py").read_bytes()

FORK_BOMB = """
import os, re, signal, sys, time
def watched():
    # How often the first process has gone to sleep: it does so after each look.
    with open("/proc/1/status") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\\s+(\\d+)", file.read(), re.M).group(1))
children = []
try:
    while True:
        child = os.fork()
        if child == 0:
            time.sleep(1000)
        children.append(child)
except OSError as exc:
    print(f"{len(children)} forks, then: {exc}", flush=True)
before = watched()
while watched() < before + 3:
    time.sleep(0.05)
for child in children:
    os.kill(child, signal.SIGKILL)
sys.exit(1)
"""
MEMORY_BOMB = """
import os, signal, time
children = []
for _ in range(6):
    child = os.fork()
    if child == 0:
        held = bytearray(os.urandom(4096)) * (100 * 256)
        time.sleep(1000)
    children.append(child)
child, status = os.wait()
print(f"a process was ended by signal {status & 127}")
for left in children:
    if left != child:
        os.kill(left, signal.SIGKILL)
"""
# Pages that are only read are all the same one of zeros: nothing is taken but the tables that lead there.
PAGE_TABLES_BOMB = """
import ctypes, os, signal, time
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
PROT_READ, PRIVATE_ANONYMOUS_NORESERVE, NO_HUGE_PAGES = 1, 0x4022, 15
page = os.sysconf("SC_PAGESIZE")
# What one page of a table leads to.
stretch = page * page // 8
child = os.fork()
if child == 0:
    count = 420 * 1024 * 1024 // page
    start = libc.mmap(None, count * stretch, PROT_READ, PRIVATE_ANONYMOUS_NORESERVE, -1, 0)
    libc.madvise(start, count * stretch, NO_HUGE_PAGES)
    for number in range(count):
        ctypes.c_char.from_address(start + number * stretch).value
    # Far longer than it takes to be noticed.
    signal.alarm(30)
    signal.pause()
child, status = os.wait()
print(f"it was ended by signal {status & 127}")
"""
ONE_HUNGRY_PROCESS = "held = bytearray(400 * 1024 * 1024)"
# A daemon: a session of its own, and a parent that is gone.
DAEMON = """
rm -f up
(setsid bash -c 'touch up; exec -a {marker} sleep 1000' </dev/null >/dev/null 2>&1 &)
until [ -e up ]; do sleep 0.01; done
"""
ODD_FILES = r"""
ln -s /etc/passwd out
ln -s ../../../etc up
ln -s / everything
mkfifo pipe
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
touch "$(printf 'bad\xffname')" "$(printf 'l%.0s' $(seq 255))"
mkdir -p $(printf 'deep/%.0s' $(seq 80)) && touch $(printf 'deep/%.0s' $(seq 80))file
ln pipe hard
mkdir dark && chmod 000 dark
echo plain > plain
"""


def living(marker: str) -> list[int]:
    """Return the processes of this machine whose command line has `marker` in it, except those that look for it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:1] == [marker]:
                found.append(process.pid)
    return found


@contextlib.contextmanager
def interrupting(marker: str) -> Iterator[None]:
    """Send this process what Ctrl-C sends, as soon as a process of the name `marker` runs."""

    def interrupt() -> None:
        eventually(lambda: living(marker), what="what is to be interrupted")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextlib.contextmanager
def targets() -> Iterator[tuple[dict[str, Any], Callable[[], list[str]]]]:
    """Put up everything that must not be reached; give the list of it, and what says who got through."""
    os.environ["ANTHROPIC_API_KEY"] = os.environ["GREENLIGHT_PROBE"] = SECRET
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="greenlight-host-")))
        (folder / "secret").write_text(SECRET)
        # Whoever may read the host's files may read this one.
        (folder / "secret").chmod(0o666)
        folder.chmod(0o777)
        tcp = closing.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = closing.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        abstract = f"greenlight-{uuid.uuid4().hex}"
        unix = [closing.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        unix[0].bind(str(folder / "socket"))
        unix[1].bind("\0" + abstract)
        (folder / "socket").chmod(0o666)
        for listener in (tcp, udp, *unix):
            listener.setblocking(False)
        for listener in unix:
            listener.listen()
        # Where Python lies in it, the way there can be seen, and nothing beside it.
        home = [str(Path.home())] if not Path(sys.base_prefix).is_relative_to(Path.home()) else []
        addresses = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries]
        found = {
            "secret": SECRET,
            "host_pid": os.getpid(),
            "host_files": [str(folder / "secret"), str(ROOT / "pyproject.toml"), f"/proc/{os.getpid()}/environ"],
            "host_folders": [str(folder), str(ROOT), *home],
            "host_addresses": [address for address in addresses if address.count(".") == 3 and address[:4] != "127."],
            "tcp_port": tcp.getsockname()[1],
            "udp_port": udp.getsockname()[1],
            "socket_path": str(folder / "socket"),
            "abstract": abstract,
        }

        def reached() -> list[str]:
            visitors = []
            for listener in (tcp, *unix):
                with contextlib.suppress(BlockingIOError):
                    connection, _ = listener.accept()
                    connection.close()
                    visitors.append(str(listener.getsockname()))
            with contextlib.suppress(BlockingIOError):
                visitors.append(repr(udp.recv(100)))
            return visitors

        yield found, reached


def attack(kind: SandboxKind, *, tools: bool) -> dict[str, Any]:
    """Attack a sandbox; with `tools` every command goes through the agent's own tool. Return what came of it."""
    notes: list[str] = []
    marker = f"greenlight-daemon-{uuid.uuid4().hex}"
    outcome: dict[str, Any] = {"notes": notes}
    with targets() as (aims, reached), Sandbox(kind, LIMITS, note=notes.append) as sandbox:

        def run(command: str, seconds: float = SECONDS) -> dict[str, Any]:
            if tools:
                result = sandbox.call("bash", {"command": command}, seconds=seconds)
                return {"output": str(result.content), "failed": result.is_error}
            ran: Ran = sandbox.run(["bash", "-c", command], seconds=seconds)
            return {"output": ran.output, "failed": ran.exit_code != 0}

        def noted(what: str) -> None:
            def heard() -> bool:
                sandbox.run(["true"], seconds=SECONDS)
                return any(what in note for note in notes)

            eventually(heard, what=f"a note of {what!r}, not only {notes}")

        sandbox.put([WorkspaceFile("agent.py", AGENT)])
        said = run(f"python3 agent.py {shlex.quote(json.dumps(aims))}")["output"]
        assert said.startswith("{"), said
        outcome["attempts"] = json.loads(said)
        outcome["burning"] = run("while :; do :; done", 0.5)
        outcome["fork bomb"] = run(f"python3 -c {shlex.quote(FORK_BOMB)}")
        noted("could not be started")
        outcome["memory bomb"] = run(f"python3 -c {shlex.quote(MEMORY_BOMB)}")
        noted("of memory")
        before = len(notes)
        outcome["page tables"] = run(f"python3 -c {shlex.quote(PAGE_TABLES_BOMB)}")
        eventually(lambda: sandbox.run(["true"], seconds=SECONDS) and len(notes) > before, what="a note of it")
        outcome["page tables"]["note"] = notes[before]
        outcome["hungry"] = run(f"python3 -c {shlex.quote(ONE_HUNGRY_PROCESS)}")
        outcome["huge file"] = run("dd if=/dev/zero of=huge bs=1M count=40")
        outcome["full disk"] = run("for i in 1 2 3 4; do dd if=/dev/zero of=fill$i bs=1M count=15; done")
        noted("/workspace is full: it holds 32 MB")
        run("rm -f huge fill*")
        outcome["many files"] = run("mkdir many; cd many; for i in $(seq 20000); do : > $i || break; done; cd ..")
        noted("files and folders")
        run("rm -rf many agent.py")
        sandbox.changes()
        outcome["odd files"] = run(ODD_FILES)
        changes = sandbox.changes()
        outcome["changes"] = [[file.path, file.link] for file in changes.written]
        if tools:
            outcome["links"] = links(sandbox)
        run(DAEMON.format(marker=marker))
        eventually(lambda: living(marker), what="the daemon")
        outcome["reached"] = reached()
    outcome["left"] = living(marker)
    return outcome


def links(sandbox: Sandbox) -> dict[str, str]:
    """Return what the file tools say of paths that lead out, by what was asked; all of it must be an error."""
    asked = {
        "read a link": ("read", {"file_path": "out"}),
        "read a path": ("read", {"file_path": "/etc/passwd"}),
        "write a link": ("write", {"file_path": "out", "content": "x"}),
        "write below a link": ("write", {"file_path": "everything/tmp/x", "content": "x"}),
        "write a path": ("write", {"file_path": "../x", "content": "x"}),
        "edit a link": ("edit", {"file_path": "out", "old_string": "root", "new_string": "x"}),
        "grep a link": ("grep", {"pattern": "root", "path": "up"}),
        "glob a path": ("glob", {"pattern": "*", "path": "/etc"}),
        "read a pipe": ("read", {"file_path": "pipe"}),
    }
    said = {}
    for name, (tool, arguments) in asked.items():
        result = sandbox.call(tool, arguments, seconds=SECONDS)
        said[name] = str(result.content) if result.is_error else f"GOT THROUGH: {result.content}"
    return said


if __name__ == "__main__":
    print(json.dumps({kind: attack(cast("SandboxKind", kind), tools=sys.argv[1] == "tools") for kind in sys.argv[2:]}))
