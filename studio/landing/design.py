"""Up to three attempts at a landing page: draw, measure, critique; the first that passes ends it, the best is kept.

Every model call is a checkpoint of its own (`once`), so that a run that is killed pays for none of them twice. What a
critic thinks and what was measured are kept apart: a page with measured problems does not pass, whatever its score.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from studio.agents.designer import Designer
from studio.errors import BudgetExhausted, ModelAnswerInvalid, ModelError
from studio.landing.directions import BRAND_RULE, Direction, choose
from studio.landing.document import check, consent_text, language_of, prepare
from studio.landing.facts import LandingFacts
from studio.landing.problems import DocumentRefused, Problem, in_words, unique
from studio.model.call import CompletesCalls
from studio.model.spend import Spender
from studio.packets.landing import PASS_SCORE, LandingCritique
from studio.progress import Progress
from studio.text import clip, sha256_hex

PROMPT_VERSION = "landing-2"

# What of a page a critic reads (domain specification §3).
PAGE_CHARS = 12_000
FEEDBACK_CHARS = 1_200

# Of a calculated ornament nobody reads more than the beginning.
_LONG_PATH = re.compile(r'(\sd="[^"]{80})[^"]+')

Once = Callable[[str, Callable[[], Any]], Any]


@dataclass(frozen=True)
class Variant:
    """One attempt. `html` is the prepared page, empty where nothing usable came of it, and `failure` then says why.

    `score` is the critic's, None where nobody could judge; `problems` were measured.
    """

    index: int
    direction: Direction
    html: str
    model: str
    problems: tuple[Problem, ...]
    score: int | None
    feedback: str
    improvements: tuple[str, ...]
    failure: str
    call_ids: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the critic is content and nothing measurable is wrong."""
        return self._content and not self.problems

    @property
    def _content(self) -> bool:
        return bool(self.html) and self.score is not None and self.score >= PASS_SCORE

    @property
    def outcome(self) -> str:
        """What became of it, in a sentence."""
        if self.failure:
            return f"Variant {self.index + 1} ({self.direction.name}) failed: {self.failure}"
        score = "was not judged" if self.score is None else f"scored {self.score}"
        measured = f" with {len(self.problems)} measured problems" if self.problems else ""
        verdict = "passed" if self.passed else "did not pass"
        return f"Variant {self.index + 1} ({self.direction.name}) {score}{measured}; it {verdict}."


@dataclass(frozen=True)
class Landing:
    """The attempts, and the best of them. The properties are those of the best.

    `not_made` says why a further attempt was wanted and could not be made; it is empty else.
    """

    variants: tuple[Variant, ...]
    best: Variant
    context_hash: str
    not_made: str = ""

    @property
    def html(self) -> str:
        """The page, as it may be stored and served."""
        return self.best.html

    @property
    def data(self) -> bytes:
        """The page's bytes."""
        return self.best.html.encode()

    @property
    def content_hash(self) -> str:
        """The SHA-256 of exactly these bytes, in hex."""
        return sha256_hex(self.best.html)

    @property
    def variant_index(self) -> int:
        """Which attempt it is, from 0."""
        return self.best.index

    @property
    def score(self) -> int | None:
        """The critic's score, None where nobody could judge."""
        return self.best.score

    @property
    def passed(self) -> bool:
        """Whether it passed."""
        return self.best.passed

    @property
    def feedback(self) -> str:
        """The critic's words and the measured problems."""
        measured = f"Measured: {in_words(self.best.problems)} " if self.best.problems else ""
        return clip(f"{measured}{self.best.feedback}".strip(), FEEDBACK_CHARS)

    @property
    def style_direction(self) -> str:
        """The name of its art direction."""
        return self.best.direction.name


class _Drawn(NamedTuple):
    html: str
    problems: tuple[Problem, ...]


def design(
    model: CompletesCalls,
    spender: Spender,
    progress: Progress,
    once: Once,
    facts: LandingFacts,
    *,
    step: str = "landing",
) -> Landing:
    """Return the best of up to three landing pages for `facts`.

    `once(step, work)` runs `work` and saves its JSON, or returns what was saved, as `Claim.once` does. Raises
    `ModelAnswerInvalid` where no attempt gave a usable page, and what the model raised where it was never reached.
    """
    designer = Designer(model, spender, progress)
    variants: list[Variant] = []
    unreached: ModelError | BudgetExhausted | None = None
    for index, direction in enumerate(choose(facts.idea, _words(facts))):
        try:
            variant = _attempt(designer, once, facts, index, direction, variants[-1:], f"{step}/variant_{index + 1}")
        except (ModelError, BudgetExhausted) as exc:
            # What was paid for is not thrown away because a further attempt could not be made.
            unreached = exc
            progress.log(f"Variant {index + 1} could not be made: {exc.message}")
            break
        variants.append(variant)
        progress.log(variant.outcome, variant=index + 1, direction=direction.key, score=variant.score)
        if variant.passed:
            break
    usable = [variant for variant in variants if variant.html]
    if not usable:
        if unreached is not None:
            raise unreached
        raise ModelAnswerInvalid(
            f"No usable landing page came of {len(variants)} attempts. {' '.join(v.outcome for v in variants)}",
            "Ask for the phase again, with guidance on the landing page.",
        )
    best = max(usable, key=lambda v: (v.passed, -1 if v.score is None else v.score, -len(v.problems), -v.index))
    return Landing(tuple(variants), best, facts.context_hash, unreached.message if unreached else "")


