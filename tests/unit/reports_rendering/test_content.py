"""A report shows what stands with its source, calls the rest by its name, and never shows what was removed as found."""

from __future__ import annotations

import functools

import pytest

from studio.decks import notes
from studio.decks.scene import Chart, Drawing, Grid, Page, Text
from studio.reports.drawing import plan
from studio.reports.drawing.reading import Reading
from studio.reports.drawing.words import shortened
from studio.reports.model import CitedText, Contradiction, Report
from tests.support import report_samples as samples


@functools.cache
def pages(count: int) -> tuple[Page, ...]:
    return tuple(plan.planned(Reading(samples.report()), samples.brand(), count))


def shown(page: Page) -> str:
    parts: list[str] = []
    for element in page.elements:
        match element:
            case Text():
                parts += [para.text for para in element.paras]
            case Grid():
                parts += [para.text for row in element.rows for cell in row.cells for para in cell]
            case Chart():
                parts += [*element.labels, *element.shown]
            case Drawing():
                parts.append(element.alt)
    return "\n".join(parts)


def planned(report: Report, count: int = 30) -> list[Page]:
    return plan.planned(Reading(report), samples.brand(), count)


@pytest.mark.parametrize("count", [4, 7, 15, 30])
def test_every_statement_that_stands_has_its_source_on_its_slide(count: int) -> None:
    hosts = {source.key: source.url.split("/")[2].removeprefix("www.") for source in samples.SOURCES}
    told = 0
    for page in pages(count):
        text = shown(page)
        for claim in samples.CLAIMS:
            if claim.outcome == "supported" and claim.statement in text:
                told += 1
                assert hosts[claim.source or ""] in text, (page.title, claim.statement)
    assert told >= {4: 4, 7: 6}.get(count, 10)


@pytest.mark.parametrize("count", [4, 7, 15, 30])
def test_what_was_removed_stands_only_where_it_is_called_removed(count: int) -> None:
    for page in pages(count):
        text = shown(page) + notes.text(page.notes)
        for claim in samples.CLAIMS:
            if claim.outcome == "removed" and claim.statement in text:
                assert any(text.name == "Kicker" and text.paras[0].text == "Checked" for text in page.texts())


def test_what_was_removed_or_marked_is_shown_with_the_reason() -> None:
    page = next(page for page in pages(15) if page.title == "2 statements were removed and 1 is only marked")
    for claim in samples.CLAIMS:
        assert (claim.statement in shown(page)) == (claim.outcome != "supported")
        assert claim.reason is None or claim.reason in shown(page)


def test_marked_statements_are_called_unsupported_wherever_they_stand() -> None:
    marked = samples.CLAIMS[10]
    for page in pages(30):
        if marked.statement in shown(page):
            assert "Not supported" in shown(page) or "Marked" in shown(page), page.title


def test_a_contradiction_shows_both_passages_side_by_side() -> None:
    page = next(page for page in pages(15) if page.title == "Whether a deposit is usual")
    for number in (6, 7):
        claim = samples.CLAIMS[number - 1]
        card = next(text for text in page.texts() if text.name == f"Statement {number}")
        assert [para.text for para in card.paras][1:] == [claim.statement, f"“{claim.quote}”"]
    assert "lendly.test" in shown(page)
    assert "blog.test" in shown(page)


def test_the_summary_cites_statements_and_their_pages() -> None:
    page = next(page for page in pages(15) if page.title == "The answer in short")
    assert "[2] [3] figures.test" in shown(page)
    assert all(part.text in shown(page) for part in samples.report().summary)


def test_the_next_steps_cite_statements_too() -> None:
    page = next(page for page in pages(15) if page.title == "What follows from this")
    assert "[6] [7] lendly.test and blog.test" in shown(page)
    assert all(part.text in shown(page) for part in samples.report().next_steps)


def test_a_sentence_that_only_cites_what_was_removed_is_left_out() -> None:
    report = samples.report(
        summary=(CitedText(text="It will be everywhere.", claims=(12, 13)), samples.report().summary[0])
    )
    assert "It will be everywhere." not in "\n".join(shown(page) for page in planned(report))


def test_a_contradiction_of_which_one_side_fell_is_none() -> None:
    report = samples.report(contradictions=(Contradiction(claims=(5, 13), difference="how many members there are"),))
    assert "how many members there are" not in "\n".join(shown(page).lower() for page in planned(report))


