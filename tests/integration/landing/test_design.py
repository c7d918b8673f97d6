"""Up to three attempts: a pass ends it, the best is kept, each learns of the last, and nothing is paid twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from studio.database.connection import Database
from studio.errors import BudgetExhausted, ModelAnswerInvalid, ModelUnavailable
from studio.landing.design import PAGE_CHARS, Landing, design, excerpt
from studio.landing.directions import choose
from studio.landing.facts import LandingFacts
from studio.model.spend import Spender
from studio.sandbox.reply import Reply, text_reply
from studio.text import sha256_hex
from tests.support.landing import FORM, branded, harm_in, landing_facts, page
from tests.support.model import Recorder, account, ledger, open_model, overheard, scripted_model, settled
from tests.support.queue import running, steps
from tests.support.sandbox import SandboxThread

FACTS = landing_facts("tools")
STYLE = branded(FACTS)
GOOD, PLAIN, BARE = (page(f"<p>{word}.</p>", style=STYLE) for word in ("Good", "Plain", "Bare"))
UNREADABLE = page('<p style="color: #aaa">Faint.</p>', style=STYLE)
HOSTILE = page("<script>alert(1)</script>")


def critique(*points: int, feedback: str = "Fine.", improvements: tuple[str, ...] = ()) -> Reply:
    """Return a critic's answer: points for typography, colour, layout, atmosphere, motion, completeness."""
    parts = ("typography", "colour", "layout", "atmosphere", "motion", "completeness")
    rubric = dict(zip(parts, points, strict=True))
    return text_reply(json.dumps({"rubric": rubric, "feedback": feedback, "improvements": list(improvements)}))


PASS, FAIL, WORSE = critique(15, 15, 15, 15, 5, 5), critique(10, 10, 10, 10, 5, 5), critique(5, 5, 5, 5, 5, 5)


