"""Everything a run needs that can be there before the run is known: modules, definitions, the instance."""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import Iterator

import dagster as dg
from dagster import BetaWarning as BetaWarning
from dagster import DagsterInstance, DagsterRunStatus, reconstructable
from dagster._core.instance.ref import InstanceRef
from dagster._core.origin import RepositoryPythonOrigin
from dagster._serdes import deserialize_value
from dagster._utils.hosted_user_process import recon_repository_from_origin
from dagster_postgres import PostgresRunStorage
from sqlalchemy.exc import SQLAlchemyError

from greenlight_dagster.instance import engines

# Imported for the workers, which would each import them otherwise.
from greenlight_dagster.launcher import lost_runs as lost_runs
from greenlight_dagster.launcher import worker as worker
from greenlight_dagster.launcher.messages import Message

log = logging.getLogger("greenlight.launcher.template")

# What a module of the code imports only when a run needs it, because code servers and commands never do.
IMPORTED_WHEN_USED = {"resources.model": "studio.model.client"}
# What a module's runs can have gone through before them, by the function `rehearse` of another.
REHEARSED = {"jobs.chat_reply": "studio.chat.rehearsal"}


def load(order: Message) -> DagsterInstance:
    """Load the code of `order` and return its instance, without open connections; raise what loading raises."""
    instance = DagsterInstance.from_ref(deserialize_value(order["instance"], InstanceRef))
    instance.inject_env_vars(order.get("location"))
    origin = deserialize_value(order["origin"], RepositoryPythonOrigin)
    repository = recon_repository_from_origin(origin).get_definition()
    import_what_runs_use()
    log.info("loaded %d jobs", len(repository.get_all_jobs()))
    try:
        rehearse(instance)
    except SQLAlchemyError as exc:
        log.warning("without a rehearsal, because the database cannot be used: %s", exc)
    engines.disconnect()
    return instance


def import_what_runs_use() -> None:
    """Import and build what the loaded code would in its runs, so that no worker does it again."""
    for module, used in IMPORTED_WHEN_USED.items():
        if module in sys.modules:
            importlib.import_module(used)
    for module, rehearsal in REHEARSED.items():
        if module in sys.modules:
            importlib.import_module(rehearsal).rehearse()


# Nothing is handed to an IO manager, which would write a file of it.
@dg.op(out=dg.Out(dg.Nothing))
def _nothing():  # type: ignore[no-untyped-def]  # Dagster reads the annotations
    # While it stores one, Dagster asks for more of the schema than otherwise: by a second connection, where it has
    # never asked before.
    yield dg.AssetMaterialization("rehearsal")
    yield dg.Output(None)


@dg.job(executor_def=dg.in_process_executor)
def _rehearsal() -> None:
    _nothing()


def rehearse(instance: DagsterInstance) -> None:
    """Carry out a run that does nothing, so that imports have happened and caches are filled for those that will.

    It leaves no trace: what it writes is rolled back, what it prints is deleted.
    """
    storage = instance.run_storage
    engine = engines.shared_engine(storage.postgres_url) if isinstance(storage, PostgresRunStorage) else None
    with _quiet(), engines.rehearsal(engine) if engine is not None else contextlib.nullcontext():
        nowhere = None if engine is not None else DagsterInstance.ephemeral()
        stage = nowhere or instance
        job = reconstructable(_rehearsal)
        run = stage.create_run_for_job(
            _rehearsal, status=DagsterRunStatus.STARTING, job_code_origin=job.get_python_origin()
        )
        worker.execute(run, stage)
        stage.compute_log_manager.delete_logs(prefix=[run.run_id])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
