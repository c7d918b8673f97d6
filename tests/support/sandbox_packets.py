"""What the sandbox model makes of an idea, without a database: packets of all phases, decks, brand brief and page."""

from __future__ import annotations

import json
from typing import Any

from studio import decks
from studio.brand import Brand, brand_of
from studio.decks import Deck, layouts
from studio.decks.build import brief_outline, outline
from studio.decks.scene import Page
from studio.landing.directions import choose
from studio.packets.assembly import assemble
from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.phase0 import Phase0Synthesis
from studio.packets.phase0_assembly import assemble as assemble_pitch
from studio.packets.phase0_assembly import competitors, market
from studio.packets.phase1 import PhaseSynopsis
from studio.packets.versions import PacketVersion
from studio.research import Dossier
from studio.sandbox.answers import COMPOSERS
from studio.sandbox.facts import Facts
from studio.sandbox.landing.compose import page
from tests.support import deck_samples
from tests.support.landing import IDEAS, landing_facts, prepared, sandbox_facts

# What a founder permits at most, so that decks show every proposal.
PERMITTED = {"repo_write": True, "deploy": True, "email_send": True, "ads_enabled": True, "ads_budget_cap": 20}


def packet(of: str, phase: int) -> dict[str, Any]:
    """Return the packet of a phase for one of `IDEAS`, as the studio would store it."""
    name, idea = IDEAS[of]
    facts = Facts(idea=idea, project={"name": name}, blocks={"permissions": json.dumps(PERMITTED)})
    if phase == 0:
        # The sandbox model has no web access, and where nothing was retrieved nothing is sorted.
        nothing = Dossier(notes="", passages=[], searches=1, retrieved=0)
        listed, note = competitors(None, {}, nothing)
        sizing = market(None, {}, nothing)
        synthesis = Phase0Synthesis.model_validate(COMPOSERS["Phase0Synthesis"](facts))
        return assemble_pitch(synthesis, listed, note, sizing, [], {}).model_dump(mode="json")
    if phase == 1:
        parts = {
            "landing_page": COMPOSERS["LandingCopy"](facts),
            "brand_kit": COMPOSERS["BrandKit"](facts),
            "social_strategy": COMPOSERS["SocialStrategy"](facts),
            "email_sequence": COMPOSERS["EmailSequence"](facts),
            **COMPOSERS["WaitlistPlan"](facts),
        }
        verdict = COMPOSERS["PhaseSynopsis"](facts)
    else:
        parts = COMPOSERS[f"Phase{phase}Plan"](facts)
        verdict = parts.pop("synopsis")
    return assemble(phase, parts, PhaseSynopsis.model_validate(verdict), {})


def brand(of: str) -> Brand:
    """Return the idea's brand from Phase 1 on."""
    facts = landing_facts(of)
    return brand_of(facts.brand_kit, facts.idea, facts.name)


def _told(of: str, phase: int) -> tuple[Any, PacketVersion, Brand]:
    name, idea = IDEAS[of]
    version = deck_samples.version(phase, packet(of, phase), model="sandbox")
    return deck_samples.project(name, idea), version, brand(of) if phase else brand_of(None, idea, name)


def deck(of: str, phase: int) -> Deck:
    """Return the deck of a phase."""
    return decks.build(*_told(of, phase))


def pages(of: str, phase: int) -> list[Page]:
    """Return the pages of that deck as they are drawn in both its forms, which takes a tenth of the time."""
    project, version, drawn_in = _told(of, phase)
    return layouts.pages(outline(project, version, drawn_in), drawn_in)


def brief_spec(of: str) -> BrandDeckSpec:
    """Return what the design agent specifies of the brand brief."""
    return BrandDeckSpec.model_validate(COMPOSERS["BrandDeckSpec"](Facts(idea=IDEAS[of][1])))


def brief(of: str) -> Deck:
    """Return the brand brief."""
    return drawn_brief(brief_spec(of), brand(of))


def brief_pages(of: str) -> list[Page]:
    """Return the brief's pages as they are drawn in both its forms."""
    return layouts.pages(brief_outline(brief_spec(of), brand(of)), brand(of))


def named_brief(of: str, name: str) -> Deck:
    """Return the brand brief of an idea whose project has another name."""
    facts = landing_facts(of)
    return drawn_brief(brief_spec(of), brand_of(facts.brand_kit, facts.idea, name))


def drawn_brief(spec: BrandDeckSpec, drawn_in: Brand) -> Deck:
    """Return the brief that a specification describes, in a brand."""
    return decks.brand_brief(spec, drawn_in, deck_samples.MADE_AT)


def landing(of: str, direction: str = "") -> str:
    """Return the landing page as it is stored, in the idea's first direction or the given one."""
    facts = landing_facts(of)
    return prepared(page(sandbox_facts(facts, direction or choose(facts.idea)[0].key)), facts)
