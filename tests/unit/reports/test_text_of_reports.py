"""What a report adds to its statements (contradictions, charts, sentences) says nothing that they do not say."""

from __future__ import annotations

from typing import Any

import pytest

from studio.reports.charts import ProposedChart, ProposedDatum, charts
from studio.reports.contradictions import FoundContradiction, contradictions
from studio.reports.model import Claim
from studio.reports.recording import slug
from studio.reports.reviewing import SentenceVerdict, confirmed, items
from studio.reports.writing import (
    ReportText,
    WrittenHeading,
    WrittenSentence,
    carried,
    headings,
    sentences,
    summary,
    title,
)


def claim(number: int, statement: str, *, outcome: Any = "supported", question: int = 1, **changes: Any) -> Claim:
    values = {"quote": statement, "source": "S1", "confidence": 90}
    return Claim(
        **{**values, **changes, "number": number, "statement": statement, "outcome": outcome, "question": question}
    )


SIZE = "The market for rented tools is worth {} a year."


# --- contradictions


def test_figures_of_one_subject_that_differ_are_shown_against_each_other() -> None:
    claims = [claim(1, SIZE.format("€4.5 billion")), claim(2, SIZE.format("€6 billion")), claim(3, "It rains often.")]
    (found,) = contradictions(claims, [], "en")
    assert (found.claims, found.difference) == ((1, 2), "€4.5 billion ≠ €6 billion")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SIZE.format("€4.5 billion"), SIZE.format("€4.48 billion")),
        (SIZE.format("€4.5 billion"), SIZE.format("4,500 million euros")),
        (SIZE.format("€4.5 billion"), SIZE.format("$6 billion")),
        (SIZE.format("€4.5 billion"), "The insurance of lent ladders costs €6 billion."),
        ("In 2019 the market for tools was worth €4 billion.", "In 2024 the market for tools was worth €6 billion."),
        (SIZE.format("4 to 5 %"), SIZE.format("6 %")),
    ],
)
def test_rounding_other_units_subjects_and_years_are_no_contradiction(first: str, second: str) -> None:
    assert contradictions([claim(1, first), claim(2, second)], [], "en") == []


def test_what_does_not_stand_contradicts_nothing() -> None:
    claims = [claim(1, SIZE.format("€4.5 billion")), claim(2, SIZE.format("€6 billion"), outcome="marked")]
    assert contradictions(claims, [FoundContradiction(claims=[1, 2])], "en") == []


def test_a_models_contradiction_names_claims_that_stand_and_says_nothing_of_its_own() -> None:
    claims = [claim(1, "The library is open on Sundays."), claim(2, "The library is closed on Sundays.")]
    # What a model adds is not taken over.
    said = {"claims": [1, 2, 9], "difference": "The library has gone bankrupt."}
    found = [FoundContradiction(**said), FoundContradiction(claims=[2, 1]), FoundContradiction(claims=[1])]
    assert [(one.claims, one.difference) for one in contradictions(claims, found, "en")] == [
        ((1, 2), "By a second reading the statements 1, 2 do not agree.")
    ]
    assert contradictions(claims, found, "de-CH")[0].difference.startswith("Nach einer zweiten Lesung")


def test_the_claims_own_figures_tell_in_what_they_differ() -> None:
    claims = [
        claim(1, "Berlin has 30 shops."),
        claim(2, "Thirty-five people run 31 of the shops."),
        claim(3, "40 shops."),
    ]
    (found,) = contradictions(claims, [FoundContradiction(claims=[1, 3])], "en")
    assert found.difference == "30 ≠ 40"
    (found,) = contradictions(claims, [FoundContradiction(claims=[1, 2])], "en")
    assert "do not agree" in found.difference


# --- charts

SHARES = {
    1: claim(1, "In Berlin 62 % own a drill."),
    2: claim(2, "In Hamburg 48 % own a drill."),
    3: claim(3, "A drill costs 80 euros.", question=1),
    4: claim(4, "In Munich 70 % own a drill.", outcome="removed"),
}


def proposed(*data: tuple[str, str, int], title: str = "Who owns a drill") -> ProposedChart:
    bars = [ProposedDatum(label=label, figure=figure, claim=number) for label, figure, number in data]
    return ProposedChart(question=1, title=title, data=bars)


def test_a_chart_is_drawn_of_figures_that_stand() -> None:
    (chart,) = charts([proposed(("Berlin", "62 percent", 1), ("Hamburg", "48 %", 2))], SHARES, "en")[1]
    assert chart.unit == "%"
    assert [(bar.label, bar.value, bar.shown, bar.claim) for bar in chart.data] == [
        ("Berlin", 62.0, "62 %", 1),
        ("Hamburg", 48.0, "48 %", 2),
    ]


