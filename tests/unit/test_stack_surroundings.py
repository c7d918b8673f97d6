"""Folders, ports, environment and signals of a stack: private where they must be, and never somebody else's."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from greenlight_dagster.stack import environment, ports, secrets
from greenlight_dagster.stack.databases import Databases
from greenlight_dagster.stack.descent import MARKER
from greenlight_dagster.stack.folders import CODE_LOCATION, Folders
from greenlight_dagster.stack.parts import PUBLIC, STUDIO, Application, Daemon, Sandbox, Web
from greenlight_dagster.stack.profile import Profile
from greenlight_dagster.stack.signals import Signals
from greenlight_dagster.stack.stack import Stack
from studio import links
from studio.errors import StackError
from studio.paths import ROOT
from studio.settings import Settings


def test_the_instance_is_configured_by_the_one_file_in_the_root(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "data")
    folders.make_root()
    (tmp_path / "data" / "dagster_home").mkdir()
    (tmp_path / "data" / "dagster_home" / "dagster.yaml").write_text("a copy of another release")
    for _ in range(2):
        folders.prepare()
        assert (folders.dagster_home / "dagster.yaml").resolve() == ROOT / "dagster.yaml"


def test_a_profile_brings_its_own_configuration_and_daemon(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.touch()
    profile = Profile(dagster_yaml=own, daemon_command=lambda workspace: ["own-daemon", str(workspace)])
    folders = Folders(tmp_path / "data", profile.dagster_yaml)
    folders.make_root()
    folders.prepare()
    assert (folders.dagster_home / "dagster.yaml").resolve() == own.resolve()
    daemon = Daemon(folders, lambda: "", profile)
    assert daemon.command() == ["own-daemon", str(folders.workspace)]


def test_both_workspaces_name_the_same_location_and_the_same_code(tmp_path: Path) -> None:
    """Dagster stores cursors and run keys under the location's name: another one would forget them."""
    folders = Folders(tmp_path)
    folders.prepare()
    stack_location = json.loads(folders.workspace.read_text())["load_from"][0]["grpc_server"]
    assert stack_location == {"socket": str(folders.code_socket), "location_name": CODE_LOCATION}
    developer_location = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    default_module = signature(Stack).parameters["definitions_module"].default
    assert developer_location == {"module_name": default_module, "location_name": CODE_LOCATION}


@pytest.mark.parametrize("name", ["with space", "ü", "a" * 100, "per%20cent"])
def test_the_socket_lies_elsewhere_where_a_path_cannot_be_a_socket(tmp_path: Path, name: str) -> None:
    folders = Folders(tmp_path / name)
    folders.make_root()
    folders.prepare()
    try:
        assert folders.root not in folders.code_socket.parents
        assert folders.code_socket.parent.stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folders.code_socket))
        assert Folders(tmp_path / f"{name}2").code_socket != folders.code_socket
    finally:
        folders.tidy()
    assert not folders.code_socket.parent.exists()


def test_a_socket_folder_that_somebody_prepared_for_us_is_refused(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "with space")
    folders.make_root()
    folders.code_socket.parent.symlink_to(tmp_path)
    try:
        with pytest.raises(StackError, match="belongs to somebody else"):
            folders.prepare()
    finally:
        folders.code_socket.parent.unlink()


def test_the_socket_in_the_data_folder_is_private() -> None:
    with tempfile.TemporaryDirectory() as short:
        folders = Folders(Path(short))
        folders.prepare()
        assert folders.code_socket.parent == Path(short).resolve() / "run"
        assert folders.code_socket.parent.stat().st_mode & 0o777 == 0o700
        folders.tidy()
        assert folders.code_socket.parent.exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_an_occupied_port_gives_way_to_the_next_free_one(address: str) -> None:
    with socket.create_server((address, 0)) as occupied:
        taken = occupied.getsockname()[1]
        chosen = ports.free_port(taken)
        assert chosen != taken
    assert ports.free_port(taken) == taken


