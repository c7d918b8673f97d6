"""What an agent might try inside a sandbox: run in there as a program, by any Python since 3.9, without the studio.

Each attempt returns what it got hold of; nothing of that is allowed. What stopped it is the text of its exception.
The program prints one JSON object: name → [whether it got through, what it saw].
"""

from __future__ import annotations

import contextlib
import ctypes
import glob
import json
import os
import platform
import signal
import socket
import subprocess
import sys

TARGETS = json.loads(sys.argv[1]) if __name__ == "__main__" else {}
LIBC = ctypes.CDLL(None, use_errno=True)
# The first process's first child.
SERVER = 2
ATTEMPTS = {}


def attempt(function):
    ATTEMPTS[function.__name__] = function
    return function


class Stopped(Exception):
    """The attempt was stopped by this."""


def system_call(name, *arguments):
    numbers = {
        "x86_64": {
            "ptrace": 101,
            "keyctl": 250,
            "bpf": 321,
            "userfaultfd": 323,
            "memfd_create": 319,
            "shmget": 29,
            "unshare": 272,
            "perf_event_open": 298,
            "process_vm_readv": 310,
        },
        "aarch64": {
            "ptrace": 117,
            "keyctl": 219,
            "bpf": 280,
            "userfaultfd": 282,
            "memfd_create": 279,
            "shmget": 194,
            "unshare": 97,
            "perf_event_open": 241,
            "process_vm_readv": 270,
        },
    }
    number = {**numbers[platform.machine()], "io_uring_setup": 425, "clone3": 435}[name]
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    if result < 0:
        raise Stopped(f"{name}: {os.strerror(ctypes.get_errno())}")
    return f"{name} returned {result}"


def each(action, things):
    """Return what `action` did to any of `things`; stopped only if it was stopped for all."""
    through, reasons = [], []
    for thing in things:
        try:
            through.append(f"{thing}: {action(thing)}")
        except (OSError, Stopped, ValueError) as exc:
            reasons.append(f"{thing}: {exc}")
    if through:
        return "; ".join(through)
    raise Stopped("; ".join(reasons))


def read(path):
    with open(path, "rb") as file:
        return repr(file.read(200))


def write(path):
    with open(path, "ab") as file:
        file.write(b"#")
    return "written"


@attempt
def the_environment():
    everywhere = dict(os.environ)
    text = " ".join(f"{key}={value}" for key, value in everywhere.items())
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError):
            text += read(path)
    found = [word for word in (TARGETS["secret"], "ANTHROPIC", "DATABASE_URL", "GREENLIGHT") if word in text]
    if found:
        return f"{found} in {text}"
    raise Stopped(f"only {sorted(everywhere)}")


@attempt
def other_processes():
    mine = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    host = TARGETS["host_pid"]
    if len(mine) > 20 or host in mine:
        return f"{mine} are visible"
    os.kill(host, 0)
    return "the host's process takes signals"


@attempt
def the_first_process():
    return each(read, ["/proc/1/environ", "/proc/1/mem", "/proc/1/maps"])


@attempt
def killing_the_first_process():
    with contextlib.suppress(PermissionError):
        os.kill(1, signal.SIGKILL)
        os.kill(1, signal.SIGSTOP)
    raise Stopped("the first process lives on, as this line shows")


@attempt
def the_servers_memory():
    return each(read, [f"/proc/{SERVER}/{name}" for name in ("environ", "mem", "maps", "stack")])


@attempt
def the_servers_descriptors():
    return each(write, [f"/proc/{process}/fd/{number}" for process in (SERVER, 1) for number in range(20)])


@attempt
def tracing_the_server():
    return each(lambda process: system_call("ptrace", 16, process, 0, 0), [SERVER, 1])


@attempt
def its_memory_by_system_call():
    return system_call("process_vm_readv", SERVER, 0, 0, 0, 0, 0)


@attempt
def writing_outside():
    folders = ["/", "/usr", "/usr/bin", "/etc", "/opt", "/opt/greenlight/program/inside", "/root", "/home", "/var"]
    folders += ["/run", "/sys", "/proc", "/proc/sys/kernel", "/dev", "/workspace/..", os.path.dirname(os.__file__)]
    return each(lambda folder: write(f"{folder}/greenlight-escape"), folders)


@attempt
def writing_to_files_outside():
    known = ["/etc/passwd", "/bin/sh", "/usr/bin/env", "/opt/greenlight/program/inside/server.py", os.__file__]
    known += ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/oom_score_adj", "/dev/mem", "/dev/sda"]
    return each(write, known)


