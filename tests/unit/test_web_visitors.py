"""A visitor is known by the least that tells one from another, and a program that says so is none."""

from __future__ import annotations

import pytest
from fastapi import Request

from web.visitors import is_person, visitor


def request(address: str | None = "198.51.100.7", method: str = "GET", **headers: str) -> Request:
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = None if address is None else (address, 1)
    return Request({"type": "http", "method": method, "headers": given, "client": client})


@pytest.mark.parametrize(
    ("address", "known_as"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("not an address", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_stands_for_a_household(address: str | None, known_as: str) -> None:
    assert visitor(request(address)).address == known_as


@pytest.mark.parametrize(
    ("agent", "person"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
            True,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Mobile Safari/604.1",
            True,
        ),
        ("Mozilla/5.0 (Linux; Android 16; CUBOT X90) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", True),
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", False),
        ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", False),
        ("Twitterbot/1.0", False),
        ("Wget/1.25", False),
        ("Go-http-client/2.0", False),
        ("", False),
    ],
)
def test_a_program_that_says_so_is_no_person(agent: str, person: bool) -> None:
    assert is_person(request(user_agent=agent)) is person


def test_what_is_fetched_ahead_or_in_part_is_not_looked_at() -> None:
    agent = "Mozilla/5.0 Firefox/140.0"
    assert is_person(request(user_agent=agent))
    assert not is_person(request(method="HEAD", user_agent=agent))
    assert not is_person(request(user_agent=agent, sec_purpose="prefetch;prerender"))
    assert not is_person(request(user_agent=agent, purpose="prefetch"))
    assert not is_person(request())
