"""Nothing is said twice: no sentence of a deck, a brief or a page stands in it again, speaker notes excepted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import html5lib
import pytest

from studio.decks.scene import Grid, Page, Text
from studio.landing.tree import find, text_of, walk
from studio.sandbox import words
from studio.sandbox.reading import read
from tests.support import sandbox_packets as sandbox
from tests.support.landing import IDEAS, landing_facts

# Shorter ones are names and labels, which a deck repeats on purpose.
LEAST_WORDS = 6


def sentences(texts: Iterator[str]) -> list[str]:
    """Return what is said in the texts, sentence by sentence, without case and marks."""
    said = chain.from_iterable(re.split(r"(?<=[.!?…])[”“\"’]?\s+", text) for text in texts)
    plain = (" ".join(re.findall(r"\w+", sentence.lower())) for sentence in said)
    return [sentence for sentence in plain if len(sentence.split()) >= LEAST_WORDS]


def repeated(texts: Iterator[str]) -> list[str]:
    """Return the sentences that are said more than once."""
    return sorted(sentence for sentence, times in Counter(sentences(texts)).items() if times > 1)


def on_pages(pages: list[Page]) -> Iterator[str]:
    """Go through what stands on pages; a word that shows a typeface says nothing."""
    for element in chain.from_iterable(page.elements for page in pages):
        if isinstance(element, Text) and element.name != "Sample":
            yield from (para.text for para in element.paras)
        elif isinstance(element, Grid):
            yield from (para.text for row in element.rows for cell in row.cells for para in cell)


@pytest.mark.parametrize("of", IDEAS)
def test_no_sentence_stands_twice_in_a_deck(of: str) -> None:
    told = {phase: repeated(on_pages(sandbox.pages(of, phase))) for phase in range(4)}
    assert told == {phase: [] for phase in range(4)}


@pytest.mark.parametrize("of", IDEAS)
def test_no_sentence_stands_twice_in_a_brand_brief(of: str) -> None:
    assert repeated(on_pages(sandbox.brief_pages(of))) == []


@pytest.mark.parametrize("of", IDEAS)
def test_no_sentence_stands_twice_on_a_page(of: str) -> None:
    root = html5lib.parse(sandbox.landing(of), namespaceHTMLElements=True)
    # Navigation repeats titles, that is what it is for; so does the legend of a drawing.
    named = {inner for nav in find(root, "nav", "dl") for inner in walk(nav)}
    told = find(root, "h1", "h2", "p", "li", "dd", "label", "button")
    assert repeated(text_of(node) for node in told if node not in named) == []


@pytest.mark.parametrize("of", IDEAS)
def test_no_headline_of_a_page_is_cut(of: str) -> None:
    (headline,) = find(html5lib.parse(sandbox.landing(of)), "h1")
    said, idea = words.folded(text_of(headline)), words.folded(IDEAS[of][1])
    assert "…" not in text_of(headline)
    # Long ones run over the picture beside them.
    assert len(text_of(headline)) <= 80
    # It is a phrase of the idea, as it stands there; two words are no headline yet.
    assert said in idea or of == "two words"


@pytest.mark.parametrize("of", IDEAS)
def test_a_page_says_whom_it_is_for_once(of: str) -> None:
    copy = landing_facts(of).copy
    texts = [copy.subheadline, *(section.body for section in copy.section_copy)]
    told = [text for text in texts if re.search(r"\b(?:made|it is|gemacht|es ist) (?:for|für)\b", text, re.IGNORECASE)]
    audience = read(IDEAS[of][1]).audience
    assert len(told) == (1 if audience else 0)
    assert all(audience in text for text in told)


def test_the_means_of_these_tests_notice_a_repetition() -> None:
    said = "A bakery delivers bread by bicycle before breakfast."
    assert repeated(iter([said, "Another sentence that is said only once here.", f"“{said}” Yes."])) != []
    assert repeated(iter([said, "Join the waitlist", "Join the waitlist"])) == []
