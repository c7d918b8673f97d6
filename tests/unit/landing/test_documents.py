"""What a page has to be: found where it is missing, left alone where it is there, and completed by our own code."""

from __future__ import annotations

import pytest

from studio.errors import InvalidInput
from studio.landing.document import check, consent_text, language_of, prepare
from studio.landing.problems import DocumentRefused
from studio.landing.tree import find, parse, text_of
from tests.support.landing import FORM, PROJECT_ID, STYLE, landing_facts, page, prepared

FACTS = landing_facts()


def problems(source: str) -> str:
    """Return everything that is wrong with a page for the tool library, a line each."""
    return "\n".join(map(str, check(source, FACTS.copy, FACTS.known)))


def test_a_page_that_has_everything_has_no_problems() -> None:
    assert problems(page()) == ""
    assert problems(prepared(page())) == ""


def with_field(field: str) -> str:
    """Return a page with one more field in its form."""
    return page(form=FORM.replace("<button", f"{field}<button"))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (page().replace("<!doctype html>", ""), "doctype"),
        (page().replace(' lang="en"', ""), "names no language"),
        (page().replace("<title>Hallway</title>", "<title> </title>"), "no title"),
        (page().replace("width=device-width, ", ""), "viewport"),
        (page().replace("initial-scale=1", "maximum-scale=1.0"), "zooming"),
        (page().replace('content="Tools."', 'content=""'), "meta description"),
        (page("<h1>Again</h1>"), "2 h1 elements"),
        (page().replace("<h1>", "<h2>").replace("</h1>", "</h2>"), "0 h1 elements"),
        (page("<h4>Deep</h4>"), "is an h4 below an h2"),
        (page("<h2></h2>"), "empty h2"),
        (page().replace("<main>", "<div>").replace("</main>", "</div>"), "0 main elements"),
        (page('<p id="a"></p><p id="a"></p>'), "'a' stands 2 times"),
        (page('<a href="#nowhere">go</a>'), "#nowhere, which is not on the page"),
        (page('<a href="#waitlist"></a>'), "a link without words"),
        (page('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'), "no alt text"),
        (page("<svg viewBox='0 0 1 1'><path d='M0 0'/></svg>"), "neither hidden"),
        (page(form=FORM.replace('<label for="mail">Email</label>', "")), "'email' has no label"),
        (page(style=STYLE + "@keyframes a{to{opacity:0}}"), "prefers-reduced-motion"),
        (page(style=STYLE + "a{outline:none}"), "outline"),
        (page(form=FORM.replace("Join the waitlist", "")), "no button with words"),
        (page(form=FORM.replace('type="email" name="email"', 'type="text" name="mail"')), 'no <input type="email"'),
        (with_field('<label>B <input type="email" name="other"></label>'), "more than once"),
        (with_field('<label>N <input name="project_id"></label>'), "named 'project_id'"),
        (page("<p>Over 12,000 neighbours trust us.</p>"), "“12,000”"),
        (page("<p>Save 30% today</p>"), "“30%”"),
        (page("<p>Write to hello@hallway.example</p>"), "hello@hallway.example"),
        (page().replace(f"<h1>{FACTS.copy.headline}", "<h1>Borrow things"), "is not in the h1"),
        (page(form=FORM.replace("Join the waitlist", "Send")), "Join the waitlist” is not on the form's button"),
        (page().replace("Who it is for", "For whom"), "The title “Who it is for” is not on the page"),
    ],
)  # fmt: skip
def test_what_is_missing_or_too_much_is_told(source: str, told: str) -> None:
    assert told in problems(source)


def test_numbers_that_somebody_gave_may_stand_on_the_page() -> None:
    facts = landing_facts(idea="A tool library for 12,000 neighbours that costs €5 and opens in 2027.")
    assert check(page("<p>12,000 neighbours, €5, in 2027. 01 One thing.</p>"), facts.copy, facts.known) == []


def test_the_form_works_whatever_was_written() -> None:
    wild = (
        '<form data-waitlist action="//evil.test" method="get" class="slip" novalidate>'
        '<p>Mail <input name="email" value="me"></p>'
        '<label>Street <input name="street"></label><button type="button">Join</button></form>'
    )
    form = find(parse(prepared(page(form=wild))), "form")[0]
    assert {key: form.get(key) for key in ("action", "method", "class")} == {
        "action": "/api/waitlist",
        "method": "post",
        "class": "slip",
    }
    fields = {node.get("name"): dict(node.attrib) for node in find(form, "input")}
    assert list(fields) == ["email", "street", "project_id", "source", "website"]
    assert fields["email"] == {
        "name": "email", "type": "email", "required": "", "autocomplete": "email", "maxlength": "254"
    }  # fmt: skip
    assert (fields["project_id"]["type"], fields["project_id"]["value"]) == ("hidden", str(PROJECT_ID))
    assert fields["source"]["value"] == "landing_page"
    # The trap is there for robots only: out of sight, out of the tab order, not filled in by a browser.
    assert (fields["website"]["tabindex"], fields["website"]["autocomplete"]) == ("-1", "off")
    assert [button.get("type") for button in find(form, "button")] == ["submit"]
    consent = [node for node in find(form, "p") if "data-consent" in node.attrib]
    assert [text_of(node) for node in consent] == [consent_text("Hallway", "en")]