def test_many_contradictions_are_told_in_a_table_where_slides_are_few() -> None:
    told = "\n".join(shown(page) for page in planned(samples.huge(questions=2), 9))
    assert "how many were counted in case 0" in told
    assert "more contradictions are in the studio." in told


def test_charts_are_native_with_figures_as_the_page_writes_them() -> None:
    charts = [(page, element) for page in pages(15) for element in page.elements if isinstance(element, Chart)]
    assert [chart.shown for _, chart in charts] == [("€4.1 billion", "€4.6 billion"), ("€5", "€40", "€50")]
    assert [chart.values for _, chart in charts] == [(4.1, 4.6), (5, 40, 50)]
    assert "[2] [4] figures.test" in shown(charts[0][0])


def test_a_chart_of_figures_that_fell_is_not_drawn() -> None:
    claims = tuple(
        claim.model_copy(update={"outcome": "removed"}) if claim.number == 4 else claim for claim in samples.CLAIMS
    )
    charts = [
        element
        for page in planned(samples.report(claims=claims), 15)
        for element in page.elements
        if isinstance(element, Chart)
    ]
    assert [chart.shown for chart in charts] == [("€5", "€40", "€50")]


def test_open_questions_and_limits_are_told() -> None:
    told = "\n".join(shown(page) for page in pages(15))
    assert "Three searches found no page that counts them." in told
    assert all(limit in told for limit in samples.report().limits)


def test_the_appendix_names_each_page_with_time_and_hash() -> None:
    reading = Reading(samples.report())
    appendix = [page for page in pages(30) if page.title.startswith("5 pages carry this report")]
    told = "\n".join(shown(page) for page in appendix)
    for page in reading.pages.values():
        assert all(part in told for part in (page.title, page.address, page.short_hash, "3 March 2026"))
        assert any(page.sha256 in notes.text(slide.notes) for slide in appendix)


def test_every_slide_has_notes_that_say_where_it_comes_from() -> None:
    for page in (*pages(30), *planned(samples.nothing()), *planned(samples.tiny())):
        text = notes.text(page.notes)
        assert page.notes.say
        assert "Sources\n" in text or "No source: " in text, page.title


def test_notes_hold_statement_and_passage_in_full() -> None:
    quote = "a passage that is long " * 200
    claims = (samples.claim(1, 1, "S" * 900, quote, "S3"),)
    made = planned(samples.tiny().model_copy(update={"claims": claims, "sources": samples.SOURCES}), 5)
    assert any("S" * 900 in notes.text(page.notes) and quote.strip() in notes.text(page.notes) for page in made)


def test_nothing_found_is_said_with_what_was_asked_and_how_it_was_searched() -> None:
    made = planned(samples.nothing())
    told = "\n".join(shown(page) for page in made)
    assert "Nothing was found that a page carries" in told
    assert "How many houses in Hamburg have a room for a locker?" in told
    assert "6 searches made" in told
    assert "lendly.test" in told
    assert samples.REMOVED not in told


def test_what_the_sandbox_model_made_says_so() -> None:
    assert "Made by the sandbox model" in shown(planned(samples.report(sandbox=True), 3)[0])
    assert "sandbox" not in "\n".join(shown(page) for page in pages(4))


def test_a_statement_without_a_kept_page_does_not_stand() -> None:
    claims = (samples.claim(1, 1, "It stands on nothing", "words", "S9"), *samples.CLAIMS[1:])
    reading = Reading(samples.report(claims=claims))
    assert [claim.number for claim in reading.marked] == [1, 11]
    assert "It names no page that was kept." in "\n".join(
        shown(page) for page in plan.planned(reading, samples.brand(), 15)
    )


@pytest.mark.parametrize(
    ("text", "room", "cut"),
    [
        ("short", 10, "short"),
        ("one two three four", 12, "one two…"),
        ("漢字漢字漢字", 6, "漢字漢…"),
        ("W" * 20, 5, "WWWWW…"),
        ("ab👩‍🚀cd", 3, "ab…"),
        ("xe\u0302y", 2, "xe\u0302…"),
        ("", 5, ""),
    ],
)
def test_texts_are_cut_between_words_and_never_inside_a_letter(text: str, room: int, cut: str) -> None:
    assert shortened(text, room) == cut
