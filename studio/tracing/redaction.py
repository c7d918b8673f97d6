"""Secrets out of traces: known values in every spelling, what looks like a key, and what is named like one.

Hardly any text holds a secret, so each is looked through for cheap signs first. JSON in which there is a sign is read,
cleaned piece by piece and written again: it stays JSON, whatever is cut out of it.
"""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from studio.secrets import HIDDEN, SHORTEST_SECRET
from studio.settings import SANDBOX_KEY, Settings
from studio.text import storable, storable_json

_encode = functools.partial(json.dumps, ensure_ascii=False, separators=(",", ":"))

# White space as it is, and as it stands in JSON within a text.
_SPACE = r"(?:\s|\\[nrt])"
# A key begins where a word does, or behind the escape of a line break.
_BEGIN = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))"
# Between the name of a secret and its value.
_MEANS = r"""\\*["']?\s*[=:]\s*"""
# Its value: in quotes, in escaped quotes, or up to where a value ends.
_VALUE = (
    r"(?!(?:bearer|basic)\s)"
    r"""("(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*'|\\+"[^"\\\r\n]*\\+"|[^\s"'&,;}\\]+)"""
)
# Names of secrets as keys, in lower case and without what separates their words.
_SECRET_NAME = re.compile(
    r"(?:(?:password|passwd|passphrase|secret|authorization|cookie|signature|credential"
    r"|(?:api|private|access|signing|encryption|secret)key)s?|accesskeyid|token)$"
)


@dataclass(frozen=True)
class _Rule:
    """What `pattern` matches is hidden where `sign`, and with it `hint`, is found in the lower case of the text.

    A sign is found in a text and in the JSON of a text alike. `names`: the keys of objects are looked at as well.
    """

    hint: str
    sign: re.Pattern[str]
    pattern: re.Pattern[str]
    replacement: str
    names: bool = False

    def concerns(self, lowered: str) -> bool:
        return self.hint in lowered and self.sign.search(lowered) is not None

    def hide(self, text: str, lowered: str) -> str:
        """Return `text` without what is to be hidden; `lowered` has its characters at the same places."""
        pieces: list[str] = []
        at = 0
        for sign in self.sign.finditer(lowered):
            if sign.start() >= at and (found := self.pattern.match(text, sign.start())):
                pieces += (text[at : found.start()], _hidden(found, self.replacement))
                at = found.end()
        return "".join((*pieces, text[at:])) if pieces else text


def _hidden(found: re.Match[str], replacement: str) -> str:
    if found.re.groups != 2:
        return found.expand(replacement)
    name, value = found.groups()
    quoted = re.match(r"\\*[\"']", value)
    quote = quoted.group() if quoted else ""
    return f"{name}{quote}{HIDDEN}{quote}"


