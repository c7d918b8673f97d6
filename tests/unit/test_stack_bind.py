"""A stack listens on loopback unless it is told otherwise, and says where people reach it, not where it listens."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from greenlight_dagster.cli import sign_in, stack
from greenlight_dagster.cli.main import run
from greenlight_dagster.stack.environment import where_ui
from greenlight_dagster.stack.folders import Folders
from greenlight_dagster.stack.parts import PUBLIC, STUDIO, Application, Ui, Web
from greenlight_dagster.stack.ports import EVERYWHERE, LOOPBACK
from studio.settings import Settings


@pytest.mark.parametrize("application", [STUDIO, PUBLIC], ids=lambda application: application.name)
@pytest.mark.parametrize("bind", [None, LOOPBACK, EVERYWHERE])
def test_the_web_applications_listen_where_they_are_told(
    application: Application, bind: str | None, tmp_path: Path
) -> None:
    given = {} if bind is None else {"bind": bind}
    part = Web(application, tmp_path / "port", 0, **given)
    with contextlib.closing(part):
        part.listen()
        (descriptor,) = part.descriptors()
        with socket.socket(fileno=socket.dup(descriptor)) as sock:
            assert sock.getsockname()[0] == (bind or LOOPBACK)
        # Whoever is told of it is on this machine, or comes by the name that APP_BASE_URL says.
        assert part.url == f"http://{application.host}:{part.port}"


def test_so_does_the_dagster_ui(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    for part, expected in ((Ui(folders, 0), LOOPBACK), (Ui(folders, 0, EVERYWHERE), EVERYWHERE)):
        command = part.command()
        assert command[command.index("--host") + 1] == expected


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost", "::", "*", ""])
def test_an_address_that_the_stack_could_not_ask_itself_is_a_wrong_call(
    host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["up", "--host", host]) == 2
    assert "--host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "asked", "expected"),
    [
        ("http://localhost:3030", False, "http://localhost:3030/sign-in/once"),
        ("http://127.0.0.1:3030", False, "http://127.0.0.1:3030/sign-in/once"),
        ("https://studio.example.org", True, "https://studio.example.org/sign-in/once"),
        ("https://studio.example.org/", False, "https://studio.example.org/sign-in"),
        (None, False, None),
    ],
)
def test_a_link_that_opens_a_studio_elsewhere_stands_in_no_log(
    base: str | None, asked: bool, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine keeps what a container prints, and ships it: each start would put a key there, good for an hour."""
    monkeypatch.setattr(sign_in, "link_to", lambda known: f"{known.app_base_url}/sign-in/once")
    assert stack.way_in(Settings(app_base_url=base), asked=asked) == expected


def test_people_are_led_to_dagster_where_they_are_said_to_find_it(tmp_path: Path) -> None:
    ui = Ui(Folders(tmp_path), 0)
    ui.port = 3000
    proxied = "https://studio.example.org:8443"
    assert where_ui(proxied, ui) == where_ui(proxied, None) == proxied
    # Where an earlier stack of this folder had it, in a shell that took its environment over.
    for stale in (None, "http://127.0.0.1:3007", "http://localhost:3007/"):
        assert where_ui(stale, ui) == "http://127.0.0.1:3000"
    assert where_ui("http://127.0.0.1:3007", None) == "http://127.0.0.1:3007"
    assert where_ui(None, None) is None
