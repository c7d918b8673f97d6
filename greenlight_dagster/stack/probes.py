"""Does it answer? One question per kind of part; each returns at once."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import psutil
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from greenlight_dagster.stack.ports import LOOPBACK

_ANSWER_SECONDS = 2.0
# The service name under which Dagster's code server reports its health.
_CODE_SERVICE = "DagsterApi"
# The daemons without which nothing is picked up. The others depend on the instance's configuration.
_NEEDED_DAEMONS = frozenset({"SENSOR", "SCHEDULER"})


def code_server_answers(code_socket: Path) -> bool:
    """Ask a Dagster code server for its health; it serves only after it has loaded all definitions."""
    with grpc.insecure_channel(f"unix:{code_socket}") as channel:
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=_CODE_SERVICE), timeout=_ANSWER_SECONDS
            )
        except grpc.RpcError:
            return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def http_answers(port: int, path: str) -> bool:
    """Say whether GET `path` on the loopback `port` answers 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def port_answers(port: int) -> bool:
    """Say whether something listens on the loopback `port`."""
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_SECONDS)
        return probe.connect_ex((LOOPBACK, port)) == 0


def listens(pid: int, port: int) -> bool:
    """Say whether process `pid`, and not somebody else, listens on `port`."""
    try:
        sockets = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(entry.status == psutil.CONN_LISTEN and entry.laddr.port == port for entry in sockets)


def written_port(file: Path) -> int | None:
    """Return the port that a server wrote into `file`, or None where it has not yet."""
    try:
        return int(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def daemon_ids(dagster_url: str) -> dict[str, str]:
    """Return which process last sent a heartbeat for each of Dagster's daemons, by daemon type.

    `dagster_url` is the libpq URL of Dagster's database. Empty where that has no tables yet or is away.
    """
    try:
        with psycopg.connect(dagster_url, connect_timeout=int(_ANSWER_SECONDS)) as conn:
            return dict(conn.execute("SELECT daemon_type, daemon_id FROM daemon_heartbeats").fetchall())
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return {}


def daemon_beats(dagster_url: str, before: dict[str, str]) -> bool:
    """Say whether another daemon process than that of the ids `before` sends heartbeats.

    Ids are compared, not times: no clock has to be right.
    """
    now = daemon_ids(dagster_url)
    return all(now.get(kind, before.get(kind)) != before.get(kind) for kind in _NEEDED_DAEMONS)
