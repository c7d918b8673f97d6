"""A session token of Clerk is believed where its issuer signed it for us and for now, and no other one is."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from studio import sign_in
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.waiting import eventually
from tests.support.web import StudioThread
from web.api import events
from web.identity import clerk
from web.identity.clerk import ClerkVerifier, KeysUnavailable, TokenRefused

APP = "https://studio.example.org"
_OLD, _NEW, _THEIRS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3))


class Issuer:
    """A server with the keys of a Clerk instance; `asked` counts how often it was asked for them."""

    def __init__(self) -> None:
        self.keys = {"old": _OLD}
        self.party = APP
        self.asked = 0
        self.broken = False
        self.held = threading.Event()
        self.held.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                issuer.held.wait(20)
                keys = [
                    {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", "alg": "RS256"}
                    for kid, key in issuer.keys.items()
                ]
                self.send_response(500 if issuer.broken else 200)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": keys}).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()

    def token(self, kid: str | None = "old", key: Any = None, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": self.url, "sub": "user_1", "iat": now, "nbf": now, "exp": now + 60, "azp": APP, **claims}
        headers = {"kid": kid} if kid else {}
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, key or self.keys.get(kid or "", _OLD), algorithm="RS256", headers=headers)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


def verifier(issuer: Issuer, **values: Any) -> ClerkVerifier:
    return ClerkVerifier(Settings.model_validate({"clerk_issuer": issuer.url, "app_base_url": APP, **values}))


def test_nothing_is_fetched_before_it_is_needed_and_then_once(issuer: Issuer) -> None:
    here = verifier(issuer)
    assert issuer.asked == 0
    assert {here.subject(issuer.token()) for _ in range(3)} == {"user_1"}
    assert issuer.asked == 1


def test_a_new_key_is_fetched_and_a_removed_one_is_believed_no_longer(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerk, "REFRESH_PAUSE_SECONDS", 0)
    here = verifier(issuer)
    before = issuer.token()
    assert here.subject(before) == "user_1"
    issuer.keys = {"new": _NEW}
    assert here.subject(issuer.token("new")) == "user_1"
    with pytest.raises(TokenRefused, match="old"):
        here.subject(before)


def test_whoever_has_a_known_key_waits_for_nobody(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "REFRESH_PAUSE_SECONDS", 0)
    here = verifier(issuer)
    assert here.subject(issuer.token())
    issuer.held.clear()
    stranger = threading.Thread(target=lambda: _refused(here, issuer.token("made-up", _THEIRS)))
    stranger.start()
    eventually(lambda: issuer.asked == 2, what="the stranger's question to the issuer")
    # The issuer does not answer; who is known is told from others all the same.
    assert here.subject(issuer.token())
    issuer.held.set()
    stranger.join()


def _refused(here: ClerkVerifier, token: str) -> None:
    with pytest.raises(TokenRefused):
        here.subject(token)


def test_made_up_keys_do_not_become_requests(issuer: Issuer) -> None:
    here = verifier(issuer)
    for number in range(20):
        with pytest.raises(TokenRefused):
            here.subject(issuer.token(f"made-up-{number}", _THEIRS))
    assert issuer.asked == 1


def test_while_the_issuer_is_down_known_keys_go_on(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "REFRESH_PAUSE_SECONDS", 0)
    here = verifier(issuer)
    issuer.broken = True
    with pytest.raises(KeysUnavailable, match=issuer.url):
        here.subject(issuer.token())
    issuer.broken = False
    assert here.subject(issuer.token())
    issuer.broken = True
    monkeypatch.setattr(clerk, "KEYS_LIFE_SECONDS", 0)
    assert here.subject(issuer.token())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"exp": -60},
        {"nbf": 600},
        {"iat": None},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"azp": "https://evil.example"},
        {"sts": "pending"},
        {"kid": None},
        {"key": _THEIRS},
    ],
    ids=lambda claims: "-".join(claims),
)
def test_whatever_is_wrong_with_a_token_makes_it_nobodys(issuer: Issuer, claims: dict[str, Any]) -> None:
    # Times are seconds from now: between the collection of a suite and this test lie many minutes.
    now = int(time.time())
    claims = {name: now + value if isinstance(value, int) else value for name, value in claims.items()}
    with pytest.raises(TokenRefused):
        verifier(issuer).subject(issuer.token(**claims))


def test_a_token_that_names_its_own_way_of_being_checked_is_refused(issuer: Issuer) -> None:
    now = int(time.time())
    said = {"iss": issuer.url, "sub": "user_1", "iat": now, "exp": now + 60}
    unsigned = jwt.encode(said, None, algorithm="none", headers={"kid": "old"})
    shared = jwt.encode(said, "k" * 32, algorithm="HS256", headers={"kid": "old"})
    for token in (unsigned, shared, "", "a.b.c", "x" * 10_000, "\0", "é.é.é"):
        with pytest.raises(TokenRefused):
            verifier(issuer).subject(token)


def test_clocks_may_differ_a_little(issuer: Issuer) -> None:
    here = verifier(issuer)
    now = int(time.time())
    assert here.subject(issuer.token(exp=now - 5, iat=now - 65, nbf=now - 65))
    assert here.subject(issuer.token(iat=now + 5, nbf=now + 5))


def test_an_audience_is_asked_for_where_one_is_configured(issuer: Issuer) -> None:
    here = verifier(issuer, clerk_audience="greenlight")
    assert here.subject(issuer.token(aud="greenlight"))
    for aud in (None, "another"):
        with pytest.raises(TokenRefused):
            here.subject(issuer.token(aud=aud))


def test_front_ends_are_named_by_their_origins(issuer: Issuer) -> None:
    here = verifier(issuer, clerk_authorized_parties=f"https://other.example.org/, {APP}")
    assert here.subject(issuer.token(azp="https://other.example.org"))
    assert here.subject(issuer.token(azp=None))


@pytest.fixture
def studio(issuer: Issuer, database: Database, tmp_path: Path) -> Iterator[StudioThread]:
    with StudioThread(database, tmp_path / "data", clerk_issuer=issuer.url) as studio:
        # The front end of these tests is the studio's own.
        issuer.party = studio.url
        yield studio


def test_a_token_opens_the_studio_as_bearer_and_as_cookie_and_a_link_does_not(
    studio: StudioThread, issuer: Issuer
) -> None:
    token = issuer.token(azp=issuer.party)
    with studio.stranger() as program, studio.stranger() as browser, studio.stranger() as late:
        program.headers["Authorization"] = f"Bearer {token}"
        browser.cookies.set("__session", token)
        late.cookies.set("__session", issuer.token(azp=issuer.party, exp=int(time.time()) - 60))
        for client in (program, browser):
            assert client.get("/api/me").json()["ownerClerkId"] == "user_1"
            assert client.get("/").status_code == 200
        assert late.get("/api/me").status_code == 401
        assert late.get("/").headers["location"].startswith("/sign-in")
        link = sign_in.make_link_token(studio.database, "user_1")
        assert late.get(f"/sign-in/{link}").status_code == 410
        assert late.post(f"/sign-in/{link}").status_code == 404
        assert sign_in.is_open(studio.database, link)


def test_a_cookie_is_no_permission_for_other_pages_and_a_bearer_token_needs_none(
    studio: StudioThread, issuer: Issuer
) -> None:
    token = issuer.token(azp=issuer.party)
    idea = {"idea_description": "Bread by bicycle to offices before nine"}
    with studio.stranger() as program, studio.stranger() as browser:
        browser.cookies.set("__session", token)
        assert browser.post("/api/projects", json=idea).is_success
        for origin in ("https://evil.example", "null"):
            assert browser.post("/api/projects", json=idea, headers={"Origin": origin}).status_code == 403
        del program.headers["Origin"]
        assert program.post("/api/projects", json=idea).status_code == 403
        program.headers["Authorization"] = f"Bearer {token}"
        assert program.post("/api/projects", json=idea).is_success


def test_while_keys_cannot_be_had_nobody_is_taken_for_anybody(studio: StudioThread, issuer: Issuer) -> None:
    issuer.broken = True
    with studio.stranger() as client:
        client.headers["Authorization"] = f"Bearer {issuer.token(azp=issuer.party)}"
        assert client.get("/api/me").status_code == 503


def test_one_owner_of_many_does_not_take_all_streams(
    studio: StudioThread, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STREAMS_PER_OWNER", 2)
    with contextlib.ExitStack() as opened:

        def stream(owner: str) -> int:
            client = opened.enter_context(studio.stranger())
            client.headers["Authorization"] = f"Bearer {issuer.token(azp=issuer.party, sub=owner)}"
            return opened.enter_context(client.stream("GET", "/api/events")).status_code

        assert [stream("user_1") for _ in range(3)] == [200, 200, 429]
        assert stream("user_2") == 200
