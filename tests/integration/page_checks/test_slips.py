"""Ordinary pages that are not quite in order are judged for what they do: their frames, their forms, their links."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from studio.outbound import OutboundClient
from studio.page_checks.limits import Limits
from studio.page_checks.links import MAX_LINKS, Follow, broken_links
from studio.page_checks.seen import Seen
from tests.integration.page_checks.conftest import LIMITS, NEIGHBOUR, Check
from tests.integration.page_checks.test_samples import of
from tests.support.page_samples import SampleSite


def test_what_a_frame_of_another_site_loads_came_and_is_weighed(check: Check) -> None:
    checked = check("framing.html", "failed_requests", "page_weight")
    assert checked.passed, [result.summary for result in checked.results]
    assert of(checked, "failed_requests").evidence["requests"] == 3
    weight = of(checked, "page_weight").evidence
    assert weight["requests"] == 3
    by_url = {one["url"]: one["bytes"] for one in weight["largest"]}
    assert by_url[f"http://{NEIGHBOUR}/framed.html"] > 300
    assert by_url[f"http://{NEIGHBOUR}/dot.png"] > 60


def test_a_frame_of_another_site_that_is_not_there_is_a_failed_request(check: Check) -> None:
    (result,) = check("framing_nothing.html", "failed_requests").results
    (missing,) = result.evidence["failed"]
    assert (missing["url"], missing["status"]) == (f"http://{NEIGHBOUR}/nowhere.html", 404)


@pytest.mark.parametrize("host", ["", f"http://{NEIGHBOUR}/"])
def test_a_form_that_sends_nothing_fails_whatever_else_goes_on(check: Check, host: str) -> None:
    (result,) = check(f"{host}form_ticking.html", "form_post", limits=replace(LIMITS, form=0.6)).results
    assert (result.outcome, "nothing was sent" in result.summary) == ("failed", True), result.summary


def test_addresses_that_are_none_are_findings(check: Check) -> None:
    checked = check("slips.html", "broken_links", "form_post")
    links = of(checked, "broken_links")
    assert links.outcome == "failed"
    assert [one["why"].partition(",")[0] for one in links.evidence["broken"]] == ["is no address"] * 3
    assert links.evidence["followed"] == 0
    assert "its action is no address" in of(checked, "form_post").summary


def test_a_button_that_sends_our_form_elsewhere_is_not_pressed(check: Check) -> None:
    (result,) = check("form_button_strays.html", "form_post").results
    assert "leads to https://collector.example.net" in result.summary


def test_ordinary_fields_are_filled_in_for_what_they_are(check: Check, site: SampleSite) -> None:
    checked = check("form_asks_much.html", "form_post", "waitlist_form")
    # A tick for news by mail is no field for an address.
    (form,) = of(checked, "waitlist_form").evidence["forms"]
    assert len(form["emails"]) == 1
    result = of(checked, "form_post")
    assert result.outcome == "passed", result.summary
    assert result.evidence["filled"] == ["email_frequency", "contact", "word", "site", "since", "seats"]
    assert site.signups[-1].startswith("check-")


def test_a_field_that_a_check_cannot_fill_says_nothing_of_the_page(check: Check) -> None:
    (result,) = check("form_asks_a_file.html", "form_post").results
    assert (result.outcome, result.lasting, "portrait (file)" in result.summary) == ("not measured", True, True)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        to = {"/moved": "/gone", "/onwards": "/fine"}.get(self.path)
        self.send_response(302 if to else {"/busy": 503, "/gone": 404}.get(self.path, 200))
        if to:
            self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[tuple[str, int]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()


def test_our_own_links_are_followed_once_and_have_no_excuse(pages: tuple[str, int]) -> None:
    base = f"http://{pages[0]}:{pages[1]}"
    links = [
        {"written": path, "url": f"{base}{path}", "element": "a", "fragment": None}
        for path in ("/fine", "/onwards", "/moved", "/busy")
    ]
    seen = Seen(base, {"desktop": {"reached": True, "final_url": base, "links": links}})
    result = broken_links(seen, Follow(OutboundClient(), {pages: pages}, LIMITS))
    told = {one["url"].removeprefix(base): one["status"] for one in result.evidence["broken"]}
    assert told == {"/moved": 404, "/busy": 503}


def linking(*urls: str) -> Seen:
    links = [{"written": url, "url": url, "element": "a", "fragment": None} for url in urls]
    return Seen(urls[0], {"desktop": {"reached": True, "final_url": urls[0], "links": links}})


def test_a_link_that_there_is_no_time_for_is_not_measured(pages: tuple[str, int]) -> None:
    seen = linking(f"http://{pages[0]}:{pages[1]}/fine")
    result = broken_links(seen, Follow(OutboundClient(), {pages: pages}, Limits(link=1.0, links=0.9)))
    assert (result.outcome, result.lasting, result.evidence["not_followed"]) == ("not measured", False, 1)
    # What nobody follows anyway leaves nothing open.
    many = linking(*(f"http://{pages[0]}:{pages[1]}/fine?{number}" for number in range(MAX_LINKS + 2)))
    result = broken_links(many, Follow(OutboundClient(), {pages: pages}, Limits(link=30.0, links=600.0)))
    assert (result.outcome, result.evidence["not_followed"]) == ("passed", 2)


def test_a_link_that_cannot_be_followed_from_here_is_not_broken() -> None:
    def nobody_answers(host: str) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    seen = linking("https://example.org/")
    off = broken_links(seen, Follow(OutboundClient(enabled=False), {}, LIMITS))
    assert (off.outcome, off.lasting, "turned off" in off.summary) == ("not measured", True, True)
    without = broken_links(seen, Follow(OutboundClient(resolver=nobody_answers), {}, LIMITS))
    assert (without.outcome, without.lasting, "looked up" in without.summary) == ("not measured", False, True)
