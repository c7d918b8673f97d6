"""An approval as a terminal shows it: what it is about, and exactly what a yes would carry out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from studio import rollbacks
from studio.approvals import Approval
from studio.database.connection import Database
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.text import clip, printable

SUMMARY_CHARS = 400
# A mail is read whole in `approvals show --json`, and where it stands in the packet.
VALUE_CHARS = 200
INDENT = 2


def what_it_does(db: Database, approval: Approval) -> RenderableType:
    """Return what the approval is about: the packet it rests on, and what would be carried out."""
    packet = packet_of(db, approval)
    parts: list[RenderableType] = [Text(printable(approval.description))]
    if packet is not None:
        parts.append(Text(f"Phase {packet.phase} packet, version {packet.version}: {summary(packet)}", style="dim"))
    parts += [Text(line) for line in see_also(approval)]
    if executes := approval.payload.get("executes"):
        parts += [Text(), *carried_out(executes)]
    if approval.content_hash:
        parts.append(Text(f"SHA-256 {approval.content_hash}", style="dim"))
    return Group(*parts)


def packet_of(db: Database, approval: Approval) -> PacketVersion | None:
    """Return the packet that an approval rests on; going back to an earlier page rests on a check and not on one."""
    rests = rollbacks.evidence_of(approval.action_type, approval.payload) is None
    return versions.get(db, approval.packet_version_id) if rests and approval.packet_version_id else None


def see_also(approval: Approval) -> list[str]:
    """Return the lines that lead to the evidence of an approval to go back to an earlier page; none for others.

    Where the studio itself has ended it, they say why.
    """
    evidence = rollbacks.evidence_of(approval.action_type, approval.payload)
    if evidence is None:
        return []
    ended = approval.status == "revised" and approval.decided_by == "system"
    why = ["Another page was published before anybody decided, so nothing is left to decide."] if ended else []
    check = [] if evidence.job_id is None else [f"See what failed: greenlight check show {evidence.job_id}"]
    return [*why, *check, f"See what was published: greenlight pages list {approval.project_id}"]


def panel(db: Database, approval: Approval) -> Panel:
    """Return the approval as a person sees it before deciding, in a frame with its risk and version."""
    title = f"{'Gate' if approval.is_gate else 'Approval'}: {printable(approval.title)}"
    return Panel(
        what_it_does(db, approval),
        title=Text(title),
        subtitle=f"risk {approval.risk}, version {approval.version}",
        border_style="yellow",
        title_align="left",
    )


def summary(packet: PacketVersion) -> str:
    """Return what a packet says of itself, on one line, with its verdict."""
    said = packet.packet.get("tagline") or packet.packet.get("summary") or "no summary"
    verdict = packet.packet.get("recommendation")
    text = f"{verdict}: {said}" if verdict else str(said)
    return clip(" ".join(printable(text).split()), SUMMARY_CHARS)


def carried_out(executes: Any) -> Iterator[Text]:
    """Yield what would be carried out, a line per value; nothing of it is left out, long texts are cut."""
    yield from _lines(printable(executes), 0)


def _lines(value: Any, depth: int) -> Iterator[Text]:
    pad = " " * INDENT * depth
    if isinstance(value, dict):
        for key, inner in value.items():
            name = str(key).replace("_", " ")
            if isinstance(inner, dict | list):
                yield Text(f"{pad}{name}", style="cyan")
                yield from _lines(inner, depth + 1)
            elif inner is not None:
                yield Text.assemble((f"{pad}{name}  ", "cyan"), clip(" ".join(str(inner).split()), VALUE_CHARS))
    elif isinstance(value, list):
        for item in value:
            inner_lines = list(_lines(item, depth + 1)) if isinstance(item, dict | list) else []
            if inner_lines:
                first = inner_lines[0]
                yield Text.assemble(f"{pad}• ", first[len(pad) + INDENT :])
                yield from inner_lines[1:]
            else:
                yield Text(f"{pad}• {clip(' '.join(str(item).split()), VALUE_CHARS)}")
    else:
        yield Text(f"{pad}{value}")