@pytest.mark.parametrize(
    "chart",
    [
        proposed(("Berlin", "62 %", 1), ("Munich", "70 %", 4)),
        proposed(("Berlin", "62 %", 1), ("Hamburg", "49 %", 2)),
        proposed(("Berlin", "62 %", 1), ("A drill", "80 euros", 3)),
        proposed(("Berlin", "62 %", 1), ("Cologne", "48 %", 2)),
        proposed(("Berlin", "62 %", 1), ("Hamburg", "48 %", 9)),
        proposed(("Berlin", "62 %", 1), ("Berlin", "62 %", 1)),
        proposed(("Berlin", "62 %", 1)),
        proposed(("Berlin", "62 %", 1), ("Hamburg", "48 %", 2), title="Of 500 people asked"),
        proposed(),
    ],
)
def test_nothing_in_a_chart_is_invented(chart: ProposedChart) -> None:
    assert charts([chart], SHARES, "en") == {}


SHOPS = {1: claim(1, "Berlin has 30 shops and Hamburg has 50 shops."), 2: claim(2, "De shops zijn in Ulm: 40 shops.")}


@pytest.mark.parametrize("label", ["USA", "A Berlin", "Ulm", "Hamburger", "50 USA", "…"])
def test_a_label_has_no_word_that_its_claim_does_not_have(label: str) -> None:
    shops = proposed(("Berlin", "30 shops", 1), (label, "50 shops", 1))
    assert charts([shops], SHOPS, "en") == {}


def test_a_label_in_a_script_whose_words_grow_together_stands_in_its_claim() -> None:
    cities = {
        1: claim(1, "ベルリンの割合は62%、ハンブルクの割合は48%である。"),
        2: claim(2, "베를린은 62%, 함부르크는 48%이다."),
    }
    for number, names in ((1, ("ベルリン", "ハンブルク")), (2, ("베를린", "함부르크"))):
        (chart,) = charts([proposed((names[0], "62%", number), (names[1], "48%", number))], cities, "ja")[1]
        assert [bar.label for bar in chart.data] == list(names)


def test_a_bar_is_as_high_as_its_figure_surely_is() -> None:
    said = {1: claim(1, "Deutschland: 1.500 Läden"), 2: claim(2, "Schweiz: 20 Läden")}
    chart = proposed(("Deutschland", "1.500", 1), ("Schweiz", "20", 2))
    assert [bar.value for bar in charts([chart], said, "de")[1][0].data] == [1500, 20]
    # Nobody knows whether it is one and a half or a thousand and a half.
    unclear = {number: one.model_copy(update={"statement": f"{one.statement}!"}) for number, one in said.items()}
    assert charts([chart], unclear, "") == {}


def test_a_chart_is_drawn_of_quotes_that_write_numbers_another_way() -> None:
    statement = "Berlin has 1,500 shops, Hamburg has 2,300 shops."
    quotes = ("In Berlin sind es 1.500 und in Hamburg 2.300 der Läden.", "Berlin 1.500, Hamburg 2.300 Läden")
    for quote, language in ((quotes[0], None), (quotes[1], "de"), (quotes[1], None)):
        said = {1: claim(1, statement, quote=quote, quote_language=language)}
        raw = proposed(("Berlin", "1,500", 1), ("Hamburg", "2,300", 1))
        copied = proposed(("Berlin", "1.500", 1), ("Hamburg", "2.300", 1))
        kept = carried(written(charts=[raw]), "Shops", [said[1]], "en").charts
        assert [bar.figure for bar in kept[0].data] == ["1.500", "2.300"]
        stored = [ProposedChart.model_validate_json(one.model_dump_json()) for one in kept]
        for given in ([raw], [copied], kept, stored):
            (chart,) = charts(given, said, "en")[1]
            assert [(bar.value, bar.shown) for bar in chart.data] == [(1500, "1.500"), (2300, "2.300")]


def test_an_end_of_a_range_is_shown_with_what_is_written_once_for_both() -> None:
    said = {1: claim(1, "Berlin spent 10 million euros, Hamburg spent 20 million euros.")}
    said[1] = said[1].model_copy(update={"quote": "Berlin and Hamburg spent 10 to 20 million euros."})
    chart = proposed(("Berlin", "10 million euros", 1), ("Hamburg", "20 million euros", 1))
    kept = carried(written(charts=[chart]), "Cities", [said[1]], "en").charts
    for given in ([chart], kept):
        (drawn,) = charts(given, said, "en")[1]
        assert [(bar.value, bar.shown) for bar in drawn.data] == [
            (10_000_000, "10 million euros"),
            (20_000_000, "20 million euros"),
        ]


