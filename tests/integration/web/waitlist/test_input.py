"""What a sign-up form may say: addresses, names, fields and lists that fit; all else is refused and does no harm."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.web.conftest import ANN, Town

NO_ADDRESSES = [
    "",
    "ann",
    "ann@",
    "@example.org",
    "ann@example",
    "ann@@example.org",
    "ann@exa mple.org",
    "ann@example.org\r\nBcc: everybody@example.org",
    "ann@example.org,bob@example.org",
    "<ann@example.org>",
    "Ann <ann@example.org>",
    '"><script>alert(1)</script>@example.org',
    "ann@example.org\x00",
    "ann@-example.org",
    "ann@192.168.0.1",
    "ann..b@example.org",
    "a" * 65 + "@example.org",
    "a@" + "b" * 63 + "." + ("c" * 60 + ".") * 4 + "org",
    "annä@example.org",
]


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({"metadata": {str(number): 1 for number in range(21)}}, "21 keys"),
    ({"metadata": {"k" * 65: 1}}, "key"),
    ({"metadata": {"k": "v" * 501}}, "metadata.k"),
    ({"metadata": {"k": {"nested": 1}}}, "metadata.k"),
    ({"metadata": [1]}, "metadata"),
    ({"source": "s" * 65}, "source"),
    ({"project_id": "x"}, "project_id"),
    ({"email": None}, "email"),
    ({"email": 5}, "email"),
]


def test_what_is_no_address_is_refused_and_shown_harmlessly(town: Town) -> None:
    project = town.project()
    for email in NO_ADDRESSES:
        answer = town.join(project, email)
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), email
        page = town.http.post("/api/waitlist", data={"email": email, "project_id": str(project)})
        assert (page.status_code, "<script>alert" in page.text) == (422, False), email
    assert town.db.fetch_all("select 1 from waitlist_signups") == []


def test_a_name_in_another_script_gets_its_letter(town: Town) -> None:
    town.join(town.project(), "ann@Bücher.example")
    assert len(town.letters("ann@xn--bcher-kva.example")) == 1


def test_what_a_form_says_of_itself_does_not_become_the_studios_record(town: Town) -> None:
    project, other = town.project(), town.project("bob")
    claimed = {
        "project_id": str(other),
        "ip": "1.2.3.4",
        "IP_Hash": "x",
        "consent": "yes",
        "status": "confirmed",
        "a": 1,
    }
    town.join(project, metadata=claimed)
    signup = town.signup(project)
    assert (signup["metadata"], signup["status"]) == ({"a": 1}, "pending")
    assert town.db.fetch_all("select 1 from waitlist_signups where project_id = %s", [other]) == []


def test_a_sign_up_that_does_not_fit_is_told_why(town: Town) -> None:
    project = str(town.project())
    for said, named in MISFITS:
        answer = town.http.post("/api/waitlist", json={"email": ANN, "project_id": project, **said})
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), said
        assert named in answer.json()["error"]


@pytest.mark.parametrize(
    "value",
    ["NaN", "-Infinity", "1e999", "-1e999", "1e300", "9" * 30, "9" * 5000, "[" * 100 + "]" * 100, "[" * 30_000],
)
def test_what_is_no_number_or_has_no_end_is_refused(town: Town, value: str) -> None:
    body = f'{{"email": "{ANN}", "project_id": "{town.project()}", "metadata": {{"x": {value}}}}}'
    answer = town.http.post("/api/waitlist", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, set(answer.json())) == (422, {"error"})
    assert town.letters() == []


@pytest.mark.parametrize(
    "said", ['"x": "\\ud800"', '"\\ud800": 1', '"x": "\\u0000"', '"\\u0000": "x"', '"name": "\\udfff"']
)
def test_half_a_character_does_no_harm(town: Town, said: str) -> None:
    body = f'{{"email": "{ANN}", "project_id": "{town.project()}", "metadata": {{{said}}}}}'
    answer = town.http.post("/api/waitlist", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422)
    for field in ("email", "name", "source", "project_id"):
        answer = town.http.post(
            "/api/waitlist",
            content=f'{{"email": "{ANN}", "{field}": "\\ud800"}}',
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status_code, set(answer.json())) == (422, {"error"}), field


def test_a_machine_that_fills_in_everything_is_thanked_and_forgotten(town: Town) -> None:
    project = town.project()
    answer = town.http.post(
        "/api/waitlist", data={"email": ANN, "project_id": str(project), "website": "http://spam.example"}
    )
    assert (answer.status_code, "Check your inbox" in answer.text) == (200, True)
    assert (town.letters(), town.db.fetch_all("select 1 from waitlist_signups")) == ([], [])


def test_a_list_that_is_not_open_says_so_politely(town: Town) -> None:
    unpublished, paused, killed = town.project("a", html=None), town.project("b"), town.project("c")
    for project, status in ((paused, "paused"), (killed, "killed")):
        town.db.execute("update projects set status = %s where id = %s", [status, project])
    for project, expected in ((unpublished, 404), (paused, 409), (killed, 404), (uuid4(), 404)):
        answer = town.join(project)
        assert (answer.status_code, set(answer.json())) == (expected, {"error"})
        page = town.http.post("/api/waitlist", data={"email": ANN, "project_id": str(project)})
        assert (page.status_code, "<h1>" in page.text, "greenlight" in page.text) == (expected, True, False)
    assert town.letters() == []
