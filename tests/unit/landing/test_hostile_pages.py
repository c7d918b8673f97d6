"""Whatever a model writes, what is stored can neither run, load, navigate nor submit elsewhere, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.landing.document import check
from studio.landing.problems import DocumentRefused
from studio.landing.tree import MAX_BYTES, parse, serialise
from tests.support.landing import PROJECT_ID, harm_in, hostile_documents, landing_facts, page, prepared

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
