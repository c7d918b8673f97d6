"""What fits on one slide: entries are laid out until the next one would make it crowded or break it over two."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from studio.brand import Brand
from studio.decks import layouts
from studio.decks.layouts import tables
from studio.decks.model import Cell, Listing, Notes, Slide, Table
from studio.decks.scene import Page

_T = TypeVar("_T")
# (the entries of this slide, which slide of how many, how many entries stand on none) -> slide
Make = Callable[[Sequence[_T], int, int, int], Slide]
Pages = tuple[Page, ...]

# Smaller text than this is set only where a single entry needs it.
_SMALLEST, _SMALLEST_IN_LISTS = 12.0, 14.0
# More rows than this do not fit in any size.
_MOST_ENTRIES = 24
_NO_NOTES = Notes("")


def lay(brand: Brand, slide: Slide) -> Pages:
    """Return the pages of a slide."""
    return tuple(layouts.laid(brand, slide))


def one(brand: Brand, slide: Slide) -> Pages:
    """Return the first page of a slide whose content was cut to fit on one."""
    return lay(brand, slide)[:1]


def fits(brand: Brand, slide: Slide) -> bool:
    """Whether a slide is one page that can be read from a seat."""
    return _fits(brand, replace(slide, notes=_NO_NOTES))


# A part is laid out anew each time it may have one slide more, and most of its slides are as before.
@functools.lru_cache(maxsize=2048)
def _fits(brand: Brand, slide: Slide) -> bool:
    if isinstance(slide.body, Table):
        return tables.stands(brand, slide, slide.body, _SMALLEST)
    pages = lay(brand, slide)
    smallest = _SMALLEST_IN_LISTS if isinstance(slide.body, Listing) else _SMALLEST
    return len(pages) == 1 and all(
        para.size >= smallest for text in pages[0].texts() if text.role in ("body", "card") for para in text.paras
    )


def left_in_studio(count: int, one_of: str, several: str, columns: int) -> tuple[tuple[Cell, ...], ...]:
    """Return the last row of a table that has no room for all: how many more there are, and where; none for 0."""
    if not count:
        return ()
    told = Cell("", f"{count} more {one_of if count == 1 else several} in the studio.")
    return ((Cell(""), told, *(Cell(""),) * (columns - 2)),)


def paged(brand: Brand, entries: Sequence[_T], make: Make[_T], most: int) -> Pages:
    """Return at most `most` pages with as many entries as they hold, from the first on, about evenly.

    The last page is made with the number of those that are left. There is at least one entry.
    """
    taken = _taken(brand, entries, make, most)
    left = len(entries) - sum(taken)
    taken = _evened(brand, entries, make, taken, left)
    pages: list[Page] = []
    start = 0
    for index, count in enumerate(taken):
        more = left if index == len(taken) - 1 else 0
        pages += one(brand, make(entries[start : start + count], index, len(taken), more))
        start += count
    return tuple(pages)


def _taken(brand: Brand, entries: Sequence[_T], make: Make[_T], most: int) -> list[int]:
    taken: list[int] = []
    start = 0
    while start < len(entries) and len(taken) < most:
        rest = entries[start:]
        last = len(taken) == most - 1

        def suits(count: int, rest: Sequence[_T] = rest, last: bool = last) -> bool:
            more = len(rest) - count if last else 0
            return fits(brand, make(rest[:count], 0 if most == 1 else 98, 1 if most == 1 else 99, more))

        count = _largest(suits, min(len(rest), _MOST_ENTRIES), taken[-1] if taken else 5)
        taken.append(count)
        start += count
    return taken


def _largest(suits: Callable[[int], bool], most: int, guess: int) -> int:
    """Return the largest count up to `most` that suits, at least 1; it is likely near `guess`."""
    low, high = 0, most + 1
    at = max(1, min(guess, most))
    step = 1
    while high - low > 1:
        if suits(at):
            low = at
            at = min(high - 1, at + step) if high == most + 1 else (low + high) // 2
            step *= 2
        else:
            high = at
            at = (low + high) // 2
    return max(1, low)


def _evened(brand: Brand, entries: Sequence[_T], make: Make[_T], taken: list[int], left: int) -> list[int]:
    """Return the counts shared out evenly where they fit as well, so that no page is left with a remainder."""
    total, count = sum(taken), len(taken)
    share = [total // count + (index < total % count) for index in range(count)]
    if count == 1 or share == taken:
        return taken
    start = 0
    for index, size in enumerate(share):
        more = left if index == count - 1 else 0
        if not fits(brand, make(entries[start : start + size], 98, 99, more)):
            return taken
        start += size
    return share
