"""An idea is taken apart into passages that stand in it; where its words leave a doubt, the field stays empty."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.sandbox import words
from studio.sandbox.reading import Reading, read

BAKERIES = (
    "Helps small bakeries predict how much bread to bake so they throw away less. Bakers type in what they sold, "
    "and the app forecasts tomorrow from weather and weekday. It costs €29 a month. Later we want to connect it to "
    "the cash register."
)
HOSPICE = (
    "We are building a scheduling tool for hospice volunteers. Coordinators today spend hours phoning around. "
    "Volunteers set their availability, receive reminders and swap shifts."
)
GERMAN = (
    "Eine App, mit der Nachbarn Gartengeräte teilen können. Heute kauft jeder seine eigene Heckenschere, die fast "
    "immer ungenutzt im Keller liegt. Nutzer buchen per Kalender und hinterlegen eine Kaution."
)

WRITTEN = [
    *re.findall(r"\S+", "an app that helps lets parents share tools for small shops because it is hard to find who"),
    *re.findall(r"\S+", "Later mit der Nachbarn teilen können für Eltern , . ; - 🐶"),
    "€5 a month",
    "\n",
]


@pytest.mark.parametrize(
    ("idea", "audiences", "tagline"),
    [
        ("An app that lets neighbours share garden tools", ("neighbours",), "Neighbours share garden tools"),
        ("Uber for dog walking in Lisbon", (), "Uber for dog walking in Lisbon"),
        ("A marketplace for used bikes", (), "Marketplace for used bikes"),
        ("🐶 An app 🎉 that matches dog owners with walkers — pay per walk!", ("dog owners", "walkers"), None),
        ("A game for people with diabetes and their friends", ("people with diabetes",), None),
        (
            BAKERIES,
            ("small bakeries",),
            "Helps small bakeries predict how much bread to bake so they throw away less",
        ),
        ("A tool for checking contracts for freelancers", ("freelancers",), None),
        ("Open firmware for e-bikes so owners can repair them.", ("owners",), None),
        ("A shop for cheese, because the young people left the village.", (), None),
        (HOSPICE, ("hospice volunteers",), "Scheduling tool for hospice volunteers"),
        (GERMAN, ("Nachbarn",), "App, mit der Nachbarn Gartengeräte teilen können"),
        ("Sourdough", (), "Sourdough"),
        ("🚀🚀🚀", (), ""),
        ("", (), ""),
    ],
)
def test_who_it_is_for_and_how_it_introduces_itself(idea: str, audiences: tuple[str, ...], tagline: str | None) -> None:
    reading = read(idea)
    assert reading.audiences == audiences
    if tagline is not None:
        assert reading.tagline == tagline


@pytest.mark.parametrize(
    ("idea", "audiences"),
    [
        ("A bakery that delivers bread to offices. Bakers shape the loaves in the evening.", ()),
        ("Bakers can rent an oven by the hour.", ()),
        ("Riders will bring warm loaves at dawn, and drivers who know the way help.", ()),
        ("A puppet kit. Families get buttons and wool.", ()),
        ("Bread at dawn. So that neighbours can sleep, riders are quiet.", ("neighbours",)),
        ("A kit with which children build a theatre. Families get wool.", ("children",)),
        ("A quiet room. Nurses who need a break book it.", ("Nurses",)),
        ("Ein Lieferdienst für Brot. Die Bäcker backen am Abend und die Fahrer liefern früh.", ()),
        ("Brot vom Rad. Die Fahrer liefern früh, damit Familien länger schlafen können.", ("Familien",)),
        ("Ein Kalender, der es zeigt. Er ermöglicht Vereinen die Planung.", ("Vereinen",)),
    ],
)
def test_people_who_are_only_mentioned_are_no_audience(idea: str, audiences: tuple[str, ...]) -> None:
    assert read(idea).audiences == audiences


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Neighbours share tools", "Neighbours share tools"),
        ("Neighbours share garden tools and ladders and other things", "Neighbours share garden tools and ladders"),
        (
            "Neighbours share garden tools, ladders, saws and other things",
            "Neighbours share garden tools, ladders, saws",
        ),
        ("Nachbarn teilen Gartengeräte und Leitern, damit alle sparen", "Nachbarn teilen Gartengeräte und Leitern"),
        ('A sewing kit and "a box for children and parents" that sews', "A sewing kit"),
        ("An app that is for and with", "An app that is for and with"),
        ("x" * 60, "x" * 44 + "…"),
    ],
)
def test_a_text_is_shortened_to_what_can_stand_alone(text: str, short: str) -> None:
    assert words.shortened(text, 45) == short


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120), st.integers(min_value=10, max_value=80))
def test_a_shortened_text_fits(text: str, limit: int) -> None:
    assert len(words.shortened(text, limit)) <= limit


def test_what_it_does_costs_and_leaves_for_later_are_told_apart() -> None:
    reading = read(BAKERIES)
    assert reading.action == "predict how much bread to bake so they throw away less"
    assert reading.features[1].startswith("Bakers type in what they sold, and the app forecasts tomorrow")
    assert reading.prices == ("It costs €29 a month.",)
    assert reading.later == ("Later we want to connect it to the cash register.",)
    # "so they throw away less" is what will be better, not what is wrong.
    assert reading.problems == ()


def test_a_sentence_with_one_subject_is_split_and_one_with_two_is_kept_whole() -> None:
    assert read(HOSPICE).features == ("Set their availability", "Receive reminders", "Swap shifts")
    two = read("Readers pre-order, shops collect requests.")
    assert two.features == ("Readers pre-order, shops collect requests",)


def test_the_difficulty_of_today_is_found_in_both_languages() -> None:
    assert read(HOSPICE).problems == ("Coordinators today spend hours phoning around.",)
    assert read(GERMAN).problems == (
        "Heute kauft jeder seine eigene Heckenschere, die fast immer ungenutzt im Keller liegt.",
    )


def test_a_long_description_is_introduced_by_its_own_introduction_and_keeps_its_list() -> None:
    reading = read(
        "Small theatres plan in spreadsheets that only one person understands.\n\n"
        "We want to build a planning tool for houses with few staff. "
        "The tool keeps one calendar for rooms and people.\n"
        "- Conflict warnings for rest periods\n- A printed\n  call sheet\n\n"
        "The team has a developer who wrote rostering software for a hospital and helps us to get the words right."
    )
    assert reading.tagline == "Planning tool for houses with few staff"
    assert reading.action == "keeps one calendar for rooms and people"
    assert "Conflict warnings for rest periods" in reading.features
    assert "A printed call sheet" in reading.features
    assert not any("hospital" in feature for feature in reading.features)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Ein Marktplatz für Hofläden in Brandenburg", "de"),
        ("An app for the neighbours", "en"),
        ("Une application pour partager des outils de jardin", "en"),
        ("近所の人が庭道具を共有できるアプリ。", "en"),
        ("", "en"),
    ],
)
def test_german_is_told_from_everything_else(text: str, language: str) -> None:
    assert words.language_of(text) == language


def test_sentences_survive_abbreviations_decimals_and_lists() -> None:
    told = words.sentences("It costs approx. 3.5 euros, e.g. for tools. Mr. Fox pays!\n- one item\n2) another item")
    assert told == ["It costs approx. 3.5 euros, e.g. for tools.", "Mr. Fox pays!", "one item", "another item"]


@pytest.mark.parametrize(
    ("text", "shown"), [("élan", "Élan"), ("µm-genau", "µm-genau"), ("ßa", "ßa"), ("", ""), ("7 days", "7 days")]
)
def test_a_sentence_begins_with_its_own_letter(text: str, shown: str) -> None:
    assert words.capitalise(text) == shown


def _passages(reading: Reading) -> list[str]:
    return [*reading.problems, *reading.later, *reading.prices, *reading.audiences, reading.action, *reading.features]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(WRITTEN),
            st.text(max_size=8),
        ),
        max_size=60,
    )
)
def test_nothing_is_read_that_is_not_written(parts: list[str]) -> None:
    idea = " ".join(parts)
    reading = read(idea)
    written = set(words.WORD.findall(words.clean(idea).lower()))
    for passage in _passages(reading):
        said = set(words.WORD.findall(passage.lower().removesuffix("…")))
        # A clipped passage may end in the middle of a word.
        assert said <= written or any(w.startswith(tuple(said - written)) for w in written)
