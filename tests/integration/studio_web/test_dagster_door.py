"""With Clerk an operator gets a pass for Dagster that outlives its tokens, opens nothing else, and ends with his rank.

What a proxy makes of the answers is in `tests/integration/deploy/test_proxy.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from studio import links
from studio.database.connection import Database
from tests.integration.studio_web.test_clerk import Issuer
from tests.support.web import StudioThread
from web.pages import dagster

DOOR = "/api/operator/session"
# As Dagster's own pages ask.
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def studio(issuer: Issuer, database: Database, tmp_path: Path) -> Iterator[StudioThread]:
    told = {"clerk_issuer": issuer.url, "operators": "user_1, user_3", "dagster_ui_url": "https://localhost:8443"}
    with StudioThread(database, tmp_path / "data", **told) as studio:
        issuer.party = studio.url
        yield studio


def asked(studio: StudioThread, path: str, **cookies: str) -> httpx.Response:
    """Ask as a browser with these cookies, from Dagster's own page."""
    with httpx.Client(base_url=studio.url, headers=OWN) as client:
        told = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return client.get(path, headers={"Cookie": told} if told else {})


def given(studio: StudioThread, token: str) -> str:
    """Return the pass that the owner of a token gets."""
    answer = asked(studio, "/operator/dagster?to=/runs/7", __session=token)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://localhost:8443/runs/7")
    cookie = answer.headers["set-cookie"]
    assert {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]} == {
        "httponly",
        "max-age",
        "path",
        "samesite",
        "secure",
    }
    name, _, value = cookie.partition(";")[0].partition("=")
    assert name == dagster.PASS
    return value


def test_an_operator_passes_with_his_token_and_then_with_a_pass_alone(studio: StudioThread, issuer: Issuer) -> None:
    token = issuer.token(azp=issuer.party)
    assert asked(studio, DOOR, __session=token).status_code == 204
    assert asked(studio, DOOR).status_code == 401
    assert asked(studio, DOOR, **{dagster.PASS: given(studio, token)}).status_code == 204


def test_somebody_who_is_no_operator_has_no_door(studio: StudioThread, issuer: Issuer) -> None:
    token = issuer.token(azp=issuer.party, sub="user_2")
    assert asked(studio, DOOR, __session=token).status_code == 403
    assert asked(studio, "/operator/dagster", __session=token).status_code == 404


def test_a_pass_opens_nothing_but_dagster(studio: StudioThread, issuer: Issuer) -> None:
    value = given(studio, issuer.token(azp=issuer.party))
    assert asked(studio, "/api/me", **{dagster.PASS: value}).status_code == 401
    assert asked(studio, "/api/me", __session=value).status_code == 401
    # Nor is a signed link to something else a pass.
    other = links.sign(studio.settings, links.FILE, "user_1", timedelta(hours=1))
    assert asked(studio, DOOR, **{dagster.PASS: other}).status_code == 401


def test_a_pass_ends(studio: StudioThread, issuer: Issuer) -> None:
    expired = links.sign(studio.settings, "dagster-ui", "user_1", timedelta(seconds=-1))
    whole = given(studio, issuer.token(azp=issuer.party))
    altered = ("A" if whole[0] != "A" else "B") + whole[1:]
    for value in (expired, altered, "", "made-up"):
        assert asked(studio, DOOR, **{dagster.PASS: value}).status_code == 401
    # Signed when he still was an operator.
    former = links.sign(studio.settings, "dagster-ui", "user_4", timedelta(hours=1))
    assert asked(studio, DOOR, **{dagster.PASS: former}).status_code == 403


def test_where_nobody_says_where_dagster_is_nobody_is_led_there(
    issuer: Issuer, database: Database, tmp_path: Path
) -> None:
    with StudioThread(database, tmp_path / "data", clerk_issuer=issuer.url, operators="user_1") as studio:
        assert asked(studio, "/operator/dagster", __session=issuer.token(azp=studio.url)).status_code == 404
