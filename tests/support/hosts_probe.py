"""A life with hosts as a program of its own: `python -m tests.support.hosts_probe WAIT`.

Makes two hosts, lets a word go from one to the other, starts something that never ends, prints what `Report` holds, and
ends; with WAIT `yes` it waits to be killed first.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time

from tests.support.hosts import Hosts
from tests.support.hosts_host import Host

PORT = 7000


def word_between(speaker: Host, listener: Host, port: int = PORT) -> bytes:
    """Return what arrives at `listener` of a word that `speaker` sends."""
    with contextlib.closing(listener.tcp_socket()) as door:
        door.bind((listener.address, port))
        door.listen()
        with contextlib.closing(speaker.connect(listener.address, port)) as mouth:
            ear, _ = door.accept()
            with contextlib.closing(ear):
                mouth.sendall(b"hello")
                ear.settimeout(30.0)
                return ear.recv(16)


def main(wait: bool) -> None:
    with Hosts(["one", "two"]) as hosts:
        heard = word_between(hosts["one"], hosts["two"])
        # A daemon: nobody's child any more, in a session of its own.
        hosts["one"].run(["sh", "-c", "setsid sleep 3600 & exit 0"], "daemon").wait(30.0)
        report = {
            "user": os.geteuid(),
            "heard": heard.decode(),
            "folder": str(hosts.folder),
            "yard": hosts.pid,
            "processes": hosts["one"].processes(),
        }
        print(json.dumps(report), flush=True)
        while wait:
            time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1:] == ["yes"])
