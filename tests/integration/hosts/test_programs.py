"""The programs of a fleet's control host serve the other hosts, and crash as they do elsewhere."""

from __future__ import annotations

import contextlib
import sys

import psycopg
import pytest

from tests.support.hosts import Hosts
from tests.support.hosts_brokers import HostRabbit, HostRedis
from tests.support.hosts_host import Host
from tests.support.hosts_postgres import HostPostgres
from tests.support.size import FULL

pytestmark = pytest.mark.timeout(300)

WRITE = """
import psycopg, sys
psycopg.connect(sys.argv[1], autocommit=True).execute("insert into kept values (1)")
"""


def test_a_database_on_one_host_serves_the_others_and_survives_a_crash(control: Host, hosts: Hosts) -> None:
    server = HostPostgres(control)
    server.start()
    server.create("fleet")
    with psycopg.connect(server.url_here("fleet"), autocommit=True) as conn:
        conn.execute("create table kept (n int)")
        for host in hosts:
            program = host.run([sys.executable, "-c", WRITE, server.url("fleet")], "ask")
            assert program.wait(60.0) == 0, program.output()
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    assert server.pids() == []
    server.start()
    with psycopg.connect(server.url_here("fleet")) as conn:
        assert conn.execute("select count(*) from kept").fetchone() == (3,)
    server.crash()


def test_a_redis_on_one_host_serves_the_others_and_comes_back_empty(control: Host, hosts: Hosts) -> None:
    broker = HostRedis(control)
    broker.start()
    with contextlib.closing(hosts["west"].connect(control.address, HostRedis.PORT)) as conn:
        conn.sendall(b"SET word hello\r\n")
        assert conn.recv(64) == b"+OK\r\n"
        broker.crash()
        # The end, not an answer.
        assert conn.recv(64) == b""
    broker.start()
    assert broker.ask("DBSIZE") == b":0"
    broker.crash()


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: RabbitMQ takes seconds to start")
def test_a_rabbitmq_on_one_host_serves_the_others(control: Host, hosts: Hosts) -> None:
    broker = HostRabbit(control)
    broker.start()
    with contextlib.closing(hosts["west"].connect(control.address, HostRabbit.PORT, 60.0)) as conn:
        conn.sendall(b"AMQP\x00\x00\x09\x01")
        # A method frame on channel 0 (AMQP 0-9-1, 2.3.5): Connection.Start.
        assert conn.recv(3) == b"\x01\x00\x00"
    broker.stop()
