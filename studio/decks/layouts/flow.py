"""Flow: entries set one below the other, at the largest size that fits, over as many pages as they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from studio.brand import Brand
from studio.decks import setting
from studio.decks.scene import Para

_T = TypeVar("_T")
Setting = Callable[[_T, float], list[Para]]
Entry = tuple[Para, ...]


def spread(
    brand: Brand, entries: Sequence[_T], set_entry: Setting[_T], room: float, space: float, sizes: Sequence[float],
    gap: float,
) -> tuple[float, list[list[Entry]]]:  # fmt: skip
    """Return the size, and the entries of each page set in it.

    The size is the largest of `sizes` (falling) that needs no more pages than the smallest would. Pages are filled
    evenly. An entry that is higher than a page is continued on the next one.
    """
    fewest = len(_filled(brand, _set(entries, set_entry, sizes[-1]), room, space, gap))
    for size in sizes:
        ready = _set(entries, set_entry, size)
        pages = _filled(brand, ready, room, space, gap)
        if len(pages) == fewest:
            return size, _evened(brand, ready, pages, room, space, gap)
    return sizes[-1], _filled(brand, _set(entries, set_entry, sizes[-1]), room, space, gap)


def _set(entries: Sequence[_T], set_entry: Setting[_T], size: float) -> list[Entry]:
    return [tuple(set_entry(entry, size)) for entry in entries]


def _filled(brand: Brand, entries: Sequence[Entry], room: float, space: float, gap: float) -> list[list[Entry]]:
    pages: list[list[Entry]] = [[]]
    used = 0.0
    waiting = list(entries)
    while waiting:
        entry = waiting.pop(0)
        tall = setting.height(brand, entry, room)
        need = tall + (gap if pages[-1] else 0)
        if used + need <= space:
            pages[-1].append(entry)
            used += need
        elif pages[-1]:
            pages.append([])
            used = 0.0
            waiting.insert(0, entry)
        else:
            head, tail = _cut(brand, entry, room, space)
            pages[-1].append(head)
            if not tail:
                break
            pages.append([])
            used = 0.0
            waiting.insert(0, tail)
    return pages


def _cut(brand: Brand, entry: Entry, room: float, space: float) -> tuple[Entry, Entry]:
    """Return what of an entry fills a page by itself, and the rest."""
    kept: list[Para] = []
    left = space
    for index, para in enumerate(entry):
        need = setting.para_height(brand, para, room) + (para.before if kept else 0)
        if need <= left:
            kept.append(para)
            left -= need
            continue
        head, tail = setting.cut_para(brand, para, room, left - (para.before if kept else 0))
        if head is not None:
            kept.append(head)
        elif not kept:
            # Not one line fits: the room is too small for the size, which no layout here gives.
            kept.append(para)
            return tuple(kept), entry[index + 1 :]
        return tuple(kept), (tail, *entry[index + 1 :])
    return tuple(kept), ()


def _evened(
    brand: Brand, entries: Sequence[Entry], pages: list[list[Entry]], room: float, space: float, gap: float
) -> list[list[Entry]]:
    """Return the pages filled about evenly instead of full, full, and a remainder, if they are as few."""
    if len(pages) == 1 or sum(map(len, pages)) != len(entries):
        return pages
    total = sum(setting.height(brand, entry, room) + gap for entry in entries)
    for share in (1.0, 1.08, 1.16, 1.25):
        evened = _filled(brand, entries, room, min(space, share * total / len(pages)), gap)
        if len(evened) == len(pages) and sum(map(len, evened)) == len(entries):
            return evened
    return pages


def joined(entries: Sequence[Entry], gap: float) -> tuple[Para, ...]:
    """Return the entries as one column of paragraphs, `gap` apart."""
    paras: list[Para] = []
    for entry in entries:
        for index, para in enumerate(entry):
            paras.append(replace(para, before=gap) if index == 0 and paras else para)
    return tuple(paras)


def numbered_title(title: str, index: int, count: int) -> str:
    """Return the title of one of several pages of a slide."""
    return title if count == 1 else f"{title} ({index + 1}\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}{count})"


def longest_title(title: str) -> str:
    """Return the longest form of a slide's title, so that every page has the room that one was laid out for."""
    return numbered_title(title, 98, 99)
