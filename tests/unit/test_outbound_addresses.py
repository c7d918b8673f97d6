"""No spelling of an address or a host leads a fetch to anything but ordinary public unicast."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.addresses import ascii_host, literal_address, parse_url, require_public, shown, why_not_public
from studio.errors import InvalidInput, OutboundRefused

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
NOT_PUBLIC = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.100.100.200": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "a cloud platform's own service",
    "169.254.169.254": "link-local",
    "169.254.170.2": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "link-local",
    "::ffff:0:127.0.0.1": "reserved",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b::10.1.2.3": "private",
    "64:ff9b:1::8.8.8.8": "local NAT64",
    "100::1": "reserved",
    "2001::1": "Teredo",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2001:20::1": "reserved",
    "2001:db8::1": "documentation",
    "2002:7f00:1::": "6to4",
    "2002:a00:1::1": "6to4",
    "2002:808:808::1": "6to4",
    "2606:2800:220:1:0:5efe:10.0.0.1": "ISATAP",
    "2606:2800:220:1:200:5efe:192.168.0.1": "ISATAP",
    "3fff::1": "documentation",
    "4000::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fd20:ce::254": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "scoped",
    "2606:2800:220:1:248:1893:25c8:1946%1": "scoped",
    "fec0::1": "private",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    assert why_not_public(ipaddress.ip_address(text)) is None


@pytest.mark.parametrize(("text", "why"), NOT_PUBLIC.items())
def test_other_addresses_are_refused_with_their_kind(text: str, why: str) -> None:
    assert why_not_public(ipaddress.ip_address(text)) == why
    with pytest.raises(OutboundRefused, match="not public"):
        require_public(text, "site.test")


def test_a_mapped_address_is_connected_to_as_ipv4() -> None:
    assert require_public("::ffff:8.8.8.8", "site.test") == ipaddress.ip_address("8.8.8.8")


@pytest.mark.parametrize("text", ["", "site.test", "127.1", "8.8.8", "/etc/passwd", "[::1]"])
def test_what_a_resolver_must_not_answer_is_refused(text: str) -> None:
    with pytest.raises(OutboundRefused, match="no network address"):
        require_public(text, "site.test")


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_nothing_passes_that_the_standard_library_calls_local(address: ipaddress.IPv4Address) -> None:
    if not address.is_global or address.is_multicast:
        assert why_not_public(address) is not None


@given(st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address))
def test_no_ipv6_address_passes_outside_global_unicast(address: ipaddress.IPv6Address) -> None:
    if why_not_public(address) is None:
        assert address in ipaddress.ip_network("2000::/3") or (
            address.ipv4_mapped or address.packed[:12] == ipaddress.ip_address("64:ff9b::").packed[:12]
        )


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_embedding_makes_no_address_more_public(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:", "64:ff9b::"):
        assert why_not_public(ipaddress.IPv6Address(f"{prefix}{address}")) == why_not_public(address)


@st.composite
def spellings(draw: st.DrawFn) -> tuple[ipaddress.IPv4Address, str]:
    """An IPv4 address in one of the ways that inet_aton reads: 1 to 4 parts, each in one of three bases."""
    address = draw(st.integers(0, 2**32 - 1))
    count = draw(st.integers(1, 4))
    parts = [(address >> (8 * (3 - index))) & 0xFF for index in range(count - 1)]
    parts.append(address & (256 ** (5 - count) - 1))
    write = st.sampled_from([str, hex, lambda n: hex(n).upper(), lambda n: f"0{n:o}", lambda n: f"000{n:o}"])
    return ipaddress.IPv4Address(address), ".".join(draw(write)(part) for part in parts)


@given(spellings())
def test_every_spelling_of_an_ipv4_address_is_read_as_the_resolver_reads_it(
    case: tuple[ipaddress.IPv4Address, str],
) -> None:
    address, text = case
    assert literal_address(text) == address
    assert parse_url(f"http://{text}./x").host == str(address)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.0.1",
        "１２７.０.０.１",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "0X7F.0x0.0.01",
        "[::ffff:7f00:1]",
        "[0:0::1]",
    ],
)
def test_loopback_in_disguise_is_recognised(host: str) -> None:
    address = literal_address(parse_url(f"http://{host}/").host)
    assert address is not None
    assert why_not_public(address) == "loopback"


@pytest.mark.parametrize(
    "host",
    [
        "256.1.1.1",
        "4294967296",
        "1.2.3.4.5",
        "1.2.3.0x100",
        "08.8.8.8",
        "0xg.1",
        "a.b.256",
        "1.2..3",
        ".1",
        "[::1",
        "[::g]",
        "[fe80::1%25eth0]",
        "[::1]x",
        "x[::1]",
        "[8.8.8.8]",
        "[v1.x]",
        "127.0.0.1:80:80",
    ],
)
def test_a_host_that_looks_like_an_address_but_is_none_is_refused(host: str) -> None:
    with pytest.raises(OutboundRefused):
        parse_url(f"http://{host}/")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("ex\u00adample\u200b.com", "example.com"),
        ("a_b.example.com", "a_b.example.com"),
    ],
)
def test_a_name_has_one_ascii_spelling(host: str, expected: str) -> None:
    assert ascii_host(host) == expected


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        "localhost",
        "LOCALHOST.",
        "ⓛocalhost",
        "intranet",
        "metadata.google.internal",
        "printer.local",
        "x.localhost",
        "router.home.arpa",
        "site.onion",
        "a..b",
        "example.com..",
        "-a.example",
        "a-.example",
        "a b.example",
        "a%2eb.example",
        "exa\x00mple.com",
        "\ud800.example",
        "a" * 64 + ".example",
        "a." * 127 + "example",
        "ü" * 300 + ".example",
        "a/b.example",
        "a@b.example",
        "a*.example",
    ],
)
def test_what_is_no_name_of_the_internet_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ascii_host(host)
    caught.value.message.encode("utf-8")
    assert "\x00" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.com", "http://example.com/"),
        ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("https://example.com/ü?q=ß&r=%20", "https://example.com/%C3%BC?q=%C3%9F&r=%20"),
        ("http://[2606:2800:220:1:248:1893:25C8:1946]/", "http://[2606:2800:220:1:248:1893:25c8:1946]/"),
        ("http://134744072/", "http://8.8.8.8/"),
        ("http://example.com?x", "http://example.com/?x"),
    ],
)
def test_a_url_has_one_spelling(url: str, expected: str) -> None:
    assert parse_url(url).url == expected
    assert parse_url(expected).url == expected


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("file:///etc/passwd", "not an http"),
        ("ftp://example.com/", "not an http"),
        ("gopher://example.com/", "not an http"),
        ("javascript:alert(1)", "not an http"),
        ("//example.com/", "not an http"),
        ("example.com", "not an http"),
        ("http:example.com", "cannot be fetched"),
        ("http:///path", "cannot be fetched"),
        ("http://user:secret@example.com/", "carries credentials"),
        ("http://@example.com/", "carries credentials"),
        ("http://example.com@127.0.0.1/", "carries credentials"),
        ("http://example.com\\@127.0.0.1/", "characters"),
        ("http://example.com\t/", "characters"),
        ("http://example.com/\r\nHost: x", "characters"),
        ("http://example.com/\x00", "characters"),
        (" http://example.com/", "characters"),
        ("http://example.com:99999/", "not a valid address"),
        ("http://example.com:x/", "not a valid address"),
        ("http://exa℀mple.com/", "not a valid address"),
        ("http://127.0.0.1%2f.example.com/", "cannot be fetched"),
        ("http://" + "a" * 5000 + ".example/", "longer"),
    ],
)
def test_a_url_over_which_parsers_may_disagree_is_refused(url: str, why: str) -> None:
    with pytest.raises(OutboundRefused, match=why) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)
    assert len(caught.value.message) < 500


@given(st.text(max_size=80))
def test_any_text_is_either_a_target_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/x"):
        try:
            target = parse_url(url)
        except OutboundRefused as exc:
            exc.message.encode("utf-8")
        else:
            assert parse_url(target.url) == target
            assert target.url.isascii()


def test_a_shown_url_hides_credentials() -> None:
    assert shown("https://me:secret@example.com/a@b") == "https://example.com/a@b"
