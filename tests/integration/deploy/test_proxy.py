"""The proxy is the only door: TLS, two origins with nothing in common, no Dagster without an operator's session.

`deploy/Caddyfile` is run as it is, by Caddy, before the studio's own servers and Dagster's.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from studio import events, sign_in
from studio.database.connection import Database
from studio.events import NewEvent
from tests.support import caddy
from tests.support.caddy import Caddy
from tests.support.house import PAGE, SESSION, House, dagster_ui
from tests.support.postgres import TestServer
from tests.support.queue import enqueue
from tests.support.waiting import eventually
from tests.support.web import LINK_SECRET, StudioThread, WebThread

pytestmark = pytest.mark.skipif(caddy.PROGRAM is None, reason="needs caddy (apt install caddy)")

MUTATION = "mutation{setNuxSeen}"
# What browsers send along and no page can set.
OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
OPENS = {
    "Sec-Fetch-Site": "same-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html,*/*",
}


@pytest.fixture(scope="module")
def house(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    *of_proxy, ui_port = caddy.free_ports(4)
    proxy = Caddy(folder, of_proxy)
    told = {
        "app_base_url": proxy.studio_url,
        "pages_base_url": proxy.pages_url,
        "dagster_ui_url": proxy.dagster_url,
        "trusted_proxies": "127.0.0.1",
        # Whatever is held back until the stream ends is never seen.
        "stream_seconds": 3600,
    }
    with contextlib.ExitStack() as left:
        name = left.enter_context(postgres.temporary(database_template))
        database = left.enter_context(Database(postgres.url(name)))
        studio = StudioThread(database, folder / "data", **told)
        public = WebThread(database, folder / "data", **told)
        left.enter_context(studio)
        left.enter_context(public)
        home = left.enter_context(dagster_ui(folder / "dagster", ui_port))
        left.callback(proxy.stop)
        ports = [thread._socket.getsockname()[1] for thread in (studio, public)]
        proxy.start(studio=ports[0], pages=ports[1], dagster=ui_port)
        yield House(proxy, database, studio, home)


def test_plain_http_leads_to_https(house: House) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", house.caddy.http_port, timeout=30)
    with contextlib.closing(connection):
        for host in (caddy.STUDIO, caddy.PAGES):
            connection.request("GET", "/a?b=c", headers={"Host": host})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 308
            assert answer.headers["Location"] == f"https://{host}/a?b=c"


def test_the_two_origins_serve_nothing_of_each_other(house: House) -> None:
    project = house.project()
    public = house.caddy.ask(house.caddy.pages_url, f"/launch/{project}")
    assert (public.status, public.body) == (200, PAGE.encode())
    assert "sandbox" in public.headers["content-security-policy"]
    assert public.headers["strict-transport-security"]
    assert house.caddy.ask(house.caddy.pages_url, "/sign-in").status == 404
    assert house.caddy.ask(house.caddy.studio_url, f"/launch/{project}").status == 404
    # Not under another name either, whatever the certificate's.
    for url, other in ((house.caddy.pages_url, caddy.STUDIO), (house.caddy.studio_url, "somewhere.example")):
        assert house.caddy.ask(url, "/sign-in", headers={"Host": other}).status == 421


def test_the_studio_is_signed_into_through_the_proxy(house: House) -> None:
    assert house.caddy.ask(house.caddy.studio_url, "/api/me", headers=house.session()).json["ownerClerkId"] == "ada"
    assert house.caddy.ask(house.caddy.studio_url, "/api/me").status == 401


def test_without_a_session_nothing_reaches_dagster(house: House) -> None:
    refused = [
        house.dagster(),
        house.dagster("/runs"),
        house.dagster("/%67raphql?query=" + quote(MUTATION)),
        house.dagster("/graphql", headers={**OWN, "Cookie": f"{SESSION}=made-up"}),
        house.dagster("/graphql", method="POST", headers={**OWN, "Content-Type": "application/graphql"}, body=MUTATION),
        house.dagster("/logs/x", method="DELETE", headers=OWN),
    ]
    assert {answer.status for answer in refused} <= {401, 403}
    assert not house.nux_seen()
    with pytest.raises(InvalidStatus):
        websocket(house, {})


def test_a_person_who_opens_dagster_is_led_in_by_the_studio(house: House) -> None:
    away = house.dagster("/runs/1?tab=logs", headers=OPENS)
    assert away.status == 303
    way = away.headers["location"].removeprefix(house.caddy.studio_url)
    assert way == f"/operator/dagster?to={quote('/runs/1?tab=logs', safe='')}"
    page = house.caddy.ask(house.caddy.studio_url, way, headers=OPENS)
    assert (page.status, page.headers["location"]) == (303, f"/sign-in?next={quote(way, safe='')}")
    back = house.caddy.ask(house.caddy.studio_url, way, headers={**OPENS, **house.session()})
    assert (back.status, back.headers["location"]) == (303, f"{house.caddy.dagster_url}/runs/1?tab=logs")
    opened = house.dagster("/runs/1?tab=logs", headers={**OPENS, **house.session()})
    assert (opened.status, opened.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert opened.headers["x-frame-options"] == "DENY"


def test_nobody_is_led_out_of_the_house(house: House) -> None:
    for to in ("https://evil.example/", "//evil.example/", "/\\evil.example", "/a\r\nSet-Cookie: b=c"):
        answer = house.caddy.ask(
            house.caddy.studio_url, f"/operator/dagster?to={quote(to, safe='')}", headers={**OPENS, **house.session()}
        )
        assert answer.status == 303
        assert answer.headers["location"].startswith(f"{house.caddy.dagster_url}/")
        assert "set-cookie" not in answer.headers


def test_an_operator_works_with_dagster(house: House) -> None:
    mine = {**OWN, **house.session()}
    assert house.dagster(headers=mine).json["dagster_webserver_version"]
    # Larger than what the studio takes as a body, which is not the studio's here.
    query = json.dumps({"query": "query{version}", "padding": "x" * 300_000})
    answer = house.dagster("/graphql", method="POST", body=query, headers={**mine, "Content-Type": "application/json"})
    assert (answer.status, bool(answer.json["data"]["version"])) == (200, True)


def test_no_other_page_uses_an_operators_session(house: House) -> None:
    """Published pages may be of the same site: browsers send the cookie along. And Dagster changes on GET, too."""
    session = house.session()
    theirs = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    foreign = {"Origin": house.caddy.pages_url}
    path = "/graphql?query=" + quote(MUTATION)
    refused = [
        house.dagster(path, headers={**session, **theirs}),
        house.dagster(path, headers={**session, **theirs, "Sec-Fetch-Site": "cross-site"}),
        house.dagster(path, headers=session),
        house.dagster(path, headers={**session, **OPENS, "Sec-Fetch-Dest": "iframe"}),
        house.dagster(path, method="POST", headers={**session, **OPENS}),
        house.dagster(path, method="POST", headers={**session, **foreign}),
        house.dagster(path, headers={**session, "Origin": "null"}),
        # What the studio's own pages do over there is not asked for either: a port is an origin.
        house.dagster(path, headers={**session, "Origin": house.caddy.studio_url}),
    ]
    assert {answer.status for answer in refused} == {403}
    for origin in (house.caddy.pages_url, house.caddy.studio_url):
        with pytest.raises(InvalidStatus):
            websocket(house, session, origin)
    # A link that a person follows is let pass: Dagster then answers with a page of its own, and asks nothing.
    followed = house.dagster(path, headers={**session, **OPENS})
    assert (followed.status, followed.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert not house.nux_seen()
    assert house.dagster(path, headers={**session, **OWN}).status == 200
    assert house.nux_seen(), "the mutation is one that Dagster carries out"


def test_subscriptions_come_through(house: House) -> None:
    with websocket(house, house.session()) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {}}))
        assert json.loads(socket.recv(30))["type"] == "connection_ack"
        query = 'subscription{pipelineRunLogs(runId:"none"){__typename}}'
        socket.send(json.dumps({"type": "start", "id": "1", "payload": {"query": query}}))
        answer = json.loads(socket.recv(30))
        assert answer["type"] == "data"
        assert answer["payload"]["data"]["pipelineRunLogs"]["__typename"] == "PipelineRunLogsSubscriptionFailure"


def websocket(house: House, headers: dict[str, str], origin: str | None = None) -> Any:
    """Open Dagster's websocket as a page of `origin` does, by default Dagster's own."""
    return connect(
        # The socket is encrypted already: not wss.
        f"ws://{caddy.STUDIO}:{house.caddy.dagster_port}/graphql",
        sock=house.caddy.connect(caddy.STUDIO, house.caddy.dagster_port),
        subprotocols=["graphql-ws"],  # type: ignore[list-item]
        origin=origin or house.caddy.dagster_url,  # type: ignore[arg-type]
        additional_headers=headers,
        open_timeout=30,
    )


def test_the_proxys_question_is_not_for_the_world(house: House) -> None:
    for path in ("/api/operator/session", "/api/operator/session?x", "/api/operator/../operator/session"):
        assert house.caddy.ask(house.caddy.studio_url, path, headers=house.session()).status == 404


def test_events_are_handed_on_as_they_come(house: House) -> None:
    project = house.project()
    job = enqueue(house.db, project)
    headers = {**house.session(), "Accept": "text/event-stream", "Accept-Encoding": "gzip, br"}
    with house.caddy.opened(house.caddy.studio_url, f"/api/projects/{project}/events", headers=headers) as stream:
        assert stream.status == 200
        assert stream.getheader("Content-Encoding") is None
        for number in range(3):
            with house.db.transaction() as conn:
                events.append(conn, job, [NewEvent("log", f"line {number}")])
            # The stream goes on for an hour: what is read here was not held back.
            while f"line {number}".encode() not in stream.readline():
                pass


def test_visitors_are_told_apart_by_what_the_proxy_sees_and_not_by_what_they_say(house: House) -> None:
    project = house.project()
    for source, said in (("127.0.0.1", "203.0.113.7"), ("127.0.0.1", "203.0.113.8"), ("127.0.0.2", "203.0.113.7")):
        told = {"X-Forwarded-For": said, "Forwarded": f"for={said}", "X-Real-IP": said}
        house.caddy.ask(house.caddy.pages_url, f"/launch/{project}", headers=told, source=source)
    counted = "select count(*)::int as n from project_analytics_events where event_name = 'traffic' and project_id = %s"

    def count() -> int:
        row = house.db.fetch_one(counted, [project])
        assert row is not None
        return int(row["n"])

    eventually(lambda: count() == 2, 20, "two visitors, of the two addresses")


def test_who_comes_while_a_server_restarts_waits_for_it(house: House, tmp_path: Path) -> None:
    *ports, pages_port = caddy.free_ports(4)
    proxy = Caddy(tmp_path, ports)
    proxy.start(studio=pages_port, pages=pages_port, dagster=pages_port)
    try:
        with contextlib.ExitStack() as left:
            # Sent before there is a server; answered by the one that then comes.
            answer = left.enter_context(_asked_before(proxy, pages_port))
            assert answer.status == 200
    finally:
        proxy.stop()


@contextlib.contextmanager
def _asked_before(proxy: Caddy, port: int) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPSConnection(caddy.PAGES, timeout=60)
    connection.sock = proxy.connect(caddy.PAGES, proxy.https_port)
    connection.request("GET", "/")
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            yield connection.getresponse()
        finally:
            connection.close()
            server.terminate()


def test_logs_hold_no_links_and_no_sessions(house: House) -> None:
    cookie = house.session()["Cookie"].partition("=")[2]
    token = sign_in.make_link_token(house.db, "ada")
    house.caddy.ask(house.caddy.studio_url, f"/sign-in/{token}", headers={"Referer": f"https://x/{token}"})
    # An invitation of Clerk's.
    house.caddy.ask(house.caddy.studio_url, f"/sign-in?__clerk_status=a&__clerk_ticket={token}")
    house.caddy.ask(house.caddy.pages_url, f"/packet/share/{token}?a=b")
    house.caddy.ask(house.caddy.pages_url, f"/files/a.pdf?token={token}")
    eventually(lambda: "/files/a.pdf?token=REDACTED" in house.caddy.output(), 20, "the log's last line")
    log = house.caddy.output()
    assert "/sign-in/REDACTED" in log
    assert "/packet/share/REDACTED" in log
    assert token not in log
    assert cookie not in log
    assert LINK_SECRET not in log
