"""The stack uses a server of the user's own where one is configured, and makes only what is missing there."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from greenlight_dagster.stack import databases
from greenlight_dagster.stack.databases import Databases
from greenlight_dagster.stack.folders import Folders
from sensors.relays import SENSORS
from sensors.waiting import OTHER_THREADS
from studio.errors import SettingsError, StackError
from studio.settings import Settings
from tests.support.postgres import TestServer


@pytest.fixture
def no_dagster_database(postgres: TestServer) -> Iterator[None]:
    """A server without a database named as Dagster's. Never somebody else's server: the name is fixed."""
    if postgres.embedded is None:
        pytest.skip("the server is not ours")
    postgres.drop(databases.DAGSTER)
    yield
    postgres.drop(databases.DAGSTER)


@pytest.mark.usefixtures("no_dagster_database")
def test_dagster_gets_a_database_beside_the_studios(database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        ours = Databases(Settings(database_url=database_url), tmp_path)
        ours.prepare()
        assert ours.studio_url == database_url
        with psycopg.connect(ours.require_dagster_url()) as conn:
            assert conn.info.dbname == databases.DAGSTER
        assert ours.pid is None
        assert not ours.look_after(print)
        ours.stop()
    assert list(tmp_path.iterdir()) == []
    psycopg.connect(database_url).close()


@pytest.mark.usefixtures("no_dagster_database")
def test_a_user_who_may_not_create_it_is_told_what_to_do(
    database_url: str, postgres: TestServer, tmp_path: Path
) -> None:
    role = sql.Identifier(f"stack_{secrets.token_hex(4)}")
    with psycopg.connect(postgres.url(postgres.maintenance), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        try:
            as_role = make_conninfo(database_url, user=role.as_string().strip('"'))
            with pytest.raises(StackError, match=r"may not create it.*GREENLIGHT_DAGSTER_DATABASE_URL"):
                Databases(Settings(database_url=as_role), tmp_path).prepare()
        finally:
            conn.execute(sql.SQL("DROP ROLE {}").format(role))


def test_a_server_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    away = Databases(Settings(database_url=f"postgresql://me:secret@/app?host={tmp_path}/away"), tmp_path / "data")
    with pytest.raises(StackError, match=r"away.*cannot be reached") as caught:
        away.prepare()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "running locally" not in str(caught.value), "libpq's own advice is about another machine"
    with pytest.raises(StackError, match="no database yet"):
        away.require_studio_url()
    with pytest.raises(SettingsError, match="cannot be read"):
        Databases(Settings(database_url="nonsense"), tmp_path)


@pytest.mark.filterwarnings("ignore:Handling yaml-defined logging configuration")
def test_the_root_configuration_makes_an_instance_that_runs_jobs(
    postgres: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file as it is: storage, threads, log handler and all. A wrong driver fails at the first event."""
    folders = Folders(tmp_path)
    folders.prepare()

    @dg.op
    def speak(context: dg.OpExecutionContext) -> None:
        context.log.info("spoken")

    @dg.job(executor_def=dg.in_process_executor)
    def speech() -> None:
        speak()

    with postgres.temporary() as name:
        monkeypatch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", postgres.sqlalchemy_url(name))
        monkeypatch.setenv("DAGSTER_HOME", str(folders.dagster_home))
        with dg.DagsterInstance.get() as instance:
            assert "Queued" not in type(instance.run_coordinator).__name__
            assert type(instance.run_launcher).__name__ == "WarmRunLauncher"
            assert not instance.telemetry_enabled
            assert not instance.run_retries_enabled
            assert not instance.run_monitoring_enabled
            sensors = {"use_threads": True, "num_workers": 20, "num_submit_workers": 4}
            assert instance.get_settings("sensors") == sensors
            assert sensors["num_workers"] >= len(SENSORS) + OTHER_THREADS
            result = speech.execute_in_process(instance=instance)
            assert result.success
            assert any(entry.user_message == "spoken" for entry in instance.all_logs(result.run_id))
