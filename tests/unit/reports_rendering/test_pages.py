"""A report has exactly the slides that were asked for, and whatever it says, nothing on them overflows."""

from __future__ import annotations

import functools
from itertools import islice

import pytest

from studio.decks.scene import Page, Text
from studio.reports.drawing import plan, working
from studio.reports.drawing.reading import Reading
from studio.reports.model import Report
from tests.support import report_samples as samples
from tests.support.size import FULL
from tests.unit.decks.test_pages import SEEDS, assert_apart, assert_fits

REPORTS = {
    "usual": samples.report,
    "tiny": samples.tiny,
    "nothing": samples.nothing,
    "huge": samples.huge,
    "wordy": lambda: samples.huge(questions=3, claims=8, words=60),
    **{name: functools.partial(samples.in_script, name) for name in ("japanese", "arabic", "hindi", "odd")},
}
COUNTS = (3, 4, 7, 15, 30)
FEW = [("usual", 3), ("usual", 4), ("usual", 7), ("usual", 15), ("usual", 30), ("tiny", 3), ("tiny", 30), ("huge", 4),
       ("huge", 30), ("wordy", 7), ("odd", 15), ("arabic", 7)]  # fmt: skip
ALL = [(name, count) for name in REPORTS if name != "nothing" for count in range(3, 31)]


@functools.cache
def pages(name: str, count: int, seed: str = SEEDS[0]) -> tuple[Page, ...]:
    return tuple(plan.planned(Reading(REPORTS[name]()), samples.brand(seed), count))


@pytest.mark.chaos
@pytest.mark.parametrize(("name", "count"), ALL if FULL else FEW)
def test_there_are_exactly_as_many_slides_as_asked(name: str, count: int) -> None:
    assert len(pages(name, count)) == count


@pytest.mark.parametrize("count", [3, 4, 30])
def test_where_nothing_was_found_there_are_three(count: int) -> None:
    assert len(pages("nothing", count)) == 3


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("name", "count", "seed"),
    [(name, count, seed) for name in REPORTS for count in COUNTS for seed in SEEDS]
    if FULL
    else [*((*one, SEEDS[0]) for one in FEW), ("usual", 15, SEEDS[6]), ("odd", 7, SEEDS[4]), ("nothing", 3, SEEDS[1])],
)
def test_nothing_overflows_and_texts_stand_apart(name: str, count: int, seed: str) -> None:
    for page in pages(name, count, seed):
        assert_fits(page, samples.brand(seed))
        assert_apart(page)


def test_a_long_passage_is_cut_with_few_slides_and_whole_with_many() -> None:
    passage = " ".join(f"word{n}" for n in range(700))
    claims = (samples.claim(1, 1, "A long one", passage, "S3"), *samples.CLAIMS[1:2])
    long = samples.tiny().model_copy(update={"claims": claims, "sources": samples.SOURCES})

    def shown(count: int) -> str:
        made = plan.planned(Reading(long), samples.brand(), count)
        return " ".join(para.text for page in made for text in page.texts() for para in text.paras)

    few, many = shown(6), shown(14)
    assert "word699" not in few
    assert "the studio has all of it" in few
    assert [n for n in range(700) if f"word{n}" not in many] == []


def test_what_there_is_no_room_for_is_counted() -> None:
    few = pages("huge", 4)
    stand = len(Reading(samples.huge()).shown)
    texts = [cell.text for page in few for element in page.elements if hasattr(element, "rows")
             for row in element.rows for paras in row.cells for cell in paras]  # fmt: skip
    listed = sum(text.startswith("Statement number") for text in texts)
    assert f"{stand - listed} more statements are in the studio." in texts
    assert any("more pages are in the studio." in text for text in texts)


def test_with_few_slides_the_strongest_statements_stand() -> None:
    reading = Reading(samples.huge())
    texts = "\n".join(notes for page in pages("huge", 4) for notes in page.notes.details)
    assert all(f"[{claim.number}]" in texts for claim in reading.supported[:4])


def test_working_slides_come_last_and_only_where_all_is_told() -> None:
    assert not any("Working slide" in kicker for kicker in map(kicker_of, pages("usual", 15)))
    kickers = [kicker_of(page) for page in pages("tiny", 30)]
    working_from = next(at for at, kicker in enumerate(kickers) if kicker.startswith("Working slide"))
    assert all(kicker.startswith("Working slide") for kicker in kickers[working_from:-1])
    assert kickers[-1] == "Sources"


def kicker_of(page: Page) -> str:
    return next((text.paras[0].text for text in page.texts() if text.name == "Kicker"), "")


def test_working_slides_never_end() -> None:
    reading, brand = Reading(samples.tiny()), samples.brand()
    made = list(islice(working.sheets(reading, brand), 40))
    assert {len(one) for one in made} == {1}


def test_an_arabic_report_is_read_from_the_right_though_its_addresses_are_not() -> None:
    assert Reading(samples.in_script("arabic")).leftwards
    assert not Reading(samples.report()).leftwards


def test_the_contents_say_where_things_stand() -> None:
    made = pages("usual", 15)
    listed = next(page for page in made if page.title == "What this report holds")
    entries = [para.text for text in listed.texts() if text.role == "body" for para in text.paras]
    assert entries
    for entry in entries:
        title, _, at = entry.replace("\N{NO-BREAK SPACE}", " ").rpartition(" · slide ")
        here = made[int(at) - 1]
        if title.strip() in ("Contradictions", "Sources"):
            assert kicker_of(here).startswith(title.strip().removesuffix("s"))
    assert len(entries) == 10


def report_of(**change: object) -> Report:
    return samples.report(**change)


def test_a_chart_with_a_figure_below_zero_is_a_table() -> None:
    chart = samples.QUESTIONS[0].charts[0]
    fallen = chart.data[0].model_copy(update={"value": -4.1, "shown": "−4.1"})
    question = samples.QUESTIONS[0].model_copy(
        update={"charts": (chart.model_copy(update={"data": (fallen, chart.data[1])}),)}
    )
    made = plan.planned(Reading(report_of(questions=(question, *samples.QUESTIONS[1:]))), samples.brand(), 12)
    page = next(page for page in made if page.title == chart.title)
    assert any(hasattr(element, "rows") for element in page.elements)
    assert not any(isinstance(element, Text) and element.name == "Remarks" for element in page.elements)
