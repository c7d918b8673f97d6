"""Which repository code goes to: the one asked for, the project's own at GitHub, else the local one."""

from __future__ import annotations

import pytest

from studio.code.remote import chosen
from studio.settings import Settings

HERE = "https://github.com/acme/shop"


@pytest.mark.parametrize(
    ("asked", "own", "goes_to"),
    [
        ("https://github.com/acme/other", HERE, "https://github.com/acme/other"),
        # Whoever asks for what cannot be used is told so, later; nothing else is taken in its place.
        ("https://gitlab.com/acme/shop", HERE, "https://gitlab.com/acme/shop"),
        (None, HERE, HERE),
        (" ", f" {HERE} ", HERE),
        (None, "git@github.com:acme/shop", "git@github.com:acme/shop"),
        (None, "https://gitlab.com/acme/shop", None),
        (None, "https://github.com.evil.example/acme/shop", None),
        (None, None, None),
        ("", "", None),
    ],
)
def test_code_goes_where_it_was_asked_to_go(asked: str | None, own: str | None, goes_to: str | None) -> None:
    assert chosen(Settings(), asked, own) == goes_to
