"""InsForge's records API on loopback, over a real database to which `insforge/migrations` was applied.

What is taken from its own code and from PostgREST's documentation: the key in `Authorization: Bearer` stands for the
role `project_admin`, a user's JWT for `authenticated` with its claims; empty strings are removed from the records where
their column is no text, and only then have all records to have the same keys; an array is inserted in one statement, by
the caller's role; errors have PostgREST's codes and statuses; nothing is repeated inside.

A fault is ordered for the next request that writes (POST, PATCH or DELETE): before it takes effect, or after.
"""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import jwt
import psycopg
from psycopg import sql

from studio.database.connection import Connection, Database
from studio.paths import ROOT
from tests.support.insforge_filters import Refusal, where
from tests.support.postgres import TestServer

MIGRATIONS = sorted((ROOT / "insforge" / "migrations").glob("*.sql"))
API_KEY = "ik_0123456789abcdef0123456789abcdef"
_JWT_SECRET = "the project's JWT secret, long enough for HS256"
_LIMIT, _LARGEST_LIMIT = 100, 1000
_TEXT = frozenset({"text", "character varying", "character"})
_STATUSES = {"08": 503, "23503": 409, "23505": 409, "25006": 405, "40": 500, "42501": 403, "42P01": 404,
             "53": 503, "54": 500, "55": 500, "57": 500, "58": 500, "XX": 500}  # fmt: skip
# What InsForge brings: its roles, and the rights that it gives them on each new table.
_PRELUDE = """
do $$
declare
  role_name text;
begin
  foreach role_name in array array['anon', 'authenticated', 'project_admin'] loop
    begin
      execute format('create role %I nologin noinherit', role_name);
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end
$$;
grant usage on schema public to anon, authenticated, project_admin;
alter default privileges in schema public grant all on tables to anon, authenticated, project_admin;
"""

Kind = Literal["status", "drop", "hang"]


@dataclass
class Fault:
    """What happens to the next write instead of an ordinary answer. `stored`: although it has taken effect."""

    kind: Kind
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    stored: bool = False
    released: threading.Event = field(default_factory=threading.Event)


