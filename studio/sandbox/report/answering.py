"""The JSON answers of a report: its questions, its statements, the second reading of them, and its text."""

from __future__ import annotations

import re
from typing import Any

from studio.reports.languages import language_of
from studio.sandbox import words
from studio.sandbox.facts import Facts
from studio.sandbox.reading import MONEY
from studio.sandbox.report.looking import language
from studio.sandbox.wording import say

QUESTIONS = ("report_said", "report_figures", "report_who", "report_against")
MAX_STATEMENTS = 8
MAX_SENTENCES = 5
_TOPIC_CHARS = 140
_SENTENCE_CHARS = 340
_HEADING_CHARS = 120
_TITLE_CHARS = 110
_LABEL_CHARS = 50
_HALF = 0.5
_PERCENT = re.compile(r"\d[\d.,]*\s?(?:%|percent\b|per cent\b|Prozent\b)")
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")


def plan(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `ReportPlan` schema: what can be asked of any topic, in the topic's words."""
    topic = words.clip_words(words.plain(facts.text("topic")).rstrip(".?!"), _TOPIC_CHARS)
    spoken = language(facts)
    return {
        "language": language_of(facts.text("topic")) or "en",
        "questions": [say(spoken, key, topic=topic) for key in QUESTIONS],
    }


def statements(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `QuestionClaims` schema: the cited sentences, each its own quote."""
    sources = facts.given("sources")
    found: list[dict[str, Any]] = []
    for source in sources if isinstance(sources, list) else []:
        passages = source.get("passages") if isinstance(source, dict) else None
        for passage in passages if isinstance(passages, list) else []:
            found.append({"statement": str(passage), "quote": str(passage), "source": str(source.get("id"))})
    return {"claims": found[:MAX_STATEMENTS]}


def review(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `QuoteReview` schema: how many of a statement's words its quote has."""
    spoken = language(facts)
    verdicts: list[dict[str, Any]] = []
    for claim in _claims(facts):
        said, quote = str(claim.get("statement") or ""), str(claim.get("quote") or "")
        told, there = words.stems(said), words.stems(quote)
        share = 1.0 if said in quote else len(told & there) / len(told) if told else 0.0
        support = "yes" if share == 1 else "partly" if share >= _HALF else "no"
        reason = say(spoken, f"report_{support}")
        verdicts.append({"claim": claim.get("claim"), "support": support, "reason": reason})
    return {"verdicts": verdicts}


def text_review(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `SentenceReview` schema: whether all words of a sentence stand in its claims."""
    given = facts.given("parts")
    verdicts: list[dict[str, Any]] = []
    for one in given if isinstance(given, list) else []:
        if not isinstance(one, dict):
            continue
        its = one.get("claims")
        told = " ".join(str(claim) for claim in its) if isinstance(its, list) else ""
        said = str(one.get("text") or "")
        supported = said.rstrip("….") in told or words.stems(said) <= words.stems(f"{told} {facts.text('topic')}")
        verdicts.append({"sentence": one.get("sentence"), "supported": supported})
    return {"verdicts": verdicts}


def contradictions(_facts: Facts) -> dict[str, Any]:
    """Return the answer to a `ContradictionFindings` schema: this model cannot tell, and says none."""
    return {"contradictions": []}


def text(facts: Facts) -> dict[str, Any]:
    """Return the answer to a `ReportText` schema: the statements again, the first of each question."""
    claims = _claims(facts)
    first = {claim.get("question"): claim for claim in reversed(claims)}
    leading = [first[question] for question in sorted(first)]
    return {
        "title": words.capitalise(words.clip_words(words.plain(facts.text("topic")), _TITLE_CHARS)),
        "summary": [
            {"text": words.clip_words(str(claim["statement"]), _SENTENCE_CHARS), "claims": [claim["claim"]]}
            for claim in leading[:MAX_SENTENCES]
        ],
        "headings": [
            {
                "question": claim["question"],
                "text": words.shortened(str(claim["statement"]), _HEADING_CHARS),
                "claims": [claim["claim"]],
            }
            for claim in leading
        ],
        "next_steps": [],
        "charts": _charts(claims),
    }


def _claims(facts: Facts) -> list[dict[str, Any]]:
    given = facts.given("claims")
    return [claim for claim in given if isinstance(claim, dict)] if isinstance(given, list) else []


def _charts(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return charts of statements that say the same of different things, each with one percentage or one sum.

    Only such statements are alike enough for a model that understands nothing: a bar is named by the words in which
    its statement differs, and the chart by those that they share.
    """
    found: list[dict[str, Any]] = []
    for pattern in (_PERCENT, MONEY):
        by_question: dict[int, list[tuple[str, str, Any]]] = {}
        for claim in claims:
            said = str(claim.get("statement") or "")
            figures = pattern.findall(said)
            if len(figures) == 1 and len(_NUMBER.findall(said)) == 1:
                by_question.setdefault(claim["question"], []).append((said, figures[0], claim["claim"]))
        for question, rows in by_question.items():
            first = words.stems(rows[0][0])
            alike = [
                row for row in rows if len(first & words.stems(row[0])) >= _HALF * len(first | words.stems(row[0]))
            ]
            common = set.intersection(*(words.stems(said) for said, _, _ in alike))
            bars = [
                {"label": label, "figure": figure, "claim": number}
                for said, figure, number in alike
                if (label := _label(said.replace(figure, " "), common))
            ]
            if len(bars) > 1 and common:
                title = words.capitalise(words.clip_words(_shared(rows[0][0], common), _TITLE_CHARS))
                found.append({"question": question, "title": title, "data": bars})
    return found


def _label(said: str, common: set[str]) -> str:
    told = [token.text for token in words.tokens(said) if not words.is_stop(token.lower)]
    return words.clip_words(" ".join(word for word in told if words.stem(word) not in common), _LABEL_CHARS)


def _shared(said: str, common: set[str]) -> str:
    return " ".join(token.text for token in words.tokens(said) if words.stem(token.text) in common)
