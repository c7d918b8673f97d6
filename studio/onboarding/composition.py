"""The text that agents read as a project's idea, composed of the founder's words and of what was measured.

It is never longer than a project's idea may be (D26), and says who said what: a site's own description is quoted as
the site's, because its author need not be the founder, and nothing is made up where nobody has said anything (D17).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from studio.onboarding.form import Onboarding
from studio.onboarding.scan import Scan
from studio.projects import IDEA_LIMIT, NAME_LIMIT, name_from
from studio.text import clip, one_line, storable

# Domain specification §8: a shorter text does not say yet what is meant.
SAYS_SOMETHING = 20
QUOTED_CHARS = 500


class Composed(NamedTuple):
    """A project's name and idea. `shortened` names the fields that did not fit whole."""

    name: str
    idea: str
    shortened: tuple[str, ...] = ()


class _Line(NamedTuple):
    field: str
    label: str
    text: str


def compose(onboarding: Onboarding, domain: str | None, repo_url: str | None, scan: Scan | None) -> Composed:
    """Return name and idea of the project for `domain`; one of idea, domain and repository is there."""
    lead = onboarding.idea_description or ""
    lines = [
        _Line("app_description", "The product", onboarding.app_description or ""),
        _Line("value_prop", "Value proposition", onboarding.value_prop or ""),
        _Line("mission", "Mission", onboarding.mission or ""),
        _Line("target_demo", "For whom", onboarding.target_demo or ""),
        _Line("demo_url", "Demo", onboarding.demo_url or ""),
    ]
    if not lead:
        lead = f"No description yet; {f'domain {domain}' if domain else f'repository {repo_url}'}."
    if len(onboarding.idea_description or "") < SAYS_SOMETHING:
        lines += _own_words(domain, scan)
    idea, shortened = _fitted(lead, [line for line in lines if line.text])
    return Composed(_name(onboarding, domain, repo_url, scan), idea, shortened)


def _own_words(domain: str | None, scan: Scan | None) -> list[_Line]:
    """Return how site and repository describe themselves, marked as their words."""
    lines = []
    if scan is not None and scan.own_words is not None:
        lines.append(_Line("", f"The page at {domain} says of itself", _quoted(scan.own_words)))
    if scan is not None and scan.repo_summary is not None and scan.repo_summary.description:
        lines.append(_Line("", "The repository says of itself", _quoted(scan.repo_summary.description)))
    return lines


def _quoted(text: str) -> str:
    # On one line and without the marks that end the quotation, so that it cannot pass for the founder's words.
    return f"“{one_line(storable(text), QUOTED_CHARS).replace('“', '').replace('”', '')}”"


def _fitted(lead: str, lines: Sequence[_Line]) -> tuple[str, tuple[str, ...]]:
    """Return the lead and the lines in at most `IDEA_LIMIT` characters, and the fields that were cut for it.

    The lead stays whole; of the lines the short ones do, and the longest share what is left.
    """
    labels = sum(len(f"\n{line.label}: ") for line in lines) + (1 if lines else 0)
    room = IDEA_LIMIT - len(lead) - labels
    cut: list[str] = []
    shares: dict[int, int] = {}
    for place, index in enumerate(sorted(range(len(lines)), key=lambda index: len(lines[index].text))):
        share = min(len(lines[index].text), room // (len(lines) - place))
        shares[index] = share
        room -= share
    parts = [lead, ""] if lines else [lead]
    for index, line in enumerate(lines):
        if shares[index] < len(line.text):
            cut.append(line.field or line.label)
        parts.append(f"{line.label}: {clip(line.text, shares[index])}")
    return "\n".join(parts), tuple(cut)


def _name(onboarding: Onboarding, domain: str | None, repo_url: str | None, scan: Scan | None) -> str:
    """Return the domain, else the repository's name, else what the idea is called (domain specification §8)."""
    if domain is not None:
        return clip(domain, NAME_LIMIT)
    if repo_url is None:
        return name_from(onboarding.idea_description or "")
    found = scan.repo_summary.full_name if scan is not None and scan.repo_summary is not None else repo_url
    last = found.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git")
    return one_line(last, NAME_LIMIT) or clip(repo_url, NAME_LIMIT)
