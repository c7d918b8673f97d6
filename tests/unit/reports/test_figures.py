"""A figure is its number with its unit, however it is spelled; another number or another unit is another figure."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.reports.figures import figures_in, figures_of_part, missing


def carried(statement: str, quote: str) -> bool:
    """Whether the quote has all figures of the statement."""
    return not missing(figures_in(statement), figures_in(quote))


@pytest.mark.parametrize(
    ("statement", "quote"),
    [
        ("It grew to €4.5 billion.", "Der Umsatz stieg auf 4,5 Milliarden Euro."),
        ("4,5 Mrd. € Umsatz", "revenue of EUR 4.5bn"),
        ("1.2 million users", "1,200,000 users"),
        ("1 200 000 personnes", "1.200.000 Menschen"),
        ("US$5m", "$5 million"),
        ("It is worth 120 million yen", "市場規模は約1億2000万円である"),
        ("35 % of them", "٣٥٪ من"),
        ("50 percent", "५० प्रतिशत"),
        ("between 20% and 30%", "20–30 %"),
        ("a five-year plan", "a 5-year plan"),
        ("12 km from here", "12 kilometres away"),
        ("In 2024, 340 neighbours", "340 neighbours (2024)"),
        ("No figure at all", "nor here"),
        ("B2B software", "software for businesses"),
        ("Rs. 500 crore", "5,000,000,000 rupees"),
        ("1.500 kg", "1500 kilograms"),
        ("1.234 million users", "1,234,000 users"),
        ("Die Zahl der Nutzer ist 2.000", "2000"),
        ("It fell by 5 %", "a change of -5 %"),
        ("-5 %", "minus 5 percent"),
        ("from 20 -30 %", "20 to 30 %"),
        ("0.500 kg", "0.5 kg"),
        ("It is worth 4 trillion to the owners", "Der Wert ist 4 Billionen"),
        ("Der Wert ist eine Billion", "It is worth a trillion to the owners"),
        ("Ce marché est de 1 billion pour les banques", "It is worth 1 trillion to the owners"),
        ("$4 billion", "4 Milliarden Dollar"),
        ("Wert: 1 Billion Euro", "Der Wert ist eine Billion Euro"),
        ("€3 million", "3 millions d'euros"),
        ("$3 million", "3 millones de dólares"),
        ("3 million euros", "3 milioni di euro"),
        ("€3 million", "3 mln euro"),
        ("€3 billion", "3 mld. euro"),
        ("2 billion euros", "2000 millones de euros"),
        ("3 billion euros", "3 mil millones de euros"),
        ("A billion of them", "mil millones de personas"),
        ("$5 trillion", "$5 thousand billion"),
        ("$10 billion to $20 billion", "$10–20 billion"),
        ("$10 billion to $20 billion", "$10-$20 billion"),
        ("between $10 million and $20 million", "between $10 and 20 million"),
        ("10 million to 20 million euros", "€10–20 million"),
        ("It is worth one billion to the owners", "1,000 million"),
        ("half a million drills", "500,000 drills"),
        ("Es kostet eine Milliarde", "un milliard"),
        ("3 million drills", "trois millions"),
        ("3 million drills", "tre milioni"),
        ("dos millones", "2 million"),
        ("The company in 2019 won a prize", "In 2019 it was founded"),
        ("Nel 2019 ha vinto un premio", "It won in 2019"),
        ("Das Kraftwerk ging 2019 ans Netz", "It was opened in 2019"),
        ("The best of the 20 won a prize", "20 teams"),
        ("₩5,000", "5,000 won"),
        ("It rose to 3 million in 2020", "It rose from 2 million in 2019 to 3 million in 2020"),
        ("It was founded in 2019", "It rose from 2 million in 2019 to 3 million in 2020"),
        ("30 % of the cases", "In 2019 and 30 % of the cases"),
        ("In 2019", "In 2019 and 30 % of the cases"),
        ("It costs $10", "It costs $10 and 20 million people have it"),
        ("It was launched on iOS 15", "It was launched on iOS 15 and 20 million people have it"),
        ("It was launched on iOS 15", "It was launched on iOS 15 and 20 million euros were paid"),
        ("They raised 5 million euros", "They raised 5 and 10 million euros"),
        ("5 % of them", "5 or 10 % of them"),
        ("15 million people", "between 15 and 20 million people"),
    ],
)
def test_the_same_figure_in_another_spelling_is_carried(statement: str, quote: str) -> None:
    assert carried(statement, quote)


@pytest.mark.parametrize(
    ("statement", "quote"),
    [
        ("€4.5 billion", "€4.5 million"),
        ("€4.5 billion", "$4.5 billion"),
        ("4.5 %", "4.5 percentage points"),
        ("45 %", "45 members"),
        ("12 km", "12 miles"),
        ("5 years", "5 months"),
        ("$5m", "$5"),
        ("1,200 drills", "12,000 drills"),
        ("In 2024", "In 2023"),
        ("62 %", "62,5 %"),
        ("120億円", "12億円"),
        ("3 of 4", "3 of 5"),
        ("about 10 million", "about ten thousand"),
        ("340", "1340"),
        ("0.5", "5"),
        ("2.000 users", "2 users"),
        ("1.500 users", "1,5 users"),
        ("It is worth 1.500 million to the owners", "It is worth 1.500 billion to the owners"),
        ("Die Zahl der Nutzer ist 2.000", "2.0"),
        ("The number of the users is 2.000", "2000 of the users"),
        ("a change of -5 %", "a change of 5 %"),
        ("−€5 million", "€5 million"),
        ("There are 1.500 of the users", "Es sind 1.500 der Nutzer"),
        ("There are 4 billion of the users", "There are 4 trillion of the users"),
        ("There are 4 trillion of the users", "There are 4 billion of the users"),
        ("$4 billion", "$4 trillion"),
        ("$4 trillion", "$4 billion"),
        ("$4 billion", "There are $4 trillion in the funds"),
        ("There are $4 trillion in the funds", "$4 billion"),
        ("Es sind 4 Billionen für die Fonds", "There are 4 billion in the funds"),
        ("3 millones de dólares", "3 millones de euros"),
        ("3 mil millones", "3 mil"),
        ("3 mld euro", "3 mln euro"),
        ("$10", "$10–20 billion"),
        ("$10", "between $10 and 20 million"),
        ("one billion users", "one million users"),
        ("une milliard", "un million"),
        ("eine Milliarde", "eine Million"),
        ("three million users", "four million users"),
        ("trois millions", "deux millions"),
        ("500 euros", "500 won"),
        ("2000 euros", "2000 dollars"),
        ("5 million km", "5 km to 10 million"),
        ("15 million people have it", "It was launched on iOS 15 and 20 million people have it"),
        ("15 million people have it", "15 or 20 million people have it"),
    ],
)
def test_another_number_or_unit_is_not(statement: str, quote: str) -> None:
    assert not carried(statement, quote)


def test_what_belongs_to_a_name_is_no_figure() -> None:
    assert figures_in("B2B, COVID-19, Web3 and H2O") == []


def test_a_figure_is_shown_as_it_stands() -> None:
    assert [figure.shown for figure in figures_in("From €4.5 billion to 7 %, in 2024.")] == [
        "€4.5 billion",
        "7 %",
        "2024",
    ]


def test_the_language_of_the_whole_tells_where_a_part_does_not() -> None:
    (german,), (english,) = figures_in("1.500 kg", "de"), figures_in("1.500 kg", "en")
    assert (german.value, english.value, figures_in("1.500 kg")[0].value) == (1500, 1.5, None)
    assert missing([german], [english]) == [german]
    # A text's own words tell more, unless they are a name's.
    assert figures_in("Es sind 1.500 der Nutzer", "en")[0].value == 1500
    assert figures_in("Los Angeles: 1,500 startups", "en")[0].value == 1500
    assert figures_in("La Poste: 3 billion euros", "en")[0].value == 3 * 10**9


@pytest.mark.parametrize("language", [None, "ar", "xx"])
def test_where_no_language_is_known_both_readings_stay(language: str | None) -> None:
    for text, other in (("3,125", "3.125"), ("3.125", "3,125")):
        (figure,) = figures_in(text, language)
        assert {value for value, _ in figure.readings} == {"3125", "3.125"}
        assert figure.value is None
        assert figure.same(figures_in(other, language)[0])


@pytest.mark.parametrize("language", ["sv", "da", "nb", "fi", "pl", "cs", "ro", "hu", "tr", "uk", "de"])
def test_a_comma_begins_the_decimals_in_most_of_europe(language: str) -> None:
    assert [figures_in(text, language)[0].value for text in ("3,125", "3.125")] == [Decimal("3.125"), 3125]


@pytest.mark.parametrize("words", ["three users", "trois personnes", "tres millones", "un million", "cinco anos"])
def test_a_number_word_is_a_figure(words: str) -> None:
    assert len(figures_in(words)) == 1


@pytest.mark.parametrize(
    "words", ["She was once there", "Due to the rain", "a millones de personas", "um Millionen betrogen", "a kilo"]
)
def test_a_word_that_is_a_number_elsewhere_is_none(words: str) -> None:
    assert figures_in(words) == []


@pytest.mark.parametrize(
    ("text", "part", "shown"),
    [
        ("It is worth $3 million today.", "It is worth $3", []),
        ("It is worth $3 million today.", "worth $3 million", ["$3 million"]),
        ("It is worth $3 million today.", "3 million today", []),
        ("Sales grew by 30% in a year.", "Sales grew by 30", []),
        ("It costs 10–20 million euros.", "It costs 10", []),
        ("It costs 10 to 20 million euros.", "It costs 10", []),
        ("It was founded in 2019 and 30 % of it were sold.", "founded in 2019", ["2019"]),
        ("It lent 1,200 drills to 340 neighbours.", "lent 1,200 drills to 340", ["1,200", "340"]),
        ("市場は12億円に達した。", "市場は12億", []),
    ],
)
def test_a_figure_that_goes_on_outside_a_part_is_not_the_parts(text: str, part: str, shown: list[str]) -> None:
    begin = text.index(part)
    assert [figure.shown for figure in figures_of_part(text, begin, begin + len(part))] == shown


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_any_text_carries_its_own_figures(text: str) -> None:
    assert carried(text, text)


def test_time_is_linear_on_hostile_text() -> None:
    began = time.process_time()
    for hostile in (
        "1" * 20_000,
        "1," * 10_000,
        "1 000 " * 4_000,
        "1万" * 5_000,
        "$" * 20_000,
        "1.2." * 5_000,
        "-1 " * 9_000,
        "a million " * 4_000,
        "one a half a un " * 4_000,
        "1 mil mil " * 4_000,
    ):
        figures_in(hostile)
    assert time.process_time() - began < 4
