"""What the code agent says at the end: what it wrote, what the tests said, and what is not there.

Everything in it is either written in this conversation's results or counted from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from studio.sandbox import words
from studio.sandbox.code.product import Product
from studio.sandbox.code.speech import say
from studio.sandbox.code.transcript import Made, Transcript, last_line, outcome_of
from studio.sandbox.wording import quoted

_QUOTED_CHARS = 300
_MOST_NAMED = 6


def final(
    made: Product, past: Transcript, wanted: Mapping[str, str], runs: Sequence[Made], builds: Sequence[Made]
) -> str:
    """Return the last text. `wanted` are the files that were to be written; `runs` of the tests and `builds` follow."""
    language = made.language
    parts = [_written(made, past, wanted)]
    if made.request and all(past.written(path) for path in wanted):
        parts.append(_followed(made))
    if made.folder and any(past.written(path) for path in wanted):
        parts.append(say(language, "own_folder", folder=made.folder))
    parts.append(_tested(made, past, runs))
    if builds:
        told = "not_built" if builds[-1].failed else "built"
        parts.append(say(language, told, result=_quote(made, last_line(builds[-1].result))))
    lines = "\n".join(f"- {line}" for line in made.missing)
    return "\n\n".join([*parts, f"{say(language, 'not_there')}\n{lines}", say(language, "author")])


def _written(made: Product, past: Transcript, wanted: Mapping[str, str]) -> str:
    language = made.language
    there = [path for path in wanted if past.written(path)]
    missing = [path for path in wanted if path not in there]
    refused = next((call for path in missing for call in reversed(past.refusals(path))), None)
    said = f" {say(language, 'refused', result=_quote(made, refused.result))}" if refused else ""
    if not there:
        return say(language, "wrote_nothing") + said
    if missing:
        named = ", ".join(missing[:_MOST_NAMED]) + (", …" if len(missing) > _MOST_NAMED else "")
        return say(language, "wrote_part", count=len(there), wanted=len(wanted), missing=named) + said
    return say(
        language,
        "wrote",
        kind=say(language, f"kind_{made.kind}"),
        count=len(there),
        where=say(language, "where", folder=made.folder) if made.folder else "",
        lines=sum(wanted[path].count("\n") for path in there),
    )


def _followed(made: Product) -> str:
    """Return which parts of the request are in it; that all of it is only where each part is."""
    language = made.language
    request = quoted(made.request.rstrip(". "), language)
    if not made.met:
        return say(language, "follows_nothing" if made.unmet else "asked", request=request)
    if not made.unmet:
        return say(language, "follows", request=request)
    lines = "\n".join(f"- {part}" for part in made.met)
    return f"{say(language, 'follows_part', request=request)}\n{lines}"


def _tested(made: Product, past: Transcript, runs: Sequence[Made]) -> str:
    """Return what the last run of the tests said; a run before the last change says nothing about what is there now."""
    language = made.language
    if not runs:
        why = "no_files" if not any(not call.failed for call in past.of("write")) else "no_try"
        return say(language, "not_run", why=say(language, why))
    last = runs[-1]
    outcome = outcome_of(last)
    edits = past.of("edit")
    if edits and not any(call is last for call in past.after(edits[-1], "bash")) and not edits[-1].failed:
        return say(language, "not_run", why=say(language, "no_try"))
    if outcome.passed:
        told = say(language, "passed", result=_quote(made, outcome.said))
        return f"{told} {_mended(made, edits[-1], runs[0])}" if edits else told
    if not outcome.ran:
        return say(language, "not_run", why=say(language, "refused", result=_quote(made, last_line(last.result))))
    broken = ", ".join(outcome.broken[:_MOST_NAMED])
    return say(language, "not_passed", result=_quote(made, f"{outcome.said} {broken}".strip()))


def _mended(made: Product, edit: Made, first: Made) -> str:
    broken = ", ".join(outcome_of(first).broken)
    return say(made.language, "mended", test=broken, path=edit.text("file_path"))


def _quote(made: Product, text: str) -> str:
    return quoted(words.plain(text) or "–", made.language, _QUOTED_CHARS)
