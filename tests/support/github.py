"""A GitHub on loopback, as far as the studio speaks to it: real git over HTTP, and the pull requests of its REST API.

Git is `git http-backend` on bare repositories; who comes without the token may read the public ones. A fault is
ordered for the next request that matches: before it takes effect, or after. `requests` is what was asked for, and
`looks` are functions that a test has called in the middle of each request.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

Kind = Literal["status", "drop", "hang", "redirect"]
TOKEN = "ghp_Zt81mXq0LrVbKcYw52Hn9DsEuAfGj6PoIT3k"
_QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def run_git(*arguments: str, cwd: Path, stdin: bytes = b"") -> str:
    """Run git as a developer has it, without the configuration of this machine; return what it writes."""
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, input=stdin, capture_output=True, env={**os.environ, **_QUIET}, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="surrogateescape")


@dataclass
class Fault:
    """What happens instead of an answer; `done`: although what was asked for has happened."""

    kind: Kind
    method: str
    path: str
    status: int = 500
    body: Any = None
    done: bool = False


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class GitHub:
    """The server's state; `private` are the repositories that only the token opens."""

    folder: Path
    url: str = ""
    private: set[str] = field(default_factory=set)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    drafts: bool = True
    requests: list[Asked] = field(default_factory=list)
    looks: list[Callable[[Asked], None]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Event = field(default_factory=threading.Event)

    def repository(self, name: str = "acme/shop", files: Mapping[str, str | bytes] | None = None) -> Path:
        """Make a repository; without `files` an empty one. Return its folder."""
        bare = self.folder / f"{name}.git"
        bare.parent.mkdir(parents=True, exist_ok=True)
        run_git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(bare), cwd=self.folder)
        with (bare / "config").open("a") as config:
            # It would look for something to tidy up after each push.
            config.write("[receive]\n\tautoGC = false\n")
        if files is not None:
            self.commit(name, files)
        return bare

    def commit(self, name: str, files: Mapping[str, str | bytes], *, branch: str = "main", onto: str = "") -> str:
        """Commit `files`, and nothing else, as `branch`, which may be there already. Return the commit."""
        bare = self.folder / f"{name}.git"
        stream = bytearray(f"commit refs/heads/{branch}\n".encode())
        stream += b"committer Ada <ada@example.com> 1767225600 +0000\ndata 4\nWork\n"
        stream += f"from {onto}\ndeleteall\n".encode() if onto else b""
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            stream += f'M 100644 inline "{path}"\ndata {len(data)}\n'.encode() + data + b"\n"
        stream = stream.replace(b"\n", b"\nmark :1\n", 1) + b"\nget-mark :1\n"
        return run_git("fast-import", "--quiet", "--force", cwd=bare, stdin=bytes(stream)).strip()

    def git(self, name: str, *arguments: str) -> str:
        """Run git in a repository of the server."""
        return run_git(*arguments, cwd=self.folder / f"{name}.git")

    def branches(self, name: str = "acme/shop") -> dict[str, str]:
        """Return the commits of all branches."""
        listing = self.git(name, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads")
        return dict(line.split() for line in listing.splitlines())

    def fault(self, kind: Kind, method: str, path: str, **options: Any) -> None:
        """Order a fault for the next request of this method whose path ends like this."""
        self.faults.append(Fault(kind, method, path, **options))

    def asked(self, method: str, path: str) -> list[Asked]:
        """The requests of this method whose path ends like this."""
        return [asked for asked in self.requests if asked.method == method and asked.path.endswith(path)]

    def take_fault(self, asked: Asked) -> Fault | None:
        found = next((f for f in self.faults if f.method == asked.method and asked.path.endswith(f.path)), None)
        if found is not None:
            self.faults.remove(found)
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.close_connection = True
        github = self.server.github
        parts = urllib.parse.urlsplit(self.path)
        headers = dict(self.headers)
        asked = Asked(self.command, parts.path, dict(urllib.parse.parse_qsl(parts.query)), headers, self._body())
        github.requests.append(asked)
        for look in github.looks:
            look(asked)
        fault = github.take_fault(asked)
        with contextlib.suppress(ConnectionError):
            if fault is None:
                self._answer(*self._happen(asked, parts.query))
                return
            if fault.done:
                self._happen(asked, parts.query)
            if fault.kind == "status":
                self._answer(fault.status, {"Content-Type": "application/json"}, json.dumps(fault.body).encode())
            elif fault.kind == "redirect":
                self._answer(302, {"Location": fault.body}, b"")
            elif fault.kind == "hang":
                github.hanging.set()
                github.closing.wait(30)
            # "drop": the connection ends without a word.

    def _happen(self, asked: Asked, query: str) -> tuple[int, dict[str, str], bytes]:
        github = self.server.github
        if asked.path.startswith("/repos/"):
            status, answer = self._api(asked)
            return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()
        name = "/".join(asked.path.split("/")[1:3]).removesuffix(".git")
        user = self._user()
        if user is None and (name in github.private or "receive-pack" in self.path):
            return 401, {"WWW-Authenticate": 'Basic realm="GitHub"'}, b"Authentication failed"
        if not (github.folder / f"{name}.git").exists():
            return 404, {}, b"Repository not found."
        return _backend(github.folder, asked, query, user)

    def _user(self) -> str | None:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            return None
        user, _, password = base64.b64decode(given).decode().partition(":")
        return user if password == TOKEN else None

    def _api(self, asked: Asked) -> tuple[int, Any]:
        github = self.server.github
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        _, _, owner, name, *rest = asked.path.split("/")
        if rest != ["pulls"] or not (github.folder / owner / f"{name}.git").exists():
            return 404, {"message": "Not Found"}
        if asked.method == "GET":
            state, head = asked.query.get("state", "open"), asked.query.get("head")
            rows = [row for row in github.pulls if row["state"] == state or state == "all"]
            return 200, [row for row in rows if head in (None, row["head"]["label"])]
        return self._open(asked.json, f"{owner}/{name}")

    def _open(self, wanted: dict[str, Any], name: str) -> tuple[int, Any]:
        github = self.server.github
        label = f"{name.partition('/')[0]}:{wanted['head']}"

        def invalid(message: str) -> tuple[int, Any]:
            return 422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "message": message}]}

        commits = github.branches(name)
        if wanted["head"] not in commits or wanted["base"] not in commits:
            return invalid("head or base is invalid")
        if any(row["head"]["label"] == label and row["state"] == "open" for row in github.pulls):
            return invalid(f"A pull request already exists for {label}.")
        if wanted["draft"] and not github.drafts:
            return 422, {"message": "Draft pull requests are not supported in this repository."}
        row = {
            "number": len(github.pulls) + 1,
            "state": "open",
            "title": wanted["title"],
            "body": wanted["body"],
            "draft": wanted["draft"],
            "html_url": "javascript:alert(1)",
            "head": {"ref": wanted["head"], "label": label, "sha": commits[wanted["head"]]},
            "base": {"ref": wanted["base"]},
        }
        github.pulls.append(row)
        return 201, row

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = bytearray()
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _backend(folder: Path, asked: Asked, query: str, user: str | None) -> tuple[int, dict[str, str], bytes]:
    """Have `git http-backend` answer, as a web server would."""
    given = {
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": asked.path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": asked.method,
        "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(asked.body)),
        "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""),
        "PATH": os.environ["PATH"],
        **_QUIET,
        **({"REMOTE_USER": user} if user else {}),
    }
    done = subprocess.run(["git", "http-backend"], input=asked.body, capture_output=True, env=given, check=False)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return int(headers.pop("Status", "200").split()[0]), headers, body


class _Server(ThreadingHTTPServer):
    github: GitHub
    daemon_threads = False
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the point of many tests."""


@contextlib.contextmanager
def github(folder: Path) -> Iterator[GitHub]:
    """Serve repositories under `folder` until the end."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.github = GitHub(folder, f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.github
    finally:
        server.github.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