class Once:
    """`Claim.once` in memory. `dies_after` ends the process, as it were, when that many steps have been saved."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.saved: dict[str, str] = {}
        self.dies_after = dies_after

    def __call__(self, step: str, work: Callable[[], Any]) -> Any:
        if step not in self.saved:
            self.saved[step] = json.dumps(work())
            if self.dies_after is not None and len(self.saved) >= self.dies_after:
                self.dies_after = None
                raise KeyboardInterrupt
        return json.loads(self.saved[step])


@pytest.fixture
def payer(database: Database) -> Spender:
    return account(database)


Run = Callable[..., tuple[Landing, list[dict[str, Any]]]]


@pytest.fixture
def run(database: Database, payer: Spender) -> Run:
    """Design the page of `FACTS` with a model that gives the answers in order; return it and the requests."""

    def run(*answers: Any, once: Any = None, progress: Recorder | None = None, **changes: Any) -> Any:
        with scripted_model(*answers) as (url, requests), open_model(url, database, **changes) as model:
            made = design(model, payer, progress or Recorder(), once or Once(), FACTS)
            return made, requests

    return run


def prompt(request: dict[str, Any]) -> str:
    return str(request["messages"][0]["content"])


def test_the_first_that_passes_ends_it(run: Run) -> None:
    made, requests = run(text_reply(GOOD), PASS)
    assert (made.passed, made.score, made.variant_index, len(made.variants)) == (True, 70, 0, 1)
    assert len(requests) == 2
    assert made.style_direction == choose(FACTS.idea)[0].name
    assert "Good." in made.html
    assert harm_in(made.html) == []
    assert made.content_hash == sha256_hex(made.html)
    assert made.data == made.html.encode()


def test_three_attempts_in_three_directions_and_the_best_is_kept(run: Run) -> None:
    made, requests = run(text_reply(BARE), WORSE, text_reply(GOOD), FAIL, text_reply(PLAIN), WORSE)
    assert len(requests) == 6
    assert [variant.score for variant in made.variants] == [30, 50, 30]
    assert (made.variant_index, made.score, made.passed) == (1, 50, False)
    assert "Good." in made.html
    assert len({variant.direction.key for variant in made.variants}) == 3
    for request, direction in zip(requests[::2], choose(FACTS.idea), strict=True):
        assert direction.brief[:60] in prompt(request)


def test_a_pass_counts_more_than_a_score_and_the_earlier_more_than_the_later(run: Run) -> None:
    high = critique(20, 20, 20, 20, 10, 10)
    made, _ = run(text_reply(UNREADABLE), high, text_reply(GOOD), PASS)
    assert [(variant.score, variant.passed) for variant in made.variants] == [(100, False), (70, True)]
    assert made.variant_index == 1
    made, _ = run(text_reply(PLAIN), FAIL, text_reply(GOOD), FAIL, text_reply(BARE), FAIL, once=Once())
    assert made.variant_index == 0


def test_the_next_attempt_is_told_what_was_wrong(run: Run) -> None:
    words = critique(10, 10, 10, 10, 5, 5, feedback="The measure is too wide.", improvements=("Narrow the measure",))
    _, requests = run(text_reply(UNREADABLE), words, text_reply(GOOD), PASS)
    assert "<critique>" not in prompt(requests[0])
    told = json.loads(prompt(requests[2]).split("<critique>")[1].split("</critique>")[0])
    assert told["feedback"] == "The measure is too wide."
    assert told["improvements"] == ["Narrow the measure"]
    assert told["score"] == 50
    assert any("“Faint.” is #AAAAAA" in line for line in told["measured"])
    # The critic hears of what was measured, and sees the page as it would be stored.
    assert "“Faint.” is #AAAAAA" in prompt(requests[1])
    assert 'action="/api/waitlist"' in prompt(requests[1])


def test_what_was_taken_out_counts_as_wrong_but_the_page_is_safe(run: Run) -> None:
    made, _ = run(text_reply(HOSTILE), PASS)
    assert not made.passed
    assert len(made.variants) == 3
    assert "alert" not in made.html
    assert made.feedback.startswith("Measured: The page holds the element script")


def test_words_around_the_page_are_cut_away(run: Run) -> None:
    made, _ = run(text_reply(f"Here it is:\n```html\n{GOOD}\n```\nEnjoy!"), PASS)
    assert made.passed
    assert "Enjoy" not in made.html


def test_a_page_that_is_cut_off_or_no_page_is_a_failed_attempt_that_is_told(run: Run) -> None:
    progress = Recorder()
    cut = Reply(({"type": "text", "text": GOOD[:400]},), stop_reason="max_tokens")
    made, requests = run(cut, text_reply("I cannot draw."), text_reply(GOOD), PASS, progress=progress)
    assert len(requests) == 4
    assert [bool(variant.failure) for variant in made.variants] == [True, True, False]
    assert "cut off after" in made.variants[0].failure
    assert "no HTML document" in made.variants[1].failure
    assert made.variant_index == 2
    assert "Variant 1 (" in progress.said
    assert ") failed: The page was cut off" in progress.said
    assert "cut off after" in prompt(requests[1])


def test_where_nothing_usable_comes_it_is_an_error_that_says_why(run: Run) -> None:
    formless = text_reply(page(form=""))
    with pytest.raises(ModelAnswerInvalid, match="No usable landing page came of 3 attempts") as failed:
        run(formless, text_reply("Sorry."), formless)
    assert "nobody can join" in failed.value.message
    assert "no HTML document" in failed.value.message


def test_without_a_judgement_nothing_passes_and_no_score_is_invented(run: Run) -> None:
    nonsense = text_reply("As a critic I like it.")
    answers = (text_reply(GOOD), nonsense, nonsense, text_reply(PLAIN), WORSE, text_reply(BARE), nonsense, nonsense)
    made, requests = run(*answers)
    assert len(requests) == 8
    assert [variant.score for variant in made.variants] == [None, 30, None]
    assert not made.passed
    # A page that was judged goes before one that was not.
    assert made.variant_index == 1
    assert made.variants[0].feedback.startswith("Not judged:")
    assert "was not judged" in made.variants[0].outcome


def test_an_outage_before_anything_is_usable_is_raised(run: Run) -> None:
    with pytest.raises(ModelUnavailable):
        run(lambda request: None)


def test_an_outage_later_costs_nothing_that_is_there(run: Run) -> None:
    progress = Recorder()
    made, _ = run(text_reply(GOOD), FAIL, lambda request: None, progress=progress)
    assert (made.variant_index, made.score, len(made.variants)) == (0, 50, 1)
    assert made.not_made
    assert "Variant 2 could not be made" in progress.said


def test_a_budget_that_ends_keeps_what_was_paid_for(database: Database) -> None:
    with scripted_model(text_reply(GOOD), FAIL) as (url, requests), open_model(url, database) as model:
        poor = account(database, calls=2)
        made = design(model, poor, Recorder(), Once(), FACTS)
        assert (made.score, len(made.variants)) == (50, 1)
        assert len(requests) == 2
        with pytest.raises(BudgetExhausted):
            design(model, account(database, calls=0), Recorder(), Once(), FACTS)


@pytest.mark.parametrize("dies_after", range(1, 7))
def test_a_run_that_dies_between_calls_pays_for_none_of_them_twice(
    run: Run, database: Database, payer: Spender, dies_after: int
) -> None:
    answers = [text_reply(BARE), WORSE, text_reply(GOOD), FAIL, text_reply(PLAIN), WORSE]
    once = Once(dies_after)
    with pytest.raises(KeyboardInterrupt):
        run(*answers, once=once)
    made, requests = run(*answers[dies_after:], text_reply("never asked"), once=once)
    assert len(requests) == 6 - dies_after
    assert [variant.score for variant in made.variants] == [30, 50, 30]
    assert "Good." in made.html
    assert len(ledger(database, payer.project_id)) == 6
    spent, reserved, calls = settled(database, payer)
    assert (reserved, calls) == (0, 6)
    assert spent > 0


def test_a_whole_design_from_checkpoints_asks_nothing(run: Run) -> None:
    once = Once()
    first, _ = run(text_reply(GOOD), PASS, once=once)
    again, requests = run(text_reply("never asked"), once=once)
    assert requests == []
    assert again == first


def test_the_checkpoints_are_the_claim_s_steps(run: Run, database: Database) -> None:
    claim = running(database)
    first, _ = run(text_reply(BARE), WORSE, text_reply(GOOD), PASS, once=claim.once)
    assert steps(database, claim.job_id) == [
        "landing/variant_1",
        "landing/variant_1_critique",
        "landing/variant_2",
        "landing/variant_2_critique",
    ]
    again, requests = run(text_reply("never asked"), once=claim.once)
    assert (again, requests) == (first, [])


def test_a_long_page_is_shortened_for_the_critic_but_not_to_its_styles() -> None:
    long = page("<p>body</p>" * 200, style="p { margin: 0 }" * 2000)
    assert len(long) > 2 * PAGE_CHARS
    seen = excerpt(long)
    assert len(seen) <= PAGE_CHARS
    assert seen.count("<p>body</p>") > 100
    assert excerpt(GOOD) == GOOD
    assert 'd="M0 0…"' not in excerpt('<path d="M0 0"/>')
    assert len(excerpt(f'<path d="{"1 " * 900}"/>')) < 200


# --- with the sandbox model


def test_the_sandbox_model_designs_and_judges_by_way_of_real_requests(database: Database, payer: Spender) -> None:
    with SandboxThread() as sandbox, open_model(sandbox.url, database) as model:
        pages = {}
        for name in ("bakery", "nurses", "farm"):
            facts: LandingFacts = landing_facts(name)
            made = design(model, payer, Recorder(), Once(), facts)
            assert made.passed, made.best.outcome
            assert made.best.model == "sandbox"
            assert len(made.variants) == 1
            assert f'class="{choose(facts.idea)[0].key}"' in made.html
            pages[name] = made.content_hash
        assert len(set(pages.values())) == 3


def test_the_sandbox_model_answers_a_critique_with_another_page(database: Database, payer: Spender) -> None:
    harsh = critique(5, 5, 5, 5, 2, 5, feedback="typography and motion are weak", improvements=("motion",))
    with SandboxThread() as sandbox:
        real = overheard(sandbox.url)
        with scripted_model(real, harsh, real, harsh, real, PASS) as (url, _), open_model(url, database) as model:
            made = design(model, payer, Recorder(), Once(), FACTS)
    assert [variant.score for variant in made.variants] == [27, 27, 70]
    assert len({variant.html for variant in made.variants}) == 3
    assert "@keyframes rise" not in made.variants[0].html
    assert "@keyframes rise" in made.variants[1].html
    assert all(variant.problems == () for variant in made.variants)
    assert FORM.split(">")[0] not in made.html
