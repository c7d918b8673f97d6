"""Contrast is measured on what a browser would show: cascade, custom properties, schemes, gradients; or not judged."""

from __future__ import annotations

import pytest

from studio.landing.document import check
from tests.support.landing import STYLE, page


def told(style: str, body: str = '<p class="a">Some text</p>') -> list[str]:
    """Return what is said about the contrast of a page with this style."""
    return [p.message for p in check(page(body, style=STYLE + style)) if p.rule == "contrast"]


@pytest.mark.parametrize(
    "style",
    [
        ".a { color: #999 }",
        "p.a { color: rgb(150 150 150) } .a { color: #000 }",
        ".a { color: hsl(0 0% 60%) !important } #x.a, p.a { color: #000 }",
        ":root { --ink: #999; }",
        ":root { --soft: var(--softer, #aaa) } .a { color: var(--soft) }",
        ".a { background: #222; color: #333 }",
        ".a { background-color: #333 }",
        "main { background: #222 }",
        ".a { color: #00000040 }",
        ".a { background: linear-gradient(#fff, #555); color: #222 }",
        ".a { background: rgba(0, 0, 0, .8) }",
        ".a { color: oklch(0.7 0.1 200) }",
        "@media (min-width: 60rem) { .a { color: #999 } }",
        "@layer x { .a { color: #999 } }",
        "section p, .a { color: #9a9a9a }",
    ],
)
def test_text_that_cannot_be_read_is_told(style: str) -> None:
    assert any("“" in message and ":1; it needs 4.5:1" in message for message in told(style))


@pytest.mark.parametrize(
    "style",
    [
        ".a { color: #767676 }",
        ".a { color: #999; color: #333 }",
        "p { color: #999 } p, .a { color: #333 }",
        ".a { color: #fff; background: #222 url(#none) }",
        ".a { color: #999; display: none }",
        ".a { color: #999; position: absolute }",
        ".a { color: #999; mix-blend-mode: multiply }",
        ".a { background: linear-gradient(color-mix(in srgb, red, blue), #555) }",
        "@media print { .a { color: #999 } }",
        "@media (max-width: 30rem) { .a { color: #999 } }",
        ".a:hover { color: #999 }",
        ".b { color: #999 }",
    ],
)
def test_text_that_can_be_read_or_not_be_judged_is_left_alone(style: str) -> None:
    assert told(style) == []


def test_both_colour_schemes_are_measured() -> None:
    style = ":root { color-scheme: light dark } @media (prefers-color-scheme: dark) { :root { --paper: #111 } }"
    messages = told(style)
    assert messages
    assert all("in the dark scheme" in message for message in messages)
    assert told(style.replace("--paper: #111", "--paper: #111; --ink: #eee")) == []


def test_a_headline_needs_less() -> None:
    assert told("h1 { color: #949494 }") == []
    assert told("h2 { color: #949494 }") != []


def test_a_pair_is_told_once() -> None:
    assert len(told(".a { color: #999 }", '<p class="a">One</p><p class="a">Two</p>')) == 1