def _attempt(
    designer: Designer,
    once: Once,
    facts: LandingFacts,
    index: int,
    direction: Direction,
    before: Sequence[Variant],
    step: str,
) -> Variant:
    blocks = {
        **facts.for_prompt(),
        "direction": {"key": direction.key, "name": direction.name, "brief": f"{direction.brief} {BRAND_RULE}"},
    }
    critique = _for_next(before[0]) if before else None
    page = once(step, lambda: _paid_page(designer, step, {**blocks, "critique": critique}))

    def variant(**fields: Any) -> Variant:
        given = {"html": "", "problems": (), "score": None, "feedback": "", "improvements": (), "failure": ""}
        known = {"index": index, "direction": direction, "model": page["model"], "call_ids": tuple(page["calls"])}
        return Variant(**{**given, **known, **fields})

    if page["failure"]:
        return variant(failure=page["failure"])
    try:
        drawn = _checked(page["html"], facts)
    except DocumentRefused as exc:
        return variant(failure=exc.message, problems=exc.problems)
    judged = once(f"{step}_critique", lambda: _paid_critique(designer, f"{step}_critique", blocks, drawn))
    if judged["failure"]:
        return variant(html=drawn.html, problems=drawn.problems, feedback=f"Not judged: {judged['failure']}")
    verdict = LandingCritique.model_validate(judged["critique"])
    return variant(
        html=drawn.html,
        problems=drawn.problems,
        score=verdict.score,
        feedback=verdict.feedback,
        improvements=tuple(verdict.improvements),
        call_ids=(*page["calls"], *judged["calls"]),
    )


def _paid_page(designer: Designer, step: str, blocks: dict[str, Any]) -> dict[str, Any]:
    try:
        html, answer = designer.run(step, blocks)
    except ModelAnswerInvalid as exc:
        # It was paid for, and asking once more in the same words would be paid for as well.
        return {"html": "", "model": "", "calls": [], "failure": exc.message}
    return {"html": html, "model": answer.model, "calls": list(answer.call_ids), "failure": ""}


def _paid_critique(designer: Designer, step: str, blocks: dict[str, Any], drawn: _Drawn) -> dict[str, Any]:
    measured = [str(problem) for problem in drawn.problems] or ["No problem was measured."]
    seen = {key: blocks[key] for key in ("project", "idea", "brand", "landing", "direction")}
    try:
        verdict, answer = designer.critique(step, {**seen, "figures": measured, "page": excerpt(drawn.html)})
    except ModelAnswerInvalid as exc:
        return {"critique": None, "calls": [], "failure": exc.message}
    return {"critique": verdict.model_dump(), "calls": list(answer.call_ids), "failure": ""}


def _checked(source: str, facts: LandingFacts) -> _Drawn:
    """Return the prepared page with everything that is wrong with it; what was taken out of it counts as wrong."""
    language = language_of(source)
    html = prepare(
        source,
        project_id=facts.project_id,
        consent=consent_text(facts.name, language),
        action=facts.waitlist_action,
    )
    before = [problem for problem in check(source) if problem.rule in ("unsafe", "structure", "form")]
    return _Drawn(html, tuple(unique([*before, *check(html, facts.copy, facts.known, facts.brand)])))


def excerpt(html: str, limit: int = PAGE_CHARS) -> str:
    """Return a page for a critic, at most `limit` characters: of a long one the first styles, and the body."""
    html = _LONG_PATH.sub(r"\1…", html)
    if len(html) <= limit:
        return html
    head, mark, body = html.partition("</style>")
    if not mark:
        return clip(html, limit)
    half = limit // 2
    styles = clip(head, max(half, limit - len(body) - 20))
    return clip(f"{styles}\n{mark}{body}", limit)


def _for_next(variant: Variant) -> dict[str, Any]:
    """Return what the next attempt is told about the last one."""
    return {
        "direction": variant.direction.name,
        "measured": [str(problem) for problem in variant.problems] + ([variant.failure] if variant.failure else []),
        "score": variant.score,
        "feedback": variant.feedback,
        "improvements": list(variant.improvements),
    }


def _words(facts: LandingFacts) -> str:
    return f"{facts.copy.headline} {facts.copy.subheadline} {facts.brand_kit.voice} {facts.guidance or ''}"