def _lowered(text: str) -> str:
    """Return the lower case of `text`, character by character."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _rule(hint: str, sign: str, pattern: str, replacement: str = HIDDEN, flags: re.RegexFlag = re.NOFLAG) -> _Rule:
    return _Rule(hint, re.compile(sign), re.compile(pattern, flags), replacement)


def _named(hint: str, rest: str = "", *, means: str = _MEANS, value: str = _VALUE) -> _Rule:
    """Return the rule of a name that means a secret: as a key always, in a text where `means` and `value` follow."""
    name = hint + rest
    pair = rf'"{_SPACE}*,{_SPACE}*"(?:[^"\\]|\\.)*"{_SPACE}*\]'
    sign = rf"""{name}(?:["'\\]*{_SPACE}*[:=]|{pair})"""
    pattern = rf"({name}{means}){value}"
    return _Rule(hint, re.compile(sign), re.compile(pattern, re.IGNORECASE), "", names=True)


def _prefixed(prefix: str) -> _Rule:
    """Return the rule of keys that begin with `prefix`. Names of things in code are shorter, or have no digits."""
    rest = r"(?=[a-z_]*[0-9])(?:[a-z0-9]+_)*[a-z0-9]{10,}[a-z0-9_]*"
    return _rule(prefix, prefix + rest, _BEGIN + prefix + rest, flags=re.IGNORECASE)


_RULES = (
    _rule(
        "bearer",
        rf"bearer{_SPACE}+[a-z0-9._~+/=-]{{6,}}",
        rf"(bearer{_SPACE}+)[a-z0-9._~+/=-]{{6,}}",
        rf"\1{HIDDEN}",
        re.IGNORECASE,
    ),
    # Many a sentence begins with "Basic": what follows has to look like base64.
    _rule(
        "basic",
        rf"basic{_SPACE}+(?=[a-z+/]*[0-9=])[a-z0-9+/]{{8,}}",
        rf"(basic{_SPACE}+)[a-z0-9+/]{{8,}}=*",
        rf"\1{HIDDEN}",
        re.IGNORECASE,
    ),
    _rule("://", r'://[^\s/"@:]*:[^\s/"]+@', r'(://[^\s/"@:]*:)[^\s/"]+(?=@)', rf"\1{HIDDEN}"),
    _rule(
        "sk-",
        r"sk-(?:ant-[a-z0-9_-]{4,}|[a-z0-9_-]{16,})",
        _BEGIN + r"sk-(?:ant-[A-Za-z0-9_-]{4,}|[A-Za-z0-9_-]{16,})",
    ),
    # GitHub, Resend, Stripe.
    *map(_prefixed, ("ghp_", "gho_", "ghs_", "github_pat_", "re_", "sk_live_", "sk_test_", "whsec_")),
    _rule("eyj", r"eyj[\w-]{4,}\.[\w-]{4,}\.", r"eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*"),
    _rule("akia", r"akia[0-9a-z]{16}", r"AKIA[0-9A-Z]{16}"),
    _rule("xox", r"xox[abeprs]-[a-z0-9-]{10,}", r"xox[abeprs]-[A-Za-z0-9-]{10,}"),
    _rule(
        "-----begin",
        r"-----begin[a-z ]*private key-----",
        r"-----BEGIN[A-Z ]*PRIVATE KEY-----.*?(?:-----END[A-Z ]*PRIVATE KEY-----|\Z)",
        flags=re.DOTALL,
    ),
    _named("passw", r"(?:or)?ds?"),
    _named("passphrase", "s?"),
    _named("secret", r"s?(?:[-_ ]?(?:access[-_ ]?)?keys?)?"),
    # Neither input_tokens nor token_count.
    _named("token"),
    _named("api", r"[-_ ]?keys?"),
    _named("private", r"[-_ ]?keys?"),
    _named("access", r"[-_ ]?key(?:s|[-_ ]?id)?"),
    _named("signing", r"[-_ ]?keys?"),
    _named("encryption", r"[-_ ]?keys?"),
    _named("authorization"),
    # These are words of every day, too.
    _named("cookie", r"s?", value=r"([^\s\"'=;\\]+=[^\r\n\"'\\]*)"),
    _named("signature", r"s?", means="="),
    _named("credential", r"s?", means="="),
)


class Redactor:
    """Cuts secrets out of text and JSON. It may be used by several threads at once."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are values that are hidden wherever they stand; those of less than six characters are none."""
        spellings = {s for secret in secrets if len(secret) >= SHORTEST_SECRET for s in _spellings(secret)}
        # The longest first: one secret may contain another.
        longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
        # Each as it stands in a text, and as it stands in that text's JSON.
        self._known = tuple((spelling, _encode(spelling)[1:-1]) for spelling in longest_first)

    @classmethod
    def from_settings(cls, settings: Settings) -> Redactor:
        """Return one that knows every secret of `settings`, and the passwords in its addresses."""
        secrets: list[str] = []
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                text = value.get_secret_value()
                if text == SANDBOX_KEY:
                    # The key that opens the sandbox model is its name, which stands in every line about it.
                    continue
                # PROJECT_INTEGRATION_ENCRYPTION_KEY holds several, separated by commas.
                secrets += [text, *map(str.strip, text.split(","))]
            elif isinstance(value, str) and "://" in value:
                secrets += _passwords(value)
        return cls(secrets)

    def text(self, text: str) -> str:
        """Return a message, a stack or an attribute without secrets."""
        for spelling, _ in self._known:
            if spelling in text:
                text = text.replace(spelling, HIDDEN)
        lowered = _lowered(text)
        return _without(text, [rule for rule in _RULES if rule.concerns(lowered)])

    def json(self, text: str) -> str:
        """Return JSON without secrets. It is always JSON; what was none becomes a JSON string."""
        lowered = _lowered(text)
        rules = [rule for rule in _RULES if rule.concerns(lowered)]
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

    def __init__(self, known: Sequence[str], rules: Sequence[_Rule]) -> None:
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
        lowered = text.lower()
        rules = [rule for rule in self._rules if rule.hint in lowered]
        return _without(text, rules) if rules else text


def _without(text: str, rules: Iterable[_Rule]) -> str:
    for rule in rules:
        text = rule.hide(text, _lowered(text))
    return text


def is_secret_name(name: str) -> bool:
    """Say whether a key of this name holds a secret: `api_key`, `X-Api-Key`, `clientSecret`; not `input_tokens`."""
    return _is_secret_name(name[-64:])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(re.sub(r"[-_ ]", "", name.lower())) is not None


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
