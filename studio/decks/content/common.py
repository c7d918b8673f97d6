"""What the decks of all phases share: covers, verdicts, evidence, and how sources are told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from studio.decks.model import (
    Closing,
    Cover,
    Evidence,
    Fact,
    Item,
    Listing,
    Notes,
    Proof,
    Reference,
    Slide,
    Statement,
    Steps,
    Verdict,
    clean,
)
from studio.packets.actions import ProposedAction
from studio.packets.fields import Evidence as Claim
from studio.packets.fields import ReasoningSynopsis, Recommendation, Source
from studio.packets.versions import PacketVersion
from studio.projects import Project
from studio.text import clip

PHASES = {0: "Pitch", 1: "Validate", 2: "Distribute", 3: "Go live"}
_VERDICTS: dict[Recommendation, str] = {"greenlight": "Greenlight", "revise": "Revise", "kill": "Kill"}
_TITLES: dict[Recommendation, str] = {
    "greenlight": "The recommendation is to go on",
    "revise": "The recommendation is to revise before going on",
    "kill": "The recommendation is to stop",
}
_QUESTIONS = {
    0: "What it is, who it is for, and what speaks for it and against it",
    1: "Does anybody want it? What people are shown, and how their interest is counted",
    2: "How people hear of it, what that may cost, and which figure counts",
    3: "What has to hold before it is live, and how to go back",
}
# A passage on a slide; the notes have it in full.
_QUOTE_LIMIT = 260
_SANDBOX = "Written by the sandbox model from the project's own words. No language model has judged it."
JUDGEMENT = "this is the studio's own judgement of the packet."
PLAN = "this is a plan of the studio, not a finding."


def plural(count: int, one: str, many: str = "") -> str:
    """Return "1 risk", "3 risks"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def sentence(texts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *most, last = [text for text in texts if text] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def web_address(url: str) -> str:
    """Return the address where it is one that a reader may be led to, else an empty string."""
    try:
        parts = urlsplit(clean(url))
        host = parts.hostname
    except ValueError:
        return ""
    return clean(url) if parts.scheme in ("http", "https") and host and " " not in clean(url) else ""


def host_of(url: str) -> str:
    """Return the host of an address without `www.`, the address itself where it has none."""
    return (urlsplit(web_address(url)).hostname or clean(url)).removeprefix("www.")


def references(sources: Iterable[Source]) -> tuple[Reference, ...]:
    """Return each source once, as notes tell it."""
    found = {
        (source.url, source.quote): Reference(clean(source.url), clean(source.title), clean(source.quote))
        for source in sources
    }
    return tuple(found.values())


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return texts as they can be drawn, empty ones left out."""
    return tuple(text for value in values if (text := clean(value)))


def items(values: Iterable[str]) -> tuple[Item, ...]:
    """Return texts as entries of a list."""
    return tuple(Item(text) for text in texts(values))


def cover(project: Project, version: PacketVersion, subtitle: str = "", said: Iterable[str] = ()) -> Slide:
    """Return the cover: what it is, of which phase and version, and who wrote it.

    Without a subtitle, or where one of the texts `said` on later slides says the same, the cover asks what the phase
    is to answer.
    """
    wanted = _folded(subtitle)
    if not wanted or any(f" {wanted} " in f" {_folded(text)} " for text in said):
        subtitle = _QUESTIONS[version.phase]
    made = f"{version.created_at.day} {version.created_at:%B %Y}"
    sandbox = (version.model or "").startswith("sandbox")
    banner = _SANDBOX if sandbox else ""
    packet = f"phase {version.phase} packet, version {version.version}, of {made}"
    return Slide(
        title=clean(project.name) or "Untitled project",
        kicker=f"Phase {version.phase} · {PHASES[version.phase]}",
        body=Cover(
            subtitle=clean(subtitle),
            facts=(
                Fact("Verdict", _VERDICTS[version.synopsis["decision"]]),
                Fact("Confidence", f"{version.confidence} of 100"),
                Fact(f"Version {version.version}", made),
            ),
            banner=banner,
        ),
        notes=Notes(
            say=f"{clean(project.name)}: {clean(subtitle)}",
            details=(f"This deck shows the {packet}.", f"Model: {version.model or 'that of another client'}."),
            unsourced=("the cover repeats what the packet says.",),
        ),
    )


def _folded(text: str) -> str:
    """Return the words of a text alone, so that "A bakery." and "a bakery" are the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def summary(text: str) -> Slide:
    """Return the summary of a phase as one text."""
    return Slide(
        title="In short",
        kicker="Summary",
        body=Statement(clean(text)),
        notes=Notes(say=clean(text), unsourced=(JUDGEMENT,)),
    )


def verdict(synopsis: ReasoningSynopsis) -> Slide:
    """Return the verdict and the reasons for it."""
    carried = [source for claim in synopsis.evidence for source in claim.sources]
    return Slide(
        title=_TITLES[synopsis.decision],
        kicker="Verdict",
        body=Verdict(_VERDICTS[synopsis.decision], synopsis.confidence, texts(synopsis.rationale)),
        notes=Notes(
            say=f"The verdict is {synopsis.decision}, with a confidence of {synopsis.confidence} of 100.",
            details=texts(synopsis.rationale),
            references=references(carried),
            unsourced=() if carried else (JUDGEMENT,),
        ),
    )


def risks(synopsis: ReasoningSynopsis) -> Slide:
    """Return the risks; that none are named is said, too."""
    if not synopsis.risks:
        return Slide(
            title="The packet names no risks",
            kicker="Risks",
            body=Statement("No risk was named. That is a gap in the packet, not a finding that there are none."),
            notes=Notes(say="Ask what could go wrong before deciding.", unsourced=(JUDGEMENT,)),
        )
    return Slide(
        title=f"What could go wrong: {plural(len(synopsis.risks), 'risk')}",
        kicker="Risks",
        body=Listing(items(synopsis.risks), mark="number", cards=True),
        notes=Notes(say="Go through the risks one by one.", details=texts(synopsis.risks), unsourced=(JUDGEMENT,)),
    )


def next_steps(actions: Sequence[str], proposed: Sequence[ProposedAction] = ()) -> list[Slide]:
    """Return what people should do next, and what the studio could do itself after an approval."""
    slides = []
    if actions:
        slides.append(
            Slide(
                title="What to do next",
                kicker="Next steps",
                body=Steps(items(actions)),
                notes=Notes(say="In this order.", details=texts(actions), unsourced=(PLAN,)),
            )
        )
    if proposed:
        entries = tuple(
            Item(
                clean(action.reason),
                heading=clean(action.description),
                tag=f"Waits for an approval: {action.action_type.replace('_', ' ')}",
            )
            for action in proposed
        )
        slides.append(
            Slide(
                title="What the studio could do once it is approved",
                kicker="Proposed actions",
                body=Listing(entries, mark="number", cards=True),
                notes=Notes(
                    say="Nothing of this has been done. Each action waits for an approval of its own.",
                    details=tuple(f"{entry.heading} Why: {entry.text}" for entry in entries),
                    unsourced=(PLAN,),
                ),
            )
        )
    return slides


def evidence(claims: Sequence[Claim]) -> Slide:
    """Return what the verdict rests on, with the passages; that there is none is said."""
    if not claims:
        return Slide(
            title="The verdict names no evidence",
            kicker="Evidence",
            body=Statement("The packet rests its verdict on no claim that could be traced to a source."),
            notes=Notes(say="Nothing here can be checked against a source.", unsourced=("the packet cites none.",)),
        )
    carried = sum(claim.sourced for claim in claims)
    proofs = tuple(
        Proof(
            claim=clean(claim.claim),
            quote=clip(clean(claim.sources[0].quote), _QUOTE_LIMIT) if claim.sources else "",
            source=_source_line(claim.sources) if claim.sources else "Unsourced",
            url=web_address(claim.sources[0].url) if claim.sources else "",
        )
        for claim in claims
    )
    return Slide(
        title=f"{carried} of {plural(len(claims), 'claim')} {'has' if carried == 1 else 'have'} a source",
        kicker="Evidence",
        body=Evidence(proofs),
        notes=Notes(
            say="A source shows what a passage speaks of; it does not prove the claim.",
            details=tuple(f"{index}. {proof.claim}" for index, proof in enumerate(proofs, 1)),
            references=references(source for claim in claims for source in claim.sources),
            unsourced=tuple(f"“{clean(claim.claim)}”" for claim in claims if not claim.sourced),
        ),
    )


def _source_line(sources: Sequence[Source]) -> str:
    first = host_of(sources[0].url)
    return first if len(sources) == 1 else f"{first} and {plural(len(sources) - 1, 'more', 'more')}"


def closing(project: Project, version: PacketVersion, synopsis: ReasoningSynopsis) -> Slide:
    """Return the last slide: what is to be decided, and what was laid out for it."""
    decided, confidence = synopsis.decision, synopsis.confidence
    laid_out = [
        plural(len(synopsis.rationale), "reason"),
        plural(len(synopsis.risks), "risk") if synopsis.risks else "no risk",
        plural(len(synopsis.next_actions), "next step") if synopsis.next_actions else "no next step",
    ]
    after = {0: "validation", 1: "distribution", 2: "going live", 3: "the launch"}[version.phase]
    return Slide(
        title=f"Decide on {after}",
        kicker=clean(project.name),
        body=Closing(
            f"The pages before this one give {sentence(laid_out)}. The decision is a person's.",
            (
                Fact("Recommendation", _VERDICTS[decided]),
                Fact("Confidence", f"{confidence} of 100"),
                Fact("Your choices", "Approve, revise or stop"),
            ),
        ),
        notes=Notes(
            say="Nothing goes out before the decision is made.",
            details=(f"Recommendation: {decided}, confidence {confidence} of 100.",),
            unsourced=(JUDGEMENT,),
        ),
    )