def test_a_chart_is_drawn_only_as_a_second_reading_confirms_it() -> None:
    chart = proposed(
        ("Berlin", "30 shops", 1),
        ("Hamburg", "50 shops", 1),
        ("Ulm", "40", 2),
        title="Hamburg collapses, Berlin bankrupt",
    )
    text = carried(written(title="Drills", charts=[chart]), "Drills", list(SHOPS.values()), "en")
    shown = items(text, "Drills", list(SHOPS.values()))
    told = [(one.place, one.text, one.claims) for one in shown]
    assert told[0] == (("charts", 0), chart.title, [f"{one.statement} {one.quote}" for one in SHOPS.values()])
    assert told[1:3] == [
        (("bars", 0), "Berlin: 30", [f"{SHOPS[1].statement} {SHOPS[1].quote}"]),
        (("bars", 1), "Hamburg: 50", [f"{SHOPS[1].statement} {SHOPS[1].quote}"]),
    ]

    def drawn(*denied: int) -> list[list[str]]:
        verdicts = [SentenceVerdict(sentence=one.number, supported=one.number not in denied) for one in shown]
        kept = charts(confirmed(text, "Drills", shown, verdicts).charts, SHOPS, "en")
        return [[bar.label for bar in one.data] for one in kept.get(1, [])]

    assert drawn() == [["Berlin", "Hamburg", "Ulm"]]
    assert drawn(1) == []
    assert drawn(3) == [["Berlin", "Ulm"]]
    assert drawn(2, 3) == []
    assert confirmed(text, "Drills", shown, []).charts == []


# --- sentences


CLAIMS = {
    1: claim(1, "Lendly lent 1,200 drills in 2024."),
    2: claim(2, "Members pay 5 euros a month.", confidence=75),
    3: claim(3, "It has 9 million members.", outcome="removed"),
}


def sentence(text: str, *numbers: int) -> WrittenSentence:
    return WrittenSentence(text=text, claims=list(numbers))


def test_a_sentence_rests_on_claims_that_stand_or_is_dropped() -> None:
    written = [
        sentence("Lendly lends many drills, for a small fee.", 1, 2, 3, 7),
        sentence("It has 9 million members.", 3),
        sentence("It will grow by 20 %.", 1),
        sentence("Everybody knows it."),
    ]
    kept = sentences(written, CLAIMS, 6, "en")
    assert [(one.text, one.claims) for one in kept] == [("Lendly lends many drills, for a small fee.", (1, 2))]


def test_what_is_printed_is_what_is_read_a_second_time() -> None:
    shops = {1: claim(1, "Berlin had 30 shops in 2019."), 2: claim(2, "Members pay 5 euros.")}
    text = written(
        title="Shops",
        summary=[
            sentence("Berlin had 30 shops (2019) [1].", 1),
            sentence("Berlin had shops [1; 2], members pay (1, 2).", 1, 2),
            # These are no numbers of its claims.
            sentence("Berlin had 30 shops (12).", 1),
            sentence("[1]", 1),
        ],
        headings=[WrittenHeading(question=1, text="Berlin had 30 shops (2019) (1)", claims=[1])],
    )
    text = carried(text, "Shops", list(shops.values()), "en")
    read = [one.text for one in items(text, "Shops", list(shops.values()))]
    assert read == ["Berlin had 30 shops (2019).", "Berlin had shops, members pay.", "Berlin had 30 shops (2019)"]
    assert [one.text for one in sentences(text.summary, shops, 6, "en")] == read[:2]
    assert headings(text.headings, ["How many?"], shops, "en") == {1: read[2]}


def test_without_a_sentence_that_stands_the_surest_statements_are_the_summary() -> None:
    kept = summary([sentence("It will grow by 20 %.", 1)], CLAIMS, "en")
    assert [(one.text, one.claims) for one in kept] == [(CLAIMS[1].statement, (1,)), (CLAIMS[2].statement, (2,))]


def written(**parts: Any) -> ReportText:
    return ReportText(**{"title": "Drills", "summary": [], "headings": [], "next_steps": [], "charts": [], **parts})


