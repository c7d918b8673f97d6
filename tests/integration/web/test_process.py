"""The program `python -m web`: it says where it listens, takes a socket from its parent, and ends when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from studio.paths import ROOT
from studio.settings import get_settings
from tests.support.waiting import eventually
from web.__main__ import main


def start(*arguments: str, descriptors: tuple[int, ...] = (), **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "web", "public", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        pass_fds=descriptors,
        stderr=subprocess.PIPE,
        text=True,
    )


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", verify=False, timeout=30).json()["status"] == "ok"
    except httpx.TransportError:
        return False


def test_it_says_its_port_and_ends_on_a_signal(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "web.port"
    process = start("--port", "0", "--port-file", str(file), DATABASE_URL=database_url)
    try:
        eventually(lambda: file.exists() or process.poll() is not None, what="the port file")
        assert healthy(f"http://127.0.0.1:{file.read_text().strip()}")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert (process.returncode, file.exists()) == (0, False)
        assert "Traceback" not in log
    finally:
        process.kill()
        process.communicate()


def test_a_socket_of_its_parent_outlives_it(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for _ in range(2):
            process = start(
                "--descriptor", str(listening.fileno()), descriptors=(listening.fileno(),), DATABASE_URL=database_url
            )
            try:
                # Who comes before it is up waits in the socket.
                assert healthy(url)
            finally:
                process.kill()
                process.communicate()


def test_what_keeps_it_from_starting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["public", "--port", "0"]) == 1
    assert "No database is configured" in caplog.text
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    get_settings.cache_clear()
    assert main(["public", "--host", "192.0.2.1", "--port", "80"]) == 1
    assert "cannot start on 192.0.2.1:80" in caplog.text
    with pytest.raises(SystemExit):
        main(["public", "--port", "99999"])
    assert "is no port" in capsys.readouterr().err
    assert "Traceback" not in caplog.text