class InsForge:
    """A project: its tables, and the requests it got. `tables` are read in SQL by the tests."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.url = ""
        self._lock = threading.Lock()
        self._columns: dict[str, dict[str, str]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget records, faults and requests."""
        self.database.execute("truncate public.pipeline_traces, public.pipeline_spans")
        with self._lock:
            self.faults: list[Fault] = []
            self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    def fault(self, kind: Kind, times: int = 1, **options: Any) -> Fault:
        """Order a fault for the next writes; return the last of them."""
        with self._lock:
            self.faults += [Fault(kind, **options) for _ in range(times)]
            return self.faults[-1]

    def ids(self, table: str = "pipeline_spans", key: str = "span_id") -> list[str]:
        """Return the keys of a table's records."""
        query = sql.SQL("select {key}::text as key from {table} order by 1")
        with self.database.connection() as conn:
            rows = conn.execute(query.format(key=sql.Identifier(key), table=sql.Identifier(table))).fetchall()
        return [row["key"] for row in rows]

    @staticmethod
    def token(sub: str) -> str:
        """Return a signed-in user's JWT."""
        return jwt.encode({"sub": sub, "role": "authenticated", "aud": "insforge-api"}, _JWT_SECRET, "HS256")

    # --- what it does

    def take_fault(self) -> Fault | None:
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    def happen(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Do what a request asks for and return status and answer."""
        try:
            claims = _claims(headers.get("Authorization", ""))
            parts = urllib.parse.urlsplit(path)
            prefix, _, table = parts.path.rpartition("/")
            if prefix != "/api/database/records":
                raise Refusal(404, "NOT_FOUND", f"Endpoint {path} not found")
            query = dict(urllib.parse.parse_qsl(parts.query))
            # What Express reads twice is handed on as `name[]`, which PostgREST knows no column for.
            assert len(query) == len(urllib.parse.parse_qsl(parts.query)), path
            with self._acting_as(claims) as conn:
                columns = self._columns_of(conn, table)
                if method == "POST":
                    return 201, _insert(conn, table, columns, query, headers.get("Prefer", ""), body)
                if method in ("PATCH", "DELETE"):
                    return (200 if method == "PATCH" else 204), _write(conn, table, columns, query, body)
                return 200, _select(conn, table, columns, query)
        except Refusal as refusal:
            return refusal.status, refusal.body
        except psycopg.Error as exc:
            code = exc.sqlstate or "XX000"
            status = next((status for known, status in _STATUSES.items() if code.startswith(known)), 400)
            detail = exc.diag.message_detail
            return status, {"code": code, "message": exc.diag.message_primary, "details": detail, "hint": None}

    @contextlib.contextmanager
    def _acting_as(self, claims: dict[str, Any]) -> Iterator[Connection]:
        with self.database.transaction() as conn:
            conn.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
            conn.execute(sql.SQL("set local role {}").format(sql.Identifier(claims["role"])))
            yield conn

    def _columns_of(self, conn: Connection, table: str) -> dict[str, str]:
        if table not in self._columns:
            rows = conn.execute(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'public' and table_name = %s",
                [table],
            ).fetchall()
            if not rows:
                raise Refusal(404, "PGRST205", f"Could not find the table 'public.{table}' in the schema cache")
            self._columns[table] = {row["column_name"]: row["data_type"] for row in rows}
        return self._columns[table]


def _claims(authorization: str) -> dict[str, Any]:
    token = authorization.removeprefix("Bearer ")
    if token == API_KEY:
        return {"role": "project_admin"}
    try:
        claims: dict[str, Any] = jwt.decode(token, _JWT_SECRET, ["HS256"], audience="insforge-api")
    except jwt.InvalidTokenError:
        message = "Invalid API key" if token.startswith("ik_") else "Invalid token"
        raise Refusal(401, "", message, error="AUTH_INVALID_CREDENTIALS", statusCode=401) from None
    return claims


def _insert(
    conn: Connection, table: str, columns: dict[str, str], query: dict[str, str], prefer: str, body: bytes
) -> list[Any]:
    try:
        records = json.loads(body)
    except ValueError as exc:
        raise Refusal(400, "", str(exc), error="INVALID_INPUT", statusCode=400) from None
    records = records if isinstance(records, list) else [records]
    records = [
        {key: value for key, value in record.items() if value != "" or columns.get(key, "text") in _TEXT}
        for record in records
    ]
    keys = list(records[0])
    if any(record.keys() != set(keys) for record in records):
        raise Refusal(400, "PGRST102", "All object keys must match")
    for key in keys:
        if key not in columns:
            raise Refusal(400, "PGRST204", f"Could not find the '{key}' column of '{table}' in the schema cache")
    preferences = {part.strip() for part in prefer.split(",")}
    conflict = sql.SQL("")
    if "resolution=ignore-duplicates" in preferences:
        conflict = sql.SQL(" on conflict ({}) do nothing").format(sql.Identifier(query["on_conflict"]))
    conn.execute(
        sql.SQL(
            "insert into public.{table} ({keys}) select {keys}"
            " from jsonb_populate_recordset(null::public.{table}, %s::jsonb){conflict}"
        ).format(table=sql.Identifier(table), keys=sql.SQL(", ").join(map(sql.Identifier, keys)), conflict=conflict),
        [json.dumps(records)],
    )
    # The gateway's answer to nothing, which `return=minimal` asks for.
    return []


def _write(conn: Connection, table: str, columns: dict[str, str], query: dict[str, str], body: bytes) -> list[Any]:
    """Change or delete what the filters find; a limit is passed by, as PostgREST does since its version 13."""
    condition, values = where(table, columns, query)
    if not body:
        conn.execute(sql.SQL("delete from public.{} where {}").format(sql.Identifier(table), condition), values)
        return []
    record = json.loads(body)
    for key in record:
        if key not in columns:
            raise Refusal(400, "PGRST204", f"Could not find the '{key}' column of '{table}' in the schema cache")
    keys = sql.SQL(", ").join(map(sql.Identifier, record))
    conn.execute(
        sql.SQL(
            "update public.{table} set ({keys}) = (select {keys} from jsonb_populate_record(null::public.{table}, %s))"
            " where {condition}"
        ).format(table=sql.Identifier(table), keys=keys, condition=condition),
        [json.dumps(record), *values],
    )
    return []


def _select(conn: Connection, table: str, columns: dict[str, str], query: dict[str, str]) -> Any:
    condition, values = where(table, columns, query)
    order, _, direction = query.get("order", next(iter(columns))).partition(".")
    chosen = [name for name in query.get("select", "*").split(",") if name != "*"] or list(columns)
    rows = conn.execute(
        sql.SQL(
            "select coalesce(jsonb_agg(to_jsonb(t)), '[]') as rows from"
            " (select {} from public.{} where {} order by {} {} limit %s offset %s) t"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, chosen)), sql.Identifier(table), condition,
            sql.Identifier(order), sql.SQL("desc" if direction == "desc" else "asc"),
        ),
        [*values, min(int(query.get("limit", _LIMIT)), _LARGEST_LIMIT), int(query.get("offset", 0))],
    ).fetchone()  # fmt: skip
    assert rows is not None
    return rows["rows"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in two packets waits for its first one's receipt.
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def do_PATCH(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self._serve(b"")

    def _serve(self, body: bytes) -> None:
        insforge = self.server.insforge
        insforge.requests.append((self.command, self.path, dict(self.headers), body))
        fault = insforge.take_fault() if self.command != "GET" else None
        if fault is None:
            self._answer(*insforge.happen(self.command, self.path, self.headers, body))
            return
        if fault.stored:
            status, answer = insforge.happen(self.command, self.path, self.headers, body)
            assert status < 300, answer
        if fault.kind == "status":
            self._answer(fault.status, fault.body, fault.headers)
            return
        if fault.kind == "hang":
            fault.released.wait(30)
        # The connection ends without a word.
        self.close_connection = True

    def _answer(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        body = b"" if status == 204 else body
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    insforge: InsForge
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the point of some tests."""


@contextlib.contextmanager
def insforge(postgres: TestServer) -> Iterator[InsForge]:
    """Run an InsForge project with the traces' tables, in a database of its own."""
    with postgres.temporary() as name, Database(postgres.url(name), pool_size=4) as database:
        migrate(database)
        project = InsForge(database)
        server = _Server(("127.0.0.1", 0), _Handler)
        server.insforge = project
        project.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield project
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def migrate(database: Database) -> None:
    """Apply the migrations to an empty database, as InsForge makes one."""
    with database.transaction() as conn:
        conn.execute(_PRELUDE)
        for file in MIGRATIONS:
            conn.execute(file.read_text(encoding="utf-8").encode())
