"""A post goes through the same guard as a get, goes once, follows nothing, and says whether it may have arrived."""

from __future__ import annotations

import pytest

from studio.errors import OutboundFailed, OutboundRefused
from studio.outbound import OutboundClient
from tests.support.local_web import Nat, authority, closed_port, local_web
from tests.support.outbound import SITE, Names
from tests.support.providers import HOOK_PATH, Providers, providers

URL = f"https://site.test{HOOK_PATH}"


@pytest.fixture
def host() -> Providers:
    with providers() as running:
        yield running


def client(host: Providers, **table: list[list[str]]) -> tuple[OutboundClient, Nat]:
    nat = Nat({(SITE, 443): host.hook_address})
    names = Names({"site.test": [[SITE]], **table})
    return OutboundClient(resolver=names, network=nat, tls=authority()), nat


def post(outbound: OutboundClient, url: str = URL, **options: float) -> int:
    return outbound.post(
        url, b'{"projectId": "p"}', content_type="application/json", headers={"X-Extra": "1"}, **options
    ).status


def test_a_post_arrives_once_with_its_body_and_headers(host: Providers) -> None:
    outbound, nat = client(host)
    assert post(outbound) == 201
    (asked,) = host.requests
    assert asked.json == {"projectId": "p"}
    assert (asked.headers["Content-Type"], asked.headers["X-Extra"]) == ("application/json", "1")
    assert nat.connections == [(SITE, 443)]


def test_a_redirect_is_an_answer(host: Providers) -> None:
    outbound, nat = client(host)
    host.fault("status", status=307)
    assert post(outbound) == 307
    assert len(host.requests) == len(nat.connections) == 1


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://10.0.0.1/", "https://site.test:8443/", "https://inside.test/", "ftp://a.test"],
)
def test_the_guard_refuses_before_anything_is_sent(host: Providers, url: str) -> None:
    outbound, nat = client(host, **{"inside.test": [["192.168.1.1"]]})
    with pytest.raises(OutboundRefused):
        post(outbound, url)
    assert host.requests == nat.connections == []


def test_outbound_requests_that_are_off_are_off(host: Providers) -> None:
    with pytest.raises(OutboundRefused, match="turned off"):
        post(OutboundClient(enabled=False))


@pytest.mark.parametrize("kind", ["drop", "hang"])
def test_what_breaks_after_it_was_sent_may_have_arrived(host: Providers, kind: str) -> None:
    outbound, _ = client(host)
    fault = host.fault(kind, done=True)
    with pytest.raises(OutboundFailed) as caught:
        post(outbound, timeout=1.0)
    fault.released.set()
    assert caught.value.sent


def test_what_breaks_before_has_certainly_not(host: Providers) -> None:
    with closed_port() as address:
        closed = OutboundClient(allow={("site.test", 443): address})
        with pytest.raises(OutboundFailed) as caught:
            post(closed)
    assert (caught.value.reason, caught.value.sent) == ("refused", False)
    outbound, _ = client(host)
    with pytest.raises(OutboundFailed) as caught:
        post(outbound, "https://nowhere.test/")
    assert (caught.value.reason, caught.value.sent) == ("no_name", False)
    # Whose certificate does not fit gets nothing.
    with local_web({}, tls=True) as web:
        stranger = OutboundClient(allow={("site.test", 443): web.address})
        with pytest.raises(OutboundFailed) as caught:
            post(stranger)
        assert web.requests == []
    assert (caught.value.reason, caught.value.sent) == ("tls", False)


@pytest.mark.parametrize(
    "url",
    [
        f"https://site.test:8443{HOOK_PATH}",
        f"ftp://site.test{HOOK_PATH}",
        f"https://user:pw@site.test{HOOK_PATH}?key=SecretHookKey42",
        f"https://site.test{HOOK_PATH} with a space",
        f"https://[site.test{HOOK_PATH}",
        f"https://site.test{HOOK_PATH}?{'x' * 5_000}",
        f"https://SITE.test{HOOK_PATH}/%zz?ü#SecretHookKey42",
    ],
    ids=["port", "scheme", "credentials", "space", "no address", "long", "odd"],
)
def test_an_error_names_the_host_alone(host: Providers, url: str) -> None:
    outbound, _ = client(host)
    host.fault("drop")
    with pytest.raises((OutboundRefused, OutboundFailed)) as caught:
        post(outbound, url)
    error: BaseException | None = caught.value
    while error is not None:
        assert "SecretHook" not in str(error)
        assert "prj_" not in str(error)
        error = error.__cause__ or error.__context__
