"""The sandbox model's own pages: whole, safe, complete, in the direction asked for, and unlike for unlike ideas."""

from __future__ import annotations

import itertools
import json
import re
from itertools import combinations

import pytest

from studio.landing.design import excerpt
from studio.landing.directions import BY_KEY, choose
from studio.landing.document import check
from studio.packets.landing import PASS_SCORE, LandingCritique
from studio.sandbox.landing import brief, critic, motifs
from studio.sandbox.landing.compose import LAYOUTS, page
from studio.sandbox.landing.parts import styles
from tests.support.landing import IDEAS, harm_in, landing_facts, prepared, sandbox_facts


def drawn(idea: str, direction: str = "", **blocks: object) -> str:
    """Return the sandbox model's page for an idea, in its first direction or the given one."""
    facts = landing_facts(idea)
    return page(sandbox_facts(facts, direction or choose(facts.idea)[0].key, **blocks))


def test_every_direction_has_a_layout() -> None:
    assert LAYOUTS.keys() == BY_KEY.keys()


@pytest.mark.parametrize("direction", LAYOUTS)
def test_a_page_has_no_problem_in_any_direction(direction: str) -> None:
    for idea in ("tools", "farm", "hostile", "long words", "two words"):
        facts = landing_facts(idea)
        source = drawn(idea, direction)
        assert check(source) == []
        stored = prepared(source, facts)
        assert check(stored, facts.copy, facts.known) == [], idea
        assert harm_in(stored) == []
        assert f'class="{direction}"' in stored
        assert "sandbox model" in stored.lower() or "sandbox-modell" in stored.lower()


def test_a_page_is_in_the_language_of_its_copy() -> None:
    german = drawn("farm")
    assert '<html lang="de">' in german
    assert "Entwurf, vom Sandbox-Modell" in german
    assert "Draft" not in german


def test_the_same_request_gives_the_same_page() -> None:
    assert drawn("bakery", "ledger") == drawn("bakery", "ledger")


def skeleton(source: str) -> set[str]:
    """Return the page without its words: classes, tags in a row, declarations, paths."""
    body = source.partition("<body")[2]
    tags = re.findall(r"<([a-z]+)(?: class=\"([^\"]*)\")?", body)
    rows = {f"{one}>{other}" for one, other in itertools.pairwise(tags)}
    return rows | set(re.findall(r"[a-z-]+:[^;}]+", source)) | set(re.findall(r' d="([^"]+)"', body))


def likeness(one: str, other: str) -> float:
    """Return how much of two pages' looks is the same, 0 to 1."""
    first, second = skeleton(one), skeleton(other)
    return len(first & second) / len(first | second)


def test_what_layouts_share_stands_in_the_sheet_that_they_share() -> None:
    rules: dict[str, set[str]] = {}
    for name in LAYOUTS:
        for rule in styles(name).splitlines():
            rules.setdefault(rule, set()).add(name)
    # A rule of one declaration is shorter than a word about it.
    assert {rule: names for rule, names in rules.items() if len(names) >= 3 and rule.count(";") >= 2} == {}


def test_unlike_ideas_give_unlike_pages() -> None:
    pages = {name: drawn(name) for name in IDEAS if name not in ("two words", "long words")}
    alike = [(a, b, round(likeness(pages[a], pages[b]), 2)) for a, b in combinations(pages, 2)]
    unlike = [entry for entry in alike if entry[2] < 0.35]
    assert len(unlike) >= 0.9 * len(alike), [entry for entry in alike if entry[2] >= 0.35]
    palettes = {name: frozenset(re.findall(r"--\w+:(#[0-9A-Fa-f]{6})", source)) for name, source in pages.items()}
    assert len(set(palettes.values())) == len(pages)
    assert len({re.search(r'body class="(\w+)"', source).group(1) for source in pages.values()}) >= 7  # type: ignore[union-attr]


def test_ideas_in_one_direction_differ_in_picture_and_colour() -> None:
    for direction in LAYOUTS:
        one, other = drawn("bakery", direction), drawn("drones", direction)
        assert likeness(one, other) < 0.9
        assert set(re.findall(r' d="([^"]+)"', one)) != set(re.findall(r' d="([^"]+)"', other))


def test_the_picture_is_of_what_the_idea_names() -> None:
    wanted = dict(
        pair.strip().split(": ")
        for pair in [
            "bakery: loaf",
            "tools: drill",
            "invoices: invoice",
            "chess: knight",
            "drones: drone",
            "farm: crate",
            "two words: stone",
            "vinyl: record",
            "photos: camera",
            "children: sock",
            "bees: bee",
            "hostile: gift",
        ]
    )
    chosen = {name: motifs.chosen(brief.read(sandbox_facts(landing_facts(name))))[0] for name in wanted}
    assert chosen == wanted


def test_without_a_known_direction_the_idea_draws_one() -> None:
    source = drawn("tools", "no such direction")
    assert any(f'class="{key}"' in source for key in LAYOUTS)


def test_blocks_that_are_missing_or_no_json_leave_the_idea() -> None:
    facts = landing_facts("tools")
    for landing, kit in (("", ""), ("no json", "[]"), ("[1]", '{"color_palette": ["red"], "font_pairing": 7}')):
        source = page(sandbox_facts(facts, "swiss", landing=landing, brand=kit))
        assert facts.copy.headline in source
        assert check(prepared(source, facts)) == []


def test_a_critique_changes_what_it_names() -> None:
    before = drawn("tools", "gallery")
    for feedback in ("typography: larger", "motion: a small movement", "atmosphere: more of the product"):
        after = drawn("tools", "gallery", critique=json.dumps({"score": 40, "feedback": feedback, "improvements": []}))
        assert after != before, feedback
        assert check(prepared(after)) == []
    kept = drawn("tools", "gallery", critique=json.dumps({"score": 40, "feedback": "fine", "improvements": []}))
    assert kept == before


# --- the critic


def judged(idea: str, source: str, figures: list[str] | None = None) -> LandingCritique:
    """Return the sandbox critic's judgement of a page."""
    facts = sandbox_facts(
        landing_facts(idea), page=excerpt(source), figures=json.dumps(figures or ["No problem was measured."])
    )
    return LandingCritique.model_validate(critic.critique(facts))


def test_a_designed_page_passes_and_a_bare_one_does_not() -> None:
    for direction in LAYOUTS:
        verdict = judged("chess", prepared(drawn("chess", direction), landing_facts("chess")))
        # Three quarters is what counting can find; the rest would be taste.
        assert PASS_SCORE <= verdict.score <= 75, direction
    bare = judged("chess", "<!doctype html><title>x</title><h1>Chess</h1><form><input type=email></form>")
    assert bare.score < 20
    assert any(line.startswith("typography:") for line in bare.improvements)


def test_the_critic_sees_what_is_missing_and_repeats_what_was_measured() -> None:
    source = drawn("chess", "swiss")
    whole = judged("chess", source)
    unread = judged(
        "chess", source, ["contrast: “x” is #AAAAAA on #FFFFFF in the light scheme, 2.3:1; it needs 4.5:1."]
    )
    assert unread.rubric.colour < whole.rubric.colour
    assert "2.3:1" in unread.feedback
    assert judged("chess", source.replace("Who it is for", "Nobody")).rubric.completeness < whole.rubric.completeness
    assert (
        judged("chess", re.sub(r"<svg.*?</svg>", "", source, flags=re.DOTALL)).rubric.atmosphere
        < whole.rubric.atmosphere
    )
