"""Reading a page finds what a visitor sees, in linear time, whatever the markup is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.webpage import Tag, read_page, squeeze, tokens


def test_a_page_is_read_as_a_visitor_sees_it() -> None:
    page = read_page(
        """<!DOCTYPE html><HTML lang=en data-x='1'><head><meta charset=utf-8>
        <title>Acme &amp; Sons
           Ltd</title><meta name="Description" content="Anvils, &quot;delivered&quot;.">
        <meta property="og:title" content="other"><style>p { content: "hidden" }</style>
        <link rel=stylesheet href=/a.css><script src="//cdn.test/a.js"></script>
        <script>if (1 < 2) document.write("<h1>hidden</h1>")</script></head>
        <body><!-- <p>hidden</p> --><h1>An<b>vils</b> <i>for</i><br>all</h1><noscript>hidden</noscript>
        <svg><title>hidden</title><text>hidden</text></svg><p>Since&nbsp;1949.<p>Truly.<textarea>hidden</textarea>
        <h2>Prices</h2>5 &lt; 6 < 7 &#8364;<select><option>hidden</select></body></html>"""
    )
    assert page.title == "Acme & Sons Ltd"
    assert page.description == 'Anvils, "delivered".'
    assert page.headings == ["Anvils for all", "Prices"]
    assert page.text == "Anvils for all Since 1949. Truly. Prices 5 < 6 < 7 €"
    assert page.embeds == ["/a.css", "//cdn.test/a.js"]
    assert page.scripts == ["", 'if (1 < 2) document.write("<h1>hidden</h1>")']
    assert page.root == {"lang": "en", "data-x": "1"}
    assert not page.blank


@pytest.mark.parametrize(
    ("markup", "title", "description"),
    [
        ("<title></title><meta property=og:title content=Shared>", "Shared", None),
        ("<title>  \n </title>", None, None),
        ("<svg><title>Icon</title></svg><title>Page</title>", "Page", None),
        ("<svg/><title>Page</title>", "Page", None),
        ("<template><title>No</title></template>text", None, None),
        ("<title>One</title><title>Two</title>", "One", None),
        ("<title>Cut off", "Cut off", None),
        ("<TITLE>Big</Title >", "Big", None),
        ("<title><b>x</b></title>", "<b>x</b>", None),
        ("<title>" + "a" * 1000 + "</title>", "a" * 300, None),
        ("<meta name=twitter:title content=T><meta property='og:description' content=' D '>", "T", "D"),
        ("<meta name=description content=''><meta property=og:description content=D>", None, "D"),
    ],
)
def test_the_title_and_description_have_their_places(markup: str, title: str | None, description: str | None) -> None:
    page = read_page(markup)
    assert (page.title, page.description) == (title, description)


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a<b", ["a"]),
        ("a<b>c", ["a", Tag("b", False, {}), "c"]),
        ("a < b", ["a ", "<", " b"]),
        ("</a >x", [Tag("a", True, {}), "x"]),
        ("</ a>x", ["x"]),
        ("</>x", ["x"]),
        ("<!-->x", ["x"]),
        ("<!--->x", ["x"]),
        ("<!-- > -- -->x", ["x"]),
        ("<!-- never closed", []),
        ("<![CDATA[x]]>y", ["y"]),
        ("<![<![<!", []),
        ("<?php x ?>y", ["y"]),
        ("<a b=1 c='2' d=\"3\" e f = g B=9>", [Tag("a", False, {"b": "1", "c": "2", "d": "3", "e": "", "f": "g"})]),
        ("<a b=&lt;c&gt;>", [Tag("a", False, {"b": "<c>"})]),
        ("<a b='>'>", [Tag("a", False, {"b": ">"})]),
        ("<a href=/b/>", [Tag("a", False, {"href": "/b/"})]),
        ("<br/>", [Tag("br", False, {}, closed=True)]),
        ("<a =x>", [Tag("a", False, {"=x": ""})]),
        ("<a b='never closed>", []),
        ("<script><a></scripty></script>x", [Tag("script", False, {}), "<a></scripty>", Tag("script", True, {}), "x"]),
        ("<style>a&amp;b", [Tag("style", False, {}), "a&amp;b"]),
        ("<textarea>a&amp;b", [Tag("textarea", False, {}), "a&b"]),
        ("&#" + "1" * 5000 + ";", ["�"]),
        ("&#x" + "f" * 5000 + ";", ["�"]),
    ],
)
def test_markup_is_cut_into_tags_and_texts(markup: str, expected: list[Tag | str]) -> None:
    assert list(tokens(markup)) == expected


def test_phrases_are_not_split_by_what_nobody_sees() -> None:
    assert squeeze("This\u200b do\u00admain\u00a0is\n\tfor\ufeff sale ") == "This domain is for sale"


@pytest.mark.parametrize(
    ("markup", "blank"),
    [
        ("", True),
        ("<html><head></head><body> &nbsp; </body></html>", True),
        ("<!-- nothing -->", True),
        ("<title>x</title>", False),
        ("<div id=root></div><script src=app.js></script>", False),
        ("<img src=a.png>", False),
        ("x", False),
    ],
)
def test_a_blank_page_is_told_from_one_that_draws_itself(markup: str, blank: bool) -> None:
    assert read_page(markup).blank is blank


@given(st.text(st.sampled_from("<>/!-=&;#x'\" atiesclrp\x00\ud800"), max_size=60) | st.text())
def test_any_text_can_be_read(markup: str) -> None:
    page = read_page(markup)
    for text in (page.title or "", page.description or "", page.text, *page.headings):
        text.encode("utf-8")
        assert "\x00" not in text


PATHOLOGICAL = ["<a ", "<!", "<!--", "</", "&", "<", '<a b="', "<?", "<![", "<script>", "<a/", "<svg>", "</template>"]
PATHOLOGICAL += ["<svg></template>", "<a b='c", "<a b=c ", "<h1>", "<title>", "&#1", "&amp", "<a\n", "<a =", "--", " "]
PATHOLOGICAL += ["<noscript><svg>", "<meta name=a content=b>", "<a b>", "<x", "</script", "<script></script"]


@pytest.mark.parametrize("piece", PATHOLOGICAL)
def test_hostile_markup_takes_no_more_time_than_its_length(piece: str) -> None:
    markup = piece * (256 * 1024 // len(piece))
    started = time.process_time()
    read_page(markup)
    # Linear work on this much takes a fraction of a second, quadratic work minutes.
    assert time.process_time() - started < 5.0