@attempt
def removing_what_is_outside():
    return each(os.unlink, ["/etc/passwd", "/bin", "/dev/null", "/usr/bin/env"])


@attempt
def reading_the_host():
    known = ["/etc/shadow", "/root/.bashrc", "/etc/machine-id", "/etc/ssh/sshd_config", "/proc/kcore", "/proc/kmsg"]
    return each(read, [*known, *TARGETS["host_files"]])


@attempt
def folders_of_the_host():
    def look(path):
        listed = os.listdir(path)
        if not listed:
            raise Stopped("empty")
        return listed

    return each(look, ["/home", "/var", "/run", "/sys", "/mnt", "/srv", "/boot", "/media", *TARGETS["host_folders"]])


@attempt
def tcp_to_the_host():
    return each(
        lambda host: socket.create_connection((host, TARGETS["tcp_port"]), timeout=2),
        ["127.0.0.1", "::1", *TARGETS["host_addresses"]],
    )


@attempt
def udp_to_anybody():
    def send(address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            return sock.sendto(b"escaped", address)

    # To the own loopback device it may send: there is nobody, which the test's listener proves.
    with contextlib.suppress(OSError):
        send(("127.0.0.1", TARGETS["udp_port"]))
    addresses = ["192.0.2.1", "10.0.0.1", *TARGETS["host_addresses"]]
    return each(send, [(address, 53) for address in addresses if ":" not in address])


@attempt
def the_metadata_address():
    return socket.create_connection(("169.254.169.254", 80), timeout=2)


@attempt
def names():
    return socket.getaddrinfo("example.com", 443)


@attempt
def raw_sockets():
    def make(arguments):
        return socket.socket(*arguments)

    vsock = (40, socket.SOCK_STREAM)
    packet = (17, socket.SOCK_RAW)
    return each(make, [vsock, packet, (socket.AF_INET, socket.SOCK_RAW, 1), (38, socket.SOCK_SEQPACKET)])


@attempt
def unix_sockets():
    def connect(path):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            return "connected"

    return each(connect, [TARGETS["socket_path"], "\0" + TARGETS["abstract"], "/run/docker.sock", "/dev/log"])


@attempt
def new_namespaces():
    return each(lambda flag: system_call("unshare", flag), [0x10000000, 0x20000, 0x40000000, 0x20000000])


@attempt
def mounting():
    if LIBC.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
        return "mounted"
    raise Stopped(os.strerror(ctypes.get_errno()))


@attempt
def dangerous_system_calls():
    names = ("keyctl", "bpf", "userfaultfd", "memfd_create", "shmget", "perf_event_open", "io_uring_setup", "clone3")
    return each(lambda name: system_call(name, 0, 0, 0, 0, 0), names)


@attempt
def becoming_root():
    return each(lambda user: os.setuid(user), [0, 1, 65534])


@attempt
def a_program_of_set_user_id():
    # chmod is allowed, and of no effect.
    path = os.path.abspath("shell")
    subprocess.run(["cp", "/bin/bash", path], check=True)
    os.chmod(path, 0o6755)
    user = subprocess.run([path, "-p", "-c", "id -u"], capture_output=True, text=True).stdout.strip()
    os.unlink(path)
    if user != str(os.getuid()):
        return f"it ran as {user}"
    raise Stopped("it ran as myself")


@attempt
def device_files():
    return each(lambda device: os.mknod("device", 0o600 | 0o020000, device), [os.makedev(1, 1), os.makedev(8, 0)])


@attempt
def hard_links():
    return each(lambda path: os.link(path, "linked"), ["/etc/passwd", "/usr/bin/env", "/dev/null"])


@attempt
def more_memory_for_me():
    import resource

    def raise_limit(what):
        resource.setrlimit(what, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        return "raised"

    kinds = [resource.RLIMIT_DATA, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE]
    return each(raise_limit, kinds)


@attempt
def inherited_descriptors():
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
    odd = {number: target for number, target in found.items() if number > 2 and not target.startswith("/proc/")}
    if odd:
        return str(odd)
    raise Stopped(f"only {found}")


def main():
    results = {}
    for name, function in ATTEMPTS.items():
        try:
            results[name] = [True, str(function())]
        except (OSError, Stopped, ValueError) as exc:
            results[name] = [False, f"{type(exc).__name__}: {exc}"]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
