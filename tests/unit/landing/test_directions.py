"""Which three directions an idea gets: those it speaks of, always the same ones, and unlike ones for unlike ideas."""

from __future__ import annotations

from itertools import combinations

from studio.landing.directions import BY_KEY, DIRECTIONS, ROUNDS, choose
from tests.support.landing import IDEAS


def test_an_idea_gets_three_unlike_directions_and_always_the_same() -> None:
    for _, idea in IDEAS.values():
        chosen = choose(idea)
        assert len({direction.key for direction in chosen}) == ROUNDS
        assert len({direction.family for direction in chosen}) == ROUNDS
        assert chosen == choose(f"  {idea.upper()}\n")


def test_what_the_idea_speaks_of_comes_first() -> None:
    wanted = {
        "nurses": "nocturne",
        "tools": "riso",
        "vinyl": "poster",
        "photos": "gallery",
        "bees": "fieldnotes",
        "children": "cutout",
    }
    assert {name: choose(IDEAS[name][1])[0].key for name in wanted} == wanted


def test_unlike_ideas_are_drawn_in_many_ways() -> None:
    firsts = [choose(idea)[0].key for _, idea in IDEAS.values()]
    assert len(set(firsts)) >= 7
    # Ideas without a single cue are spread as well.
    assert len({choose(f"Something number {n}")[0].key for n in range(60)}) >= 9


def test_every_direction_is_somebody_s_first_and_is_described() -> None:
    assert {choose(f"Something number {n}")[0].key for n in range(400)} == BY_KEY.keys()
    assert all(len(direction.brief) > 300 for direction in DIRECTIONS)
    assert all(one.brief != other.brief for one, other in combinations(DIRECTIONS, 2))
