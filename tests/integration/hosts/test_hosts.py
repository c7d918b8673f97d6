"""Hosts for tests reach each other and nobody else, can be cut off without a word, and die at one instant."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.support.hosts_host import Host, HostError
from tests.support.hosts_probe import word_between
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)

# Long enough for what would come to have come; a cut is told by what does not come.
SILENCE_SECONDS = 1.0
HOLD = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
peer.sendall(b"here")
time.sleep(3600)
"""


@contextlib.contextmanager
def pair(one: Host, other: Host, port: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Lend both ends of a connection from `one` to `other`."""
    with contextlib.closing(other.tcp_socket()) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((other.address, port))
        door.listen()
        with contextlib.closing(one.connect(other.address, port)) as near:
            far, _ = door.accept()
            with contextlib.closing(far):
                yield near, far


def silent(conn: socket.socket) -> bool:
    """Whether nothing comes: no word, no farewell, no reset."""
    conn.settimeout(SILENCE_SECONDS)
    try:
        conn.recv(1)
    except TimeoutError:
        return True
    return False


@contextlib.contextmanager
def held(host: Host, keeper: Host, port: int) -> Iterator[socket.socket]:
    """Lend the keeper's end of a connection whose other end belongs to a program of `host`."""
    with contextlib.closing(keeper.tcp_socket()) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((keeper.address, port))
        door.listen()
        door.settimeout(60.0)
        host.run([sys.executable, "-c", HOLD, keeper.address, str(port)], "hold")
        conn, _ = door.accept()
        with contextlib.closing(conn):
            conn.settimeout(60.0)
            assert conn.recv(4) == b"here"
            yield conn


# --- the network


def test_hosts_reach_each_other_and_nothing_else(control: Host, east: Host) -> None:
    assert word_between(control, east) == b"hello"
    assert word_between(east, control) == b"hello"
    with pytest.raises(OSError, match="unreachable"):
        # The address of documents, which nobody has.
        control.connect("192.0.2.1", 80, 5.0)


def test_a_host_knows_the_others_by_name(east: Host) -> None:
    asked = east.run([sys.executable, "-c", "import socket; print(socket.gethostbyname('control'))"], "names")
    assert asked.wait(60.0) == 0
    assert asked.output().strip() == "198.18.77.1"


def test_what_is_sent_over_a_cut_vanishes_and_arrives_when_it_ends(control: Host, east: Host) -> None:
    with pair(east, control, 7001) as (near, far):
        east.cut_off()
        # The sender's kernel takes it, as if all were well.
        near.sendall(b"question")
        far.sendall(b"answer")
        assert silent(far)
        assert silent(near)
        with pytest.raises(TimeoutError):
            # Neither refused nor unreachable: that would be somebody's word.
            control.connect(east.address, 7002, SILENCE_SECONDS)
        east.reconnect()
        far.settimeout(60.0)
        near.settimeout(60.0)
        assert (far.recv(16), near.recv(16)) == (b"question", b"answer")


def test_a_host_that_is_cut_off_still_reaches_itself(east: Host) -> None:
    east.cut_off()
    assert word_between(east, east, 7003) == b"hello"
    east.reconnect()


# --- the end of a host


def test_a_killed_host_has_no_process_left_and_says_farewell(control: Host, east: Host) -> None:
    with held(east, control, 7004) as conn:
        # Nobody's child any more, in a session of its own, and deaf to everything but a kill. Both are told from
        # the programs of other tests, which this one sees as well, by their arguments.
        daemon, holder = "sleep 3607.004", f"{control.address} 7004"
        east.run(["sh", "-c", f"trap '' TERM HUP INT; (setsid {daemon} &) ; exit 0"], "daemon").wait(30.0)
        eventually(lambda: daemon in east.processes().values(), what="the daemon")
        seen = [process.pid for process in psutil.process_iter() if _runs(process, daemon, holder)]
        assert len(seen) == 2
        east.kill()
        assert not [pid for pid in seen if psutil.pid_exists(pid)]
        # The kernel closes what its dead programs had open.
        assert _ended(conn)
    with pytest.raises(HostError):
        east.processes()


def test_a_host_without_power_ends_without_a_word(control: Host, east: Host) -> None:
    with held(east, control, 7005) as conn:
        east.power_off()
        assert silent(conn)


def test_a_host_comes_back_with_its_disk_alone(control: Host, east: Host) -> None:
    east.run(["sh", "-c", f"echo kept > {east.folder}/note; echo lost > /dev/shm/note; sleep 3600"], "write")
    eventually(lambda: (east.folder / "note").exists(), what="the note")
    east.kill()
    east.start()
    look = east.run(["sh", "-c", f"cat {east.folder}/note; ls {east.folder.parent}; ls /dev/shm/note"], "look")
    assert look.wait(30.0) != 0
    kept, disks, memory = look.output().splitlines()
    # Nothing of the other hosts' disks either.
    assert (kept, disks, "No such file" in memory) == ("kept", "east", True)
    assert word_between(east, control, 7006) == b"hello"


def _runs(process: psutil.Process, *ends: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()).endswith(ends)
    return False


def _ended(conn: socket.socket) -> bool:
    conn.settimeout(60.0)
    try:
        return conn.recv(1) == b""
    except ConnectionResetError:
        return True
