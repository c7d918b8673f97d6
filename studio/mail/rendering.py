"""From a template and its facts to a subject, HTML and text.

Each letter has two templates: `name.html`, in which everything that is filled in is escaped, and its twin
`name.txt`, whose block `subject` is the subject. A fact that a template names and nobody gave is an error.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2

from studio.errors import InvalidInput
from studio.mail.addresses import one_line, subject_line
from studio.text import storable, storable_json

_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Rendered:
    """A letter as its receiver will see it."""

    subject: str
    html: str
    text: str


def render(template: str, facts: Mapping[str, Any]) -> Rendered:
    """Fill in a letter. Raise `InvalidInput` for an unknown template and for a fact that it needs and has not."""
    environment = _environment()
    facts = storable_json(dict(facts))
    try:
        html_template = environment.get_template(f"{template}.html")
        text_template = environment.get_template(f"{template}.txt")
        context = text_template.new_context(dict(facts))
        subject = subject_line("".join(text_template.blocks["subject"](context)))
        html = html_template.render(facts, subject=subject)
        text = text_template.render(facts, subject=subject)
    except jinja2.TemplateNotFound as exc:
        raise InvalidInput(f"There is no letter {template!r}.", "See studio/mail/templates.") from exc
    except jinja2.UndefinedError as exc:
        raise InvalidInput(f"The letter {template!r} cannot be written: {exc.message}.", "Give it that.") from exc
    if not subject:
        raise InvalidInput(f"The letter {template!r} has no subject.", "Give it one.")
    lines = (line.rstrip() for line in text.splitlines())
    return Rendered(subject, html, _BLANK_LINES.sub("\n\n", storable("\n".join(lines))).strip() + "\n")


def web_address(url: str | None) -> str:
    """Return an address of the web as it is, and nothing for any other: no link of a mail runs a script."""
    return url if url is not None and re.match(r"https?://[^\s\x00-\x20]", url, re.IGNORECASE) else ""


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("studio.mail"),
        autoescape=jinja2.select_autoescape(("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = one_line
    environment.filters["web"] = web_address
    return environment
