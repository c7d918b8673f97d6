"""What people build with runs inside, and reaches the registries that the settings name, if any, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from studio.code.sandbox import Sandbox, SandboxKind
from studio.errors import OutboundRefused
from tests.support.sandbox_attack import LIMITS


def bash(sandbox: Sandbox, command: str) -> str:
    return sandbox.run(["bash", "-c", command], seconds=60).output


def test_programs_that_people_use_run(sandbox: Sandbox) -> None:
    said = bash(
        sandbox,
        "git init -q . && git add -A && git commit -qm x --allow-empty && git log --format=%an;"
        "python3 -c 'import threading, subprocess, ssl, multiprocessing as m; print(m.Pool(2).map(abs, [-1, -2]))';"
        "cat <(echo substituted); echo $((1 + 1)) | tee /dev/stderr >/dev/null; id -un; hostname; date +%Z;"
        'python3 -c \'import http.server, threading, urllib.request as u; s = http.server.HTTPServer(("127.0.0.1", 0),'
        " http.server.SimpleHTTPRequestHandler); threading.Thread(target=s.serve_forever, daemon=True).start();"
        ' print(u.urlopen(f"http://localhost:{s.server_port}/").status)\' 2>/dev/null',
    )
    assert said.split("\n") == ["agent", "[1, 2]", "substituted", "2", "agent", "sandbox", "UTC", "200", ""]


REGISTRY = """
import socket, sys
def ask(host, port=443):
    sock = socket.create_connection(("127.0.0.1", 3128), timeout=20)
    sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\\r\\nHost: {host}:{port}\\r\\n\\r\\n".encode())
    answer = sock.recv(1000).decode().split("\\r\\n")[0]
    if " 200 " in answer:
        sock.sendall(b"hello")
        answer += " " + sock.recv(100).decode()
    return answer
print(ask("packages.test"), ask("elsewhere.test"), ask("packages.test", 80), ask("169.254.169.254"), sep="\\n")
"""


@pytest.fixture
def echo() -> Iterator[int]:
    """A server on this machine that says back what it hears, in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(connection.recv(100).upper())

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_the_registries_of_the_settings_are_reached_and_nothing_else(
    kind: SandboxKind, notes: list[str], echo: int
) -> None:
    def resolve(host: str, port: int) -> Sequence[tuple[str, int]]:
        if host != "packages.test":
            raise OutboundRefused(f"{host} is not to be looked up.")
        return [("127.0.0.1", echo)]

    with Sandbox(kind, LIMITS, registry_hosts=["packages.test"], resolve=resolve, note=notes.append) as sandbox:
        said = sandbox.run(["python3", "-c", REGISTRY], seconds=60).output.splitlines()
        assert "3128" in bash(sandbox, "env | grep -i https_proxy")
    assert " 200 " in said[0]
    assert said[0].endswith("HELLO")
    assert [" 403 " in line for line in said[1:]] == [True, True, True]
    assert sorted(note.split(" was refused")[0] for note in notes) == [
        "169.254.169.254:443",
        "elsewhere.test:443",
        "packages.test:80",
    ]


def test_a_registry_that_leads_to_this_network_is_refused(kind: SandboxKind, notes: list[str]) -> None:
    with Sandbox(kind, LIMITS, registry_hosts=["localhost"], note=notes.append) as sandbox:
        script = REGISTRY.replace('ask("packages.test"), ', 'ask("localhost"), ')
        assert " 200 " not in sandbox.run(["python3", "-c", script], seconds=60).output
    assert any(note.startswith("localhost:443 was refused") for note in notes)
