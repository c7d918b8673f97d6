"""What tests of landing pages share: ideas, what a page is made from, a plain page that passes, and what is harmful."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import html5lib

from studio.landing.document import consent_text, prepare
from studio.landing.facts import LandingFacts
from studio.packets.phase1 import BrandKit, LandingCopy
from studio.sandbox import brand, launch
from studio.sandbox.facts import Facts

PROJECT_ID = UUID("3f2b8c1e-0000-4000-8000-000000000001")

IDEAS: dict[str, tuple[str, str]] = {
    "bakery": (
        "Crumb & Chain",
        "A bakery that delivers sourdough bread by cargo bicycle to offices and homes before breakfast. Bakers shape"
        " the loaves in the evening, and riders bring them warm at dawn.",
    ),
    "tools": (
        "Hallway",
        "A tool library for neighbours: people lend each other power tools such as drills and ladders. A shared locker"
        " in the hallway makes pick-up easy, and a small deposit covers damage.",
    ),
    "invoices": (
        "Duely",
        "B2B software that sends invoices for freelancers and reminds late payers politely. It reads the signed offer,"
        " writes the invoice, and follows up until the bank shows the payment.",
    ),
    "nurses": (
        "Between Shifts",
        "Two-minute guided meditations for nurses between shifts. A calm voice leads through one breath exercise,"
        " offline and without an account. Nurses are exhausted and have no quiet room.",
    ),
    "chess": (
        "Endgame Club",
        "Online chess tutoring for children by retired club players. Parents see what was practised.",
    ),
    "drones": ("Thirst Map", "Drones that find thirsty rows in vineyards and tell farmers where to water."),
    "farm": (
        "Hofladen um die Ecke",
        "Eine App, mit der Hofläden ihr Gemüse in der Nachbarschaft verkaufen. Die Höfe melden am Abend, was sie"
        " ernten, und ein Lastenrad bringt die Kisten am Morgen.",
    ),
    "two words": ("Pet rocks", "Pet rocks"),
    "long words": (
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenverleih",
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenverleih für Rechtsschutzversicherungsgesellschaften: Wir"
        " verleihen Kapitänsmützen für Betriebsfeiern und liefern sie mit dem Ruderboot.",
    ),
    "hostile": (
        "🔥 <script>alert(1)</script> מתנה",
        '🎁 A gift box service for מתנות <img src=x onerror=alert(1)> that wraps "presents" & sends them'
        " </style><script>alert('x')</script> to grandparents. שלום עולם. {{7*7}} ]]> <!-- -->",
    ),
    "vinyl": (
        "Sleeve",
        "A monthly concert night where record collectors play their favourite vinyl for each other and talk of bands.",
    ),
    "photos": (
        "Plate & Light",
        "A gallery for emerging photographers that prints portraits on baryta paper and hangs them in waiting rooms.",
    ),
    "children": (
        "Sock Opera",
        "A kit with which children build a puppet theatre from odd socks. Families get buttons, wool and a story.",
    ),
    "bees": (
        "Roof Honey",
        "Beekeeping for city roofs: we place bee hives on office roofs and teach gardeners to care for them.",
    ),
}


def landing_facts(of: str = "tools", **changes: Any) -> LandingFacts:
    """Return what the sandbox model's Phase 1 gives a landing page for one of `IDEAS`."""
    name, text = IDEAS[of]
    known = Facts(idea=text)
    values: dict[str, Any] = {
        "project_id": PROJECT_ID,
        "name": name,
        "idea": text,
        "copy": LandingCopy.model_validate(launch.landing(known)),
        "brand_kit": BrandKit.model_validate(brand.kit(known)),
        "form_fields": ("Email address", "Name (optional)"),
    }
    return LandingFacts(**{**values, **changes})


def sandbox_facts(facts: LandingFacts, direction: str = "", **blocks: Any) -> Facts:
    """Return the same as the sandbox model reads it out of a request."""
    given = {**facts.for_prompt(), "direction": {"key": direction}, **blocks}
    texts = {
        tag: part if isinstance(part, str) else json.dumps(part) for tag, part in given.items() if part is not None
    }
    return Facts(idea=facts.gist, project={"name": facts.name}, blocks=texts)


STYLE = """
:root { --ink: #222222; --paper: #ffffff; }
body { background: var(--paper); color: var(--ink); font: 1.125rem/1.6 Georgia, serif; }
h1 { font-size: clamp(2rem, 6vw, 4rem); }
"""


