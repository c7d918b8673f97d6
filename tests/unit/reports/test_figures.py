"""A figure is its number with its unit, however it is spelled; another number or another unit is another figure."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.reports.figures import figures_in, missing


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
        ("There are 1.500 of the users", "Es sind 1.500 der Nutzer"),
        ("Die Zahl der Nutzer ist 2.000", "2000"),
        ("It fell by 5 %", "a change of -5 %"),
        ("-5 %", "minus 5 percent"),
        ("from 20 -30 %", "20 to 30 %"),
        ("0.500 kg", "0.5 kg"),
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
    ):
        figures_in(hostile)
    assert time.process_time() - began < 4
