"""What is wrong with a page, one finding each, and the error for a page that nothing can be made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.errors import InvalidInput

Rule = Literal["unsafe", "size", "structure", "form", "accessibility", "contrast", "content", "brand"]

# A page with more findings than this is not read line by line by anybody, and the next designer needs the first ones.
LISTED = 12


@dataclass(frozen=True)
class Problem:
    """One finding. `rule` is the kind of rule that the page breaks; `message` says where, and what would be right."""

    rule: Rule
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


class DocumentRefused(InvalidInput):
    """A page that cannot be made safe or whole; `problems` says why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            f"The page cannot be used: {in_words(problems)}",
            "Let it be designed again.",
        )
        self.problems = tuple(problems)


def unique(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems in order, each once."""
    return list(dict.fromkeys(problems))


def in_words(problems: Sequence[Problem], limit: int = LISTED) -> str:
    """Return the findings as one text, at most `limit` of them."""
    shown = " ".join(problem.message for problem in problems[:limit])
    rest = len(problems) - limit
    return f"{shown} And {rest} more." if rest > 0 else shown
