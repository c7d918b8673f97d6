"""Whatever a model writes, what is stored can neither run, load, navigate nor submit elsewhere, or it is refused."""

from __future__ import annotations

import contextlib
import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.landing.document import check
from studio.landing.problems import DocumentRefused
from studio.landing.tree import MAX_BYTES, parse, serialise
from tests.support.landing import PROJECT_ID, STYLE, harm_in, hostile_documents, landing_facts, page, prepared

DOCUMENTS = hostile_documents()
# Of these nothing can be made: there is no form that could work.
REFUSED = {
    "a form in a form, by way of a table",
    "a noscript with a surprise",
    "no form at all",
    "a form without a field for mail",
    "nothing",
    "no page",
    "a page of frames",
    "a page in another encoding",
    "a page that is only text to the end",
}
# In these nothing is wrong: what looks like an attack is only text or a comment, or is filled in by our own code.
HARMLESS = {
    "selectors that are none",
    "widths that are no numbers",
    "attributes that end early",
    "the end of the styles",
    "a processing instruction and a declaration",
    "a form with a hidden project",
}


def test_there_are_attacks_of_every_kind() -> None:
    assert len(DOCUMENTS) >= 70
    assert DOCUMENTS.keys() >= REFUSED | HARMLESS


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - REFUSED))
def test_an_attack_is_without_effect(name: str) -> None:
    stored = prepared(DOCUMENTS[name])
    assert harm_in(stored) == []
    # What was checked is what a browser makes of it.
    assert serialise(parse(stored)) == stored
    assert str(PROJECT_ID) in stored


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_of_what_cannot_work_nothing_is_stored(name: str) -> None:
    with pytest.raises(DocumentRefused) as refused:
        prepared(DOCUMENTS[name])
    assert refused.value.problems


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - HARMLESS))
def test_an_attack_is_told(name: str) -> None:
    assert check(DOCUMENTS[name]) != []


def test_the_means_of_this_test_find_harm() -> None:
    found = [name for name, source in DOCUMENTS.items() if harm_in(source)]
    assert len(found) >= 60


_PIECES = """
<p> ~ </p> ~ <b id=1> ~ </b> ~ <i> ~ </i> ~ <a href=#waitlist> ~ </a> ~ <div> ~ </div> ~ <table> ~ <tr><td>
</table> ~ <svg> ~ </svg> ~ <g> ~ <title> ~ </title> ~ <desc> ~ <style> ~ </style> ~ <math> ~ <mtext>
</math> ~ <mglyph> ~ <form data-waitlist> ~ </form> ~ <input type=email name=email> ~ <button>Go</button>
<select> ~ <option> ~ </select> ~ <textarea> ~ </textarea> ~ <!-- ~ --> ~ --!> ~ <![CDATA[ ~ ]]>
<noscript> ~ <xmp> ~ <template> ~ </template> ~ <img src=x onerror=pwned()> ~ <script>pwned()</script>
<p title="</style> ~ "> ~ <foreignObject> ~ &lt;script&gt; ~ &#13;&#0; ~ <h1> ~ <li> ~ <body onload=x>
<head> ~ <html lang=de> ~ <frameset> ~ <plaintext> ~ <annotation-xml encoding=text/html>
"""
PIECES = ["text\r\n", "\x00", *(piece for line in _PIECES.strip().splitlines() for piece in line.split(" ~ "))]


@given(st.lists(st.sampled_from(PIECES), max_size=16), st.booleans())
@settings(max_examples=60, deadline=None)
def test_soup_of_tags_comes_to_rest_or_is_refused(pieces: list[str], whole: bool) -> None:
    soup = "".join(pieces)
    try:
        stored = prepared(soup if whole else page(soup))
    except DocumentRefused:
        return
    assert harm_in(stored) == []
    assert serialise(parse(stored)) == stored
    assert prepared(stored) == stored


