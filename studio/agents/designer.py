"""The designer: draws a landing page in a given direction, and judges pages as a critic."""

from __future__ import annotations

import re
from typing import Any

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.errors import ModelAnswerInvalid
from studio.model.answers import Answer
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.packets.landing import LandingCritique
from studio.progress import Progress
from studio.tracing.genai import traced_agent

# A page with its styles and drawings; what is cut off is lost, so there is room beyond the usual.
PAGE_TOKENS = 16_000
CRITIQUE_TOKENS = 1_500

_DOCUMENT = re.compile(r"<!doctype\s+html.*</html\s*>", re.IGNORECASE | re.DOTALL)

_CRAFT = """You are the design director of a small, excellent studio. You answer with one complete HTML
document and nothing else: from <!doctype html> to </html>, no explanation, no code fence.

What you are given: <direction> is the art direction to follow, to the letter of its composition and scale;
<brand> holds voice, colours and fonts; <landing> holds the words; <critique>, where there is one, is what was
wrong with the last attempt at this page, measured findings first: mend every one of them.

Words. Headline, subheadline, button and every section with title and text stand on the page as they are given,
none left out and none reworded. You may add the product's name, labels of the form, and small labels that only
name what is there. Nothing else: no testimonials, customers, logos, figures, prices, dates, addresses, awards.

Design. Choose one typographic scale (for instance 1, 1.25, 1.6, 2.1, 3.2 and the headline's clamp()) and stay
on it; one spacing unit and its multiples; at most two families, from system font stacks that end in a generic
family. A measure of 45 to 70 characters. One composition that a visitor would recognise, not a centred stack of
cards; no emoji, no gradients as decoration, no shadows on everything. A drawing of what the product is about,
in inline SVG, built from the brand's colours. It must work from 320 to 1600 CSS pixels without a horizontal
scrollbar, and long words must break (overflow-wrap: anywhere on headlines, hyphens: auto). Give colours as
custom properties; every text has at least 4.5:1 against what is behind it, also in a prefers-color-scheme: dark
variant where the direction suits one. Motion is CSS only, small, and off under prefers-reduced-motion: reduce.

Document. <html lang> in the copy's language, meta charset, meta viewport (width=device-width, initial-scale=1),
title, meta description; one h1, headings without gaps; header, main, footer; a skip link to the form; a visible
:focus-visible style; drawings that only adorn carry aria-hidden="true", others role="img" and a label. All
styles in one <style> element. Forbidden: scripts and event attributes, anything that is loaded (no @import,
@font-face, link, url() of any kind but url(#id) inside of a drawing), iframes, embeds, videos, base, meta
refresh, <style>, <image>, <a>, foreignObject and animation elements inside of SVG, links other than to ids of
this page.

The form is the one form of the page: <form data-waitlist id="waitlist"> with a <label> and <input type="email"
name="email" required> first, a labelled input for each further field in <landing> (its name in lower case with
underscores), one <button type="submit"> with the button's words, and <p data-consent></p>, which the studio
fills in with the sentence of consent. No action, no hidden fields: the studio adds them."""

_CRITIC = """You are a design critic with high standards and judge one landing page by its source. <page> is
the page (shortened where it is long), <direction> the art direction it was to follow, <brand> the
palette and fonts, <figures> what was measured about it, which you do not dispute. Give points for
typography (0-20: scale, measure, rhythm, hierarchy), colour (0-20: the brand's palette,
restraint, contrast), layout (0-20: composition, white space, behaviour on a phone), atmosphere
(0-20: whether it belongs to this product and to no other), motion (0-10: fitting and optional)
and completeness (0-10: words, form, head). Half of the points is a decent page; full points are
rare. Write feedback that a designer can act on: what works, what does not, where exactly."""


class Designer:
    """Draws and judges pages. `facts` are blocks by tag, see `studio.landing.facts`."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("designer")
    def run(self, step: str, facts: dict[str, Any]) -> tuple[str, Answer]:
        """Return one page as HTML from doctype to `</html>`, unchecked.

        Raises `ModelAnswerInvalid` where the answer is no whole document, for instance because it was cut off.
        """
        answer = self._model.complete(
            Call(
                profile=PROFILES["designer_frontend"],
                step=step,
                system=f"{_CRAFT}\n\n{HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=PAGE_TOKENS,
                # Nobody wants to read a page's source while it is being written.
                stream_text=False,
            ),
            self._spender,
            self._progress,
        )
        return document_in(answer), answer

    def critique(self, step: str, facts: dict[str, Any]) -> tuple[LandingCritique, Answer]:
        """Return a critic's judgement of the page in `facts`."""
        return self._model.structured(
            Call(
                profile=PROFILES["synthesizer"],
                step=step,
                system=f"{_CRITIC}\n\n{HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=CRITIQUE_TOKENS,
            ),
            LandingCritique,
            self._spender,
            self._progress,
        )


def document_in(answer: Answer) -> str:
    """Return the document that an answer holds. Raises `ModelAnswerInvalid` where it holds none that is whole."""
    found = _DOCUMENT.search(answer.text)
    if found is not None:
        return found.group()
    if answer.stop_reason == "max_tokens":
        raise ModelAnswerInvalid(
            f"The page was cut off after {answer.usage.output_tokens:,} tokens.", "It is designed again, more briefly."
        )
    raise ModelAnswerInvalid("The answer is no HTML document.", "It is designed again.")
