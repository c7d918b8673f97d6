"""The rough preview counts what was found and said by fixed rules, and never claims to be more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from studio.onboarding import brief
from studio.onboarding.brief import preview
from studio.onboarding.repository import RepositoryFacts
from studio.onboarding.scan import Meta, Scan, without_site

LONG = "Neighbours lend each other drills and ladders."
SITE = {"domain": "site.test", "dns": "live", "existing_content": "site"}
REPOSITORY = RepositoryFacts(host="github", full_name="a/b", url="https://github.com/a/b", read_at=datetime.now(UTC))


@pytest.mark.parametrize(
    ("found", "said", "confidence", "verdict"),
    [
        ({}, {}, 38, "research"),
        ({}, {"idea": LONG}, 46, "research"),
        ({}, {"idea": "short"}, 38, "research"),
        ({"domain": "site.test", "dns": "parked"}, {}, 44, "research"),
        (SITE, {}, 60, "research"),
        ({**SITE, "meta": Meta(title="Acme", description="Anvils.")}, {}, 68, "revise"),
        ({**SITE, "meta": Meta(title="Acme")}, {"strategic": [LONG, LONG, None]}, 72, "revise"),
        ({**SITE, "repo_summary": REPOSITORY}, {}, 78, "greenlight"),
        ({**SITE, "repo_summary": REPOSITORY}, {"idea": LONG, "strategic": [LONG] * 3}, 92, "greenlight"),
        ({"competitors_found": ["a"] * 9}, {}, 54, "research"),
        # An error page describes nothing.
        ({"domain": "site.test", "dns": "live", "meta": Meta(description="Not found")}, {}, 60, "research"),
    ],
)
def test_the_formula(found: dict[str, Any], said: dict[str, Any], confidence: int, verdict: str) -> None:
    made = preview(Scan(**found), **said)
    assert (made.confidence, made.verdict) == (confidence, verdict)
    total = sum(factor.points for factor in made.factors)
    assert made.confidence == max(brief.LOWEST, min(brief.HIGHEST, total))


def test_it_says_that_it_is_rough() -> None:
    made = preview(without_site())
    assert made.label == "Rough preview"
    assert "without research" in made.note
