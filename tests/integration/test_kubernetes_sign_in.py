"""The proxy before the Dagster UI lets in who signs in, and nobody else: the chart's configuration in a real Caddy."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.kubernetes import EVERY_OPTION, EXAMPLE, Manifests
from tests.support.waiting import eventually

CADDY = shutil.which("caddy") or ""
pytestmark = pytest.mark.skipif(not CADDY, reason="Caddy is not on this machine (`apt install caddy`)")

SOMEBODY = ("olga", "a long password")
DAGSTER = "https://dagster.example.org"
# What browsers send along and no page can set: Dagster's own page asks; a person opens one, from wherever.
OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
OPENS = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html,*/*",
}


class Upstream:
    """Stands where the Dagster UI does, and says who was let through."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made: Upstream

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            # Who asks whether somebody may come in is answered by a cookie.
            refused = self.path == "/verify" and "session=good" not in (self.headers.get("cookie") or "")
            self.send_response(401 if refused else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked is kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made = Upstream(f"127.0.0.1:{server.server_port}")
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def proxy(name: str, upstream: Upstream, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start Caddy on the Caddyfile that the chart renders, at other addresses."""
    text = Manifests(name).of("ConfigMap")["greenlight-sign-in"]["data"]["Caddyfile"]
    for there, here in {
        ":8080 {": f"http://127.0.0.1:{port} {{",
        "/etc/sign-in/users": str(folder / "users"),
        "dagster-webserver:3000": upstream.address,
        "sso.sign-in:80": upstream.address,
    }.items():
        text = text.replace(there, here)
    if _version() < (2, 8):
        # Debian's older Caddy knows it by its former name.
        text = text.replace("basic_auth", "basicauth")
    (folder / "Caddyfile").write_text(text)
    user, password = SOMEBODY
    hashed = subprocess.run([CADDY, "hash-password", "--plaintext", password], check=True, stdout=subprocess.PIPE)
    (folder / "users").write_text(f"{user} {hashed.stdout.decode().strip()}\n")
    environment = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = [CADDY, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stderr=log)


def _version() -> tuple[int, int]:
    said = subprocess.run([CADDY, "version"], check=True, stdout=subprocess.PIPE).stdout.decode()
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


@pytest.fixture(params=[EXAMPLE, EVERY_OPTION])
def site(
    request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path, free_tcp_port: int
) -> Iterator[tuple[str, httpx.Client]]:
    process = proxy(request.param, upstream, tmp_path, free_tcp_port)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{free_tcp_port}") as client:

            def answers() -> bool:
                assert process.poll() is None, (tmp_path / "log").read_text()
                try:
                    return client.get("/sign-in-health").status_code == httpx.codes.NO_CONTENT
                except httpx.TransportError:
                    return False

            eventually(answers, what="an answer of the proxy")
            yield request.param, client
    finally:
        process.terminate()
        process.wait()


def test_nobody_reaches_the_ui_without_signing_in(site: tuple[str, httpx.Client], upstream: Upstream) -> None:
    name, client = site
    assert client.get("/runs").status_code == 401
    assert client.get("/sign-in-health/../runs").status_code == 401
    if name == EXAMPLE:
        assert client.get("/runs", headers=OWN, auth=(SOMEBODY[0], "another")).status_code == 401
    assert client.get("/runs", headers=OWN).status_code == 401
    assert "/runs" not in upstream.asked
    assert signed_in(name, client).get("/runs", headers=OWN).status_code == 200
    assert upstream.asked.count("/runs") == 1


def signed_in(name: str, client: httpx.Client) -> httpx.Client:
    """Return the client as a browser that sends along what somebody has signed in with, whoever makes it ask."""
    if name == EXAMPLE:
        client.auth = httpx.BasicAuth(*SOMEBODY)
    else:
        client.headers["cookie"] = "session=good"
    return client


def test_no_other_page_uses_what_somebody_has_signed_in_with(
    site: tuple[str, httpx.Client], upstream: Upstream
) -> None:
    """Dagster carries out changes on any GET, and browsers send passwords along, to whatever page asks."""
    name, client = site
    browser = signed_in(name, client)
    del browser.headers["accept"]
    path = "/graphql?query=mutation"
    image = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    refused = [
        browser.get(path),
        *(browser.get(path, headers={**image, "Sec-Fetch-Site": near}) for near in ("same-site", "cross-site")),
        browser.get(path, headers={**OPENS, "Sec-Fetch-Dest": "iframe"}),
        # Dagster would not answer it with a page.
        browser.get(path, headers={**OPENS, "Accept": "*/*"}),
        browser.post(path, headers=OPENS),
        *(
            browser.post(path, headers={**OWN, "Origin": origin})
            for origin in ("null", "https://pages.example.org", f"{DAGSTER}.evil.example", "http://dagster.example.org")
        ),
        # A websocket as another page opens it.
        browser.get(
            path,
            headers={"Origin": "https://pages.example.org", "Connection": "Upgrade", "Upgrade": "websocket"},
        ),
    ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert path not in upstream.asked
    allowed = [
        browser.get(path, headers=OPENS),
        browser.get(path, headers=OWN),
        browser.get(path, headers={"Sec-Fetch-Site": "none"}),
        browser.post(path, headers={**OWN, "Origin": DAGSTER}),
    ]
    assert [answer.status_code for answer in allowed] == [200] * len(allowed)
    assert {answer.headers["x-frame-options"] for answer in allowed} == {"DENY"}
    assert upstream.asked.count(path) == len(allowed)
