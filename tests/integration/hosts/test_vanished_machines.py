"""A machine that vanishes in the middle of its work holds up nobody for long, and is itself not held up for long.

TCP alone would have the database wait for hours for a client that will never say anything again, with all the locks of
its transaction, and a client for a quarter of an hour for an answer that will never come.
"""

from __future__ import annotations

import json
import sys

import pytest

from studio.database.connection import Database
from studio.database.liveness import KEEPALIVE
from studio.lanes import prepare_database
from studio.settings import Settings
from tests.support.hosts import Hosts
from tests.support.hosts_host import Host
from tests.support.hosts_postgres import HostPostgres
from tests.support.queue import InBackground, enqueue, make_project
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)

# The default lease: what a lost worker held is taken back then, for which its locks must be gone.
LEASE_SECONDS = 60.0
HOLD = """
import sys, time
from studio.database.connection import Database
with Database(sys.argv[1]) as db, db.transaction() as conn:
    conn.execute("select public.append_agent_job_events(%s, %s::jsonb)", [sys.argv[2], '[{"type": "log"}]'])
    print("held", flush=True)
    time.sleep(3600)
"""
LOOK = """
import json, socket, sys
import sqlalchemy
from greenlight_dagster.instance.engines import shared_engine
from greenlight_dagster.stack.urls import sqlalchemy_url
from studio.database.connection import Database

def seen(descriptor):
    with socket.socket(fileno=descriptor) as held:
        options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                   (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)]
        found = [held.getsockopt(*option) for option in options]
        held.detach()
    return [bool(found[0]), *found[1:]]

with Database(sys.argv[1]) as db:
    with db.connection() as conn:
        pooled = seen(conn.fileno())
    with db.connect() as conn:
        direct = seen(conn.fileno())
with shared_engine(sqlalchemy_url(sys.argv[1])).connect() as conn:
    dagster = seen(conn.connection.fileno())
print(json.dumps({"pooled": pooled, "direct": direct, "dagster": dagster}))
"""
CONNECT = """
import sys
from sqlalchemy.exc import OperationalError
from greenlight_dagster.instance.engines import shared_engine
from greenlight_dagster.stack.urls import sqlalchemy_url
try:
    shared_engine(sqlalchemy_url(sys.argv[1])).connect()
except OperationalError as exc:
    print(exc)
"""


@pytest.fixture(scope="module")
def postgres(control: Host) -> HostPostgres:
    server = HostPostgres(control)
    server.start()
    server.create("fleet")
    return server


def test_the_locks_of_a_vanished_machine_are_gone_before_its_lease_is(
    hosts: Hosts, east: Host, postgres: HostPostgres
) -> None:
    with Database(postgres.url_here("fleet"), pool_size=4) as db:
        prepare_database(db, Settings())
        project = make_project(db)
        held = enqueue(db, project)
        program = east.run([sys.executable, "-c", HOLD, postgres.url("fleet"), str(held)], "hold")
        eventually(lambda: "held" in program.output(), 60.0, "the transaction")
        another = InBackground(lambda: enqueue(db, project))
        east.power_off()
        assert another.result(LEASE_SECONDS) is not None
    # And every connection of ours gives up on a server that has vanished.
    look = hosts["west"].run([sys.executable, "-c", LOOK, postgres.url("fleet")], "look")
    assert look.wait(120.0) == 0, look.output()
    wanted = [True, KEEPALIVE["keepalives_idle"], KEEPALIVE["tcp_user_timeout"]]
    assert json.loads(look.output()) == dict.fromkeys(("pooled", "direct", "dagster"), wanted)


def test_a_machine_that_is_cut_off_does_not_wait_for_a_connection(east: Host, postgres: HostPostgres) -> None:
    east.cut_off()
    # The kernel tries for two minutes, and ever more rarely.
    program = east.run([sys.executable, "-c", CONNECT, postgres.url("fleet")], "connect")
    assert program.wait(90.0) == 0
    assert "timeout expired" in program.output()
