"""Letters: what is filled in is text and never markup or a header, and the text twin says all that the HTML says."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from studio.errors import InvalidInput
from studio.mail.addresses import SUBJECT_CHARS, checked_address, display_name, mailbox, one_line, subject_line
from studio.mail.folder import file_name
from studio.mail.message import Mail, compose
from studio.mail.plaintext import text_of
from studio.mail.rendering import render
from studio.mail.sequences import day_offset
from studio.webpage import read_page

URL = "https://studio.test/projects/1"
STUDIO = {
    "brand": "Greenlight",
    "sender": "studio",
    "home_url": "https://studio.test",
    "unsubscribe_url": "https://pages.test/unsubscribe/token",
    "postal_address": "12 Canal Street, Berlin",
}
PROJECT = {**STUDIO, "brand": "Neighbour Tools", "sender": "project", "home_url": "https://pages.test/launch/1"}
FIGURES = [{"name": "Visits", "week": "412", "month": "1,930"}, {"name": "Conversion", "week": "–", "month": "3.2 %"}]
PACKET = {
    "project_name": "Neighbour Tools",
    "phase": 0,
    "phase_name": "Pitch",
    "version": 1,
    "headline": "A tool library for neighbours",
    "pitch": "A shared locker makes lending easy.",
    "recommendation": "greenlight",
    "confidence": 68,
    "reasons": ["Two cities have waiting lists", "A deposit covers damage"],
    "risks": ["Landlords have to agree"],
    "sandbox": True,
    "url": URL,
}
TOOLS = {"name": "Tools", "phase": "Phase 1, Validate", "confidence": 68, "pending": 2, "completed": 11, "failed": 0}
SOUP = {"name": "Soup", "phase": "Phase 0, Pitch", "confidence": None, "pending": 0, "completed": 4, "failed": 1}
DIGEST_PROJECTS = [{**TOOLS, "url": URL}, {**SOUP, "url": None}]
LETTERS: dict[str, dict[str, Any]] = {
    "phase_ready": {**STUDIO, **PACKET},
    "welcome": {**STUDIO, "project_name": "Neighbour Tools", "url": URL},
    "weekly_digest": {
        **STUDIO, "week": "2026-W10", "projects": DIGEST_PROJECTS, "others": 3, "pending": 2, "completed": 15,
        "failed": 1, "url": URL,
    },
    "nudge_no_reviews": {**STUDIO, "project_name": "Neighbour Tools", "waiting": 3, "url": URL},
    "nudge_no_signoffs": {**STUDIO, "project_name": "Neighbour Tools", "waiting": 1, "url": URL},
    "daily_overview": {
        **STUDIO, "project_name": "Neighbour Tools", "phase": "Phase 2, Distribute", "day": "Tuesday, 3 March 2026",
        "figures": FIGURES, "measured": True, "activity": ["14 mails sent"], "proposed": ["Send the lifecycle mails"],
        "recommended": ["Try another headline"], "to_do": ["Decide on the 2 approvals"], "skip": "It was paused.",
        "waiting": 2, "url": URL,
    },
    "waitlist_confirm": {
        **PROJECT, "project_name": "Neighbour Tools", "confirm_url": "https://pages.test/waitlist/confirm/token",
        "name": "Ada", "days": 7,
    },
    "sequence": {
        **PROJECT, "subject_text": "What the locker is for", "paragraphs": ["Thank you.", "It opens soon."],
        "cta_label": "See the plan",
    },
    "lifecycle": {**PROJECT, "subject_text": "It opens", "paragraphs": ["On Saturday."], "cta_label": None},
}  # fmt: skip

EVIL = '<script>alert(1)</script> & <b>"bold"</b>\r\nBcc: everybody@example.org\r\n\r\n<img src=x onerror=alert(2)>'


def words(text: str) -> list[str]:
    return re.findall(r"[\w%–.,@:/]+", text)


@pytest.mark.parametrize("name", LETTERS)
def test_the_text_says_whatever_the_html_says(name: str) -> None:
    letter = render(name, LETTERS[name])
    # Links are spelled out in the text, buttons are named in both.
    shown = read_page(re.sub(r'<div style="display:none.*?</div>', "", letter.html)).text
    missing = {word.strip(".,:") for word in words(shown)} - {word.strip(".,:") for word in words(letter.text)}
    # How the same thing is said where there is nothing to click on, and how the table is read aloud.
    assert missing <= {"Or", "open", "Unsubscribe"}, missing


@pytest.mark.parametrize("name", LETTERS)
def test_every_link_of_the_html_is_in_the_text(name: str) -> None:
    letter = render(name, LETTERS[name])
    for address in re.findall(r'href="([^"]+)"', letter.html):
        assert address in letter.text


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_a_complete_document_with_nothing_to_load(name: str) -> None:
    letter = render(name, LETTERS[name])
    assert letter.html.startswith("<!doctype html>")
    assert '<meta name="color-scheme" content="light dark">' in letter.html
    assert not re.search(r"<(script|img|link|iframe|form)\b|url\(|@import", letter.html)
    assert letter.subject
    assert letter.text.endswith("\n")
    assert "{{" not in letter.html + letter.text
    assert "\n\n\n" not in letter.text


@pytest.mark.parametrize("name", LETTERS)
def test_who_writes_why_and_how_to_end_it_is_said(name: str) -> None:
    facts = LETTERS[name]
    for said in (render(name, facts).html, render(name, facts).text):
        assert "You get this" in said
        assert facts["brand"] in said
        assert "12 Canal Street, Berlin" in said
        assert facts["unsubscribe_url"] in said
    transactional = render(name, {**facts, "unsubscribe_url": None, "postal_address": None, "home_url": None})
    assert "nsubscribe" not in transactional.html + transactional.text


def poisoned(value: Any) -> Any:
    """Return the facts with every text in them replaced by one that is after the reader."""
    if isinstance(value, str):
        return value if value.startswith(("https://", "studio", "project")) else EVIL
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return {key: poisoned(item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", LETTERS)
def test_nothing_that_is_filled_in_becomes_markup_or_a_header(name: str) -> None:
    letter = render(name, poisoned(LETTERS[name]))
    assert "<script" not in letter.html
    assert "<img" not in letter.html
    assert "<b>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert "\n" not in letter.subject
    assert "\r" not in letter.subject
    assert len(letter.subject) <= SUBJECT_CHARS


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", " https://x.test", "https:// x", "//x.test"]
)
def test_only_the_web_is_linked_to(url: str) -> None:
    for name, fact in (("welcome", "url"), ("waitlist_confirm", "confirm_url"), ("sequence", "home_url")):
        letter = render(name, {**LETTERS[name], fact: url})
        assert f'href="{url}"' not in letter.html
        assert "javascript:" not in letter.html


def test_a_letter_without_a_fact_is_not_written() -> None:
    facts = {key: value for key, value in LETTERS["welcome"].items() if key != "project_name"}
    with pytest.raises(InvalidInput, match="project_name"):
        render("welcome", facts)
    with pytest.raises(InvalidInput, match="There is no letter"):
        render("../base", LETTERS["welcome"])


# --- addresses


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("ada@example.org", "ada@example.org"),
        (" Ada.L+news@Example.ORG ", "Ada.L+news@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("o'hara@sub.example.co.uk", "o'hara@sub.example.co.uk"),
    ],
)
def test_an_address_is_taken_with_its_domain_in_ascii(given: str, address: str) -> None:
    assert checked_address(given) == address


@pytest.mark.parametrize(
    "given",
    [
        "", "ada", "@example.org", "ada@", "ada@localhost", "a@b@example.org", "ada@example.org, bob@example.org",
        "Ada <ada@example.org>", "ada@example.org\r\nBcc: bob@example.org", "ad a@example.org",
        ".ada@example.org", "ada..l@example.org", "ada@-example.org", "ada@example..org", "ada@[127.0.0.1]",
        '"ada l"@example.org', "ädä@example.org", "ada@example.org>", "a" * 65 + "@example.org",
        "ada@" + "e" * 250 + ".org", "ada@exa\x00mple.org", "ada@example.org;bob@example.org", "ada@1.2.3.4",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        checked_address(given)


def test_names_and_subjects_stay_on_one_line_and_in_their_direction() -> None:
    assert one_line("a\r\nb\tc\u2028d\x00\u202egnp.exe\u2066x") == "a b c d gnp.exex"
    assert one_line("family \U0001f469\u200d\U0001f467") == "family \U0001f469\u200d\U0001f467"
    assert subject_line("x" * 500) == "x" * (SUBJECT_CHARS - 1) + "…"
    assert display_name("Bank <security@bank.test>") == "Bank security at bank.test"
    assert str(mailbox("Studio <mail@studio.test>")) == "Studio <mail@studio.test>"
    assert str(mailbox("mail@studio.test", 'Tools, "Inc"')) == '"Tools, \\"Inc\\"" <mail@studio.test>'
    with pytest.raises(InvalidInput):
        mailbox("nobody")


# --- the message


def a_mail(**changes: Any) -> Mail:
    given: dict[str, Any] = {
        "id": UUID(int=1), "project_id": UUID(int=2), "outbox_key": "key", "to_email": "ada@example.org",
        "subject": "Hello", "html_body": "<p>Hi there</p>", "text_body": None, "category": "transactional",
        "sender": "project", "reply_to": None, "unsubscribe_url": None, "claim_no": 1, "attempts": 0, "begun_at": None,
        "created_at": datetime(2026, 3, 1, 12, tzinfo=UTC), "scheduled_for": datetime(2026, 2, 1, tzinfo=UTC),
    }  # fmt: skip
    return Mail(**{**given, **changes})


def parsed(mail: Mail, name: str = "Tools") -> Any:
    content = compose(mail, "mail@studio.test", name).as_bytes()
    return email.message_from_bytes(content, policy=email.policy.default)


def test_a_message_has_both_parts_and_a_long_link_in_one_piece() -> None:
    url = "https://pages.test/unsubscribe/" + "t" * 300
    message = parsed(a_mail(unsubscribe_url=url, reply_to="in@studio.test", subject="Grüße aus Köln " * 8))
    assert message["List-Unsubscribe"] == f"<{url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Reply-To"] == "in@studio.test"
    assert message["Subject"] == ("Grüße aus Köln " * 8).strip()
    assert message["Date"].datetime == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parsed(a_mail(scheduled_for=datetime(2026, 3, 8, tzinfo=UTC)))["Date"].datetime.day == 8
    assert message.get_content_type() == "multipart/alternative"
    assert message.get_body(("plain",)).get_content().strip() == "Hi there"
    assert message.get_body(("html",)).get_content().strip() == "<p>Hi there</p>"


@pytest.mark.parametrize("field", ["subject", "name"])
def test_no_text_of_a_row_begins_a_header(field: str) -> None:
    evil = "Hello\r\nBcc: everybody@example.org\r\n\r\nanother body"
    message = parsed(a_mail(subject=evil) if field == "subject" else a_mail(), evil if field == "name" else "Tools")
    assert message["Bcc"] is None
    assert [str(address.addr_spec) for address in message["From"].addresses] == ["mail@studio.test"]
    assert [str(address.addr_spec) for address in message["To"].addresses] == ["ada@example.org"]


@pytest.mark.parametrize("field", ["to_email", "reply_to"])
def test_an_address_that_is_none_is_not_written_to(field: str) -> None:
    with pytest.raises(InvalidInput):
        compose(a_mail(**{field: "ada@example.org\r\nBcc: bob@example.org"}), "mail@studio.test", "Tools")


def test_a_mails_key_and_file_are_its_own_and_always_the_same() -> None:
    mail, other = a_mail(), a_mail(outbox_key="other")
    assert mail.key == a_mail(id=UUID(int=9)).key, "the occasion names a mail, not its row"
    assert mail.key != other.key
    assert a_mail(outbox_key=None).key != a_mail(outbox_key=None, id=UUID(int=9)).key
    assert len(mail.key) <= 256
    names = {file_name(compose(m, "mail@studio.test", "Tools")) for m in (mail, a_mail(), other)}
    assert len(names) == 2
    tricky = file_name(compose(a_mail(subject="../../etc/passwd\x00 ☃ " + "x" * 500), "mail@studio.test", "Tools"))
    assert re.fullmatch(r"[A-Za-z0-9@._+-]+\.eml", tricky)
    assert len(tricky) < 200


# --- text of other clients' HTML


def test_html_without_a_text_part_is_read_aloud() -> None:
    markup = """<html><head><title>No</title><style>p { color: red }</style></head><body><h1>Tea &amp; cake</h1>
    <p>It is <b>ready</b>,<br>come <a href="https://tea.test/now">now</a>.</p><ul><li>Tea</li><li>Cake</li></ul>
    <script>alert(1)</script><table><tr><td>Price</td><td>3 €</td></tr></table>
    <p><a href="https://tea.test">https://tea.test</a> <a href="javascript:x()">no</a></p></body></html>"""
    assert text_of(markup) == (
        "Tea & cake\n\nIt is ready,\ncome now (https://tea.test/now).\n\n- Tea\n- Cake\n\nPrice 3 €\n\n"
        "https://tea.test no\n"
    )
    assert text_of("") == "\n"
    assert text_of("<p>unclosed <b>tags") == "unclosed tags\n"


@pytest.mark.parametrize(
    ("day", "offset"),
    [("Day 0", 0), ("Day 3", 3), ("3", 3), ("after 14 days", 14), ("at once", 0), ("Week 2, day 9", 2)],
)
def test_a_day_is_the_first_number(day: str, offset: int) -> None:
    assert day_offset(day) == offset


@pytest.mark.parametrize("day", ["Day 367", "Day 99999999999999999999"])
def test_a_day_beyond_a_year_is_a_slip(day: str) -> None:
    with pytest.raises(InvalidInput):
        day_offset(day)