def test_the_sentence_of_consent_stands_where_the_designer_wants_it() -> None:
    form = FORM.replace("<p data-consent></p>", '<small data-consent class="fine">lorem <b>ipsum</b></small>')
    stored = prepared(page(form=form))
    assert f'<small data-consent="" class="fine">{consent_text("Hallway", "en")}</small>' in stored
    assert stored.count("data-consent") == 1


def test_consent_is_asked_in_the_page_s_language_and_names_are_only_text() -> None:
    assert "abbestellen" in consent_text("Hof", "de-AT").lower() or "Abmelden" in consent_text("Hof", "de-AT")
    name = "<b>Tools</b> & {0} Co"
    stored = prepare(page(), project_id=PROJECT_ID, consent=consent_text(name, "en"))
    assert "&lt;b&gt;Tools&lt;/b&gt; &amp; {0} Co" in stored
    assert language_of(page().replace('lang="en"', 'lang="de"')) == "de"


def test_other_forms_go_and_the_text_around_them_stays() -> None:
    stored = prepared(page("before <form><input type=email name=email><button>Go</button></form> after"))
    assert stored.count("<form") == 1
    assert "data-waitlist" in stored
    assert "before  after" in stored


def test_the_same_page_is_the_same_bytes_and_is_completed_once() -> None:
    once = prepared(page())
    assert once == prepared(page())
    assert prepared(once) == once


@pytest.mark.parametrize(
    "action", ["", "waitlist", "//evil.test/x", "javascript:alert(1)", '/a" onload="x', "/a b", "https://evil.test"]
)
def test_a_form_can_only_be_sent_to_a_path(action: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be sent"):
        prepare(page(), project_id=PROJECT_ID, consent="Yes.", action=action)


def test_a_page_without_a_form_says_what_it_lacks() -> None:
    with pytest.raises(DocumentRefused, match="data-waitlist") as refused:
        prepared(page(form=""))
    assert [problem.rule for problem in refused.value.problems] == ["form"]


def test_the_encoding_is_said_first() -> None:
    stored = prepared(
        page().replace('<meta charset="utf-8">', '<meta name="author" content="x"><meta charset="latin-1">')
    )
    assert stored.startswith('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">')
    assert stored.count("charset=") == 1 + stored.count("accept-charset=")


def test_what_is_shown_where_a_page_is_shared_is_what_it_says_of_itself() -> None:
    theirs = '<meta property="og:title" content="Another"><meta property="og:image" content="https://evil.test/x.png">'
    stored = prepared(page(head=theirs).replace('content="Tools."', 'content="Tools &amp; &quot;more&quot;."'))
    assert stored.count('<meta property="og:title" content="Hallway">') == 1
    assert stored.count('<meta property="og:description" content="Tools &amp; &quot;more&quot;.">') == 1
    assert stored.count("property=") == 2
    assert "evil" not in stored
    # Nothing is made up where the page says nothing.
    assert "og:description" not in prepared(page().replace('content="Tools."', 'content=" "'))


def test_words_with_soft_hyphens_and_odd_spaces_are_still_the_words() -> None:
    headline = FACTS.copy.headline
    soft = headline.replace("br", "b\u00adr").replace(" ", "\u00a0\n ")
    assert "headline" not in problems(page().replace(headline, soft))


STYLES = """
:root { color-scheme: light dark; --x: clamp(1rem, 2vw + 1rem, 3rem) }
@media (width < 40rem) and (prefers-contrast: more) { main > p:nth-child(2n + 1)::before { content: "" } }
@supports (display: grid) { .a { grid-template-columns: repeat(auto-fit, minmax(min(100%, 12rem), 1fr)) } }
@layer base { .b { background: linear-gradient(90deg, #fff 0 50%, transparent), conic-gradient(from 1turn, #eee) } }
.c { fill: url(#hatch); background-image: url("data:image/png;base64,iVBORw0KGgo=") !important }
.d { color: color-mix(in oklch, #111 40%, #222); & .e:is(.f):not(:first-child) { margin: calc(1px - var(--x, 2px)) } }
"""
KEPT = (
    "@media (width < 40rem) and (prefers-contrast: more)",
    "main > p:nth-child(2n + 1)::before",
    "@supports (display: grid)",
    "repeat(auto-fit, minmax(min(100%, 12rem), 1fr))",
    "@layer base",
    "linear-gradient(90deg, #fff 0 50%, transparent), conic-gradient(from 1turn, #eee)",
    "url(#hatch)",
    'url("data:image/png;base64,iVBORw0KGgo=") !important',
    "color-mix(in oklch, #111 40%, #222)",
    "& .e:is(.f):not(:first-child)",
    "calc(1px - var(--x, 2px))",
)


def test_ordinary_styles_stay_what_they_are() -> None:
    stored = prepared(page(style=STYLE + STYLES))
    assert problems(page(style=STYLE + STYLES)) == ""
    assert [kept for kept in KEPT if kept not in stored] == []
