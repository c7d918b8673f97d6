"""A packet as a terminal shows it: the verdict first, then what it rests on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from studio.packets.phase0 import Phase0Packet
from studio.text import printable

VERDICT_STYLE = {"greenlight": "bold green", "revise": "bold yellow", "kill": "bold red"}
BAR_WIDTH = 20
# A quote in a list is a reminder; the whole passage is stored with its hash.
QUOTE_CHARS = 140


def packet_panels(packet: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield the packet's sections as rich renderables, from the verdict down to the evidence."""
    packet = printable(packet)
    try:
        # What a reader takes for the same (a number written as text) is drawn as the same.
        packet = Phase0Packet.model_validate(packet).model_dump(mode="json")
    except ValidationError:
        yield from stored(packet)
        return
    synopsis = packet["reasoning_synopsis"]
    verdict = Text.assemble(
        (packet["recommendation"].upper(), VERDICT_STYLE[packet["recommendation"]]),
        f"  confidence {synopsis['confidence']} of 100",
    )
    yield Panel(
        Group(Text(packet["tagline"], style="bold"), "", Text(packet["elevator_pitch"]), "", verdict),
        title="Phase 0 packet",
        border_style=VERDICT_STYLE[packet["recommendation"]].split()[-1],
    )
    yield _confidence(packet["confidence_breakdown"])
    yield section("Why", bullets(synopsis["rationale"]))
    persona = packet["target_persona"]
    yield section(
        "For whom",
        Group(Text(persona["name"], style="bold"), Text(persona["description"]), bullets(persona["pain_points"])),
    )
    scope = packet["mvp_scope"]
    parts: list[RenderableType] = [Text("In scope", style="dim"), bullets(scope["in_scope"])]
    if scope["deferred"]:
        parts += [Text("Deferred", style="dim"), bullets(scope["deferred"])]
    yield section("First version", Group(*parts))
    yield section("Competitors", _competitors(packet))
    yield section("Market", _market(packet["market_sizing"]))
    if packet["existing_presence"]:
        yield section(
            "Existing presence, measured",
            bullets(
                f"{p['domain']}: {p['status'].replace('_', ' ')}. {p['detail']}" for p in packet["existing_presence"]
            ),
        )
    if synopsis["evidence"]:
        yield section("Evidence", bullets(evidence_line(item) for item in synopsis["evidence"]))
    yield section("Risks", bullets(synopsis["risks"]))
    yield section("Next", bullets(synopsis["next_actions"]))


def stored(packet: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield a packet that is not in our shape, as it is stored."""
    yield Text("It was written by another client, and is shown as it is stored.", style="dim")
    yield Text(json.dumps(packet, indent=2, ensure_ascii=False))


def section(title: str, body: RenderableType) -> RenderableType:
    """Return a part of a packet under its title."""
    return Group(Text(f"\n{title}", style="bold cyan"), body)


def bullets(items: Iterable[Any]) -> RenderableType:
    """Return a list of texts, one to a bullet."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(overflow="fold")
    for item in items:
        table.add_row("•", item if isinstance(item, Text) else Text(str(item)))
    return table


def _confidence(breakdown: dict[str, int]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for name, value in breakdown.items():
        filled = round(value * BAR_WIDTH / 100)
        bar = Text.assemble(("█" * filled, "green"), ("░" * (BAR_WIDTH - filled), "dim"))
        table.add_row(Text(name), bar, Text(f"{value:>3}"))
    return table


def _competitors(packet: dict[str, Any]) -> RenderableType:
    listed = packet["competitor_analysis"]
    note = Text(packet["competitor_note"], style="dim")
    if not listed:
        return note
    lines: list[RenderableType] = []
    for rival in listed:
        lines.append(
            Text.assemble(
                (rival["name"], "bold"),
                f"  {rival['positioning']}{_mark(rival, 'positioning')} Leaves open: {rival['gap']}"
                f" Price: {rival['pricing']}{_mark(rival, 'pricing')}  ",
                _origin(rival),
            )
        )
    return Group(bullets(lines), note)


def _mark(rival: dict[str, Any], field: str) -> str:
    return " (unsourced)" if rival["sourced"] and field in rival.get("unsourced_fields", ()) else ""


def _market(market: dict[str, Any]) -> RenderableType:
    figures = market["figures"]
    if not figures:
        return Text(f"TAM {market['tam']}  SAM {market['sam']}  SOM {market['som']}")
    if not any(figure["sourced"] for figure in figures.values()) and len({f["text"] for f in figures.values()}) == 1:
        return Group(Text(market["tam"]), Text(" ".join(note["text"] for note in market["notes"]), style="dim"))
    table = Table.grid(padding=(0, 1))
    for key in (key for key in ("tam", "sam", "som") if key in figures):
        table.add_row(Text(key.upper(), style="bold"), Text.assemble(figures[key]["text"], "  ", _origin(figures[key])))
    return table


def evidence_line(item: dict[str, Any]) -> Text:
    """Return a claim with the passage that carries it, or that none does."""
    return Text.assemble(item["claim"], "  ", _origin(item))


def _origin(item: dict[str, Any]) -> Text:
    if not item["sourced"] or not item["sources"]:
        return Text("unsourced", style="dim italic")
    source = item["sources"][0]
    quote = source["quote"] if len(source["quote"]) <= QUOTE_CHARS else source["quote"][: QUOTE_CHARS - 1] + "…"
    return Text.assemble((f"“{quote}” ", "italic"), (source["url"], "blue underline"))


def one_line(text: str, width: int = 100) -> str:
    """Return `text` on one line of at most `width` characters, safe to stand in markup."""
    flat = " ".join(printable(text).split())
    return escape(flat if len(flat) <= width else flat[: width - 1] + "…")
