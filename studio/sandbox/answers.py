"""The JSON answer to a schema, composed by what the schema is called.

`COMPOSERS` maps a schema's title to the function that proposes its value; a nested schema of that title is
served by the same function. A schema that nobody knows is filled from the idea's own words, and says where it has
nothing to say. To teach the sandbox another schema, add one entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from studio.sandbox import brand, evidence, launch, patch, phase_patches, phase_plans, research, synthesis, words
from studio.sandbox.facts import Facts
from studio.sandbox.landing import critic
from studio.sandbox.report import answering as report
from studio.sandbox.schema import MISSING, Filler, Schema
from studio.sandbox.wording import NOT_MEASURED, say

Composer = Callable[[Facts], Any]

COMPOSERS: dict[str, Composer] = {
    "CompetitorFindings": research.competitors,
    "MarketFindings": research.market,
    "Phase0Synthesis": synthesis.compose,
    "Phase0Patch": patch.compose,
    "TargetPersona": synthesis.persona,
    "MvpScope": synthesis.scope,
    "ConfidenceBreakdown": evidence.breakdown,
    "LandingCopy": launch.landing,
    "BrandKit": brand.kit,
    "WaitlistPlan": launch.waitlist,
    "EmailSequence": launch.emails,
    "SocialStrategy": launch.social,
    "PhaseSynopsis": phase_plans.synopsis_of_phase1,
    "Phase2Plan": phase_plans.distribution,
    "Phase3Plan": phase_plans.go_live,
    "BrandDeckSpec": brand.deck,
    "Phase1Patch": phase_patches.validate,
    "Phase2Patch": phase_patches.distribute,
    "Phase3Patch": phase_patches.go_live,
    "LandingCritique": critic.critique,
    "ReportPlan": report.plan,
    "QuestionClaims": report.statements,
    "QuoteReview": report.review,
    "ContradictionFindings": report.contradictions,
    "ReportText": report.text,
    "SentenceReview": report.text_review,
}

_SHORT = ("title", "name", "headline", "heading", "label", "subject", "tagline", "topic", "keyword", "cta", "query")
_REASONS = ("reason", "rationale", "why", "note", "explanation", "justification", "caveat", "limitation")
_REFERENCES = (
    "url",
    "link",
    "source",
    "email",
    "address",
    "domain",
    "phone",
    "competitor",
    "evidence",
    "citation",
    "price",
    "pricing",
)
_FIGURES = ("market", "size", "tam", "sam", "som", "revenue", "budget", "cost", "conversion", "rate", "metric")
_NO_LIST = (*_REFERENCES, "id", "ids", "quote", "figure")


class ProjectWords:
    """Says in the idea's own words what no composer proposed."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._language = facts.reading.language

    def propose(self, title: str) -> Any:
        """Return what the composer of this title says, or `MISSING`."""
        composer = COMPOSERS.get(title)
        return composer(self._facts) if composer else MISSING

    def line(self, name: str, index: int) -> str:
        """Return a text for the property `name`; `index` moves on through the idea."""
        reading = self._facts.reading
        kind = name.lower()
        if _is(kind, _REFERENCES):
            return say(self._language, "not_stated")
        if _is(kind, _FIGURES):
            return NOT_MEASURED
        if _is(kind, _REASONS):
            return say(self._language, "author")
        if _is(kind, _SHORT):
            short = [synthesis.tagline(reading), *map(words.capitalise, reading.phrases)]
            return short[index % len(short)]
        told = [words.plain(sentence) for sentence in reading.sentences]
        told = [sentence for sentence in told if sentence]
        return told[index % len(told)] if told else say(self._language, "not_stated")

    def lines(self, name: str) -> list[str]:
        """Return what a list may hold: features for most names, phrases for short ones, nothing for sources."""
        reading = self._facts.reading
        kind = name.lower()
        if _is(kind, _NO_LIST):
            return []
        if _is(kind, _REASONS):
            return synthesis.rationale(self._facts)
        if "risk" in kind:
            return synthesis.risks(self._facts)
        if "action" in kind or "step" in kind:
            return synthesis.next_actions(self._facts)
        if _is(kind, _SHORT) or "tag" in kind:
            return [words.capitalise(phrase) for phrase in reading.phrases]
        return list(reading.features) or [words.capitalise(phrase) for phrase in reading.phrases]

    def choose(self, options: list[str]) -> str | None:
        """Return the option whose words the question or the idea uses, or None."""
        for text in (self._facts.question, self._facts.idea):
            said = words.stems(text)
            for option in options:
                wanted = words.stems(option.replace("_", " ").replace(".", " "))
                if wanted and wanted <= said:
                    return option
        return None


def _is(name: str, kinds: tuple[str, ...]) -> bool:
    parts = name.replace("-", "_").split("_")
    return any(part == kind or part == f"{kind}s" for part in parts for kind in kinds)


def compose(schema: Schema, facts: Facts) -> Any:
    """Return a value that `schema` accepts, made from `facts`."""
    return Filler(schema, ProjectWords(facts)).fill(schema)


def compose_text(schema: Schema, facts: Facts) -> str:
    """Return that value as JSON text."""
    return json.dumps(compose(schema, facts), ensure_ascii=False)


def misfit(value: Any) -> Any:
    """Return JSON that keeps the keys of `value` but gives each a value of the wrong type, for fault tests."""
    if isinstance(value, dict) and value:
        return {key: {"unexpected": True} for key in value}
    return {"unexpected": True}
