"""Which words act: verbs told from the nouns they look like, by what stands beside them."""

from __future__ import annotations

from studio.sandbox import lexicon
from studio.sandbox.words import Token


def base_form(word: str) -> str | None:
    """Return the base form of `word` where it is a known verb as it stands or in the third person."""
    candidates = [word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"]
    for candidate in candidates:
        if candidate in lexicon.PLAIN_VERBS or candidate in lexicon.HOMOGRAPHS:
            return candidate
    return None


def is_verb(row: list[Token], index: int) -> bool:
    """Say whether the word at `index` acts, judging by the words beside it."""
    word = row[index].lower
    base = base_form(word)
    if base is None:
        return False
    before = row[index - 1].lower if index and not row[index].after_break else ""
    after = row[index + 1].lower if index + 1 < len(row) and not row[index + 1].after_break else ""
    if before in lexicon.NOT_BEFORE_VERB:
        return False
    if base in lexicon.PLAIN_VERBS:
        return True
    if before in lexicon.BEFORE_VERB or before in lexicon.PRODUCT_NOUNS:
        return True
    takes_object = (
        after in lexicon.DETERMINERS | lexicon.PARTICLES
        or (after.endswith("s") and len(after) > 3)
        or after in lexicon.PEOPLE
    )
    if word == base:
        return (before.endswith("s") and len(before) > 3) or (not before and takes_object)
    return takes_object and before not in lexicon.NOT_BEFORE_VERB and bool(before)
