"""The client reaches public addresses and the pairs it was allowed, whatever names, redirects and settings say."""

from __future__ import annotations

import pytest

from studio.errors import OutboundFailed, OutboundRefused
from studio.outbound import OutboundClient
from studio.settings import Settings
from tests.support.local_web import html, local_web, redirect
from tests.support.outbound import SITE, Names, client_for


def test_a_name_that_changes_its_address_after_the_check_leads_nowhere_else() -> None:
    """DNS rebinding: the first answer is public, every later one is loopback."""
    with local_web({"/": html("public"), "/again": redirect("http://site.test/")}) as web:
        names = Names({"site.test": [[SITE], ["127.0.0.1"]]})
        client, nat = client_for(web, names=names)
        assert client.get("http://site.test/").text == "public"
        assert names.asked == ["site.test"]
        assert nat.connections == [(SITE, 80)]
        with pytest.raises(OutboundRefused, match="loopback"):
            client.get("http://site.test/")
        assert nat.connections == [(SITE, 80)]


def test_a_redirect_is_looked_up_anew_and_refused_when_the_name_has_turned_private() -> None:
    with local_web({"/": redirect("/inside")}) as web:
        client, nat = client_for(web, names=Names({"site.test": [[SITE], ["10.0.0.7"]]}))
        with pytest.raises(OutboundRefused, match="private"):
            client.get("http://site.test/")
    assert nat.connections == [(SITE, 80)]
    assert [path for _, path, _ in web.requests] == ["/"]


@pytest.mark.parametrize("answers", [["127.0.0.1"], [SITE, "10.0.0.1"], ["::1", SITE], [SITE, "169.254.169.254"]])
def test_one_private_address_among_the_answers_is_enough_to_refuse(answers: list[str]) -> None:
    with local_web({"/": html("public")}) as web:
        client, nat = client_for(web, names=Names({"site.test": [answers]}))
        with pytest.raises(OutboundRefused, match="not public"):
            client.get("http://site.test/")
    assert nat.connections == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/",
        "http://local.test/",
        "http://user:password@site.test/",
        "http://site.test:8080/",
        "http://site.test:22/",
        "http://site.test:0/",
        "https://site.test:5432/",
        "ftp://site.test/",
        "file:///etc/passwd",
    ],
)
def test_the_guard_refuses_at_the_first_address_and_at_every_redirect(url: str) -> None:
    pages = {"/": html("public"), "/one": redirect("/two"), "/two": redirect(url, 307)}
    with local_web(pages) as web:
        client, nat = client_for(web)
        with pytest.raises(OutboundRefused) as caught:
            client.get(url)
        assert caught.value.permanent
        assert nat.connections == []
        with pytest.raises(OutboundRefused):
            client.get("http://site.test/one")
    assert nat.connections == [(SITE, 80), (SITE, 80)]


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with local_web({"/": html("direct")}) as web:
        client, nat = client_for(web)
        assert client.get("http://site.test/").text == "direct"
    assert nat.connections == [(SITE, 80)]


def test_an_allowed_pair_is_pinned_to_loopback_and_only_that_pair() -> None:
    with local_web({"/": html("pinned"), "/out": redirect("http://127.0.0.1/")}) as web:
        names = Names({})
        client = OutboundClient(
            resolver=names, allow={("site.test", 80): web.address, ("127.0.0.1", 8123): web.address}
        )
        assert client.get("http://site.test/").text == "pinned"
        assert client.get("http://127.0.0.1:8123/").text == "pinned"
        assert names.asked == []
        for url in ("https://site.test:8123/", "http://127.0.0.1/", "http://127.0.0.1:8124/", "http://site.test/out"):
            with pytest.raises(OutboundRefused):
                client.get(url)
        with pytest.raises(OutboundFailed):
            client.get("https://site.test/")
    assert names.asked == ["site.test"]


@pytest.mark.parametrize("address", ["10.0.0.1", "8.8.8.8", "169.254.169.254", "fe80::1"])
def test_an_allowed_pair_cannot_point_beyond_this_machine(address: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        OutboundClient(allow={("site.test", 80): (address, 80)})


def test_nothing_is_allowed_by_default_or_by_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "true")
    with local_web({"/": html("inside")}) as web:
        for client in (OutboundClient(), OutboundClient.from_settings(Settings())):
            with pytest.raises(OutboundRefused):
                client.get(f"http://127.0.0.1:{web.address[1]}/")
            with pytest.raises(OutboundRefused, match="loopback"):
                client.get("http://127.0.0.1/")
    assert web.requests == []


def test_the_setting_turns_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "false")
    client = OutboundClient.from_settings(Settings())
    with pytest.raises(OutboundRefused, match="turned off"):
        client.get("http://site.test/")
    with pytest.raises(OutboundRefused, match="turned off"):
        client.resolve("site.test")
