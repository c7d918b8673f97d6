# ruff: noqa: E501 - packets are read entry by entry, a line each.
"""Packets for decks: realistic ones of all phases, sparse and long ones, other scripts, and hostile texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.phase0 import Phase0Packet
from studio.packets.phase1 import BrandKit, Phase1Packet
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from studio.packets.versions import PacketVersion
from studio.projects import Project
from studio.text import sha256_hex

MADE_AT = datetime(2026, 3, 3, 9, 30, tzinfo=UTC)
PROJECT_ID = UUID("6f1c2f7e-90d3-4a55-8a2e-1b8a1f0c9d11")

HOSTILE = (
    "</title></style></svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href=javascript:alert(3)>x</a>"
    "{{7*7}}{%raw%} & \x00\x07\x1b[31m \u202egnp.exe \ufffe ]]> <!-- "
)


def project(name: str, idea: str) -> Project:
    """A project of which decks read the name; columns that they do not read are empty."""
    known = {
        "id": PROJECT_ID, "owner_clerk_id": "owner", "name": name, "idea_description": idea, "phase": 0,
        "status": "active", "runtime_mode": "shared", "permissions": {}, "night_shift": True, "focus_areas": [],
        "created_at": MADE_AT,
    }  # fmt: skip
    return Project(**{field: known.get(field) for field in Project.__dataclass_fields__})


def version(phase: int, packet: dict[str, Any], *, model: str = "claude-sonnet-4-5", number: int = 1) -> PacketVersion:
    synopsis = packet["reasoning_synopsis"]
    return PacketVersion(
        id=UUID(int=phase + 1), project_id=PROJECT_ID, phase=phase, version=number, packet=packet,
        confidence=synopsis["confidence"], synopsis=synopsis, source_job_id=None, model=model, prompt_version="p-1",
        cost_micros=1, created_at=MADE_AT,
    )  # fmt: skip


def source(url: str, title: str, quote: str) -> dict[str, str]:
    return {"url": url, "title": title, "quote": quote, "quote_sha256": sha256_hex(quote)}


LENDLY = source("https://www.lendly.test/pricing", "Lendly: pricing",
                "Lendly lends power tools to members for €5 a month and asks for a deposit of €50 per tool.")  # fmt: skip
FIGURES = source("https://figures.test/tools-2025", "The tool rental market 2025",
                 "The European market for tool rental was worth €4.6 billion in 2025.")  # fmt: skip
CITY = source("https://figures.test/cities", "Households in cities",
              "Households in European cities spent €640 million on rented tools.")  # fmt: skip


def synopsis(decision: str, confidence: int, rationale: list[str], risks: list[str], actions: list[str],
             evidence: list[dict[str, Any]], proposed: list[dict[str, str]] | None = None) -> dict[str, Any]:  # fmt: skip
    made = {
        "decision": decision, "confidence": confidence, "rationale": rationale, "risks": risks,
        "next_actions": actions, "evidence": evidence,
    }  # fmt: skip
    return made if proposed is None else {**made, "proposed_actions": proposed}


def claim(text: str, *sources: dict[str, str]) -> dict[str, Any]:
    return {
        "claim": text, "source": sources[0]["url"] if sources else "unsourced", "sourced": bool(sources),
        "sources": list(sources),
    }  # fmt: skip


def figure(text: str, *sources: dict[str, str]) -> dict[str, Any]:
    return {"text": text, "sourced": bool(sources), "sources": list(sources)}


TOOL_IDEA = (
    "A tool library for neighbours: people lend each other power tools such as drills and ladders. A shared locker in"
    " the hallway makes pick-up easy, and a small deposit covers damage."
)


def pitch() -> dict[str, Any]:
    """A full Phase 0 packet, with sourced and unsourced parts."""
    unknown = "Not measured: no retrieved page gives a figure for a single hallway."
    packet = {
        "tagline": "Borrow the drill next door",
        "elevator_pitch": (
            "A drill is used for thirteen minutes in its life. Neighbours already trust each other with their keys;"
            " we give them a locker in the hallway, a deposit that covers damage, and a list of what the house owns"
            " together. Pick-up takes a minute, and nobody has to ring a bell."
        ),
        "confidence_breakdown": {"market": 58, "competition": 64, "feasibility": 81, "timing": 47},
        "competitor_analysis": [
            {
                "name": "Lendly", "positioning": "A membership that lends tools from a shop in the city centre",
                "gap": "Nothing within walking distance of where people live", "pricing": "€5 a month, €50 deposit",
                "sourced": True, "sources": [LENDLY], "unsourced_fields": [],
            },
            {
                "name": "Toolbox", "positioning": "Shared lockers sold to housing companies",
                "gap": "Tenants cannot start one themselves", "pricing": "not found",
                "sourced": True, "sources": [source("https://toolbox.test/", "Toolbox", "Toolbox builds lockers for houses.")],
                "unsourced_fields": ["pricing"],
            },
            {
                "name": "Peerby", "positioning": "An app where neighbours answer requests for things",
                "gap": "Every loan needs a conversation", "pricing": "Free, paid insurance",
                "sourced": False, "sources": [], "unsourced_fields": ["positioning", "pricing"],
            },
        ],
        "competitor_note": "Three were found in four searches; there may be local ones that no page speaks of.",
        "market_sizing": {
            "tam": "The European market for tool rental was worth €4.6 billion in 2025.",
            "sam": "Households in European cities spent €640 million on rented tools.",
            "som": unknown,
            "figures": {
                "tam": figure("The European market for tool rental was worth €4.6 billion in 2025.", FIGURES),
                "sam": figure("Households in European cities spent €640 million on rented tools.", CITY),
                "som": figure(unknown),
            },
            "notes": [figure("Most rentals are made by trades, not by households.")],
        },
        "target_persona": {
            "name": "The renting neighbour",
            "description": (
                "Lives in a house with eight or more flats, moves every few years, owns a screwdriver and no shelf to"
                " keep more. Does small repairs on Saturdays."
            ),
            "pain_points": [
                "A drill costs more than the shelf it is bought for",
                "Shops that rent tools are across town and close at six",
                "Asking a neighbour for the third time feels like begging",
            ],
        },
        "mvp_scope": {
            "in_scope": [
                "A list of the house's tools, each with a photo and a place in the locker",
                "Booking by the hour with a code for the locker",
                "A deposit that is held, not charged",
                "Reporting damage with a photo",
            ],
            "deferred": ["Insurance", "Lending between houses", "Selling used tools"],
        },
        "existing_presence": [
            {
                "domain": "hallway-tools.test", "status": "parked", "detail": "A page of a registrar with advertisements",
                "scanned_at": "2026-03-02T14:05:00Z", "sources": [],
            }
        ],
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(
            "greenlight", 64,
            [
                "The first version needs no hardware: a lockable cupboard with a code lock will do",
                "Competitors leave the last hundred metres open",
                "One house with twenty flats is enough to learn whether deposits work",
            ],
            [
                "House rules may forbid lockers in hallways",
                "A deposit may keep away those who need the tools most",
                "Liability for a borrowed ladder is not settled",
                "Two houses behave differently from twenty",
            ],
            [
                "Find two houses with more than fifteen flats",
                "Ask the house management about fire safety",
                "Write the page and collect addresses for three weeks",
                "Borrow the first ten tools from the neighbours themselves",
            ],
            [
                claim("Members pay for access to tools that they do not own", LENDLY),
                claim("Tool rental in Europe is a market of billions", FIGURES, CITY),
                claim("Neighbours prefer a locker to ringing a bell"),
            ],
        ),
    }  # fmt: skip
    return Phase0Packet.model_validate(packet).model_dump(mode="json")


def sparse_pitch(name: str = "Brotzeit") -> dict[str, Any]:
    """A German Phase 0 packet in which nothing was found."""
    nothing = "Not measured: the search retrieved no page that gives a figure."
    packet = {
        "tagline": "Pausenbrote für Handwerkerinnen und Handwerker, frisch auf die Baustelle geliefert",
        "elevator_pitch": (
            f"{name} bringt belegte Brote dorthin, wo gearbeitet wird: mit dem Lastenrad, vor neun Uhr, ohne"
            " Mindestbestellwert. Die Kolonne bestellt am Vorabend in einer gemeinsamen Liste."
        ),
        "confidence_breakdown": {"market": 30, "competition": 30, "feasibility": 30, "timing": 30},
        "competitor_analysis": [],
        "competitor_note": "No competitors: 3 searches returned 0 pages, and none could be cited.",
        "market_sizing": {
            "tam": nothing, "sam": nothing, "som": nothing,
            "figures": {"tam": figure(nothing), "sam": figure(nothing), "som": figure(nothing)},
            "notes": [],
        },
        "target_persona": {
            "name": "Bauleiterin eines mittelständischen Sanitärinstallationsbetriebs",
            "description": "Plant Kolonnen von vier bis zwölf Leuten und will nicht über Verpflegung nachdenken.",
            "pain_points": ["Die Bäckerei liegt nie auf dem Weg"],
        },
        "mvp_scope": {
            "in_scope": ["Lieferzeitfenstervereinbarung mit der Bauleitung", "Sammelbestellung über einen Link"],
            "deferred": [],
        },
        "existing_presence": [],
        "recommendation": "revise",
        "reasoning_synopsis": synopsis(
            "revise", 30,
            [
                "Über die Nachfrage ist nichts bekannt",
                "Die Lieferkosten pro Brot sind nicht gerechnet",
                "Die Idee lässt sich in einer Woche mit einem Rad prüfen",
            ],
            [], [], [],
        ),
    }  # fmt: skip
    return Phase0Packet.model_validate(packet).model_dump(mode="json")


def foreign_pitch(words: list[str]) -> dict[str, Any]:
    """A Phase 0 packet whose texts are the given ones, in turn; an empty one stands where a text may be empty."""
    turn = iter([word if word.strip() else "-" for word in words] * 40)

    def next_ones(count: int) -> list[str]:
        return [next(turn) for _ in range(count)]

    packet = {
        "tagline": next(turn), "elevator_pitch": " ".join(next_ones(3)),
        "confidence_breakdown": {"market": 72, "competition": 41, "feasibility": 66, "timing": 88},
        "competitor_analysis": [
            {
                "name": next(turn), "positioning": next(turn), "gap": next(turn), "pricing": next(turn),
                "sourced": index == 0, "sources": [LENDLY] if index == 0 else [], "unsourced_fields": [],
            }
            for index in range(4)
        ],
        "competitor_note": next(turn),
        "market_sizing": {
            "tam": next(turn), "sam": next(turn), "som": next(turn), "figures": {}, "notes": [figure(next(turn))],
        },
        "target_persona": {"name": next(turn), "description": " ".join(next_ones(2)), "pain_points": next_ones(4)},
        "mvp_scope": {"in_scope": next_ones(5), "deferred": next_ones(3)},
        "existing_presence": [
            {"domain": "idea.test", "status": "not_measured", "detail": next(turn), "scanned_at": None, "sources": []}
        ],
        "recommendation": "kill",
        "reasoning_synopsis": synopsis(
            "kill", 44, next_ones(4), next_ones(5), next_ones(6),
            [claim(next(turn), source("javascript:alert(1)", next(turn), next(turn))), claim(next(turn))],
        ),
    }  # fmt: skip
    return Phase0Packet.model_validate(packet).model_dump(mode="json")


JAPANESE = [
    "近所の人どうしで工具を貸し借りできる小さな図書館。",
    "電動ドリルは一生のうちで十三分しか使われないと言われています。",
    "共同住宅の廊下にロッカーを置き、スマートフォンのコードで開けます。保証金は預かるだけで請求されません。",
    "引っ越しの多い借家人",
    "管理組合の許可が必要になる可能性があります。",
]
ARABIC = [
    "مكتبة أدوات للجيران: يستعير الناس المثاقب والسلالم من بعضهم البعض.",
    "خزانة مشتركة في مدخل المبنى تُفتح برمز على الهاتف.",
    "مبلغ تأمين صغير يغطي الأضرار ولا يُخصم إلا عند الحاجة.",
    "المستأجر الذي ينتقل كثيرًا",
    "قد تمنع قوانين المبنى وضع الخزائن في الممرات.",
]
LONG_WORDS = [
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "https://example.test/" + "a" * 180 + "?query=" + "b" * 90,
    (
        "A sentence that goes on, as people's sentences do when nobody stops them, and then goes on a little more. " * 8
    ).strip(),
    "x",
]

KIT: dict[str, Any] = {
    "voice": "Friendly and plain, like a neighbour who knows where the fuse box is. Short sentences, no jokes about beer.",
    "color_palette": [
        "#1F4D3A deep green, text", "#F6F1E4 oat, background", "#FFC93C safety yellow, primary accent",
        "#D9573F brick, secondary accent", "#E9E1CD pale oat, cards",
    ],
    "font_pairing": "Bookman Old Style headings with Arial body",
    "logo_prompt": "A key whose bit is the outline of a house with a drill inside; one colour, works at 16 pixels.",
}  # fmt: skip


def validation() -> dict[str, Any]:
    """A full Phase 1 packet."""
    packet = {
        "summary": (
            "The page promises one thing, a drill within a minute's walk, and asks for an address and the number of"
            " flats. Three mails find out whether the house would allow a locker before anything is built."
        ),
        "landing_page": {
            "headline": "The drill is already in your house",
            "subheadline": "Hallway keeps your neighbours' tools in one locker, with a code on your phone.",
            "primary_cta": "Ask for a locker",
            "sections": ["One locker, forty tools", "A deposit, not a fee", "Nobody rings a bell", "What your house needs"],
            "section_copy": [
                {"title": "One locker, forty tools", "body": "Everybody puts in what they own. The list shows what is there, and when it is free."},
                {"title": "A deposit, not a fee", "body": "The deposit is held while you have the tool, and released when it is back."},
                {"title": "Nobody rings a bell", "body": "A code opens the locker at any hour. No messages, no favours to keep count of."},
                {"title": "What your house needs", "body": "A dry corner in the hallway and the management's permission. We bring the letter."},
            ],
            "launch_notes": ["The form says what the address is used for", "The page reads well without pictures", "Imprint and privacy notice are linked"],
        },
        "waitlist": {
            "capture_stack": "The studio's own form and list; addresses are stored per project and deleted on request.",
            "double_opt_in": True,
            "form_fields": ["Email", "Number of flats", "Postcode"],
            "target_conversion_rate": "None can be set before traffic is measured",
        },
        "analytics": {
            "provider": "The studio's event table",
            "events": ["page_view", "form_started", "waitlist_joined", "waitlist_confirmed", "letter_downloaded"],
            "dashboard_views": ["Signups by day", "Confirmed share", "Postcodes"],
        },
        "brand_kit": KIT,
        "social_strategy": {
            "channels": ["Notices on the house's own board", "Local groups of tenants", "Repair cafés"],
            "content_pillars": ["What forty flats own twice", "Repairs under ten minutes", "How a house agrees on something"],
            "posting_cadence": "One notice a week for four weeks",
        },
        "email_sequence": {
            "emails": [
                {"day": "Day 0", "subject": "Your place on the list", "goal": "Confirm what was signed up for", "body": ["You asked for a locker.", "Here is what happens next."], "cta_label": None},
                {"day": "Day 3", "subject": "How many flats are you?", "goal": "Learn the size of the house", "body": ["A locker makes sense from about fifteen flats."], "cta_label": "Tell us"},
                {"day": "Day 7", "subject": "A letter for your management", "goal": "See whether the house would allow it", "body": ["The letter is attached to this page."], "cta_label": "Get the letter"},
            ]
        },
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(
            "greenlight", 71,
            ["The page tests the one risk that matters, permission", "The mails cost nothing to send", "Three weeks are enough to see twenty addresses"],
            ["Postcodes alone do not show whole houses", "A letter may be taken for advertising"],
            ["Approve the page", "Hang notices in five houses", "Count confirmed addresses after three weeks"],
            [claim("Members pay for tools that they do not own", LENDLY)],
            [
                {"action_type": "deploy_landing_page", "description": "Publish the landing page as reviewed", "reason": "Nothing can be learned before it is up"},
                {"action_type": "send_welcome_email_sequence", "description": "Send the three mails to confirmed addresses", "reason": "They ask for what decides"},
            ],
        ),
    }  # fmt: skip
    return Phase1Packet.model_validate(packet).model_dump(mode="json")


def distribution(*, ads: bool = True) -> dict[str, Any]:
    """A full Phase 2 packet; without ads nothing costs money."""
    packet = {
        "summary": "Two channels that reach whole houses come first; ads only fill gaps, under a cap of the founder.",
        "distribution_strategy": {
            "north_star_metric": "Houses in which at least three neighbours lent a tool this week",
            "channel_plan": [
                {"channel": "House managements", "objective": "Get ten permissions through one letter and one call", "weekly_budget": "0"},
                {"channel": "Repair cafés", "objective": "Meet people who repair on the day they do it", "weekly_budget": "40" if ads else "0"},
                {"channel": "Notices in hallways", "objective": "Reach a house through the house", "weekly_budget": "25" if ads else "0"},
                {"channel": "Meta ads by postcode", "objective": "Find second neighbours where one has signed up", "weekly_budget": "105" if ads else "0"},
            ],
        },
        "paid_acquisition": {
            "enabled": ads, "budget_cap_per_day": "15" if ads else "0",
            "target_audiences": ["Tenants within 400 m of a house with a signup", "Members of local repair groups"],
            "creative_angles": ["The drill you use for thirteen minutes", "Your neighbour has it", "A locker instead of a favour"],
            "kill_switch": "No new confirmed address in three days, or a complaint of a house management",
        },
        "outreach": {
            "sequence_type": "One letter, one call a week later, then nothing",
            "target_segments": ["Cooperatives with own hallways", "Managements with more than ten houses"],
            "daily_send_cap": 10,
        },
        "lifecycle_email": {
            "journeys": ["From address to first loan", "From borrower to lender", "A house that has gone quiet"],
            "send_window": "Tuesday to Thursday, 17:00 to 19:00",
            "emails": [
                {"day": "Day 0", "subject": "What your house owns", "goal": "Get the first tool listed", "body": ["List one tool. One is enough."], "cta_label": "List a tool"},
                {"day": "Day 5", "subject": "Somebody looked for a ladder", "goal": "Turn a borrower into a lender", "body": ["Two people looked for a ladder this week."], "cta_label": None},
            ],
        },
        "weekly_experiments": ["Letter with and without the fire-safety page", "Deposit of 20 against 50", "Notice with a code against notice with an address"],
        "guardrails": ["No message to anybody who has not confirmed", "No ad outside the postcodes of signups", "No house without a permission in writing"],
        "recommendation": "greenlight",
        "reasoning_synopsis": synopsis(
            "greenlight", 62,
            ["Permissions scale by management, not by house", "The cap limits a mistake to a day's lunch", "Every channel ends in a house, which is what counts"],
            ["Managements answer slowly", "Ads reach people in houses that will never allow a locker"],
            ["Write to ten managements", "Ask three repair cafés for a table"],
            [],
            [{"action_type": "activate_meta_ads_campaign", "description": "Create the campaign, paused", "reason": "The postcodes of 31 signups are known"}] if ads else [],
        ),
    }  # fmt: skip
    return Phase2Packet.model_validate(packet).model_dump(mode="json")


def launch() -> dict[str, Any]:
    """A full Phase 3 packet."""
    packet = {
        "summary": "The first house goes live behind a review, with a way back that takes ten minutes and needs one person.",
        "architecture_review": {
            "runtime_mode": "attached",
            "system_components": ["Web application with server-side pages", "PostgreSQL with row-level security", "Lock vendor's interface for codes", "Payment provider for deposits"],
            "critical_dependencies": ["The lock vendor's service answers within two seconds", "Deposits can be released after a failed return"],
        },
        "build_plan": {
            "milestones": [
                {"name": "One locker, one house", "owner": "Engineering", "exit_criteria": "Five neighbours have opened it with a code of their own"},
                {"name": "Deposits", "owner": "Engineering", "exit_criteria": "A deposit is held and released in the provider's test mode, also after a crash in between"},
                {"name": "Damage reports", "owner": "Design", "exit_criteria": "A report with a photo reaches the owner within a minute"},
                {"name": "Second house", "owner": "Founder", "exit_criteria": "The management of a second house has agreed in writing"},
            ]
        },
        "qa_plan": {
            "test_suites": ["Bookings that overlap", "Codes that expire while the door is open", "Deposits under lost connections"],
            "acceptance_gates": ["No open defect that loses money", "Pages work with a keyboard alone", "Restoring the backup has been tried this month"],
        },
        "launch_checklist": [
            "Backups run and one has been restored", "The imprint names a person", "Codes are rotated after every loan",
            "The lock opens by key when the network is down", "Support answers from an address that is read",
            "Prices on the page match the provider's", "Error reports carry no codes", "The management has the emergency number",
        ],
        "rollback_plan": {
            "triggers": ["A door opens without a booking", "A deposit is charged instead of held"],
            "steps": ["Switch bookings off on the settings page", "Deploy the last tagged release", "Release all held deposits", "Tell the house by notice and mail"],
        },
        "merge_policy": {"review_required": True, "approvals_required": 1, "protected_branch": "main"},
        "operational_readiness": ["Someone is on call from eight to ten", "The runbook has been followed once by somebody new", "Alerts reach a phone"],
        "recommendation": "revise",
        "reasoning_synopsis": synopsis(
            "revise", 55,
            ["The lock's behaviour without network has not been tried", "Everything else is reversible within ten minutes", "One house limits the damage"],
            ["The lock vendor has no service level", "One person knows the payment code"],
            ["Cut the network and open the door", "Let a second person release a deposit"],
            [claim("Deposits of €50 are usual", LENDLY), claim("Locks of this kind fail closed")],
            [],
        ),
    }  # fmt: skip
    return Phase3Packet.model_validate(packet).model_dump(mode="json")


def brief() -> BrandDeckSpec:
    """A brand brief with a slide of every kind."""

    def slide(kind: str, layout: str, kicker: str, title: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "layout": layout, "kicker": kicker, "title": title, **more}

    return BrandDeckSpec.model_validate(
        {
            "visual_direction": "Workshop order: painted wood, clear labels, one bright colour where the hand goes.",
            "narrative": "Hallway is the shelf of a house. The brand is plain where things are kept and bright where they are used.",
            "typography": {"heading_font": "Fraunces", "body_font": "Inter"},
            "style_tokens": {
                "background": "#F6F1E4", "surface": "#E9E1CD", "text": "#1F4D3A", "muted_text": "#B9B39F",
                "accent": "#FFC93C", "accent_secondary": "#D9573F",
            },
            "slides": [
                slide("cover", "full_image", "Brand brief", "Hallway: the shelf of a house", subtitle="Plain where things are kept, bright where they are used."),
                slide("positioning", "statement", "Positioning", "Closer than any shop", body="For neighbours who repair on Saturdays, Hallway is the shelf of the house: a minute away, open at any hour, without asking anybody twice."),
                slide("logo_system", "split_image_left", "Logo", "A key that is a house", subtitle="One sign, three grounds.", bullets=["Never smaller than 16 pixels", "Room of one key bit on all sides", "One colour only"]),
                slide("palette", "grid", "Palette", "Painted wood and a safety yellow", body="Yellow marks what can be touched.", palette_focus=["#1F4D3A", "#F6F1E4", "#FFC93C", "#D9573F", "#E9E1CD"]),
                slide("typography", "split_image_right", "Type", "A warm serif and a quiet sans", body="The quick repair of a lazy Saturday.", bullets=["Headings in sentence case", "No more than three sizes on a page"]),
                slide("imagery", "full_image", "Imagery", "Hands, tools, daylight", body="Close, from the side, without faces. Real dust.", bullets=["No stock smiles", "No empty workshops"]),
                slide("voice", "spotlight", "Voice", "A neighbour who knows where the fuse box is", subtitle="Short sentences.", bullets=["Say what happens next", "Name the thing, not the feature"]),
                slide("guidelines", "rules", "Guidelines", "What keeps it itself", do=["Label everything", "Leave the wall white", "Use yellow once"], dont=["Shade the key", "Set text on yellow in white", "Explain the joke"]),
                slide("closing", "spotlight", "Hallway", "Put it back where it was", subtitle="Questions go to the founder."),
            ],
        }
    )  # fmt: skip


def kit() -> BrandKit:
    return BrandKit.model_validate(KIT)