def test_what_speaks_of_another_matter_than_its_claims_is_dropped() -> None:
    food = {1: claim(1, "The market for dog food grew to 4 billion euros in 2023.")}
    cats = "Cats are extinct in Germany and every competitor has gone bankrupt."
    assert sentences([sentence(cats, 1)], food, 6, "en") == ()
    assert [one.text for one in summary([sentence(cats, 1)], food, "en")] == [food[1].statement]
    heading = WrittenHeading(question=1, text="Cats are extinct", claims=[1])
    assert headings([heading], ["How large is it?"], food, "en") == {1: "How large is it?"}
    assert title("Cats are extinct", "Dog food", food.values(), "en") == "Dog food"
    whole = written(title="Cats are extinct", summary=[sentence(cats, 1)], headings=[heading])
    assert carried(whole, "Dog food", list(food.values()), "en") == written(title="Dog food")


def test_only_what_a_second_reading_confirms_is_kept() -> None:
    standing = [CLAIMS[1], CLAIMS[2]]
    text = written(
        title="Lendly lent no drills",
        summary=[sentence("Lendly lent drills to nobody.", 1), sentence(CLAIMS[1].statement, 1)],
        headings=[WrittenHeading(question=1, text="Lendly lent drills", claims=[1])],
        next_steps=[sentence("Ask members of Lendly what they pay a month.", 2)],
    )
    shown = items(text, "Drills", standing)
    # A claim's own words have been read already.
    assert [one.place for one in shown] == [("title", 0), ("summary", 0), ("headings", 0), ("next_steps", 0)]
    said = {1: False, 2: False, 3: True}
    kept = confirmed(text, "Drills", shown, [SentenceVerdict(sentence=n, supported=ok) for n, ok in said.items()])
    assert kept == written(title="Drills", summary=[text.summary[1]], headings=text.headings)
    twice = [SentenceVerdict(sentence=3, supported=ok) for ok in (True, False, True)]
    assert confirmed(text, "Drills", shown, twice).headings == []
    assert confirmed(text, "Drills", shown, []) == written(title="Drills", summary=[text.summary[1]])


def test_a_heading_answers_its_own_question() -> None:
    claims = {1: CLAIMS[1], 2: claim(2, "Members pay 5 euros.", question=2)}
    written = [
        WrittenHeading(question=1, text="1,200 drills were lent", claims=[1]),
        WrittenHeading(question=2, text="Members pay 6 euros", claims=[2]),
        WrittenHeading(question=3, text="Nothing is known", claims=[1]),
        WrittenHeading(question=9, text="Nobody asked", claims=[1]),
    ]
    assert headings(written, ["How many?", "How much?", "Why?"], claims, "en") == {
        1: "1,200 drills were lent",
        2: "How much?",
        3: "Why?",
    }


def test_a_title_has_no_figure_of_its_own() -> None:
    assert title("Lending drills in 2024", "Drills", [CLAIMS[1]], "en") == "Lending drills in 2024"
    assert title("5 facts on drills", "Drills of 5 cities", [], "en") == "5 facts on drills"
    assert title("The 30 billion market", "Drills", [CLAIMS[1]], "en") == "Drills"


def test_a_reports_words_are_read_in_its_language() -> None:
    acme = {1: claim(1, "Acme sales grew 3.125 percent.")}
    wrong, right = "Acme sales grew 3,125 percent", "Acme sales grew 3.125 percent"
    for text, stands in ((wrong, False), (right, True)):
        heading = WrittenHeading(question=1, text=text, claims=[1])
        assert bool(sentences([sentence(text, 1)], acme, 6, "en")) is stands
        assert headings([heading], ["How much?"], acme, "en") == {1: text if stands else "How much?"}
        assert title(text, "Acme", acme.values(), "en") == (text if stands else "Acme")
        whole = written(title=text, summary=[sentence(text, 1)], headings=[heading], next_steps=[sentence(text, 1)])
        assert carried(whole, "Acme", list(acme.values()), "en") == (whole if stands else written(title="Acme"))
    # A quote is read as its page is written.
    german = {1: claim(1, "Acme has shops.", quote="Acme: 1.500 shops", quote_language="de")}
    assert sentences([sentence("Acme has 1,500 shops", 1)], german, 6, "en")
    assert not sentences([sentence("Acme has 1.5 shops", 1)], german, 6, "en")
    assert not sentences([sentence("Acme has 1.500 shops", 1)], german, 6, "en")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("What it costs: a study (2024)!", "what-it-costs-a-study-2024"),
        ("工具レンタル市場", "工具レンタル市場"),
        ("../../etc/passwd\x00", "etc-passwd"),
        ("🙂", "report"),
        ("हिन्दी रिपोर्ट", "हिन्दी-रिपोर्ट"),
    ],
)
def test_a_file_is_named_in_any_script(text: str, name: str) -> None:
    assert slug(text, 60) == name


def test_a_name_is_short_enough_for_every_storage() -> None:
    assert len(slug("𠮷" * 100, 60).encode()) <= 180
