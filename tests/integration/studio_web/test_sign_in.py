"""Nobody gets in without a link that was made for him, which works once; and a session ends when it is told to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from studio import sign_in
from studio.errors import LinkRefused
from tests.integration.studio_web.conftest import Desk

DAY = timedelta(days=1)


def test_a_link_is_looked_at_without_being_used_and_opens_the_studio_once(desk: Desk) -> None:
    path = f"/sign-in/{sign_in.make_link_token(desk.db, 'eve')}"
    with desk.web.stranger() as eve, desk.web.stranger() as late:
        for _ in range(2):
            asked = eve.get(path)
            assert (asked.status_code, "<form" in asked.text) == (200, True)
        opened = eve.post(path)
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        assert eve.get("/sign-in").status_code == 303
        for refused in (late.get(path), late.post(path), late.get("/sign-in/no-such-token"), late.post("/sign-in/x")):
            assert refused.status_code == 410
            assert "set-cookie" not in refused.headers
        assert "greenlight_session" in str(eve.cookies)


def test_of_two_at_once_one_gets_in(desk: Desk) -> None:
    token = sign_in.make_link_token(desk.db, "eve")

    def redeem(_number: int) -> bool:
        try:
            return bool(sign_in.redeem(desk.db, token, life=DAY))
        except LinkRefused:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(redeem, range(4))) == [False, False, False, True]


def test_what_has_expired_opens_nothing(desk: Desk) -> None:
    expired = sign_in.make_link_token(desk.db, "eve", life=timedelta(0))
    with pytest.raises(LinkRefused, match="expired"):
        sign_in.redeem(desk.db, expired, life=DAY)
    ended = sign_in.redeem(desk.db, sign_in.make_link_token(desk.db, "eve"), life=timedelta(0))
    assert sign_in.session(desk.db, ended, life=DAY) is None


def test_a_session_that_is_used_lasts_and_is_seldom_written(desk: Desk) -> None:
    token = sign_in.redeem(desk.db, sign_in.make_link_token(desk.db, "zoe"), life=DAY, user_agent="Firefox\0\ud800")
    before = desk.db.fetch_one("select * from sign_in_sessions where owner_clerk_id = 'zoe'")
    assert sign_in.session(desk.db, token, life=DAY)
    assert desk.db.fetch_one("select * from sign_in_sessions where owner_clerk_id = 'zoe'") == before
    desk.db.execute("update sign_in_sessions set last_seen_at = now() - interval '1 hour' where owner_clerk_id = 'zoe'")
    assert sign_in.session(desk.db, token, life=2 * DAY)
    after = desk.db.fetch_one("select * from sign_in_sessions where owner_clerk_id = 'zoe'")
    assert before is not None
    assert after is not None
    assert after["expires_at"] > before["expires_at"]


def test_signing_out_ends_this_browsers_session_or_all(desk: Desk) -> None:
    first, second, third = (desk.web.sign_in("kim") for _ in range(3))
    assert len(sign_in.sessions(desk.db, "kim")) == 3
    left = first.post("/sign-out")
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert first.get("/sign-in").status_code == 200
    assert second.get("/sign-in").status_code == 303
    assert second.post("/sign-out", data={"everywhere": "true"}).status_code == 303
    assert third.get("/sign-in").status_code == 200
    assert sign_in.sessions(desk.db, "kim") == []
    for client in (first, second, third):
        client.close()


def test_a_token_in_the_tables_opens_nothing(desk: Desk) -> None:
    token = sign_in.make_link_token(desk.db, "eve")
    session = sign_in.redeem(desk.db, token, life=DAY)
    for table in ("sign_in_links", "sign_in_sessions"):
        kept = str(desk.db.fetch_all(f"select * from {table}"))
        assert token not in kept
        assert session not in kept


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("/inbox?status=pending", "/inbox?status=pending"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("/%0d%0aX: y\n", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_after_signing_in_one_goes_nowhere_else(desk: Desk, asked: str, leads: str) -> None:
    assert desk.ada.get("/sign-in", params={"next": asked}).headers["location"] == leads


def test_whoever_has_not_signed_in_is_sent_there_and_a_program_is_told_so(desk: Desk) -> None:
    page = desk.stranger.get("/inbox?status=pending")
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Finbox%3Fstatus%3Dpending")
    told = desk.stranger.get("/api/projects")
    assert (told.status_code, set(told.json())) == (401, {"error"})
    assert told.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 303),  # its own origin says more than the browser's summary of a redirect
    ],
)
def test_a_page_of_another_origin_does_nothing_in_a_sessions_name(
    desk: Desk, headers: dict[str, str], status: int
) -> None:
    client = desk.web.sign_in("lee")
    for name, value in headers.items():
        if value:
            client.headers[name] = value
        else:
            del client.headers[name]
    assert client.post("/sign-out").status_code == status
    client.close()


def test_what_a_browser_opens_by_itself_is_from_here(desk: Desk) -> None:
    """A form of a page that sends no referrer has the origin `null`, and a browser says so beside it."""
    client = desk.web.sign_in("lou")
    client.headers.update({"Origin": "null", "Sec-Fetch-Site": "same-origin"})
    assert client.post("/sign-out").status_code == 303
    client.close()


def test_one_signs_in_under_the_studios_own_name(desk: Desk) -> None:
    port = desk.web.url.rpartition(":")[2]
    for path in ("/sign-in?next=/inbox", f"/sign-in/{sign_in.make_link_token(desk.db, 'eve')}"):
        sent = desk.stranger.get(path, headers={"Host": f"127.0.0.1:{port}"})
        assert (sent.status_code, sent.headers["location"]) == (303, f"{desk.web.url}{path}")


def test_another_host_name_that_leads_here_is_not_answered(desk: Desk) -> None:
    assert desk.ada.get("/sign-in", headers={"Host": "evil.example"}).status_code == 400
