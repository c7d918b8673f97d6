"""Claims and the passages that carry them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from studio.packets.fields import Evidence, Source
from studio.research import carrying
from studio.text import sha256_hex

UNSOURCED = "unsourced"


def evidence(claim: str, ids: list[str], sources: dict[str, Source]) -> Evidence:
    """Return the claim with those of the cited sources that can carry it; without one it is marked unsourced."""
    carried = carrying(claim, ids, sources)
    return Evidence(
        claim=claim, source=carried[0].url if carried else UNSOURCED, sourced=bool(carried), sources=carried
    )


def passages(packets: Iterable[dict[str, Any]]) -> list[Source]:
    """Return the passages that stored packets rest on, each once, in the order in which they stand there."""
    found: dict[tuple[str, str], Source] = {}

    def gather(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                gather(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key == "sources":
                    keep(item)
                else:
                    gather(item)

    def keep(listed: Any) -> None:
        for item in listed if isinstance(listed, list) else []:
            try:
                source = Source.model_validate(item)
            except ValidationError:
                # Other clients keep other things under this name; only a passage with its hash is one.
                continue
            if source.quote_sha256 == sha256_hex(source.quote):
                found.setdefault((source.url, source.quote_sha256), source)

    for packet in packets:
        gather(packet)
    return list(found.values())
