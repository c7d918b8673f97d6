"""Secrets out of traces: known values in every spelling, what looks like a key, and what is named like one.

Hardly any text holds a secret, so each is looked through for cheap signs first. JSON in which there is a sign is read,
cleaned piece by piece and written again: it stays JSON, whatever is cut out of it.
"""

from __future__ import annotations

import functools
import json
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import SecretStr

from studio.secret_addresses import secrets_in
from studio.secrets import HIDDEN, SHORTEST_SECRET
from studio.settings import SANDBOX_KEY, Settings
from studio.text import storable, storable_json
from studio.tracing.secret_rules import Rule, concerned, is_secret_name, lower, without

_encode = functools.partial(json.dumps, ensure_ascii=False, separators=(",", ":"))

# How much of a text is looked at for so many characters of its beginning, and how much of that not shown: a secret that
# is cut there may not be known any more.
_READ = 10
_MARGIN_CHARS = 8_192


class Redactor:
    """Cuts secrets out of text and JSON. It may be used by several threads at once."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are values that are hidden wherever they stand; those of less than six characters are none.

        `longest` is how many characters the longest of them has, in its longest spelling.
        """
        spellings = {s for secret in secrets if len(secret) >= SHORTEST_SECRET for s in _spellings(secret)}
        # The longest first: one secret may contain another.
        longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        # Each as it stands in a text, and as it stands in that text's JSON.
        self._known = tuple((spelling, _encode(spelling)[1:-1]) for spelling in longest_first)
        self.longest = max(map(len, spellings), default=0)
        self._margin = max(_MARGIN_CHARS, self.longest)

    @classmethod
    def from_settings(cls, settings: Settings) -> Redactor:
        """Return one that knows every secret of `settings`, and the passwords in its addresses.

        Of an address that is a secret itself it knows the parts, too: nobody repeats it whole.
        """
        secrets: list[str] = []
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                text = value.get_secret_value()
                if text == SANDBOX_KEY:
                    # The key that opens the sandbox model is its name, which stands in every line about it.
                    continue
                # PROJECT_INTEGRATION_ENCRYPTION_KEY holds several, separated by commas.
                secrets += [text, *map(str.strip, text.split(",")), *(secrets_in(text) if "://" in text else ())]
            elif isinstance(value, str) and "://" in value:
                secrets += _passwords(value)
        return cls(secrets)

    def text(self, text: str) -> str:
        """Return a message, a stack or an attribute without secrets."""
        for spelling, _ in self._known:
            if spelling in text:
                text = text.replace(spelling, HIDDEN)
        lowered = lower(text)
        return without(text, lowered, concerned(lowered))

    def beginning(self, text: str, limit: int) -> str:
        """Return a text's beginning, of which `limit` characters may be shown, without secrets.

        However long the text is, so much of it is looked at that no secret is shown in part.
        """
        window = max(_READ * limit, 2 * self._margin)
        if len(text) <= window:
            return self.text(text)
        return self.text(text[:window])[: -self._margin]

    def json(self, text: str) -> str:
        """Return JSON without secrets. It is always JSON; what was none becomes a JSON string."""
        rules = concerned(lower(text))
        known = [spelling for spelling, in_json in self._known if in_json in text]
        if not rules and not known:
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return _encode(storable(self.text(text)))
        clean = _Cleaner(known, rules).of(value)
        try:
            return _encode(clean, allow_nan=False)
        except ValueError:
            return _encode(storable_json(clean))


class _Cleaner:
    """Cuts out of JSON values what has been found to be worth looking for."""

    def __init__(self, known: Sequence[str], rules: Sequence[Rule]) -> None:
        self._known = known
        self._names = any(rule.names for rule in rules)
        self._rules = rules

    def of(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(key): self._held(key, item) for key, item in value.items()}
        if isinstance(value, list):
            # Headers are pairs of a name and a value.
            if len(value) == 2 and isinstance(value[0], str):
                return [self._text(value[0]), self._held(*value)]
            return [self.of(item) for item in value]
        if self._known and value is not None and not isinstance(value, bool):
            return HIDDEN if self._text(str(value)) != str(value) else value
        return value

    def _held(self, name: str, value: Any) -> Any:
        # Whether there is one may be seen.
        if self._names and value not in (None, "", True, False) and is_secret_name(name):
            return HIDDEN
        return self.of(value)

    def _text(self, text: str) -> str:
        for spelling in self._known:
            text = text.replace(spelling, HIDDEN)
        lowered = lower(text)
        return without(text, lowered, [rule for rule in self._rules if rule.hint in lowered])


def _spellings(secret: str) -> set[str]:
    """Return how a secret may be written: as it is, in an address, in JSON, in Python."""
    quoted = functools.partial(urllib.parse.quote, errors="surrogatepass")
    return {
        secret,
        storable(secret),
        quoted(secret, safe=""),
        quoted(secret, safe=" ").replace(" ", "+"),
        _encode(secret)[1:-1],
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }


def _passwords(url: str) -> list[str]:
    """Return the password in an address, as it stands there and decoded.

    One that says the same as another part, such as `postgres`, would tear holes into every text about that; it is
    hidden in addresses alone, as every password there is.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return []
    if password in (parts.username, parts.path.strip("/"), parts.hostname, parts.scheme):
        return []
    return [password, urllib.parse.unquote(password)]
