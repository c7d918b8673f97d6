"""A page's title has the length that is shown: its first parts where it has some, else its first words."""

from __future__ import annotations

import pytest

from studio.landing.document import TITLE_CHARS, short_title


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (" A  title\n of a page ", "A title of a page"),
        ("Name – what it does", "Name – what it does"),
        (f"A bakery on bicycles – {'bread ' * 12}", "A bakery on bicycles"),
        (f"One – two | {'three ' * 15}", "One – two"),
        ("word " * 20, "word word word word word word word word word word word word word word…"),
        ("x" * 71, "x" * 69 + "…"),
        ("x" * 70, "x" * 70),
    ],
)
def test_a_title_is_cut_where_it_makes_sense(said: str, short: str) -> None:
    assert short_title(said) == short
    assert len(short_title(said)) <= TITLE_CHARS
    assert short_title(short_title(said)) == short
