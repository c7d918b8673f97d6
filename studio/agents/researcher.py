"""The researcher: searches the web, writes notes, then sorts what the notes hold into a schema.

Searching and structuring are two calls, because citations cannot be combined with structured output.
Where the search brought nothing that can be cited, the second call is not made: there is nothing to sort.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

from studio.agents.profiles import PROFILES
from studio.agents.prompting import DATA_RULE, HONESTY_RULE, blocks
from studio.model.call import Call, CompletesCalls
from studio.model.spend import Spender
from studio.progress import Progress
from studio.research import Dossier, dossier, for_prompt, numbered
from studio.tracing.genai import traced_agent

M = TypeVar("M", bound=BaseModel)

NOTES_TOKENS = 3000
FINDINGS_TOKENS = 3500


class Researcher:
    """Researches one question for one project. `task` says what to look for."""

    def __init__(self, model: CompletesCalls, spender: Spender, progress: Progress) -> None:
        self._model = model
        self._spender = spender
        self._progress = progress

    @traced_agent("researcher")
    def run(self, task: str, step: str, facts: dict[str, Any]) -> Dossier:
        """Search and return the notes with the passages they cite."""
        answer = self._model.complete(
            Call(
                profile=PROFILES["researcher_quick"],
                step=step,
                system=f"You are the research agent of a startup studio. {task} Search the web, and base every"
                f" statement on a page that you found; cite it. Write short notes. {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts),
                max_tokens=NOTES_TOKENS,
                search=True,
            ),
            self._spender,
            self._progress,
        )
        return dossier(
            answer.text,
            answer.passages,
            searches=answer.usage.searches,
            retrieved=len(answer.retrieved_urls),
        )

    def sort(self, task: str, step: str, schema: type[M], facts: dict[str, Any], found: Dossier) -> M:
        """Return what the notes and passages of `found` say as `schema`, each item with the ids of its sources."""
        sources = numbered(found.passages)
        findings, _ = self._model.structured(
            Call(
                profile=PROFILES["synthesizer"],
                step=step,
                system=f"You are the research agent of a startup studio. {task} Use only the research notes and"
                " the numbered sources. Give for each item the ids of the sources that say it; an item that no"
                f" source says gets an empty list. {HONESTY_RULE} {DATA_RULE}",
                prompt=blocks(**facts, sources=for_prompt(sources), research=found.notes),
                max_tokens=FINDINGS_TOKENS,
            ),
            schema,
            self._spender,
            self._progress,
        )
        return findings
