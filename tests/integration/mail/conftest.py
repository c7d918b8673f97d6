"""A database per module, settings with an outbox folder, and a server that speaks Resend's API."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.settings import Settings
from tests.support.mail import ResendServer, mail_settings
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has projects of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Mail goes into a folder of this test: in memory where that is here, as each file is written through to a disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="greenlight-mail-", dir=memory) as folder:
        yield mail_settings(Path(folder))


@pytest.fixture
def resend() -> Iterator[ResendServer]:
    with ResendServer() as server:
        yield server