NUMBERS = st.one_of(
    st.from_regex(r"[+-]?[0-9.]{0,6}(e[+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from([".", "..", "1..", "1.2.3", "\u0663", "9" * 400, "-0", "1e999", "calc(1/0)", "nan", "", "none"]),
)
LENGTHS = st.builds("{}{}".format, NUMBERS, st.sampled_from(["px", "em", "rem", "%", "vw", "deg", "", " px"]))
WIDTHS = st.builds(
    "({}-width: {}{})".format, st.sampled_from(["min", "max"]), NUMBERS, st.sampled_from(["px", "em", "rem"])
)
FEATURES = WIDTHS | st.builds(
    "({}{}{})".format,
    st.sampled_from(["min-width", "max-width", "width", "prefers-color-scheme", "", "MIN-WIDTH", "\\6d in-width"]),
    st.sampled_from([":", ": ", " >= ", "", "::"]),
    LENGTHS | st.sampled_from(["dark", "light", "/**/", "(", "url(#a)"]),
)
QUERIES = st.lists(
    st.one_of(FEATURES, st.sampled_from([" and ", ", ", " not ", "screen", "print", "only ", "(", ")", "all"])),
    max_size=6,
).map("".join)
COLORS = st.builds(
    "{}({}{}{}{}{})".format,
    st.sampled_from(["rgb", "rgba", "hsl", "hwb", "lab", "lch", "oklab", "oklch", "color", "color-mix", "light-dark"]),
    st.sampled_from(["", "srgb ", "display-p3 ", "from red ", "xyz "]),
    LENGTHS,
    st.sampled_from([" ", ",", "/", ""]),
    LENGTHS,
    st.sampled_from(["", " 1", " 1 / 2", " 1e300 / .", ", 7, 8", " var(--a)", " none"]),
)
VALUES = st.one_of(
    COLORS,
    LENGTHS,
    st.sampled_from(["red", "var(--a)", "var()", "var(,)", "var(--a,)", "linear-gradient(red, )", "inherit", "!", '"'])
    | st.sampled_from(["bold 1px/ x", "1px", "/", ", x", "'a' b, c", "1px var(--a)", "{", "}", "\\", "currentcolor"]),
    st.text(alphabet="()[]{};:,/*!@#\\\"'<>.+-%a1e \n\u0663", max_size=8),
)
DECLARATIONS = st.builds(
    "{}:{};".format,
    st.sampled_from(
        ["color", "background", "background-color", "font", "font-family", "--a", "--b", "opacity", "position", ""]
    ),
    st.lists(VALUES, max_size=4).map(" ".join),
)
SELECTORS = st.one_of(
    st.sampled_from(["p", "*", ":root", "p:nth-child(2n+)", ":lang()", ":is()", ":not(,)", "[a", "a|b", "::before", ""])
    | st.sampled_from(
        [":nth-child(9e9)", "p:has(> b)", "[lang|='\\0']", "&", "> p", "p >", ":where(:dir(ltr))", "#\\"]
    ),
    st.text(alphabet="p.#:[]()=~|^$*>+, \\'\"n1-", max_size=8),
)
RULES = st.builds("{}{{{}}}".format, SELECTORS, st.lists(DECLARATIONS, max_size=3).map("".join))
AT_RULES = st.builds(
    "@{} {}{{{}}}".format, st.sampled_from(["media", "supports", "layer", "container"]), QUERIES, RULES
)


def refused(source: str) -> list[str]:
    """Return the rules that a page breaks; whatever it holds, it is judged or refused, and nothing else happens."""
    facts = landing_facts()
    with contextlib.suppress(DocumentRefused):
        prepared(source, facts)
    return [problem.rule for problem in check(source, facts.copy, facts.known, facts.brand)]


@given(st.lists(WIDTHS | QUERIES, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_no_media_query_keeps_a_page_from_being_judged(queries: list[str]) -> None:
    sheet = "".join(f"@media {query} {{ p {{ color: #999 }} }}" for query in queries)
    assert "brand" in refused(page(style=STYLE + sheet))


@given(st.lists(RULES | AT_RULES, max_size=5), st.lists(DECLARATIONS, max_size=3), VALUES)
@settings(max_examples=150, deadline=None)
def test_no_styles_keep_a_page_from_being_judged(rules: list[str], declarations: list[str], paint: str) -> None:
    inline, fill = (html.escape(text, quote=True) for text in ("".join(declarations), paint))
    drawing = f'<svg aria-hidden="true"><path style="{inline}" fill="{fill}" stroke="{fill}"/></svg>'
    assert isinstance(refused(page(f'<p style="{inline}">Text</p>{drawing}', style=STYLE + "".join(rules))), list)


@pytest.mark.parametrize(
    "query",
    ["(min-width: .px)", "(max-width: 1..px)", "(min-width: 1.2.3rem)", "(max-width: \u0663px)", "(min-width: 1.px)"],
)
def test_a_width_that_is_no_number_is_an_unknown_query(query: str) -> None:
    # What is unknown is not judged: the pale text in it is no problem, and the same text in a known one is.
    sheet = "@media {} {{ p {{ color: #999 }} }}"
    assert [problem.rule for problem in check(page(style=STYLE + sheet.format(query)))] == []
    known = check(page(style=STYLE + sheet.format("(min-width: .5rem)")))
    assert [problem.rule for problem in known] == ["contrast"]


@pytest.mark.parametrize(
    "color",
    [
        "oklch(1e200 0.1 0)",
        "oklch(0.5 1e200 0)",
        "oklch(0.5 0.1 1e999)",
        "lab(1e300 1e300 0)",
        "rgb(1e999 0 0 / 1e999)",
    ],
)
def test_a_colour_beyond_all_numbers_is_judged_like_any_other(color: str) -> None:
    assert "brand" in refused(page(style=f"{STYLE} p {{ color: {color}; background: {color} }}"))


def test_a_page_beyond_its_size_is_refused_before_it_is_read() -> None:
    with pytest.raises(DocumentRefused, match="400 KB"):
        prepared(page("x" * MAX_BYTES))
    assert [problem.rule for problem in check(page("x" * MAX_BYTES))] == ["size"]


@pytest.mark.parametrize(
    "body",
    [
        "<p>" + "".join(f"<b id={n}>" for n in range(800)) + "<p>" * 800,
        "<div>" * 5000,
        "<table><tr><td>" * 2000,
        "<a><p>" * 20_000,
    ],
    ids=["formatting elements that multiply", "depth", "tables within tables", "links within links"],
)
def test_a_page_that_grows_while_it_is_parsed_is_refused(body: str) -> None:
    with pytest.raises(DocumentRefused, match=r"elements|nests"):
        prepared(page(body))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (page(f"<p {' '.join(f'data-a{n}' for n in range(30_000))}>"), "attributes"),
        (page("<p>x" * 3000, style="*{color:red}" * 9000), "too many to be measured"),
        (page(style="".join(f"p{{--a{n}:{f'var(--a{n + 1}) ' * 90}}}" for n in range(40)) + "p{color:var(--a0)}"), ""),
        (page(style="p{--a:var(--b);--b:var(--a);color:var(--a)}"), ""),
        (page("a" * 300_000), ""),
        (page("1," * 100_000), ""),
        (page(style="{" * 100_000), ""),
        (page(style="p{color:" + "rgb(" * 5000), "nests too deep"),
        (page('<p style="color:' + "rgb(" * 5000 + '">'), "nests too deep"),
        (page(style="@media all{" * 3000), ""),
    ],
    ids=[
        "attributes",
        "rules",
        "properties of properties",
        "a ring",
        "a word",
        "figures",
        "braces",
        "functions",
        "an attribute",
        "conditions",
    ],
)
def test_no_page_keeps_the_studio_busy(source: str, told: str) -> None:
    # Without its bounds each of these takes minutes at least, and the suite's time limit ends it.
    facts = landing_facts()
    assert told in " ".join(map(str, check(source, facts.copy, facts.known)))
