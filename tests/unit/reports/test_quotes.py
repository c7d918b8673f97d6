"""A quote stands on a page letter for letter, or it does not: only white space and typography may differ."""

from __future__ import annotations

import time

import pytest

from studio.reports.quotes import LONGEST_QUOTE, PASSAGES_APART, PageText, apart, bare, says_something

ARABIC = "بلغ حجم سوق تأجير الأدوات ٣٤ مليون دولار في عام ٢٠٢٤"
JAPANESE = "工具レンタル市場は2024年に120億円に達した。"


@pytest.mark.parametrize(
    ("page", "quote", "words"),
    [
        ("It costs  5 euros\na month.", "costs 5 euros a month", "costs 5 euros a month"),
        ("He said: “It’s  open.”", '"It\'s open."', "It’s open."),
        ("a 5–10 % share", "a 5-10 % share", "a 5–10 % share"),
        (f"前文。{JAPANESE}後文。", JAPANESE, JAPANESE),
        (
            "工具レンタル市場は\n2024年に 120億円",
            "工具レンタル市場は2024年に120億円",
            "工具レンタル市場は 2024年に 120億円",
        ),
        (f"مقدمة. {ARABIC}. خاتمة", ARABIC, ARABIC),
        ("Cafe\u0301 tools are lent", "Café tools are lent", "Café tools are lent"),
        ("Werk\u00adzeuge leihen", "Werkzeuge leihen", "Werkzeuge leihen"),
        ("می\u200cخواهم ابزار", "می\u200cخواهم ابزار", "می\u200cخواهم ابزار"),
        ("می\u200cخواهم ابزار", "میخواهم ابزار", "میخواهم ابزار"),
    ],
)
def test_a_quote_is_found_and_given_in_the_pages_own_words(page: str, quote: str, words: str) -> None:
    assert PageText(page).find(quote) == words


@pytest.mark.parametrize(
    ("page", "quote"),
    [
        ("It costs 5 euros a month.", "It costs 6 euros a month."),
        ("It costs 5 euros a month.", "it costs 5 euros a month."),
        ("It costs 5 euros a month.", "It costs … a month."),
        ("It costs 5 euros a month.", "It costs 5 euros per month."),
        ("It is not open.", "It is open."),
        (JAPANESE, JAPANESE.replace("120", "130")),
        (ARABIC, ARABIC.replace("٣٤", "٣٥")),
        ("nowhere", "now here"),
        ("anything", ""),
        ("anything", " … "),
        ("a.b", "a+b"),
        ("The network had 112 million users.", "12 million users"),
        ("The price fell to 3.500 euros per unit.", "500 euros per unit"),
        ("The price fell to 3,500 euros per unit.", "500 euros per unit"),
        ("The price fell to 3 500 euros per unit.", "500 euros per unit"),
        ("Growth was 12.5 million euros.", "Growth was 12"),
        ("Profit: -5 % in the year", "5 % in the year"),
        ("It is unsafe for children.", "safe for children"),
        ("It is un\u00adsafe for children.", "safe for children"),
        ("It is non-toxic for pets.", "toxic for pets"),
        ("They are safe for childrens", "safe for children"),
        ("इसकी कीमत अधिकी है", "इसकी कीमत अधिक"),
        ("利用者は112万人に達した。", "12万人に達した"),
        ("利用者は12万人に達した。", "利用者は12"),
    ],
)
def test_other_words_are_not_found(page: str, quote: str) -> None:
    assert PageText(page).find(quote) is None


@pytest.mark.parametrize(
    ("page", "quote"),
    [
        ("Of 112 million, 12 million users pay.", "12 million users"),
        ("Unsafe, unsafe; now safe for all of us.", "safe for all"),
        ("In 2024 340 neighbours lent it.", "340 neighbours"),
        ("It grew by 5 %—prices rose too.", "prices rose too"),
        ("日本の工具レンタル市場は大きい", "工具レンタル市場"),
        ("ตลาดเครื่องมือเติบโตขึ้น", "เครื่องมือเติบโต"),
    ],
)
def test_a_quote_that_stands_by_itself_somewhere_is_found(page: str, quote: str) -> None:
    assert PageText(page).find(quote) == quote


def test_around_shows_the_place_where_the_quote_stands_by_itself() -> None:
    page = PageText("unsafe for children " + "word " * 200 + "It is a myth that it is safe for children today.")
    assert "a myth that it is safe for children" in page.around("safe for children", 100)
    unseen = PageText("word " * 200 + "It is a myth that Werk\u00adzeuge are free.")
    assert "a myth that" in unseen.around("Werkzeuge are free", 60)


def test_no_quote_crosses_two_passages() -> None:
    page = PageText(apart(["The revenue in the year 2020 was", "$5 million for Bolt was paid in cash."]))
    assert page.find("in the year 2020 was $5 million for Bolt") is None
    assert page.find(f"in the year 2020 was {PASSAGES_APART} $5 million for Bolt") is None
    assert page.find("$5 million for Bolt") == "$5 million for Bolt"
    assert page.around("$5 million for Bolt", 600) == "$5 million for Bolt was paid in cash."
    assert page.around("revenue in the year 2020", 600) == "The revenue in the year 2020 was"
    assert [figure.shown for figure in page.figures("The revenue in the year 2020 was")] == ["2020"]


def test_a_long_quote_is_cut_between_words_and_stays_a_quote() -> None:
    page = "word " * 2000
    cut = bare(page)
    assert len(cut) <= LONGEST_QUOTE
    assert PageText(page).find(page) == cut
    assert bare("長" * 5000) == "長" * LONGEST_QUOTE


def test_a_few_letters_say_nothing() -> None:
    assert not says_something("in 2024")
    assert says_something("Lendly lends drills")
    assert says_something("市場は120億")


def test_what_stands_around_a_quote_is_shown() -> None:
    page = PageText("one " * 500 + "Lendly lends drills. " + "two " * 500)
    shown = page.around("Lendly lends drills.", 100)
    assert "Lendly lends drills." in shown
    assert shown.startswith("one")
    assert len(shown) <= 100
    assert page.around("never said", 100) == ""


def test_time_is_linear_on_a_hostile_page() -> None:
    page = PageText("市 " * 50_000 + " a" * 50_000)
    began = time.process_time()
    for _ in range(20):
        assert page.find("市" * 1000 + "x") is None
        assert page.find("a " * 500 + "x") is None
    for hostile in (
        "a" + "\u0301" * 200_000 + "\u0316" * 200_000,
        "a" + "\u0f73\u0301" * 200_000,
        ("a" + "\u0316\u0301" * 20) * 10_000,
        "xaa." * 100_000,
        "1 000 " * 60_000,
    ):
        page = PageText(hostile)
        assert page.find("aa." + "xaa." * 250 + "xa") is None
        page.around("1 000 1 000 1", 600)
    assert time.process_time() - began < 8
