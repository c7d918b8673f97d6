"""What every page has, whatever it looks like: head, base styles, form, footer; all text goes through `esc`."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.sandbox.landing import motifs
from studio.sandbox.landing.brief import Brief, Section
from studio.sandbox.words import Language

_SHEETS = Path(__file__).parent / "layouts"
_SAYS: dict[str, dict[Language, str]] = {
    "made": {
        "en": "Composed by Greenlight’s sandbox model from the founders’ own words.",
        "de": "Entwurf, vom Sandbox-Modell von Greenlight aus den Worten des Gründerteams gesetzt.",
    },
    "parts": {"en": "On this page", "de": "Auf dieser Seite"},
}
_FRIEZE_LENGTH = 7
# A longer name has a line of its own, and is set smaller where it stands as a picture.
_LONG_NAME = 40


@dataclass(frozen=True)
class Page:
    """A page before it is put together. `root` are its custom properties, `sheet` names its style sheet."""

    sheet: str
    root: str
    body: str
    scheme: str = "light"


def esc(text: str) -> str:
    """Return `text` as it may stand in HTML, also within an attribute."""
    return html.escape(text, quote=True)


@functools.cache
def styles(name: str) -> str:
    """Return the style sheet `name`, a rule to a line."""
    css = (_SHEETS / f"{name}.css").read_text(encoding="utf-8")
    css = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    css = re.sub(r"\s*([{};])\s*", r"\1", css).replace(";}", "}").replace(": ", ":").replace(", ", ",")
    return css.replace("}", "}\n").replace("}\n}", "}}").strip()


def root(scheme: str, colors: Mapping[str, str], other: Mapping[str, str] | None = None, **properties: str) -> str:
    """Return the `:root` rules: colours by role, further properties, and the colours of the other scheme.

    `scheme` is `light`, or both in the order of preference: `other` then belongs to the second.
    """
    css = f":root{{color-scheme:{scheme};{declared(colors)}{declared(properties)}}}"
    if other is not None:
        css += f"\n@media (prefers-color-scheme:{scheme.split()[1]}){{:root{{{declared(other)}}}}}"
    return css


def declared(properties: Mapping[str, str]) -> str:
    """Return custom properties: `{"paper": "#fff"}` is `--paper:#fff;`."""
    return "".join(f"--{name}:{value};" for name, value in properties.items())


def document(brief: Brief, page: Page) -> str:
    """Return the whole document."""
    title = brief.name if brief.name.lower() in brief.headline.lower() else f"{brief.name} – {brief.headline}"
    direction = ' dir="rtl"' if brief.rtl else ""
    long = ' data-name="long"' if len(brief.name) > _LONG_NAME else ""
    # What a critic may ask for more of, whatever the layout.
    sheets = ["base", page.sheet]
    sheets += ["motion"] if "motion" in brief.louder else []
    sheets += ["frieze"] if "atmosphere" in brief.louder else []
    css = "\n".join([page.root, *map(styles, sheets)])
    return (
        f'<!doctype html>\n<html lang="{brief.language}"{direction}>\n<head>\n<meta charset="utf-8">\n'
        f"<title>{esc(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="description" content="{esc(brief.sub)}">\n'
        f'<meta name="color-scheme" content="{page.scheme}">\n'
        f"<style>\n{css}\n</style>\n</head>\n"
        f'<body class="{brief.direction}"{long}>\n<a class="skip" href="#waitlist">{esc(brief.cta)}</a>\n{page.body}\n'
        "</body>\n</html>\n"
    )


# --- pieces


def form(brief: Brief) -> str:
    """Return the waitlist form; its styles are the layout's."""
    fields = [_field("email", "wl-email", "email", brief.email_label, 'autocomplete="email" required')]
    for field in brief.fields:
        complete = ' autocomplete="name"' if field.name == "name" else ""
        fields.append(_field("text", f"wl-{field.name}", field.name, field.label, f'maxlength="120"{complete}'))
    return (
        f'<form data-waitlist id="waitlist" class="wl"><div class="fields">{"".join(fields)}</div>'
        f'<button type="submit">{esc(brief.cta)}</button><p class="consent" data-consent></p></form>'
    )


def _field(kind: str, name_id: str, name: str, label: str, more: str) -> str:
    return (
        f'<p class="field"><label for="{name_id}">{esc(label)}</label>'
        f'<input id="{name_id}" type="{kind}" name="{name}" {more}></p>'
    )


def go(brief: Brief) -> str:
    """Return the link that leads to the form."""
    return f'<a class="go" href="#waitlist">{esc(brief.cta)}</a>'


def top(brief: Brief, second: str | None = None) -> str:
    """Return the page's first line: the product's name, and the way to the form or `second`."""
    return f'<header class="top"><p>{esc(brief.name)}</p>{go(brief) if second is None else second}</header>'


def anchors(brief: Brief, count: int = 3) -> str:
    """Return links to the first sections."""
    items = "".join(
        f'<li><a href="#s{number}">{esc(section.title)}</a></li>'
        for number, section in enumerate(brief.sections[:count], 1)
    )
    return f'<nav aria-label="{_SAYS["parts"][brief.language]}"><ul class="toc">{items}</ul></nav>'


def section(number: int, section: Section, class_: str = "", *, before: str = "", after: str = "") -> str:
    """Return a section with title and text; `before` and `after` are markup, the first one's sentences are a list."""
    named = f' class="{class_}"' if class_ else ""
    text = lines(section) if number == 1 else f"<p>{esc(section.body)}</p>"
    return (
        f'<section{named} id="s{number}">{before}<h2>{esc(section.title)}</h2><div class="say">{text}</div>{after}'
        "</section>"
    )


def share(place: int, count: int) -> str:
    """Return how wide the piece at `place` (from 1) of `count` is, so that rows of three are full to the last.

    An empty string is a third; what is left over stands in `half` rows, or is `full` where it is alone.
    """
    if count == 1:
        return "full"
    # Four that are left over stand in two rows of two.
    halves = {0: 0, 1: 4, 2: 2}[count % 3]
    return "half" if place > count - halves else ""


def lines(section: Section) -> str:
    """Return a section's text, sentence by sentence, as a list; a text of one sentence is a paragraph."""
    if len(section.sentences) == 1:
        return f"<p>{esc(section.body)}</p>"
    items = " ".join(f"<li>{esc(sentence.strip())}</li>" for sentence in section.sentences)
    return f'<ul class="lines">{items}</ul>'


def footer(brief: Brief) -> str:
    """Return the end of the page, which says what made it."""
    frieze = ""
    if "atmosphere" in brief.louder:
        two = [motifs.drawing(name) for name in motifs.chosen(brief)]
        row = "".join(two[number % 2] for number in range(_FRIEZE_LENGTH))
        frieze = f'<div class="frieze" aria-hidden="true">{row}</div>'
    made = esc(_SAYS["made"][brief.language])
    return f'<footer class="foot">{frieze}<p class="who">{esc(brief.name)}</p><p class="made">{made}</p></footer>'