def branded(facts: LandingFacts | None = None) -> str:
    """Return plain styles in the colours and fonts of the facts' brand."""
    brand = (facts or landing_facts()).brand
    return (
        f"body {{ background: {brand.background}; color: {brand.text}; font: 1.125rem/1.6 {brand.body_stack}; }}\n"
        f"h1 {{ font-family: {brand.heading_stack}; font-size: clamp(2rem, 6vw, 4rem);"
        f" border-top: 9px solid {brand.accent_fill}; }}\n"
    )


def page(
    body: str = "", *, head: str = "", style: str = STYLE, form: str | None = None, facts: LandingFacts | None = None
) -> str:
    """Return a plain page that passes, with `head`, `body` and `form` where a test wants them."""
    facts = facts or landing_facts()
    copy = facts.copy
    sections = "".join(f"<section><h2>{s.title}</h2><p>{s.body}</p></section>" for s in copy.section_copy)
    form = form if form is not None else FORM
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hallway</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="description" content="Tools.">'
        f"{head}<style>{style}</style></head><body><main><h1>{copy.headline}</h1><p>{copy.subheadline}</p>"
        f"<p>{copy.primary_cta}</p>{sections}{body}{form}</main></body></html>"
    )


FORM = (
    '<form data-waitlist id="waitlist"><label for="mail">Email</label>'
    '<input id="mail" type="email" name="email" required>'
    '<button type="submit">Join the waitlist</button><p data-consent></p></form>'
)


def prepared(source: str, facts: LandingFacts | None = None) -> str:
    """Return the page as it is stored."""
    facts = facts or landing_facts()
    return prepare(source, project_id=facts.project_id, consent=consent_text(facts.name, "en"))


# --- what no page may hold ------------------------------------------------------------------------------

_ELEMENTS = set(
    """script iframe object embed applet base link foreignObject image animate animateTransform animateMotion set audio
    video source track canvas math template noscript frame frameset portal dialog slot feImage""".split()  # noqa: SIM905
)
_STYLES = ("@import", "@font-face", "expression(", "behavior:", "-moz-binding", "image-set(", "javascript:", "</", "<!")


def harm_in(source: str) -> list[str]:
    """Return what in a page could run, load, navigate or submit elsewhere; found by other means than the studio's."""
    found: list[str] = []
    root = html5lib.parse(source, namespaceHTMLElements=False)
    for node in root.iter():
        if not isinstance(node.tag, str):
            found.append("a comment")
            continue
        name = node.tag.rpartition("}")[2]
        if name in _ELEMENTS:
            found.append(f"<{name}>")
        if name == "meta" and "http-equiv" in node.attrib:
            found.append("meta http-equiv")
        if name == "style" and node.tag.startswith("{"):
            found.append("style within svg")
        for key, value in node.attrib.items():
            attribute = key.rpartition("}")[2].lower()
            text = re.sub(r"[\s\x00-\x1f]", "", value).lower()
            if attribute.startswith("on") or attribute in (
                "srcdoc",
                "formaction",
                "ping",
                "srcset",
                "background",
                "target",
            ):
                found.append(f"{name} {attribute}")
            if re.search(r"(?:java|vb|live)script:|data:text|data:image/svg", text):
                found.append(f"{name} {attribute}={value[:40]}")
            if attribute in ("href", "src") and not text.startswith(("#", "data:image/")):
                found.append(f"{name} {attribute}={value[:40]}")
            if attribute == "action" and value != "/api/waitlist":
                found.append(f"action {value[:40]}")
        if name == "style":
            found += _styles("".join(node.itertext()))
        if "style" in node.attrib:
            found += _styles(node.attrib["style"])
    if source.lower().count("<form") > 1:
        found.append("two forms")
    return found


def _styles(css: str) -> list[str]:
    plain = re.sub(r"\\([0-9a-fA-F]{1,6})\s?", lambda m: chr(int(m.group(1), 16) % 0x110000), css)
    plain = re.sub(r"/\*.*?\*/|scroll-behavior", "", plain, flags=re.DOTALL).lower()
    found = [f"style: {word}" for word in _STYLES if word in plain]
    addresses = re.findall(r"url\(\s*['\"]?([^)]*)", plain)
    found += [f"style: url({text[:40]})" for text in addresses if not text.startswith(("#", "data:image/"))]
    return found


def hostile_documents() -> dict[str, str]:
    """Return the attacks of `hostile_pages.txt`, by name: what stands there goes into a page's body, head or form."""
    text = (Path(__file__).parent / "hostile_pages.txt").read_text(encoding="utf-8")
    documents: dict[str, str] = {}
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        title, _, content = block.partition("\n")
        place, _, name = title.partition(": ")
        content = content.rstrip("\n")
        if place == "whole":
            documents[name] = content
        else:
            documents[name] = page(**{place: content if place != "style" else STYLE + content})
    return documents
