"""Mails to send, a server that keeps Resend's promises, and senders in processes of their own.

`ResendServer` follows the documented API: one delivery per key, the same answer again for the same key and body, 409
for another body or while the first is being worked on. What it delivers is what it counts.
"""

from __future__ import annotations

import contextlib
import email
import email.message
import email.parser
import email.policy
import json
import multiprocessing
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from psycopg import sql

from studio.database.connection import Database
from studio.mail.message import Mail, mail_from_row
from studio.mail.personal import personal
from studio.mail.sender import Sender, Summary
from studio.settings import Settings
from tests.support import mail_process
from tests.support.queue import make_project

KEY = "re_test_key_of_the_installation"
SENDING = {"email_send": True, "deploy": False, "repo_write": False, "ads_enabled": False, "ads_budget_cap": 0}


def mail_settings(data_dir: Path, **changes: Any) -> Settings:
    """Return settings with which every letter can be written and signed."""
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "app_base_url": "https://studio.test",
        "pages_base_url": "https://pages.test",
        "link_secret": "a secret of the tests, long enough",
    }
    return Settings(**{**given, **changes})


def sending_project(db: Database, **columns: Any) -> UUID:
    """Insert a project that may send mail."""
    return make_project(db, permissions=json.dumps(SENDING), **columns)


def add_mail(db: Database, project_id: UUID, **columns: Any) -> UUID:
    """Insert a due row with the columns that every client of the seed writes, and `columns`."""
    row: dict[str, Any] = {
        "project_id": project_id,
        "to_email": f"{uuid4().hex[:12]}@example.org",
        "subject": "A word",
        "html_body": "<p>Hello</p>",
        "scheduled_for": "2026-01-01T00:00:00Z",
        **columns,
    }
    statement = sql.SQL("insert into public.email_jobs ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    with db.connection() as conn:
        found = conn.execute(statement, row).fetchone()
    assert found is not None
    return UUID(str(found["id"]))


def add_mails(db: Database, project_id: UUID, count: int, category: str = "transactional") -> None:
    """Insert `count` due mails to different addresses in one statement."""
    db.execute(
        "insert into public.email_jobs (project_id, outbox_key, to_email, subject, html_body, category, scheduled_for)"
        " select %s, 'mail:' || n, 'reader-' || n || '@example.org', 'Number ' || n, '<p>Number ' || n || '</p>', %s,"
        " timestamptz '2026-01-01' + n * interval '1 second' from generate_series(1, %s) n",
        [project_id, category, count],
    )


def mails(db: Database, project_id: UUID) -> list[dict[str, Any]]:
    return db.fetch_all(
        "select * from public.email_jobs where project_id = %s order by scheduled_for, created_at, id", [project_id]
    )


def mail(db: Database, email_id: UUID) -> dict[str, Any]:
    row = db.fetch_one("select * from public.email_jobs where id = %s", [email_id])
    assert row is not None
    return row


def as_sent(settings: Settings, row: dict[str, Any]) -> Mail:
    """Return a row of the outbox as its receiver gets it, with his own links."""
    return personal(settings, mail_from_row(row))


def statuses(db: Database, project_id: UUID) -> Counter[str]:
    return Counter(row["status"] for row in mails(db, project_id))


def lose_senders(db: Database) -> None:
    """Let every sender's lease be over."""
    db.execute("update public.email_jobs set leased_until = now() - interval '1 second' where status = 'sending'")


def send(db: Database, settings: Settings, limit: int = 1000, **when: Any) -> Summary:
    """Send what is due, in this process."""
    return Sender(db, settings, run=str(uuid4())).send_due(limit, **when)


def files(settings: Settings) -> list[Path]:
    return sorted((settings.data_dir / "outbox").glob("*.eml"))


def read(path: Path) -> email.message.EmailMessage:
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)  # type: ignore[return-value]


def written_to(settings: Settings) -> Counter[str]:
    """Return how many files of the outbox are addressed to whom; only their heads are read."""
    parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
    return Counter(parser.parsebytes(path.read_bytes())["To"] for path in files(settings))


def parts(message: email.message.EmailMessage) -> tuple[str, str]:
    """Return the text and the HTML of a message."""
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


# --- Resend


class ResendServer:
    """Delivers each key once. `script` holds answers to give instead, in order; `pause` runs before an answer."""

    def __init__(self, listener: socket.socket | None = None) -> None:
        self.delivered: list[dict[str, Any]] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.script: deque[tuple[int, dict[str, Any]]] = deque()
        self.lose_answers = 0
        self.keys = {KEY}
        self._known: dict[tuple[str, str], tuple[bytes, dict[str, Any]]] = {}
        self._working: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self.on_delivery: Callable[[int], None] = lambda _count: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = server.answer(self.path, self.headers, body)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                status, said = answer
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if listener is not None:
            self._http.socket.close()
            self._http.socket = listener
        host, port = self._http.socket.getsockname()
        self.url = f"http://{host}:{port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """Return status and answer; None closes the connection without one."""
        account = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        key = str(headers.get("Idempotency-Key", ""))
        with self._lock:
            self.requests.append((key, json.loads(body)))
            if self.script:
                return self.script.popleft()
            if path != "/emails" or not 0 < len(key) <= 256:
                return _error(400, "invalid_idempotency_key", "The key must have 1 to 256 characters.")
            if account not in self.keys:
                return _error(403, "invalid_api_key", "API key is invalid")
            if (account, key) in self._working:
                return _error(409, "concurrent_idempotent_requests", "Another request is in progress.")
            known = self._known.get((account, key))
            if known is not None:
                if known[0] != body:
                    return _error(409, "invalid_idempotent_request", "The payload differs.")
                return 200, known[1]
            said = {"id": str(uuid4())}
            self._known[account, key] = (body, said)
            self.delivered.append(json.loads(body))
            count = len(self.delivered)
            lost = self.lose_answers > 0
            self.lose_answers -= lost
        self.on_delivery(count)
        return None if lost else (200, said)

    def forget(self) -> None:
        """Let a day pass, after which keys are forgotten."""
        self._known.clear()

    def to(self) -> Counter[str]:
        """Return how often each address was delivered to."""
        return Counter(message["to"][0] for message in self.delivered)

    def __enter__(self) -> ResendServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _error(status: int, name: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"statusCode": status, "name": name, "message": message}


def resend_settings(data_dir: Path, server: ResendServer, **changes: Any) -> Settings:
    """Return settings that send through `server`."""
    given = {"resend_api_key": KEY, "resend_from_email": "Studio <mail@studio.test>", "resend_url": server.url}
    return mail_settings(data_dir, **{**given, **changes})


# --- senders in processes of their own

# One server process has everything loaded, and forks a sender in milliseconds.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.support.mail_process"])


@contextlib.contextmanager
def sender_process(db_url: str, settings: Settings, *, limit: int = 1000, die: str = "") -> Iterator[ForkServerProcess]:
    """Run a sender in a process of its own. `die` names the point after which it kills itself, as in `send:3`."""
    process = _processes.Process(target=mail_process.send, args=(db_url, settings, limit, die), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def end_of(process: ForkServerProcess, timeout: float = 120) -> int:
    """Return the exit code of a sender, negative for the signal that ended it."""
    process.join(timeout)
    assert process.exitcode is not None, "the sender does not end"
    return process.exitcode