def test_any_free_port_can_be_bound() -> None:
    with socket.create_server((ports.LOOPBACK, ports.free_port())):
        pass


def exports(settings: Settings, folder: Path, *, secret: bool) -> dict[str, str]:
    folders = Folders(folder)
    databases = Databases(settings, folders.postgres)
    databases.studio_url, databases.dagster_url = "postgresql://h/s", "postgresql+psycopg2://h/d"
    sandbox = Sandbox(folders) if environment.needs_sandbox(settings) else None
    if sandbox is not None:
        sandbox.port = 4711
    return environment.exports(settings, folders, databases, sandbox, secret=secret)


def test_without_a_model_the_sandbox_is_exported(tmp_path: Path) -> None:
    expected = {
        "DATABASE_URL": "postgresql://h/s",
        "GREENLIGHT_DAGSTER_DATABASE_URL": "postgresql+psycopg2://h/d",
        "DAGSTER_HOME": str(tmp_path / "dagster_home"),
        "GREENLIGHT_DATA_DIR": str(tmp_path),
        "DAGSTER_GRPC_MAX_WORKERS": "24",
        "DAGSTER_CODE_SERVER_MAX_WORKERS": "24",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:4711",
        "ANTHROPIC_API_KEY": "sandbox",
        "CLAUDE_DIRECT_MODEL": "sandbox",
    }
    assert exports(Settings(model="m"), tmp_path, secret=False) == expected
    # A shell that took over the exports of an earlier stack brings the address of its dead sandbox along.
    stale = Settings(anthropic_api_key="sandbox", anthropic_base_url="http://127.0.0.1:1")
    assert exports(stale, tmp_path, secret=False) == expected


@pytest.mark.parametrize("secret", [True, False])
def test_a_key_of_the_users_own_is_not_written_down(tmp_path: Path, secret: bool) -> None:
    found = exports(Settings(anthropic_api_key="sk-own", model="m"), tmp_path, secret=secret)
    assert found.get("ANTHROPIC_API_KEY") == ("sk-own" if secret else None)
    assert "ANTHROPIC_BASE_URL" not in found
    assert found["CLAUDE_DIRECT_MODEL"] == "m"


def test_a_server_that_speaks_the_models_protocol_needs_no_sandbox(tmp_path: Path) -> None:
    found = exports(Settings(anthropic_base_url="http://model.example"), tmp_path, secret=True)
    assert found["ANTHROPIC_BASE_URL"] == "http://model.example"
    assert "ANTHROPIC_API_KEY" not in found


def web(folder: Path, application: Application = PUBLIC, *, last: int | None = None) -> Web:
    folders = Folders(folder)
    folders.make_root()
    port_file = folders.web_port if application is PUBLIC else folders.studio_port
    if last is not None:
        port_file.write_text(f"{last}\n")
    return Web(application, port_file, None)


def test_pages_live_where_the_user_says_and_else_where_the_stack_serves_them(tmp_path: Path) -> None:
    public, studio = web(tmp_path), web(tmp_path, STUDIO)
    with contextlib.ExitStack() as listening:
        for part in (public, studio):
            part.listen()
            listening.callback(part.close)
        own, theirs = (studio.url, public.url), "https://pages.example.org"
        # By another host name, because a cookie is sent to every port of one.
        assert urlsplit(str(own[0])).hostname != urlsplit(str(own[1])).hostname
        for settings, addresses in (
            (Settings(), own),
            (Settings(app_base_url=theirs), (theirs, own[1])),
            (Settings(pages_base_url=theirs), (own[0], theirs)),
            (Settings(app_base_url=theirs, pages_base_url=f"{theirs}/p"), (theirs, f"{theirs}/p")),
        ):
            found = environment.of_pages(settings, studio, public, None)
            assert (found["APP_BASE_URL"], found["GREENLIGHT_PAGES_URL"]) == addresses
    assert environment.of_pages(Settings(), None, None, None) == {}


