"""Nobody gets in without a link that was made for him: a link works once, a session ends when told to, and no page of another origin acts in its name."""

from tests.integration.studio_web.conftest import Desk


def test_smoke(desk: Desk) -> None:
    assert desk.stranger.get("/sign-in").status_code == 200
    assert desk.stranger.get("/api/openapi.json").status_code == 200
    assert desk.ada.get("/sign-in").status_code == 303
    assert desk.stranger.get("/healthz").json()["status"] == "ok"