def test_the_address_of_the_last_stack_is_no_wish_of_the_users(tmp_path: Path) -> None:
    """A shell that took `greenlight env` over has it, and starts a stack whose port has to be another one."""
    with socket.create_server((ports.LOOPBACK, 0)) as occupied:
        last = occupied.getsockname()[1]
        part = web(tmp_path, last=last)
        part.listen()
        try:
            stale = Settings(pages_base_url=f"http://127.0.0.1:{last}/")
            assert part.port != last
            assert set(environment.of_pages(stale, None, part, None).values()) == {part.url}
        finally:
            part.close()


def test_a_folders_pages_keep_their_port(tmp_path: Path) -> None:
    first = Web(PUBLIC, Folders(tmp_path).web_port, 0)
    first.listen()
    port = first.port
    first.close()
    second = web(tmp_path)
    second.listen()
    assert second.port == port
    second.close()
    assert second.url is None


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    made = secrets.kept(file)
    assert secrets.kept(file) == made
    assert made != secrets.kept(tmp_path / "other.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(made.integration_key)) == 32
    assert links.sign(Settings(link_secret=made.link_secret), links.FILE, "x")
    file.write_text("{}")
    with pytest.raises(StackError, match=re.escape(str(file))):
        secrets.kept(file)
    assert file.read_text() == "{}", "what links and credentials need is never replaced"


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_of_the_users_own_is_not_written_down(tmp_path: Path, secret: bool) -> None:
    made = secrets.kept(tmp_path / "secrets.json")
    assert environment.of_secrets(Settings(), made, secret=secret) == made.variables()
    theirs = Settings(link_secret="a secret of the user's own")
    found = environment.of_secrets(theirs, made, secret=secret)
    assert found.get("GREENLIGHT_LINK_SECRET") == ("a secret of the user's own" if secret else None)
    assert found["PROJECT_INTEGRATION_ENCRYPTION_KEY"] == made.integration_key
    taken_over = Settings(link_secret=made.link_secret, integration_key=made.integration_key)
    assert environment.of_secrets(taken_over, made, secret=secret) == made.variables()


def test_the_mark_is_for_children_and_not_for_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What carries the mark is ended with the stack; a person's shell must not be."""
    monkeypatch.setenv("DAGSTER_GRPC_PORT", "4000")
    monkeypatch.setenv("OWN", "kept")
    assert MARKER not in exports(Settings(), tmp_path, secret=True)
    child = environment.of_child({"DATABASE_URL": "x"}, "the-id")
    assert (child[MARKER], child["DATABASE_URL"], child["OWN"]) == ("the-id", "x", "kept")
    assert "DAGSTER_GRPC_PORT" not in child


@pytest.fixture
def signals() -> Iterator[tuple[Signals, threading.Event]]:
    # Under `nohup` the suite itself has it ignored, and so would the stack.
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    stopping = threading.Event()
    caught = Signals(stopping)
    yield caught, stopping
    caught.restore()
    signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_and_during_the_stop_hurries(
    signals: tuple[Signals, threading.Event], number: signal.Signals
) -> None:
    caught, stopping = signals
    former = signal.getsignal(number)
    caught.catch()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)
    assert not caught.hurry.is_set()
    stopping.set()
    signal.raise_signal(number)
    assert caught.hurry.is_set()
    caught.restore()
    assert signal.getsignal(number) is former


def test_a_stack_under_nohup_outlives_its_terminal(signals: tuple[Signals, threading.Event]) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        signals[0].catch()
        signal.raise_signal(signal.SIGHUP)
        signals[0].restore()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_folder_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot be used.*GREENLIGHT_DATA_DIR"):
        Stack(tmp_path / "file" / "data", Settings()).start()
    assert os.listdir(tmp_path) == ["file"]
